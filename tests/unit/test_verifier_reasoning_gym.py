"""The puzzles of reasoning-gym: every data set of the package, the checkers of ours, and golds that name no row."""

from __future__ import annotations

import json
import random
import signal
import sys
from fractions import Fraction
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.component import KeyedConfigError, build
from earnest.errors import DataError, MissingDependency
from earnest.sandbox.jobs import SandboxError
from earnest.sandbox.levels import probe
from earnest.tasks.base import Task
from earnest.types import Status, Verdict
from earnest.verifiers import reasoning_gym as module
from earnest.verifiers.reasoning_gym import ReasoningGym, question_hash, tagged
from earnest.verifiers.reasoning_gym.checks import OWN, same
from earnest.verifiers.reasoning_gym.formulas import Unreadable, exact, parse
from earnest.verifiers.reasoning_gym.rows import TESTED, Name, Row, rows_of
from earnest.verifiers.reasoning_gym.tables import REFUSED, SCORED, UNSTABLE
from earnest.verifiers.refused import Refused
from grading import grade

SOURCE = Path(__file__).parents[2] / "src" / "earnest" / "verifiers" / "reasoning_gym"


def datasets() -> list[str]:
    from reasoning_gym.factory import DATASETS

    return sorted(DATASETS)


DATASETS = datasets()
LONG_TO_MAKE = {"knight_swap"}


def gold(dataset: str, index: int = 0, /, **changes: Any) -> str:
    return json.dumps(
        {
            "dataset": dataset,
            "config": {"seed": 7, "size": 8},
            "index": index,
            "package": f"reasoning_gym=={TESTED}",
            **changes,
        }
    )


def made(dataset: str, index: int) -> Row:
    found = rows_of(Name(dataset, '{"seed":7,"size":8}', index))
    assert not isinstance(found, Refused), found
    return found[0]


def oracle(row: Row) -> str:
    """An answer that is right; where the package names none, the one in the row's metadata."""
    if row.answer is not None:
        return row.answer
    return row.metadata.get("example_correct_answer") or json.dumps(row.metadata["possible_answer"])


def judged(dataset: str, index: int, answer: str) -> Verdict:
    row = made(dataset, index)
    return grade(
        ReasoningGym(), f"<answer>{answer}</answer>", gold(dataset, index, question=question_hash(row.question))
    )


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name not in REFUSED])
def test_every_data_set_pays_the_answer_and_nothing_around_it(dataset: str) -> None:
    if dataset in SCORED and probe().level is None:
        pytest.skip("no sandbox on this machine")
    count = 1 if dataset in LONG_TO_MAKE else 4
    right = [oracle(made(dataset, index)) for index in range(count)]
    for index in range(min(count, 2)):
        answer = right[index]
        assert "Integral(" in answer or judged(dataset, index, answer).correct, (answer, judged(dataset, index, answer))
        others = [other for other in right if not same(other, answer)]
        wrong = [
            "",
            " ",
            f"{answer} junk",
            f"junk {answer}",
            f"{answer}\n{answer}",
            f"{answer} or something else",
            "zxq",
            "{}",
            "[]",
            "null",
            "nan",
            "None",
            "__import__('os').getcwd()",
            made(dataset, index).question,
            *(f"{answer} or {other}" for other in others[:1]),
            *(f"{other}, {answer}" for other in others[:1]),
            *others[:1],
        ]
        for text in wrong:
            if text in ("[]", "None") and same(text, answer):
                continue
            verdict = judged(dataset, index, text)
            assert verdict.correct is False, (dataset, text, verdict)


def test_the_tables_speak_of_data_sets_that_there_are() -> None:
    named = {*REFUSED, *SCORED, *OWN, *UNSTABLE}
    assert named <= set(DATASETS) and not set(REFUSED) & (set(SCORED) | set(OWN)) and not set(SCORED) & set(OWN)
    evaluated = {
        "spiral_matrix",
        "binary_matrix",
        "string_insertion",
        "n_queens",
        "simple_integration",
        "intermediate_integration",
    }
    assert not (evaluated | {"polynomial_multiplication", "puzzle24", "countdown"}) & set(SCORED)
    for name in REFUSED:
        assert (
            name in (ReasoningGym().check_gold(gold(name)) or "")
            and grade(ReasoningGym(), "1", gold(name)).correct is None
        )


