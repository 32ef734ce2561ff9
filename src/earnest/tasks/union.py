"""Problems of several sources as one sequence that still knows its portions: what a mixture draws from. A helper, no task.

Which problem is drawn when is not decided here: `data/select.py` draws from portions by their weights, whatever their sizes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

from earnest.types import Problem


@dataclass(frozen=True, slots=True)
class Portion:
    """Problems of one source. Example: Portion("gsm8k", gsm8k.problems("train"), weight=3.0)."""

    name: str  # the task of its problems
    problems: Sequence[Problem]
    weight: float  # beside those of the other portions: its share of what is drawn


class Union(Sequence[Problem]):
    """All problems of the portions, one portion after the other; made lazily where a portion makes them so."""

    def __init__(self, portions: Sequence[Portion]) -> None:
        self.portions = tuple(portions)
        self.ends = tuple(accumulate(len(portion.problems) for portion in self.portions))

    @property
    def starts(self) -> tuple[int, ...]:
        """Index of each portion's first problem."""
        return (0, *self.ends[:-1])

    def __len__(self) -> int:
        return self.ends[-1]

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...
    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        place = index % len(self)
        portion = bisect_right(self.ends, place)
        return self.portions[portion].problems[place - self.starts[portion]]
