"""Where a change came from: problems sorted by how hard they were for the model before, and what happened to each sort.

Problems are never sorted by the samples that are compared. Whoever does that sees the hardest gain and the easiest lose
although nothing has changed (regression to the mean). Here one half of the earlier model's samples sorts, and the
comparison is on the other half of both models' samples. The halves go by sample index, because a sample of one model and
that of another with the same index were drawn with the same random numbers. With a single sample per problem the earlier
model's greedy completion sorts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from earnest.evaluate.compare import Comparison, compare
from earnest.evaluate.load import ModelRecords
from earnest.evaluate.summary import by_problem, graded, rate_json
from earnest.functional.stats import Rate, mean_interval
from earnest.types import Finish, Json, Record

BUCKETS = (("none right", 0.0, 0.0), ("less than half", 0.0, 0.5), ("half or more", 0.5, 1.0), ("all right", 1.0, 1.0))
ALL = "all problems"


@dataclass(frozen=True, slots=True)
class Length:
    """Thought tokens of one model's right, or wrong, completions of one bucket."""

    model: str
    right: bool
    tokens: Rate  # mean over problems; n completions
    cut: int  # of them ended by the token limit, so that their length is too short


@dataclass(frozen=True, slots=True)
class Bucket:
    """Problems of one sort."""

    name: str
    problems: int
    moved: tuple[Comparison, ...]  # sampled (on the samples that did not sort), greedy
    lengths: tuple[Length, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "bucket": self.name,
            "problems": self.problems,
            **{c.metric: _moved_json(c) for c in self.moved},
            "thought_tokens": [
                {"model": x.model, "right": x.right, "cut": x.cut, "tokens": rate_json(x.tokens)} for x in self.lengths
            ],
        }


@dataclass(frozen=True, slots=True)
class Difficulty:
    """b against a by difficulty for a. The last bucket holds all problems."""

    a: str
    b: str
    sorted_by: Literal["samples", "greedy"]
    sorting: int  # completions of a per problem that sorted
    compared: int  # samples per problem and model that are compared
    unsorted: int  # problems without a graded completion to sort by
    buckets: tuple[Bucket, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "a": self.a, "b": self.b, "sorted_by": self.sorted_by, "sorting": self.sorting, "compared": self.compared,
            "unsorted": self.unsorted, "buckets": [bucket.to_json() for bucket in self.buckets],
        }  # fmt: skip


def by_difficulty(a: str, before: ModelRecords, b: str, after: ModelRecords) -> Difficulty | None:
    """None where there is nothing to sort by or to compare."""
    k = max((len(rows) for rows in by_problem(before.sampled).values()), default=0)
    half = k // 2
    sorting = [r for r in before.sampled if r.index < half] if half else list(before.greedy)
    a_rest, b_rest = ([r for r in records if r.index >= half] for records in (before.sampled, after.sampled))
    share = {problem: float(np.mean(row)) for problem, row in graded(sorting).items()}
    if not share or not a_rest or not b_rest:
        return None
    found = []
    for name, low, high in (*BUCKETS, (ALL, 0.0, 1.0)):
        keep = {p for p, x in share.items() if name == ALL or _belongs(x, low, high)}
        own, new = ([r for r in rows if r.problem.id in keep] for rows in (a_rest, b_rest))
        moved = [compare(a, own, b, new, "sampled")]
        if half:
            greedy = ([r for r in rows if r.problem.id in keep] for rows in (before.greedy, after.greedy))
            moved.append(compare(a, next(greedy), b, next(greedy), "greedy"))
        if keep:
            lengths = (*_lengths(a, own), *_lengths(b, new))
            found.append(Bucket(name, len(keep), tuple(c for c in moved if c is not None), lengths))
    return Difficulty(
        a=a, b=b, sorted_by="samples" if half else "greedy", sorting=half or 1, compared=k - half,
        unsorted=len({r.problem.id for r in before.sampled} - set(share)), buckets=tuple(found),
    )  # fmt: skip


def _belongs(share: float, low: float, high: float) -> bool:
    """Ends that are 0 or 1 stand alone; one half belongs to the upper half."""
    if low == high:
        return share == low
    return (low < share < high) or (share == low == 0.5)


def _lengths(model: str, records: Sequence[Record]) -> list[Length]:
    found = []
    for right in (True, False):
        mine = [r for r in records if r.verdict.correct is right]
        if mine:
            tokens = mean_interval([[r.thought_tokens for r in rows] for rows in by_problem(mine).values()])
            found.append(Length(model, right, tokens, sum(r.finish is not Finish.STOP for r in mine)))
    return found


def _moved_json(c: Comparison) -> dict[str, Json]:
    return {
        "a_value": c.a_value, "b_value": c.b_value, "diff": c.diff, "ci95": None if c.ci95 is None else list(c.ci95),
        "p_value": c.p_value, "n": c.n, "gained": c.flips.gained, "lost": c.flips.lost, "same": c.flips.same,
    }  # fmt: skip
