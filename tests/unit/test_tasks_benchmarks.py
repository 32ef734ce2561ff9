"""The published benchmarks: every row is read, every gold is paid, no wrong answer and no attack is; splits, ids and sizes."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import pytest

from earnest import component
from earnest.data.rollouts import judge
from earnest.errors import DataError
from earnest.gates.cases import shipped
from earnest.gates.trials import tally, trials
from earnest.tasks import bbh
from earnest.tasks.base import Task
from earnest.tasks.game24 import solve
from earnest.types import Problem
from earnest.verifiers import golds
from earnest.verifiers.expression import Expression
from grading import grade

DATA = os.environ.get("EARNEST_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="EARNEST_DATA is not set")
SETS = [name for kind in (bbh.Lettered, bbh.Counted, bbh.Worded) for name in get_args(kind)]

AQUA = {"question": "Which?", "options": ["A)red", "B)blue"], "correct": "B"}
IFEVAL = {"key": 1, "prompt": "x", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
MATH = {"problem": "?", "solution": "!", "answer": "1", "subject": "Algebra", "level": 2, "unique_id": "test/a/1.json"}
HUMANEVAL = {
    "task_id": "HumanEval/0", "prompt": "def f(x):\n    ...\n", "entry_point": "f", "canonical_solution": "    return x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}  # fmt: skip
MBPP = {"task_id": 11, "text": "?", "code": "def f(x):\n    return x\n", "test_list": ["assert f(1) == 1"]}
DROPPED = object()
"""In place of a value: the key is left out."""


def build(name: str, **settings: Any) -> Task:
    return component.build("task", {"name": name, **settings})


@needs_data
@pytest.mark.parametrize(
    ("name", "settings", "sizes", "verifier"),
    [
        ("arc", {}, {"test": 1172}, "choice"),
        ("arc", {"subset": "easy"}, {"test": 2376}, "choice"),
        ("aqua", {}, {"test": 254}, "choice"),
        ("ifeval", {}, {"test": 541}, "constraint"),
        ("game24", {}, {"train": 1148, "dev": 114, "test": 100}, "expression"),
    ],
)
def test_every_gold_is_paid_and_nothing_else(
    name: str, settings: dict[str, Any], sizes: dict[str, int], verifier: str
) -> None:
    task = build(name, **settings)
    assert task.verifier_name == verifier and not task.notices()
    assert {split: len(task.problems(split)) for split in task.splits} == sizes
    grader = component.build("verifier", verifier)
    for split in task.splits:
        problems = task.problems(split)
        assert [p.id for p in problems if grader.check_gold(p.answer or "") is not None] == []
        shown = trials(grader, task, problems, 10, shipped())
        found = tally(shown, judge(grader, [trial.item for trial in shown]))
        assert found.golds == (0 if name == "ifeval" else len(problems))
        assert (found.golds_unpaid, found.paid, found.ungraded) == ([], [], 0)


@needs_data
@pytest.mark.parametrize("subset", SETS)
def test_every_set_of_bbh_is_read_and_graded(subset: str) -> None:
    task = build("bbh", subset=subset)
    problems = task.problems("test")
    dropped = {"movie_recommendation": 1, "ruin_names": 2, "snarks": 1}.get(subset, 0)
    whole = {"causal_judgement": 187, "penguins_in_a_table": 146, "snarks": 178}.get(subset, 250)
    assert len(problems) == whole - dropped == len({p.id for p in problems})
    assert [str(dropped)] == [text.split()[0] for text in task.notices()] or (not dropped and not task.notices())
    grader = component.build("verifier", task.verifier_name)
    shown = trials(grader, task, problems[::5], 5, shipped())
    found = tally(shown, judge(grader, [trial.item for trial in shown]))
    assert found.golds == len(problems[::5])
    assert (found.golds_unpaid, found.paid, found.ungraded) == ([], [], 0)


@needs_data
def test_bbh_has_27_sets() -> None:
    assert DATA is not None
    files = sorted(file.stem for file in (Path(DATA) / "bbh" / "bbh").glob("*.json"))
    assert files == sorted(SETS) and len(files) == 27
    with pytest.raises(component.KeyedConfigError):
        build("bbh")


@needs_data
def test_options_stand_in_the_question_and_in_the_gold() -> None:
    for task in (build("arc"), build("aqua"), build("bbh", subset="snarks")):
        for problem in task.problems("test")[:50]:
            gold = golds.read(problem.answer)
            assert not hasattr(gold, "reason")
            lines = problem.question.splitlines()
            assert all(f"({label}) {text}".strip() in lines for label, text in gold["choices"].items()), problem  # type: ignore[index]


@needs_data
def test_the_test_set_of_game24_is_that_of_the_paper() -> None:
    task = build("game24")
    assert [p.meta["rank"] for p in task.problems("test")] == list(range(901, 1001))
    ranks = [p.meta["rank"] for split in task.splits for p in task.problems(split)]
    assert sorted(ranks) == list(range(1, 1363))  # type: ignore[type-var]


def test_the_solver_finds_what_there_is() -> None:
    def found(*numbers: int, target: int = 24) -> list[str] | None:
        return solve([(Fraction(n), str(n)) for n in numbers], Fraction(target))

    assert found(2, 3, 4, target=20) == ["2 + 3 = 5", "4 * 5 = 20", "4 * (2 + 3)"]
    assert found(1, 1, 1, 1) is None
    for numbers in ((3, 3, 8, 8), (1, 5, 5, 5), (4, 9, 10, 13), (1, 3, 4, 6)):
        steps = found(*numbers)
        assert steps is not None and len(steps) == 4
        gold = golds.write({"numbers": list(numbers), "target": 24})
        assert grade(Expression(), steps[-1], gold).correct, steps


def test_a_row_that_is_none_is_a_data_error_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    good = {"prompt": "x", "key": 1, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    for bad in ({}, {**good, "kwargs": []}, {**good, "instruction_id_list": ["no:such"]}, {**good, "prompt": 3}):
        file.write_text(json.dumps(good) + "\n" + json.dumps(bad), encoding="utf-8")
        with pytest.raises(DataError) as error:
            build("ifeval", path=str(file)).problems("test")
        assert error.value.where == f"{file}:2"
    (tmp_path / "24.csv").write_text("Rank,Puzzles\n1,1 1 4 x\n", encoding="utf-8")
    with pytest.raises(DataError) as csv_error:
        build("game24", path=str(tmp_path / "24.csv")).problems("test")
    assert csv_error.value.where.endswith("24.csv:2")
    (tmp_path / "arc_easy.jsonl").write_text(
        json.dumps({"query": "?", "choices": ["a", "b"], "gold": 2}), encoding="utf-8"
    )
    with pytest.raises(DataError):
        build("arc", subset="easy", path=str(tmp_path)).problems("test")
    (tmp_path / "snarks.json").write_text('{"examples": [{"input": 1}]}', encoding="utf-8")
    with pytest.raises(DataError):
        build("bbh", subset="snarks", path=str(tmp_path)).problems("test")


@pytest.mark.parametrize(
    ("task", "row", "changes", "said"),
    [
        ("aqua", AQUA, {"correct": "F"}, "one of A, B, it is 'F'"),
        ("aqua", AQUA, {"options": ["red", "blue"]}, "begin A), B), C), …, they are ['red', 'blue']"),
        ("aqua", AQUA, {"question": 3}, "'question' must be text, it is 3"),
        ("ifeval", IFEVAL, {"kwargs": None}, "'kwargs' must be a list, it is None"),
        ("ifeval", IFEVAL, {"instruction_id_list": ["no:such"]}, "cannot be checked"),
        ("math500", MATH, {"answer": " "}, "'answer' is empty"),
        ("math500", MATH, {"level": "2"}, "'level' must be a whole number, it is '2'"),
        ("humaneval", HUMANEVAL, {"entry_point": "g"}, "begins a function of the name in 'entry_point', 'g'"),
        ("humaneval", HUMANEVAL, {"test": DROPPED}, "it needs 'test'"),
        ("mbpp", MBPP, {"test_list": []}, "'test_list' is empty"),
        ("mbpp", MBPP, {"test_list": ["assert g(1)"]}, "must call a function of 'code', it is 'assert g(1)'"),
        ("mbpp", MBPP, {"code": "def f("}, "must be Python"),
    ],
)
def test_the_error_of_a_bad_row_says_what_was_expected_what_is_there_and_what_rows_look_like(
    tmp_path: Path, task: str, row: dict[str, object], changes: dict[str, object], said: str
) -> None:
    bad = {key: value for key, value in {**row, **changes}.items() if value is not DROPPED}
    (tmp_path / "rows.jsonl").write_text(json.dumps(bad), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        build(task, path=str(tmp_path / "rows.jsonl")).problems("test")
    error = caught.value
    assert error.where.endswith("rows.jsonl:1") and said in error.why and f"keys found: {', '.join(bad)}" in error.why
    assert error.remedy.startswith("rows look like {") and set(row) <= set(re.findall(r'"(\w+)":', error.remedy))


def test_the_place_of_the_right_choice_is_one_of_them(tmp_path: Path) -> None:
    row = {"query": "?", "choices": ["a", "b"], "gold": 2}
    (tmp_path / "arc_easy.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        build("arc", subset="easy", path=str(tmp_path)).problems("test")
    assert "must be a place among 2 choices, from 0, it is 2" in caught.value.why and '"gold": 1' in caught.value.remedy


def test_a_benchmark_is_for_testing_and_can_be_cut_short(tmp_path: Path) -> None:
    row = {"query": "Question: Which?", "choices": ["red", "blue"], "gold": 1}
    rows = [json.dumps({**row, "query": f"Question: Which {n}?"}) for n in range(5)]
    (tmp_path / "arc_easy.jsonl").write_text("\n".join(rows), encoding="utf-8")
    task = build("arc", subset="easy", path=str(tmp_path), limit=2)
    assert [p.question for p in task.problems("test")] == [f"Which {n}?\n(A) red\n(B) blue" for n in range(2)]
    with pytest.raises(DataError):
        task.problems("train")


@needs_data
def test_questions_of_one_benchmark_are_not_all_in_another() -> None:
    asked: Counter[str] = Counter()
    tasks = [build("arc"), build("arc", subset="easy"), build("aqua")]
    problems: list[Problem] = [p for task in tasks for p in task.problems("test")]
    asked.update(p.question for p in problems)
    assert max(asked.values()) == 1
