"""Chain and skills: hand-worked problems, splits by hash, laziness."""

from __future__ import annotations

import pytest

from earnest.component import KeyedConfigError, build
from earnest.errors import DataError
from earnest.seeding import bucket
from earnest.tasks.chain import Chain, work
from earnest.tasks.generated import LazyProblems, distinct, split_of
from earnest.tasks.skills import Skills
from earnest.types import Problem


def make(index: int) -> Problem:
    return Problem(id=str(index), task="t", prompt=f"question {index}", answer="1")


@pytest.mark.parametrize(
    ("chain", "trace", "answer"),
    [
        ("3+7-2+9+4=", "3+7=0;0-2=8;8+9=7;7+4=1;", "1"),
        ("0-1=", "0-1=9;", "9"),
        ("5-5+0=", "5-5=0;0+0=0;", "0"),
    ],
)
def test_chain_is_worked_from_left_to_right_modulo_10(chain: str, trace: str, answer: str):
    assert work(chain) == (trace, answer)


def test_chain_gold_agrees_with_arithmetic_on_the_whole_chain():
    task = Chain(length=7)
    for problem in task.problems("test")[:50]:
        chain = problem.question.rstrip("=")
        total = sum(int(sign + digit) for sign, digit in zip("+" + chain[1::2], chain[0::2], strict=True))
        assert task.gold(problem).answer == problem.answer == str(total % 10)
        assert task.gold(problem).thought.count(";") == 6
        assert task.gold(problem).thought.endswith(f"={problem.answer};")


def test_chain_wrong_answers_differ_and_include_a_flipped_operator():
    task = Chain(length=2, dev_size=5, test_size=5)
    problem = Problem(id="chain/x", task="chain", prompt="3+7=", answer="0")
    wrong = task.wrong(problem)
    assert "0" not in [solution.answer for solution in wrong]
    assert ("3-7=6;", "6") in [(solution.thought, solution.answer) for solution in wrong]
    unchanged = Problem(id="chain/y", task="chain", prompt="4+5=", answer="9")
    assert all(solution.thought == "4+5=9;" for solution in task.wrong(unchanged)), "4-5 is 9 too"


def test_splits_follow_the_hash_of_the_text():
    task = Chain(length=3, dev_size=50, test_size=50)
    assert {bucket(p.question, 10) for p in task.problems("test")} == {0}
    assert {bucket(p.question, 10) for p in task.problems("dev")} == {1}
    assert {bucket(p.question, 10) for p in task.problems("train")[:300]} == set(range(2, 10))


def test_a_smaller_held_out_set_is_a_prefix_of_a_larger_one():
    assert Chain(test_size=10).problems("test") == Chain(test_size=40).problems("test")[:10]


def test_training_problems_are_lazy_and_depend_on_their_index_alone():
    train = Chain(train_size=10**9).problems("train")
    assert len(train) == 10**9
    assert train[10**9 - 1] == train[-1]
    assert train[123_456] == Chain(train_size=200_000).problems("train")[123_456]
    with pytest.raises(IndexError):
        train[10**9]


def test_lazy_problems_make_only_what_is_asked_for():
    made: list[int] = []

    def count(index: int) -> Problem:
        made.append(index)
        return make(index)

    problems = LazyProblems(100, count)
    assert [p.id for p in problems[96:]] == ["96", "97", "98", "99"]
    assert problems[-100].id == "0"
    assert made == [96, 97, 98, 99, 0]
    with pytest.raises(IndexError):
        problems[-101]


def test_a_space_too_small_for_the_splits_is_refused_with_the_numbers():
    with pytest.raises(KeyedConfigError, match=r"length 2 number 200.*at most 10"):
        build("task", {"name": "chain", "length": 2})
    assert len(build("task", {"name": "chain", "length": 2, "dev_size": 10, "test_size": 10}).problems("test")) == 10


def test_distinct_drops_repeats_and_gives_up_with_the_count():
    assert [p.question for p in distinct(3, lambda i: make(i // 2))] == ["question 0", "question 1", "question 2"]
    with pytest.raises(DataError, match="only 4 different problems found, 5 asked for"):
        distinct(5, lambda i: make(i % 4))


def test_skills_answers():
    task = Skills()
    for problem in [*task.problems("train")[:300], *task.problems("test")]:
        asked, _, _ = problem.question.partition("=")
        name, _, text = asked.partition(":")
        expected = {"copy": text, "rev": text[::-1]}.get(name)
        if expected is None:
            left, operator, right = asked
            expected = str((int(left) + int(operator + right)) % 10)
        assert problem.answer == expected
        assert task.gold(problem).thought == ""


def test_skills_hold_a_string_and_its_mirror_image_on_one_side():
    def strings(split: str) -> set[str]:
        problems = Skills(longest=4, facts=0.0).problems(split)[:1500]
        return {min(text, text[::-1]) for p in problems for text in [p.question[p.question.index(":") + 1 : -1]]}

    train, dev, test = strings("train"), strings("dev"), strings("test")
    assert train.isdisjoint(dev) and train.isdisjoint(test) and dev.isdisjoint(test)
    assert {split_of(text) for text in test} == {"test"}


def test_skills_hold_no_fact_out_and_keep_the_share():
    task = Skills(facts=0.25)
    kinds = [problem.meta["skill"] for problem in task.problems("train")[:2000]]
    assert kinds.count("fact") / 2000 == pytest.approx(0.25, abs=0.04)
    assert kinds.count("copy") / 2000 == pytest.approx(0.375, abs=0.04)
    assert {p.meta["skill"] for p in task.problems("test")} == {"copy", "reverse"}


def test_skills_wrong_answers_of_a_palindrome_and_of_equal_letters():
    task = Skills()
    for text in ("aba", "aaa", "zzzz"):
        problem = Problem(id="skills/x", task="skills", prompt=f"rev:{text}=", answer=text)
        answers = [solution.answer for solution in task.wrong(problem)]
        assert text not in answers and len(answers) >= 4
