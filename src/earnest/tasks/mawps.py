"""One- and two-step maths word problems of the MAWPS family, with worked traces made from their equations.

Read from a folder with MultiArith.json, SingleEq.json, AddSub.json (rows with `sQuestion`, `lEquations`, `lSolutions`) and
tora_singleop.jsonl (rows with `input` and `target`, no equation). Public sources: the first three in
https://github.com/AGI-Edgerunners/LLM-Adapters under dataset/, the last as src/data/mawps/singleop.jsonl in
https://github.com/microsoft/ToRA (MIT; MAWPS: Koncel-Kedziorski et al. 2016; MultiArith: Roy and Roth 2015).

"70-x=27" becomes the trace "70 - 27 = 43". Rows whose equation does not give their answer are dropped and counted. The sets share
questions and are full of near twins, so the split is by cluster (`corpus.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.base import Task, with_id
from earnest.tasks.corpus import Corpus, divide
from earnest.tasks.equations import EquationError, Solved, calculate, solve, step
from earnest.tasks.near_misses import decimal, near_misses, numbers, other_numbers
from earnest.tasks.rows import Row, read, unreadable
from earnest.types import Problem, Solution, Split

Set: TypeAlias = Literal["multiarith", "singleeq", "addsub", "singleop"]

FILES: dict[Set, str] = {
    "multiarith": "MultiArith.json",
    "singleeq": "SingleEq.json",
    "addsub": "AddSub.json",
    "singleop": "tora_singleop.jsonl",
}

_FORM = '{"sQuestion": "…", "lEquations": ["X=3+4"], "lSolutions": [7]}, and in tora_singleop.jsonl {"input": "…", "target": 7}'

_SPACE_BEFORE = re.compile(r" +(?=[.,?!;])")
_ROUNDED = re.compile(r"\.\d{7}")


class Mawps(Task):
    """MAWPS word problems; two tenths for test and one for dev, by cluster."""

    path: DataPath = Field("$EARNEST_DATA/mawps_family", validate_default=True)
    """The folder with the files."""
    sets: tuple[Set, ...] = Field(tuple(FILES), min_length=1)
    """Which of the sets. A question that is in several counts for the first."""
    limit: int | None = Field(None, ge=1)
    """At most this many problems per split, the first ones; None: all."""

    def files(self) -> tuple[Path, ...]:
        return tuple(Path(self.path) / FILES[name] for name in self.sets)

    @property
    def verifier_name(self) -> str:
        return "number"

    def problems(self, split: Split) -> Sequence[Problem]:
        return self._corpus().problems(split, self.path)

    def gold(self, problem: Problem) -> Solution:
        trace = problem.meta.get("trace", "")
        assert problem.answer is not None and isinstance(trace, str), problem
        return Solution(trace, problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        """Neighbours of the answer and hedges, each after the right trace; and the numbers of the question themselves."""
        right = self.gold(problem)
        answers = near_misses(right.answer) + other_numbers(problem.question, right.answer)
        return [Solution(right.thought, answer) for answer in dict.fromkeys(answers)]

    def notices(self) -> Sequence[str]:
        return self._corpus().notices

    def _corpus(self) -> Corpus:
        files = tuple((source, str(file)) for source, file in zip(self.sets, self.files(), strict=True))
        return _read(self.name, files, self.limit)


def guess_step(question: str, answer: Fraction) -> str:
    """The one operation on the question's two numbers that gives the answer, as a trace; "" unless there are exactly two numbers
    and one such operation. "3 bags of 4, how many?" with 12 -> "3 * 4 = 12"; two and two make 4 in two ways, so "".

    Where a one-step equation is known too, the two agree in every case in which this finds a step (450 of 601 problems).
    """
    given = numbers(question)
    if len(given) != 2:
        return ""
    a, b = given
    orders = [("+", a, b), ("*", a, b), ("-", a, b), ("/", a, b)] + ([("-", b, a), ("/", b, a)] if a != b else [])
    found = [step(s, x, y) for s, x, y in orders if (s != "/" or y) and calculate(s, x, y) == answer]
    return found[0] if len(found) == 1 else ""


@lru_cache(maxsize=8)
def _read(task: str, files: tuple[tuple[Set, str], ...], limit: int | None) -> Corpus:
    dropped: Counter[str] = Counter()
    problems = [
        problem
        for source, file in files
        for row in read(file)
        if (problem := _problem(task, source, row, dropped)) is not None
    ]
    return divide({None: problems}, [f"{count} rows dropped: {why}" for why, count in dropped.items()]).limited(limit)


def _problem(task: str, source: Set, row: Row, dropped: Counter[str]) -> Problem | None:
    if source == "singleop":
        question, target, equation = _field(row, "input"), _field(row, "target"), None
    else:
        question, target = _field(row, "sQuestion"), _only(row, "lSolutions")
        equation = str(_only(row, "lEquations"))
    question = _SPACE_BEFORE.sub("", " ".join(str(question).split()))
    answer = decimal(Fraction(str(target)))
    if _ROUNDED.search(question) or _ROUNDED.search(answer):
        dropped["they have rounded fractions (0.3333333333333333) for numbers"] += 1
        return None
    if equation is None:
        trace, origin = guess_step(question, Fraction(answer)), "numbers"
    else:
        solved = _solved(equation, dropped)
        if solved is None:
            return None
        if decimal(solved.value) != answer:
            dropped["their equation does not give their answer"] += 1
            return None
        trace, origin = "\n".join(solved.steps), "equation"
    meta = {"set": source, "trace": trace, "trace_from": origin} if trace else {"set": source}
    return with_id(Problem(id="", task=task, prompt=question, answer=answer, meta=meta))


def _solved(equation: str, dropped: Counter[str]) -> Solved | None:
    try:
        return solve(equation)
    except EquationError:
        dropped["their equation cannot be solved by undoing operations"] += 1
        return None


def _field(row: Row, key: str) -> Any:
    if key not in row.fields:
        raise unreadable(row, f"it needs '{key}'", _FORM)
    return row.fields[key]


def _only(row: Row, key: str) -> Any:
    values = _field(row, key)
    if not isinstance(values, list) or len(values) != 1:
        raise unreadable(row, f"'{key}' must be a list of one, it is {values!r:.60}", _FORM)
    return values[0]
