"""What tasks have in common that are a published set of test problems and nothing else. A helper, no task.

Everything in the file is `test`: what others report is measured on all of it, and nobody trains on it by mistake.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from earnest.component import DataPath
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.tasks.rows import Row, read, stamp
from earnest.types import Problem, Split


class Benchmark(Task):
    """Test problems from one file. A subclass gives `path` a default and says what a row means."""

    path: DataPath
    """The file."""
    limit: int | None = Field(None, ge=1)
    """At most this many problems, the first ones; None: all."""

    @abstractmethod
    def problem(self, row: Row) -> Problem:
        """What a row asks. Its id is unique in the file. Raises DataError for a row that is not as it should be."""

    def rows(self) -> Sequence[Row]:
        """The rows of the source; a subclass whose file is no JSON reads its own."""
        return read(self.path)

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    @property
    def splits(self) -> tuple[Split, ...]:
        return ("test",)

    def problems(self, split: Split) -> Sequence[Problem]:
        if split != "test":
            raise DataError(
                f"{self.name} has no {split} split", where=self.path, why="it is a benchmark: all of it is for testing",
                remedy="train on another task, and evaluate on this one",
            )  # fmt: skip
        return _read(self, tuple(map(stamp, self.files())))  # pyright: ignore[reportArgumentType]: frozen, so it has a hash


@lru_cache(maxsize=32)
def _read(task: Benchmark, stamps: tuple[int, ...]) -> tuple[Problem, ...]:
    """stamps: when the files were last changed."""
    found = tuple(task.problem(row) for row in task.rows())
    twice = [name for name, count in Counter(p.id for p in found).items() if count > 1]
    if twice:
        raise DataError(f"the id {twice[0]} is there twice", where=task.path, remedy="drop one of the two rows")
    return found[: task.limit]
