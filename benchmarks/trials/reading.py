"""Reading finished runs: what an arm sampled in each step, when it got good, what its checkpoint does on test problems."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from earnest.data.store import read_records, read_rows
from earnest.evaluate.summary import graded
from earnest.functional.stats import pass_at_k
from earnest.types import Record

TARGET = 0.65
"""Pass rate of the training rollouts that an arm is timed to: about half of the way from the SFT policy's 0.3 to 1."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tried:
    """One step: how many rollouts were right, of those that were asked about; how many tokens were generated in all."""

    right: int
    graded: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Reached:
    """When an arm got good. steps None: never; tokens are then all that it generated."""

    steps: int | None
    tokens: int
    of: int  # steps that it had

    @property
    def least(self) -> int:
        """Steps, or one more than it had: a lower bound."""
        return self.of + 1 if self.steps is None else self.steps


def rollouts(run: Path, arm: str) -> Iterator[Row]:
    """Every rollout of a training stage, as it lies on disk."""
    for file in sorted((run / arm / "rollouts").glob("rollouts*")):
        yield from read_rows(file)


def metrics(run: Path, arm: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / arm / "metrics.jsonl").read_text().splitlines()]


def is_plain(row: Row) -> bool:
    """Sampled without a hint."""
    return not row.get("given")


def tried(run: Path, arm: str, asked: Callable[[Row], bool] = is_plain) -> list[Tried]:
    """Step by step. asked: which rollouts the pass rate is about; tokens are of all."""
    found: dict[int, list[int]] = {}
    for row in rollouts(run, arm):
        sums = found.setdefault(row["step"], [0, 0, 0])
        sums[2] += row["tokens"]
        if asked(row) and row["verdict"]["correct"] is not None:
            sums[0] += row["verdict"]["correct"]
            sums[1] += 1
    return [Tried(*found[step]) for step in sorted(found)]


def monotone(rates: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising sequence nearest to the rates in weighted squares: neighbours that fall are pooled, again and again.

    Example: rates 0.2, 0.6, 0.4, 0.9 of equal weights -> 0.2, 0.5, 0.5, 0.9.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for rate, weight in zip(rates, weights, strict=True):
        mean, total, count = rate, weight, 1
        while pools and pools[-1][0] >= mean:
            before, mass, size = pools.pop()
            mean = (before * mass + mean * total) / (mass + total)
            total, count = mass + total, size + count
        pools.append((mean, total, count))
    return [mean for mean, _, count in pools for _ in range(count)]


def reached(steps: Sequence[Tried], target: float = TARGET) -> Reached:
    """The first step from which a rising curve through the steps' pass rates stays at the target or above."""
    known = [(i, s) for i, s in enumerate(steps) if s.graded]
    curve = monotone([s.right / s.graded for _, s in known], [s.graded for _, s in known])
    first = next((i for (i, _), rate in zip(known, curve, strict=True) if rate >= target), None)
    spent = sum(s.tokens for s in steps[: None if first is None else first + 1])
    return Reached(None if first is None else first + 1, spent, len(steps))


@dataclass(frozen=True, slots=True)
class Arm:
    """A trained policy: on test problems, and on the way."""

    pass_rate: float  # sampled at T = 1
    tokens: float  # a completion
    worked: float  # share of completions with a thought that is not empty
    reached: Reached | None  # None: no reinforcement learning


def sampled(run: Path, name: str) -> list[Record]:
    """A policy's samples on test problems."""
    return list(read_records(run / "eval" / name / "sampled.jsonl"))


def arm(run: Path, name: str, *, learned: bool = True) -> Arm:
    records = sampled(run, name)
    rights = [right for row in graded(records).values() for right in row]
    return Arm(
        sum(rights) / len(rights), fmean(r.tokens for r in records), fmean(bool(r.thought) for r in records),
        reached(tried(run, name)) if learned else None,
    )  # fmt: skip


def coverage(run: Path, name: str) -> list[float]:
    """pass@1, pass@2, ... up to the samples of a problem, on test problems."""
    rows = list(graded(sampled(run, name)).values())
    most = min(map(len, rows))
    return [fmean(pass_at_k(len(row), sum(row), k) or 0.0 for row in rows) for k in range(1, most + 1)]
