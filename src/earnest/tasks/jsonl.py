"""Your own data: one JSON object per row, in .jsonl, .jsonl.gz, .json or .json.gz. What rows may look like is in `shapes.py`.

With one file, two tenths of it are kept for test and one for dev, by the hash of the near-duplicate cluster of each question
(`corpus.py`), so that no question and no near twin is on two sides; the same rows in another order split the same way. With files
of their own for dev or test, these are used as they are, and training problems that are near twins of theirs are dropped.
`notices()` says what was dropped and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.base import Task, with_id
from earnest.tasks.corpus import Corpus, Side, divide
from earnest.tasks.near_misses import is_number, near_misses, other_numbers
from earnest.tasks.rows import read, stamp
from earnest.tasks.shapes import shape
from earnest.types import Problem, Solution, Split
from earnest.verifiers.number import Number


class Jsonl(Task):
    """Problems from files of JSON rows."""

    path: DataPath
    """Training data; also dev and test data, where these have no file."""
    dev: DataPath | None = None
    """Dev data, used as it is; None: a part of the training data."""
    test: DataPath | None = None
    """Test data, used as it is; None: a part of the training data."""
    limit: int | None = Field(None, ge=1)
    """At most this many problems per split, the first ones; None: all."""

    def files(self) -> tuple[Path, ...]:
        return tuple(Path(file) for file in (self.path, self.dev, self.test) if file is not None)

    @property
    def verifier_name(self) -> str:
        """ "number" if that can grade against every known answer, else "string"."""
        answers = {p.answer for problems in self._corpus().splits.values() for p in problems}
        number = Number()
        return "number" if all(number.check_gold(a) is None for a in answers if a is not None) else "string"

    def problems(self, split: Split) -> Sequence[Problem]:
        return self._corpus().problems(split, self.path)

    def gold(self, problem: Problem) -> Solution | None:
        if problem.answer is None:
            return None
        trace = problem.meta.get("trace", "")
        assert isinstance(trace, str), problem
        return Solution(trace, problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        """Neighbours of the answer and hedges, each after the right trace; for a number also the other numbers of the trace."""
        right = self.gold(problem)
        if right is None:
            return []
        answers = near_misses(right.answer)
        if is_number(right.answer):
            answers += other_numbers(right.thought, right.answer)[-5:]
        return [Solution(right.thought, answer) for answer in dict.fromkeys(answers)]

    def notices(self) -> Sequence[str]:
        return self._corpus().notices

    def _corpus(self) -> Corpus:
        sides: list[tuple[Side, str | None]] = [(None, self.path), ("dev", self.dev), ("test", self.test)]
        files = tuple((side, file) for side, file in sides if file is not None)
        return _read(self.name, files, self.limit, tuple(map(stamp, self.files())))


@lru_cache(maxsize=8)
def _read(task: str, files: tuple[tuple[Side, str], ...], limit: int | None, stamps: tuple[int, ...]) -> Corpus:
    """stamps: when the files were last changed, so that a long session never trains on what it read before."""
    told: Counter[str] = Counter()
    problems: dict[Side, Sequence[Problem]] = {side: _problems(task, file, told) for side, file in files}
    return divide(problems, [f"{count} rows {what}" for what, count in told.items()]).limited(limit)


def _problems(task: str, file: str, told: Counter[str]) -> list[Problem]:
    problems: list[Problem] = []
    for row in read(file):
        shaped = shape(row)
        meta = {key: value for key, value in row.fields.items() if key not in shaped.used}
        if shaped.trace:
            meta["trace"] = shaped.trace
        if shaped.split_off:
            told[
                "have their final answer after '####'; what stands before it is their trace, without <<…>> annotations"
            ] += 1
        problem = Problem(id="", task=task, prompt=shaped.prompt, answer=shaped.answer, meta=meta)
        problems.append(with_id(problem))
    return problems
