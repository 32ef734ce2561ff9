"""Dead-zone remedies: steps and generated tokens until a policy has learned from a pool of which nine prompts in ten teach
nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import ClassVar

from runs import mean_over_seeds, percent

from trials.base import Experiment, Told, above, around, below, head, line, steps_cell, tokens_cell
from trials.reading import Arm, Reached, Row, arm, is_plain, metrics, reached, tried

ARMS = ("none", "drop", "refill", "curriculum", "hard", "replay", "hints")


@dataclass(frozen=True, slots=True)
class Seed:
    arms: dict[str, Arm]
    live: dict[str, float]  # share of a step's groups with a signal, mean over steps


class DeadZone(Experiment):
    name = "dead-zone"
    title = "Dead-zone remedies"
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    question = (
        "A pool of 320 prompts, 45 % always solved, 45 % never, 10 % by a third. Until the training pass rate on these, hints "
        "left out, stays at 65 %; the 200 test problems are of their kind."
    )

    def read(self, run: Path) -> Seed:
        arms: dict[str, Arm] = {}
        for name in ARMS:
            found = arm(run, name, learned=False)
            arms[name] = Arm(found.pass_rate, found.tokens, found.worked, reached(tried(run, name, _in_between)))
        live = {name: fmean(row["groups/live"] for row in metrics(run, name)) for name in ARMS}
        return Seed(arms, live)

    def tell(self, found: Sequence[Seed]) -> Told:
        table = head(
            "arm", "steps to 65 %", "thousand generated tokens until then", "groups with a signal", "sampled pass, test"
        )
        for name in ARMS:
            ways = _ways(found, name)
            table.append(
                line(
                    f"`{name}`", steps_cell(ways), tokens_cell(ways),
                    mean_over_seeds([seed.live[name] for seed in found], percent),
                    mean_over_seeds([seed.arms[name].pass_rate for seed in found], percent),
                )
            )  # fmt: skip

        def steps(name: str) -> list[float]:
            return [math.log(a.least / b.least) for a, b in zip(_ways(found, name), _ways(found, "none"), strict=True)]

        def tokens(name: str) -> list[float]:
            return [
                math.log(a.tokens / b.tokens) for a, b in zip(_ways(found, name), _ways(found, "none"), strict=True)
            ]

        return Told(
            table,
            [
                around("`drop` takes as many steps as `none`", steps("drop"), _times),
                below("`refill` takes fewer steps than `none`", steps("refill"), _times),
                above("`refill` generates more tokens than `none`", tokens("refill"), _times),
                below("`curriculum` takes fewer steps than `none`", steps("curriculum"), _times),
                below("`curriculum` generates fewer tokens than `none`", tokens("curriculum"), _times),
                below("`replay` takes fewer steps than `none`", steps("replay"), _times),
                above("`hard` generates more tokens than `none`", tokens("hard"), _times),
                above("`hints` generates more tokens than `none`", tokens("hints"), _times),
                around("`hints` takes as many steps as `none`", steps("hints"), _times),
            ],
        )


def _ways(found: Sequence[Seed], name: str) -> list[Reached]:
    return [way for seed in found if (way := seed.arms[name].reached) is not None]


def _in_between(row: Row) -> bool:
    return is_plain(row) and row["problem"]["meta"]["kind"] == "between"


def _times(x: float) -> str:
    """A mean of logarithms as a factor."""
    return f"x {math.exp(x):.2f}"
