"""What generators of problems share: the split of a text, a sequence that makes its items when asked, a distinct held-out set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from earnest.errors import DataError
from earnest.seeding import bucket
from earnest.types import Problem, Split

BUCKETS = 10
"""A tenth of all texts is test, a tenth dev, the rest train."""


def split_of(text: str) -> Split:
    """The side that a text is on, by its hash alone."""
    number = bucket(text, BUCKETS)
    return "test" if number == 0 else "dev" if number == 1 else "train"


class LazyProblems(Sequence[Problem]):
    """`size` problems, each made when it is asked for: item i is `make(i)`."""

    def __init__(self, size: int, make: Callable[[int], Problem]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...
    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        if isinstance(index, slice):
            return [self._make(i) for i in range(*index.indices(self._size))]
        if not -self._size <= index < self._size:
            raise IndexError(index)
        return self._make(index % self._size)


def _question(problem: Problem) -> str:
    return problem.question


def distinct(
    size: int, make: Callable[[int], Problem], key: Callable[[Problem], str | None] = _question
) -> tuple[Problem, ...]:
    """The first `size` problems with different questions (or another key) among make(0), make(1), ...

    Raises DataError if 100 * size draws do not have that many.
    """
    found: dict[str | None, Problem] = {}
    for i in range(100 * size):
        problem = make(i)
        found.setdefault(key(problem), problem)
        if len(found) == size:
            return tuple(found.values())
    raise DataError(
        f"only {len(found)} different problems found, {size} asked for", remedy="a smaller split, or longer problems"
    )
