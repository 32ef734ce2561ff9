"""The tasks whose answers are programs: what is shown, what is hidden, and that the published solutions pass."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from earnest.errors import DataError
from earnest.sandbox import levels
from earnest.tasks.base import Task
from earnest.tasks.humaneval import Humaneval
from earnest.tasks.mbpp import RANGES, Mbpp
from earnest.tasks.programs import fenced
from earnest.types import Item, Parsed, Problem, Verdict
from earnest.verifiers import golds
from earnest.verifiers.code import Code

DATA = pytest.mark.skipif("EARNEST_DATA" not in os.environ, reason="reads the files below EARNEST_DATA")
HELD = pytest.mark.skipif(levels.probe().level is None, reason="no sandbox level holds on this machine")


def judged(problems: list[Problem], answers: list[str]) -> list[Verdict]:
    return Code().judge(
        [
            Item(problem=p, parsed=Parsed(text=a, thought=None, answer_text=a, well_formed=True), truncated=False)
            for p, a in zip(problems, answers, strict=True)
        ]
    )


def row(number: int, **changes: object) -> dict[str, object]:
    text = f"Write a function that does the thing with the letters of {'abcdefghij'[number % 10] * (number + 1)}."
    code = "def helper(x):\r\n    return x\r\ndef f(x):\r\n    return helper(x) + 1"
    tests = [f"assert f({number}) == {number + 1}", "assert f(0) == 1", "assert f(5) == 6"]
    return {
        "text": text,
        "code": code,
        "task_id": number,
        "test_setup_code": "",
        "test_list": tests,
        "challenge_test_list": [],
        **changes,
    }


def mbpp(folder: Path, rows: list[dict[str, object]]) -> Mbpp:
    (folder / "mbpp.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Mbpp(path=str(folder / "mbpp.jsonl"))


ROWS = [row(number) for number in (1, 11, 12, 13, 510, 511, 512, 600, 601, 602, 974)]


def test_mbpp_has_the_splits_of_its_authors(tmp_path: Path) -> None:
    task = mbpp(tmp_path, ROWS)
    ids = {split: [int(p.id.rpartition("/")[2]) for p in task.problems(split)] for split in task.splits}
    assert ids == {"train": [601, 602, 974], "dev": [511, 512, 600], "test": [11, 12, 13, 510]}
    assert task.notices() == [] and task.model_copy(update={"limit": 2}).problems("test") == task.problems("test")[:2]
    assert sorted(n for numbers in RANGES.values() for n in numbers) == list(range(11, 975))


def test_mbpp_shows_one_test_and_hides_the_others(tmp_path: Path) -> None:
    problem = mbpp(tmp_path, [*ROWS[:-1], row(974, challenge_test_list=["assert f(9) == 10"])]).problems("train")[-1]
    assert (
        "assert f(974) == 975" in problem.question and "f(0)" not in problem.question and "f(9)" not in problem.question
    )
    gold = golds.read(problem.answer)
    assert not isinstance(gold, golds.Refused)
    assert gold["entry_point"] == "f" and len(gold["tests"]) == 4 and "\r" not in str(problem.meta["solution"])


def test_mbpp_drops_a_training_problem_that_is_also_tested(tmp_path: Path) -> None:
    task = mbpp(tmp_path, [*ROWS, {**row(11), "task_id": 700}])
    assert [p.id for p in task.problems("train")] == ["mbpp/601", "mbpp/602", "mbpp/974"]
    assert "1 problems dropped" in task.notices()[0]


@pytest.mark.parametrize(
    "changes",
    [{"text": 7}, {"test_list": []}, {"code": "def f("}, {"test_list": ["assert g(1)"]}, {"test_list": ["assert ("]}],
)
def test_a_row_that_cannot_be_read_names_its_place(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(DataError, match="jsonl:11"):
        mbpp(tmp_path, [*ROWS[:-1], row(974, **changes)]).problems("train")


def test_humaneval_runs_what_stands_before_the_function_and_names_bad_rows(tmp_path: Path) -> None:
    def written(**changes: object) -> Humaneval:
        fields = {
            "task_id": "HumanEval/7", "entry_point": "f", "canonical_solution": "    return g(x)\n",
            "prompt": "import math\n\ndef g(x):\n    return x\n\ndef f(x):\n    \"\"\"The same.\"\"\"\n",
            "test": "def check(candidate):\n    assert candidate(3) == g(3)\n",
        }  # fmt: skip
        (tmp_path / "h.jsonl").write_text(json.dumps({**fields, **changes}), encoding="utf-8")
        return Humaneval(path=str(tmp_path / "h.jsonl"))

    (problem,) = written().problems("test")
    gold = golds.read(problem.answer)
    assert not isinstance(gold, golds.Refused) and problem.id == "humaneval/7" and written().splits == ("test",)
    assert gold["setup"] == "import math\n\ndef g(x):\n    return x\n\n" and gold["tests"][0].endswith("check(f)\n")
    for changes in ({"prompt": "def f("}, {"entry_point": "h"}, {"test": None}):
        with pytest.raises(DataError, match=r"h\.jsonl:1"):
            written(**changes).problems("test")


@HELD
@DATA
@pytest.mark.parametrize("task", [Humaneval(limit=20), Mbpp(limit=20)] if "EARNEST_DATA" in os.environ else [], ids=str)
def test_published_solutions_pass_and_forgeries_do_not(task: Task) -> None:
    problems = list(task.problems("test"))
    right = [task.gold(p) for p in problems]
    assert [v.reason for v in judged(problems, [s.answer for s in right if s]) if not v.correct] == []
    assert [v for v in judged(problems, [task.wrong(p)[0].answer for p in problems]) if v.correct is not False] == []


@HELD
@DATA
@pytest.mark.slow
@pytest.mark.parametrize("task", [Humaneval(), Mbpp()] if "EARNEST_DATA" in os.environ else [], ids=str)
def test_all_published_solutions_pass_and_none_that_returns_none(task: Task) -> None:
    for split in task.splits:
        problems = list(task.problems(split))
        right = [task.gold(p) for p in problems]
        assert [v for v in judged(problems, [s.answer for s in right if s]) if not v.correct] == []
        nothing = [fenced(f"def {golds.read(p.answer)['entry_point']}(*a, **k):\n    return None") for p in problems]  # type: ignore[index]
        assert [v for v in judged(problems, nothing) if v.correct is not False] == []
