"""KL in the loss against KL in the reward: what a coefficient buys, and whether equal drift costs an equal pass rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from runs import mean_over_seeds, percent, points

from trials.base import Experiment, Told, each, head, line
from trials.reading import arm, metrics, sampled

COEFFICIENTS = {"1": 0.1, "3": 0.3, "10": 1.0}
PLACES = ("loss", "reward")
ENDS = 10
"""Last steps over whose completions the KL is averaged."""


@dataclass(frozen=True, slots=True)
class Held:
    """Where an arm came to rest."""

    pass_rate: float
    worked: float
    kl: float  # of a completion to the start, in nats


@dataclass(frozen=True, slots=True)
class Seed:
    arms: dict[str, Held]
    worked_before: float
    right_worked: float  # pass rate of a worked completion of the start
    right_direct: float


class Kl(Experiment):
    name = "kl"
    title = "KL in the loss against KL in the reward"
    question = (
        "Dr. GRPO, 60 steps, three coefficients on either side; its weights are constant, so that a coefficient means the same "
        "on both. Foreseen: the share of worked completions that the formula in the recipe gives for the start's own rates."
    )

    def read(self, run: Path) -> Seed:
        start = arm(run, "sft", learned=False)
        right = {worked: _right(run, worked) for worked in (True, False)}
        return Seed(
            {f"{place}_{c}": _held(run, f"{place}_{c}") for place in PLACES for c in COEFFICIENTS},
            start.worked, right[True], right[False],
        )  # fmt: skip

    def tell(self, found: Sequence[Seed]) -> Told:
        table = head("coefficient", "in", "sampled pass", "worked", "worked, foreseen", "KL of a completion, nats")
        for c, beta in COEFFICIENTS.items():
            for place in PLACES:
                own = [seed.arms[f"{place}_{c}"] for seed in found]
                table.append(
                    line(
                        f"{beta:g}", place, mean_over_seeds([a.pass_rate for a in own], percent),
                        mean_over_seeds([a.worked for a in own], percent),
                        mean_over_seeds([foreseen(seed, place, beta) for seed in found], percent),
                        mean_over_seeds([a.kl for a in own], lambda x: f"{x:.2f}"),
                    )
                )  # fmt: skip

        def further(c: str) -> list[float]:
            return [seed.arms[f"reward_{c}"].kl - seed.arms[f"loss_{c}"].kl for seed in found]

        off = [
            seed.arms[f"{place}_{c}"].worked - foreseen(seed, place, COEFFICIENTS[c])
            for seed in found for place in PLACES for c in ("1", "3")
        ]  # fmt: skip
        return Told(
            table,
            [
                each("with 0.1 the KL in the reward lets the policy drift further", further("1"), _nats, lambda x: x > 0),
                each("with 0.3 the KL in the reward lets the policy drift further", further("3"), _nats, lambda x: x > 0),
                each("with 0.1 and 0.3 the share of worked completions is within 10 points of the one foreseen", off, points,
                     lambda x: abs(x) <= 0.1),
                each("at equal KL the pass rates are within 5 points", [_at_equal_drift(seed) for seed in found], points,
                     lambda x: abs(x) <= 0.05),
            ],
        )  # fmt: skip


def foreseen(seed: Seed, place: str, beta: float) -> float:
    """The share p of worked completions at which reward and KL balance, if they differ from the start in p alone.

    In the reward KL(p || p0): logit p = logit p0 + gap / beta. In the loss the gradient of k3 on fresh samples is that of
    KL(p0 || p): gap = beta (p - p0) / (p (1 - p)).
    """
    p0, gap = seed.worked_before, seed.right_worked - seed.right_direct
    if place == "reward":
        return 1 / (1 + (1 - p0) / p0 * math.exp(-gap / beta))
    pull = gap / beta  # pull p^2 + (1 - pull) p - p0 = 0
    return ((pull - 1) + math.sqrt((pull - 1) ** 2 + 4 * pull * p0)) / (2 * pull)


def between(at: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """y at x by straight lines through the points, the nearest point's outside them."""
    known = sorted(zip(xs, ys, strict=True))
    if at <= known[0][0]:
        return known[0][1]
    for (x0, y0), (x1, y1) in pairwise(known):
        if at <= x1:
            return y1 if x1 == x0 else y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return known[-1][1]


def _at_equal_drift(seed: Seed) -> float:
    """Pass rate with 0.3 in the reward, minus that of the loss at the same KL, between its three coefficients."""
    mine = seed.arms["reward_3"]
    others = [seed.arms[f"loss_{c}"] for c in COEFFICIENTS]
    return mine.pass_rate - between(mine.kl, [a.kl for a in others], [a.pass_rate for a in others])


def _held(run: Path, name: str) -> Held:
    found = arm(run, name, learned=False)
    return Held(found.pass_rate, found.worked, fmean(row["kl/completion"] for row in metrics(run, name)[-ENDS:]))


def _right(run: Path, worked: bool) -> float:
    return fmean(r.verdict.correct is True for r in sampled(run, "sft") if bool(r.thought) is worked)


def _nats(x: float) -> str:
    return f"{x:+.2f}"
