"""Length bias: how long completions go on that will be wrong, and those that will be right, under three aggregations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import ClassVar

from runs import mean_over_seeds, percent

from trials.base import Experiment, Told, above, around, below, head, line
from trials.reading import Row, rollouts

ARMS = ("grpo", "dr_grpo", "dapo")
ENDS = 10
"""Steps at each end whose completions are compared."""
ROW = "ox"
"""The letters whose number says nothing (recipes/experiments/rambling.py)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Mean length of the row in the first and the last steps of an arm."""

    wrong: tuple[float, float]
    right: tuple[float, float]
    pass_rate: tuple[float, float]
    cut: float  # share of all its completions

    def grown(self, which: str) -> float:
        first, last = self.wrong if which == "wrong" else self.right
        return last - first


@dataclass(frozen=True, slots=True)
class Seed:
    arms: dict[str, Rows]


class LengthBias(Experiment):
    name = "length-bias"
    title = "Length bias: 1/|o| against constant weights"
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    question = (
        "A task on which a policy can see that it will be wrong before it decides how long to go on, and cannot be right more "
        f"often. Letters written for nothing, mean over the first and the last {ENDS} of 40 steps of 128 rollouts."
    )

    def read(self, run: Path) -> Seed:
        return Seed({arm: _rows(list(rollouts(run, arm))) for arm in ARMS})

    def tell(self, found: Sequence[Seed]) -> Told:
        table = head("arm", "wrong, first", "wrong, last", "right, first", "right, last", "pass rate, last", "cut")
        for arm in ARMS:
            own = [seed.arms[arm] for seed in found]
            table.append(
                line(
                    f"`{arm}`", *(mean_over_seeds([getattr(r, which)[end] for r in own], _letters)
                                  for which in ("wrong", "right") for end in (0, 1)),
                    mean_over_seeds([r.pass_rate[1] for r in own], percent), mean_over_seeds([r.cut for r in own], percent),
                )
            )  # fmt: skip

        def paired(arm: str, which: str) -> list[float]:
            return [s.arms[arm].grown(which) - s.arms["dr_grpo"].grown(which) for s in found]

        return Told(
            table,
            [
                above("wrong rows grow under `grpo`, against `dr_grpo` of the same seed", paired("grpo", "wrong"), _more),
                below("right rows shrink under `grpo`, against `dr_grpo`", paired("grpo", "right"), _more),
                around("wrong rows keep their length under `dr_grpo`", [s.arms["dr_grpo"].grown("wrong") for s in found], _more),
                around("wrong rows under `dapo` do as under `dr_grpo`", paired("dapo", "wrong"), _more),
            ],
        )  # fmt: skip


def _rows(rows: Sequence[Row]) -> Rows:
    last = max(row["step"] for row in rows)
    first_step = min(row["step"] for row in rows)
    early = [row for row in rows if row["step"] < first_step + ENDS]
    late = [row for row in rows if row["step"] > last - ENDS]
    return Rows(
        (_length(early, False), _length(late, False)), (_length(early, True), _length(late, True)),
        (_pass_rate(early), _pass_rate(late)), fmean(row["finish"] != "stop" for row in rows),
    )  # fmt: skip


def _length(rows: Sequence[Row], right: bool) -> float:
    texts = [row["text"] for row in rows if row["verdict"]["correct"] is right]
    return fmean(sum(map(text.count, ROW)) for text in texts) if texts else float("nan")


def _pass_rate(rows: Sequence[Row]) -> float:
    return fmean(row["verdict"]["correct"] is True for row in rows)


def _letters(x: float) -> str:
    return f"{x:.1f}"


def _more(x: float) -> str:
    return f"{x:+.1f}"