def test_nothing_here_evaluates_text() -> None:
    for file in SOURCE.glob("*.py"):
        for word in (" eval(", "exec(", "parse_expr(", "sympify(", "pickle"):
            assert word not in file.read_text("utf-8").replace("`eval`", "").replace("`parse_expr`", ""), (file, word)


ROW = Row(
    "?",
    "0",
    {"numbers": [2, 2, 3, 4], "target": 24, "variables": ["x", "y"], "variable": "x", "integrand": "6*x**2 - 1/2"},
)


def own(dataset: str, text: str, row: Row = ROW) -> bool:
    try:
        return OWN[dataset](text, row)
    except Unreadable:
        return False


@pytest.mark.parametrize(
    "text",
    ["2*3*(2+4) - 12", "24", "", "2+2", "3*4*2", "3*4*2+2", "3**2*2+4+2", "(2+2)*3*4/2", "22*3/4", "2.0*3*4/2*2"],
)
def test_a_countdown_uses_every_number_once(text: str) -> None:
    assert own("countdown", text) is False


@pytest.mark.parametrize("text", ["3*4*2/2*2", "4*3*(2/2)*1"])
def test_a_countdown_uses_no_other_number(text: str) -> None:
    assert own("countdown", text) is False and own("puzzle24", text) is False


def test_countdowns_that_are_right() -> None:
    row = Row("?", None, {"numbers": [3, 4, 2, 1], "target": 24})
    for text in ("3*4*2*1", "(4 * 3) * 2 / 1", "1*-2*-3*4", "4*(3 + 2 + 1)"):
        assert own("countdown", text, row) and own("puzzle24", text, row), text
    for text in ("1/0 + 24 - 23", "3*4*2", "3*4*2*1*1", "3*4*2**1", "3 4 2 1", "24*1 + 3 - 3"):
        assert not own("countdown", text, row), text
    assert own("countdown", "8/(3 - 8/3)", Row("?", None, {"numbers": [8, 3, 8, 3], "target": 24}))


def test_a_product_must_be_multiplied_out() -> None:
    row = Row("?", "-896*x**3 + 2*x*y - 5", {"variables": ["x", "y"]})
    for text in ("2*y*x - 896*x^3 - 5", "-5 + 2*x*y - 896*x**3", "-(5) - 896*x**3 + 2*x*y"):
        assert own("polynomial_multiplication", text, row), text
    for text in (
        "x*(2*y - 896*x**2) - 5",
        "x*y + x*y - 896*x**3 - 5",
        "2*x*y - 5",
        "-896*x**3 + 2*x*y - 5.1",
        "z",
        "x**9**9",
    ):
        assert not own("polynomial_multiplication", text, row), text


def test_an_antiderivative_is_known_by_its_slope() -> None:
    for text in ("2*x**3 - x/2 + C", "2*x^3 - 1/2*x", "C + x*(2*x**2 - 1/2)", "-x/2 + 2*x**3 + 7"):
        assert own("simple_integration", text), text
    for text in (
        "2*x**3 - x/2 + C*x",
        "2*x**3",
        "6*x**2 - 1/2",
        "C",
        "1/0",
        "x**999999999",
        "2*x**3 - x/2 + y",
        "sin(x)",
    ):
        assert not own("simple_integration", text), text
    row = Row("?", None, {"variable": "x", "integrand": "2*exp(x)*cos(x)"})
    for text in ("exp(x)*sin(x) + exp(x)*cos(x) + C", "E**x*(sin(x) + cos(x))", "exp(x)*(sin(x)+cos(x)) + 5*pi"):
        assert own("intermediate_integration", text, row), text
    for text in (
        "exp(x)*sin(x) + C",
        "2*exp(x)*cos(x)",
        "log(0)",
        "1/0",
        "C",
        "exp(exp(exp(exp(exp(x)))))",
        "x**x**x**x",
    ):
        assert not own("intermediate_integration", text, row), text
    roots = Row("?", None, {"variable": "x", "integrand": "4*sqrt(-2*x - 8)"})
    assert own("intermediate_integration", "-4*(-2*x - 8)**(3/2)/3 + C", roots)


