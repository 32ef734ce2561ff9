"""A stage's metrics over its steps, as points; rates that rest on known problems with a 95 % interval.

The solve rate is made from the stored rollouts, clustered by problem. Its interval is about the problems that were drawn
in those steps, for the checkpoints of those steps: neighbouring points are about other problems and another checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from earnest.evaluate.load import Row, StageRun
from earnest.evaluate.report.earned import StageRollouts
from earnest.functional.stats import Interval, rate, wilson
from earnest.types import Json

POINTS = 50
"""Points of a curve at most; beyond it, neighbouring steps are taken together."""

V = TypeVar("V")
Reader: TypeAlias = Callable[[Row], float | None]


@dataclass(frozen=True, slots=True)
class Point:
    """A metric over the steps first .. last."""

    first: int
    last: int
    value: float
    ci95: Interval | None = None
    n: int | None = None  # completions it is a rate of
    distinct: int | None = None  # problems

    def to_json(self) -> dict[str, Json]:
        ci95 = None if self.ci95 is None else list(self.ci95)
        return {
            "first": self.first, "last": self.last, "value": self.value, "ci95": ci95, "n": self.n,
            "distinct": self.distinct,
        }  # fmt: skip


def points(rows: Sequence[Row], read: Reader) -> list[Point]:
    """A metric by step, averaged over runs of neighbouring rows so that at most POINTS are left."""
    known = [(int(row["step"]), float(value)) for row in rows if (value := read(row)) is not None and "step" in row]
    return [Point(c[0][0], c[-1][0], sum(value for _, value in c) / len(c)) for c in _chunks(known)]


def solve_rate(rollouts: StageRollouts | None) -> list[Point]:
    """The share of graded training rollouts that are right, by step or window of steps, clustered by problem."""
    found = []
    for chunk in _chunks(list(rollouts.marks.items()) if rollouts else []):
        together: dict[str, list[bool]] = {}
        for _, marks in chunk:
            for problem, row in marks.items():
                together.setdefault(problem, []).extend(row)
        measured = rate(list(together.values()))
        found.append(Point(chunk[0][0], chunk[-1][0], measured.value, measured.ci95, measured.n, measured.distinct))
    return found


def dev_accuracy(stage: StageRun) -> list[Point]:
    """Accuracy on dev problems wherever it was measured; one completion a problem, so Wilson's interval."""
    found = []
    for row in stage.metrics:
        value, problems = row.get("dev/worked_accuracy"), int(row.get("dev/problems") or 0)
        if value is not None:
            step = int(row["step"])
            ci95 = wilson(value, problems) if problems > 1 else None
            found.append(Point(step, step, value, ci95, problems or None, problems or None))
    return found


def curves_json(stage: StageRun, rollouts: StageRollouts | None) -> dict[str, Json]:
    """The curves that carry an interval; what else was measured is in metrics.jsonl."""
    named: Mapping[str, list[Point]] = {"solve_rate": solve_rate(rollouts), "dev_accuracy": dev_accuracy(stage)}
    return {name: [point.to_json() for point in found] for name, found in named.items() if found}


def _chunks(known: Sequence[V]) -> list[Sequence[V]]:
    width = max(1, -(-len(known) // POINTS))
    return [known[i : i + width] for i in range(0, len(known), width)]
