"""The game of 24: four numbers and + - * / must make 24. 1,362 puzzles, ordered by how long people took.

The public source is src/tot/data/24/24.csv of https://github.com/princeton-nlp/tree-of-thought-llm (MIT; Yao et al., arXiv
2305.10601; the puzzles and times are from 4nums.com). Read from $EARNEST_DATA/game24/24.csv, with columns Rank, Puzzles and
Solved rate. Ranks 901 to 1,000 are test, as in that paper; of the others a tenth, by hash, is dev and the rest train. All have
a solution; `gold` finds one by trying every pair of numbers, and its three steps are the trace.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from earnest.component import DataPath
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.tasks.equations import calculate, step
from earnest.tasks.generated import split_of
from earnest.tasks.rows import stamp
from earnest.types import Problem, Solution, Split
from earnest.verifiers import golds
from earnest.verifiers.refused import Refused

TARGET = 24
TEST = range(901, 1001)
REMEDY = "`path`: the file 24.csv of https://github.com/princeton-nlp/tree-of-thought-llm"


class Game24(Task):
    """24 from four numbers."""

    templated: ClassVar[bool] = True

    path: DataPath = Field("$EARNEST_DATA/game24/24.csv", validate_default=True)
    """The file with all puzzles."""

    @property
    def verifier_name(self) -> str:
        return "expression"

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    def problems(self, split: Split) -> Sequence[Problem]:
        found = _read(self.path, self.name, stamp(Path(self.path)))
        return tuple(problem for side, problem in found if side == split)

    def gold(self, problem: Problem) -> Solution | None:
        return _solved(_numbers(problem))

    def wrong(self, problem: Problem) -> list[Solution]:
        """The steps without the whole, a false sum, other numbers, a number too few, two expressions, no expression."""
        right = self.gold(problem)
        if right is None:
            return []
        numbers = _numbers(problem)
        last = right.thought.splitlines()[-1]
        answers = [
            last, f"{right.answer} = {TARGET + 1}", f"{right.answer} + 0", f"{right.answer} * 1", str(TARGET),
            " + ".join(map(str, numbers[:3])), f"{right.answer} or {numbers[0]} + {numbers[1]}", f"({right.answer}",
            f"-({right.answer})", f"not {right.answer}",
        ]  # fmt: skip
        return [Solution(right.thought, answer) for answer in answers]


@lru_cache(maxsize=8)
def _read(path: str, task: str, changed: int) -> tuple[tuple[Split, Problem], ...]:
    """changed: when the file was, so that another content is read anew."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("no such data file, or no text", where=path, why=str(error), remedy=REMEDY) from None
    if not rows:
        raise DataError("the data file has no rows", where=path, remedy=REMEDY)
    return tuple(_problem(row, task, f"{path}:{line}") for line, row in enumerate(rows, start=2))


def _problem(row: dict[str, str], task: str, where: str) -> tuple[Split, Problem]:
    try:
        rank, numbers = int(row["Rank"]), [int(number) for number in row["Puzzles"].split()]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise DataError("expected columns Rank and Puzzles, of whole numbers", where=where, remedy=REMEDY) from None
    written = " ".join(map(str, numbers))
    prompt = f"Use each of the numbers {written} exactly once, with + - * / and brackets, to make {TARGET}."
    answer = golds.write({"numbers": numbers, "target": TARGET})
    meta = {"rank": rank, "solved_by_people": row.get("Solved rate", "")}
    side = "test" if rank in TEST else "dev" if split_of(written) == "dev" else "train"
    return side, Problem(id=f"{task}/{rank}", task=task, prompt=prompt, answer=answer, meta=meta)


def _numbers(problem: Problem) -> tuple[int, ...]:
    gold = golds.read(problem.answer)
    assert not isinstance(gold, Refused), problem
    return tuple(gold["numbers"])


@lru_cache(maxsize=4096)
def _solved(numbers: tuple[int, ...]) -> Solution | None:
    found = solve([(Fraction(n), str(n)) for n in numbers], Fraction(TARGET))
    return None if found is None else Solution("\n".join(found[:-1]), found[-1])


def solve(parts: Sequence[tuple[Fraction, str]], target: Fraction) -> list[str] | None:
    """The steps that make the target of all parts, each used once, and the whole expression last; None if none do.

    Example: the parts 2, 3 and 4 with target 20 -> ["2 + 3 = 5", "4 * 5 = 20", "4 * (2 + 3)"]
    """
    if len(parts) == 1:
        value, text = parts[0]
        return [text[1:-1] if text.startswith("(") else text] if value == target else None
    for i, j in combinations(range(len(parts)), 2):
        rest = [part for place, part in enumerate(parts) if place not in (i, j)]
        for sign, (a, left), (b, right) in _pairs(parts[i], parts[j]):
            if sign == "/" and b == 0:
                continue
            value = calculate(sign, a, b)
            found = solve([*rest, (value, f"({left} {sign} {right})")], target)
            if found is not None:
                return [step(sign, a, b), *found]
    return None


def _pairs(
    one: tuple[Fraction, str], other: tuple[Fraction, str]
) -> list[tuple[str, tuple[Fraction, str], tuple[Fraction, str]]]:
    """Every way to join two parts."""
    return [(sign, one, other) for sign in "+*-/"] + [(sign, other, one) for sign in "-/"]