@pytest.mark.parametrize(
    ("text", "answer", "equal"),
    [
        ("1 2\n3", "1  2 \n\n3", True),
        ("1 2 3", "1 2\n3", False),
        ("007", "7", True),
        ("7.0", "7", True),
        ("7%", "7", False),
        ("7 apples", "7", False),
        ("[1, 2.0]", "[1,2]", True),
        ("[1, true]", "[1, 1]", False),
        ('{"a":1,"a":2}', '{"a":2}', False),
        ("[NaN]", "[NaN]", True),
        ("[1]", "[2]", False),
        ("[" * 5000, "[1]", False),
        ("1/2", "0.5", True),
        ("x7", "7", False),
    ],
)
def test_the_same_answer(text: str, answer: str, equal: bool) -> None:
    assert same(text, answer) is equal


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer> 5 </answer>", "5"),
        ("<answer>5</answer> so <answer>5</answer>.", "5"),
        ("5", None),
        ("<answer>5", None),
        ("<answer>5</answer> <answer>6</answer>", None),
        ("<answer></answer>", None),
        ("<answer>5</answer>6", None),
        ("<answer>5</answer><answer>", None),
        ("It is not <answer>5</answer>.", None),
        ("<answer>5</answer> is wrong.", None),
        ("It is not 4 but <answer>5</answer>", "5"),
    ],
)
def test_the_answer_stands_in_its_tag(text: str, answer: str | None) -> None:
    found = tagged(text)
    assert isinstance(found, Refused) if answer is None else found == answer


BROKEN = {
    "no index": {"index": None},
    "outside": {"index": 8},
    "no seed": {"config": {"size": 8}},
    "no such data set": {"dataset": "nope"},
    "a path": {"dataset": "../x"},
    "another version": {"package": "reasoning_gym==0.1.24"},
    "no package": {"package": None},
    "another setting": {"config": {"seed": 7, "size": 8, "nope": 1}},
    "another question": {"question": "0" * 16},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_gold_that_names_no_row_is_an_error(what: str) -> None:
    verdict = grade(ReasoningGym(), "<answer>5</answer>", gold("leg_counting", **BROKEN[what]))
    assert verdict.status is Status.ERROR and verdict.correct is None, verdict


def test_rows_that_depend_on_a_hash_seed_need_their_question() -> None:
    for dataset in UNSTABLE - {"polynomial_multiplication"}:
        assert "question" in (ReasoningGym().check_gold(gold(dataset)) or "")
    several = rows_of(Name("polynomial_multiplication", '{"seed":1,"size":1}', 0))
    assert not isinstance(several, Refused) and len({row.question for row in several}) == len(several) > 1


def test_a_version_that_was_not_tried_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["earnest.verifiers.reasoning_gym.rows"], "version", lambda name: "9.9")
    module._gold.cache_clear()
    assert "9.9 is installed" in (ReasoningGym().check_gold(gold("leg_counting", 5)) or "")
    monkeypatch.undo()
    module._gold.cache_clear()
    assert ReasoningGym().check_gold(gold("leg_counting", 5)) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MissingDependency("untrusted code cannot be run safely here", remedy="install bubblewrap"), Status.ERROR),
        (SandboxError("unavailable", "no server"), Status.ERROR),
        (SandboxError("died", "killed"), Status.ERROR),
        (SandboxError("deadline", "5 s"), Status.LIMIT),
        (SandboxError("memory", "512 MB"), Status.LIMIT),
    ],
)
def test_a_sandbox_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: Status
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(module, "call", fail)
    verdict = judged("sokoban", 0, "UDLR")
    assert verdict.status is status and verdict.correct is (None if status is Status.ERROR else False)
    assert judged("spiral_matrix", 0, oracle(made("spiral_matrix", 0))).correct


def test_a_process_that_was_lost_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = sys.modules["earnest.verifiers.reasoning_gym.rows"]._SERVER
    assert not isinstance(rows_of(Name("gcd", '{"seed":99,"size":8}', 0)), Refused)
    server._process.kill()
    server._process.wait()
    assert not isinstance(rows_of(Name("gcd", '{"seed":99,"size":8}', 1)), Refused)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["earnest.verifiers.reasoning_gym.rows"], "TIMEOUT_S", 0.01)
        server._process.send_signal(signal.SIGSTOP)
        assert isinstance(rows_of(Name("gcd", '{"seed":99,"size":8}', 2)), Refused)
    assert not isinstance(rows_of(Name("gcd", '{"seed":99,"size":8}', 2)), Refused)


