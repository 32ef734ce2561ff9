"""Experiments that compare arms by their test pass rate and their way to the target: PPO, clips, preference pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import ClassVar

from runs import mean_over_seeds, percent, points

from trials.base import Claim, Experiment, Told, above, arms_table, each, head, line
from trials.reading import Arm, arm, metrics

START = "sft"


@dataclass(frozen=True, slots=True)
class Seed:
    arms: dict[str, Arm]
    clipped: dict[str, float]  # share of tokens outside the clip range, where there is one


class Arms(Experiment):
    """Arms from one start."""

    arms: ClassVar[tuple[str, ...]]

    def read(self, run: Path) -> Seed:
        start = {START: arm(run, START, learned=False)}
        return Seed(
            start | {name: arm(run, name) for name in self.arms}, {name: _clipped(run, name) for name in self.arms}
        )

    def tell(self, found: Sequence[Seed]) -> Told:
        table = arms_table((START, *self.arms), lambda name: [seed.arms[name] for seed in found])
        return Told(table, self.claims(found))

    def claims(self, found: Sequence[Seed]) -> list[Claim]:
        raise NotImplementedError


class Ppo(Arms):
    name = "ppo"
    title = "PPO against GRPO"
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    question = "From one SFT checkpoint; PPO with lambda 1, 90 steps, 10 of them for the critic alone; GRPO, 80 steps."
    arms = ("grpo", "ppo_shared", "ppo_separate")

    def claims(self, found: Sequence[Seed]) -> list[Claim]:
        slower = [(name, _later(found, name, "grpo")) for name in self.arms[1:]]
        return [
            *(above(f"`{name}` takes more steps than `grpo`, its warm-up counted", late, _steps) for name, late in slower),
            *(above(f"`{name}` takes more steps than `grpo`, its warm-up left out", [x - 10 for x in late], _steps)
              for name, late in slower),
            *(each(f"`{name}` ends at 90 % or more", _passes(found, name), percent, lambda x: x >= 0.9) for name in self.arms),
        ]  # fmt: skip


class Clips(Arms):
    name = "clips"
    title = "Clips, four updates a step"
    question = "Each step's rollouts are learned from in four updates of a quarter of the prompts; 30 steps."
    arms = ("dapo_4", "grpo_4", "gspo_4", "cispo_4", "reinforce_4")

    def tell(self, found: Sequence[Seed]) -> Told:
        told = super().tell(found)
        rows = head("arm", "tokens outside the clip range")
        rows += [line(f"`{name}`", mean_over_seeds([s.clipped[name] for s in found], _fine)) for name in self.arms[:-1]]
        return Told([*told.table, "", *rows], told.claims)

    def claims(self, found: Sequence[Seed]) -> list[Claim]:
        ends = [_passes(found, name) for name in self.arms]
        apart = [max(one) - min(one) for one in zip(*ends, strict=True)]
        return [
            *(each(f"`{name}` ends at 90 % or more", end, percent, lambda x: x >= 0.9)
              for name, end in zip(self.arms, ends, strict=True)),
            each("the five end within 5 points of each other", apart, points, lambda x: x <= 0.05),
            each("`gspo_4`, whose range is far narrower, takes more steps than `dapo_4`", _later(found, "gspo_4", "dapo_4"),
                 _steps, lambda x: x > 0),
            each("`reinforce_4`, which has no clip, takes no more steps than `dapo_4`", _later(found, "reinforce_4", "dapo_4"),
                 _steps, lambda x: x <= 0),
        ]  # fmt: skip


class Dpo(Arms):
    name = "dpo"
    title = "DPO against GRPO"
    question = (
        "From one SFT checkpoint, with as many rollouts a step: DPO on fresh right and wrong pairs (alpha 1, and 0), and GRPO; "
        "80 steps."
    )
    arms = ("grpo", "dpo", "dpo_plain")

    def claims(self, found: Sequence[Seed]) -> list[Claim]:
        return [
            *(each(f"`{name}` ends at 90 % or more", _passes(found, name), percent, lambda x: x >= 0.9)
              for name in ("grpo", "dpo")),
            each("`dpo` takes no fewer steps than `grpo`", _later(found, "dpo", "grpo"), _steps, lambda x: x >= 0),
            each("`dpo_plain` ends no higher than `dpo`", _higher(found, "dpo_plain", "dpo"), points, lambda x: x <= 0),
        ]  # fmt: skip


def _passes(found: Sequence[Seed], name: str) -> list[float]:
    return [seed.arms[name].pass_rate for seed in found]


def _higher(found: Sequence[Seed], a: str, b: str) -> list[float]:
    return [seed.arms[a].pass_rate - seed.arms[b].pass_rate for seed in found]


def _later(found: Sequence[Seed], a: str, b: str) -> list[float]:
    """Steps to the target that a takes more than b. One that never got there counts with one more than it had."""
    ways = [(seed.arms[a].reached, seed.arms[b].reached) for seed in found]
    return [float(x.least - y.least) for x, y in ways if x is not None and y is not None]


def _clipped(run: Path, name: str) -> float:
    rows = metrics(run, name)
    sides = ("clip_ratio/low_mean", "clip_ratio/high_mean")
    return fmean(sum(row.get(side) or 0.0 for side in sides) for row in rows)


def _steps(x: float) -> str:
    return f"{x:+.1f}"


def _fine(x: float) -> str:
    return f"{100 * x:.2f} %"
