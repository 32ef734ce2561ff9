"""Mostly basic Python problems: 974 short functions with three asserts each, in the splits of their authors.

The public source is mbpp.jsonl of google-research/mbpp on GitHub (CC BY 4.0; Austin et al., arXiv 2108.07732), read from
$EARNEST_DATA/mbpp. By `task_id`: 601 to 974 for training, 511 to 600 for dev, 11 to 510 for test; 1 to 10, meant as examples for
prompts, are in none. Training and dev problems whose question is one of a later split's but for its numbers are dropped.

A prompt shows the first of the tests, because it alone says what the function is called and takes; the others, and the harder
ones that some problems have, are not shown.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from earnest.component import DataPath
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.tasks.clusters import masked, normalised
from earnest.tasks.programs import fenced, gold, wrong
from earnest.tasks.rows import Row, fields, read, stamp, unreadable
from earnest.types import Problem, Solution, Split

SECONDS = 5.0
RANGES: dict[Split, range] = {"test": range(11, 511), "dev": range(511, 601), "train": range(601, 975)}
_FORM = (
    '{"task_id": 11, "text": "…", "code": "def f(x):…", "test_list": ["assert f(1) == 2"]}, as in the published file'
)


class Mbpp(Task):
    """Short functions from a sentence and one example; the answer is the program in a fenced block."""

    path: DataPath = Field("$EARNEST_DATA/mbpp/mbpp.jsonl", validate_default=True)
    """The file."""
    limit: int | None = Field(None, ge=1)
    """At most this many problems per split, the first ones; None: all."""

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    @property
    def verifier_name(self) -> str:
        return "code"

    def problems(self, split: Split) -> Sequence[Problem]:
        return self._read()[0][split][: self.limit]

    def gold(self, problem: Problem) -> Solution:
        return Solution("", fenced(str(problem.meta["solution"])))

    def wrong(self, problem: Problem) -> Sequence[Solution]:
        return wrong(problem)

    def notices(self) -> Sequence[str]:
        dropped = self._read()[1]
        return [f"mbpp: {dropped} problems dropped, whose question is also one of a later split"] if dropped else []

    def _read(self) -> tuple[dict[Split, tuple[Problem, ...]], int]:
        return _read(self.path, self.name, stamp(Path(self.path)))


@lru_cache(maxsize=8)
def _read(path: str, task: str, changed: int) -> tuple[dict[Split, tuple[Problem, ...]], int]:
    """The problems of each split, and how many were dropped. changed: when the file was."""
    rows = {row.fields.get("task_id"): row for row in read(path)}
    found: dict[Split, tuple[Problem, ...]] = {}
    seen: set[str] = set()
    dropped = 0
    for split, numbers in RANGES.items():
        kept: dict[str, Problem] = {}
        for number in numbers:
            if number not in rows:
                continue
            problem = _problem(rows[number], task)
            if masked(problem.question) in seen or normalised(problem.question) in kept:
                dropped += 1
            else:
                kept[normalised(problem.question)] = problem
        if not kept:
            raise DataError(
                f"there is no problem for {split}", where=path, why=f"no task_id from {numbers[0]} to {numbers[-1]}",
                remedy="the whole published file: its splits are made by task_id",
            )  # fmt: skip
        found[split] = tuple(kept.values())
        seen |= {masked(problem.question) for problem in found[split]}
    return found, dropped


def _problem(row: Row, task: str) -> Problem:
    number, text, code, tests = fields(row, {"task_id": int, "text": str, "code": str, "test_list": list}, _FORM)
    setup, harder = (row.fields.get(name, "") for name in ("test_setup_code", "challenge_test_list"))
    if not tests:
        raise unreadable(row, "'test_list' is empty; the first of its tests says what the function is called", _FORM)
    tests = [str(test).strip() for test in [*tests, *(harder or [])]]
    return Problem(
        id=f"{task}/{number}",
        task=task,
        prompt=f"{text.strip()} Answer with the program in one block of code. It must pass this test:\n\n{fenced(tests[0])}",
        answer=gold(_tested(code, tests[0], row), _lines(str(setup)), tests, SECONDS),
        meta={"solution": _lines(code)},
    )


def _tested(code: str, test: str, row: Row) -> str:
    """The function of the program that a test calls."""
    try:
        defined = {node.name for node in ast.walk(ast.parse(_lines(code))) if isinstance(node, ast.FunctionDef)}
        called = [
            node.func.id
            for node in ast.walk(ast.parse(test))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
    except SyntaxError as error:
        raise unreadable(row, f"'code' and the first of 'test_list' must be Python: {error}", _FORM) from None
    names = [name for name in called if name in defined]
    if not names:
        raise unreadable(row, f"the first of 'test_list' must call a function of 'code', it is {test!r:.60}", _FORM)
    return names[0]


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
