"""From the problems of one or more files to three splits that share no question and no near twin.

Identical questions are kept once; files that are a split of their own stay one, and what they hold is taken out of the others
(test before dev before train); the rest is split by the hash of its near-duplicate cluster. Everything dropped is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from earnest.errors import DataError
from earnest.seeding import bucket
from earnest.tasks.clusters import clusters, normalised
from earnest.types import Problem, Split

Side: TypeAlias = "Split | None"
"""Where the problems of a file belong; None: to be split."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The three splits, each in the order of its file, and what was dropped or doubted, in sentences."""

    splits: Mapping[Split, tuple[Problem, ...]]
    notices: tuple[str, ...]

    def problems(self, split: Split, where: str) -> tuple[Problem, ...]:
        """Raises DataError if the split is empty."""
        if not self.splits[split]:
            counts = ", ".join(f"{name} {len(problems)}" for name, problems in self.splits.items())
            raise DataError(
                f"the {split} split is empty", where=where, why=f"problems per split: {counts}",
                remedy="more rows, or a file of its own for this split",
            )  # fmt: skip
        return self.splits[split]

    def limited(self, limit: int | None) -> Corpus:
        """At most `limit` problems in every split: the first ones."""
        return replace(self, splits={name: problems[:limit] for name, problems in self.splits.items()})


@dataclass(frozen=True, slots=True)
class _Entry:
    problem: Problem
    side: Side


def divide(files: Mapping[Side, Sequence[Problem]], notices: Iterable[str] = ()) -> Corpus:
    """The corpus of these files. `files` maps a split to its own problems, and None to those that are to be split; what they
    give goes to those of train, dev and test that have no file."""
    told = list(notices)
    entries = _first_of_each(files, told)
    names = clusters([entry.problem.question for entry in entries])
    held: tuple[Split, ...] = ("test", "dev")
    taken = {split: {name for entry, name in zip(entries, names, strict=True) if entry.side == split} for split in held}
    splits: dict[Split, list[Problem]] = {"train": [], "dev": [], "test": []}
    twins: dict[Split, int] = dict.fromkeys(held, 0)
    for entry, name in zip(entries, names, strict=True):
        side = entry.side or _hashed(name, files)
        better: Split | None = (
            None if entry.side == "test" else next((s for s in held if name in taken[s] and s != side), None)
        )
        if better is None:
            splits[side].append(entry.problem)
        else:
            twins[better] += 1
    told += [
        f"{count} problems outside the {split} file dropped: near twins of one in it (numbers masked, or alike)"
        for split, count in twins.items()
        if count
    ]
    return Corpus({name: tuple(problems) for name, problems in splits.items()}, tuple(told))


def _hashed(name: str, files: Mapping[Side, Sequence[Problem]]) -> Split:
    """The side of a cluster: two tenths test, one dev. A split that has its own file gets nothing more."""
    number = bucket(name, 10)
    side: Split = "test" if number < 2 else "dev" if number == 2 else "train"
    return "train" if side in files else side


def _first_of_each(files: Mapping[Side, Sequence[Problem]], told: list[str]) -> list[_Entry]:
    """One entry per question: the first, where test comes before dev and dev before the rest."""
    seen: dict[str, Problem] = {}
    entries: list[_Entry] = []
    repeated = conflicting = 0
    for side in ("test", "dev", "train", None):
        for problem in files.get(side, ()):
            first = seen.setdefault(normalised(problem.question), problem)
            if first is problem:
                entries.append(_Entry(problem, side))
            else:
                repeated += 1
                conflicting += first.answer != problem.answer
    if repeated:
        told.append(f"{repeated} rows dropped: their question is in the data already (case and white space ignored)")
    if conflicting:
        told.append(
            f"{conflicting} of the dropped rows had another answer than the row that was kept; one of the two is wrong"
        )
    return entries