def test_a_long_answer_meets_a_limit() -> None:
    assert judged("leg_counting", 0, "7" * 10_000).status is Status.LIMIT


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from([*"0123456789xyC()+-*/^. ", "**", "sin(", "E"]), max_size=40).map("".join),
    )
)
def test_no_text_breaks_a_checker(text: str) -> None:
    row = Row("?", "1", {**ROW.metadata, "valid_answers": ["Q"], "solution": 0.5})
    for dataset in OWN:
        assert own(dataset, text, row) in (True, False)
    assert same(text, "[1]") in (True, False) and tagged(text) is not None


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 99)), min_size=1, max_size=8))
def test_expressions_agree_with_python(parts: list[tuple[str, int]]) -> None:
    text = "7" + "".join(f" {sign} {number}" for sign, number in parts)
    value, pending, sign = 0, 7, 1
    for operator, number in parts:
        if operator == "*":
            pending *= number
        else:
            value, pending, sign = value + sign * pending, number, 1 if operator == "+" else -1
    assert exact(parse(text), {}).value == Fraction(value + sign * pending)


@pytest.mark.parametrize(
    "piece", ["(", "1+", "-", "1^", "9", "x*", "1 ", "<answer>", "<answer>1</answer>", "[", "[[", '{"a":', "sin("]
)
def test_time_is_linear(piece: str) -> None:
    def seconds(count: int) -> float:
        text, start = piece * count, process_time()
        own("countdown", text)
        same(text, "[1]")
        tagged(text)
        return process_time() - start

    small, large = min(seconds(5_000) for _ in range(3)), min(seconds(20_000) for _ in range(3))
    assert large < 8 * small + 0.02, (small, large)


def test_the_task_keeps_its_splits_apart_and_leaves_no_seed_out() -> None:
    spec = {"name": "reasoning_gym", "dataset": "gcd", "train_size": 60, "dev_size": 20, "test_size": 20}
    task: Task = build("task", spec)
    state = random.getstate()
    golds = {split: [json.loads(p.answer or "") for p in task.problems(split)] for split in task.splits}
    assert random.getstate() == state
    seeds = {split: {g["config"]["seed"] for g in found} for split, found in golds.items()}
    assert all(len(own) == 1 for own in seeds.values()) and len(set.union(*seeds.values())) == 3
    questions = {split: {p.question for p in task.problems(split)} for split in task.splits}
    assert not questions["test"] & (questions["dev"] | questions["train"]) and not questions["dev"] & questions["train"]
    other: Task = build("task", {**spec, "seed": 1})
    assert not questions["test"] & {p.question for p in other.problems("test")}


def test_a_task_that_cannot_be_made_says_why() -> None:
    for fields, what in (
        ({"dataset": "composite"}, "a mixture"),
        ({"dataset": "gcd", "config": {"seed": 3}}, "settings of the task"),
        ({}, "is missing"),
    ):
        with pytest.raises(KeyedConfigError, match=what):
            build("task", {"name": "reasoning_gym", **fields})
    for fields in ({"dataset": "nope"}, {"dataset": "gcd", "config": {"nope": 1}}):
        with pytest.raises(DataError, match="cannot make a row"):
            build("task", {"name": "reasoning_gym", **fields}).problems("test")
    few = {"dataset": "coin_flip", "config": {"max_trials": 3}, "test_size": 2000}
    with pytest.raises(DataError, match="new questions"):
        build("task", {"name": "reasoning_gym", **few}).problems("test")


@pytest.mark.parametrize("dataset", ["n_queens", "word_ladder", "polynomial_multiplication", "tower_of_hanoi"])
def test_golds_of_the_task_pass_and_its_wrong_answers_do_not(dataset: str) -> None:
    if dataset in SCORED and probe().level is None:
        pytest.skip("no sandbox on this machine")
    task: Task = build(
        "task", {"name": "reasoning_gym", "dataset": dataset, "train_size": 4, "dev_size": 4, "test_size": 4}
    )
    for problem in task.problems("test"):
        right = task.gold(problem)
        assert right is not None and grade(ReasoningGym(), right.answer, problem.answer).correct
        assert [
            w.answer
            for w in task.wrong(problem)
            if grade(ReasoningGym(), w.answer, problem.answer).correct is not False
        ] == []
