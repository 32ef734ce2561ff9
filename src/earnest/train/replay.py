"""Demonstrations beside reinforcement learning, against forgetting: what every update imitates besides its step's rollouts.

An update's gradient is that of the algorithm's loss plus `weight` times that of the mean negative log-likelihood of so many gold
solutions: of the base's skills, of the recipe's own task, or of a file of rows. All updates of a step have the same, and those of
step i are a function of the seed and i alone, so that there is nothing to save: in the seeded order of the pool they begin at i
times their number. Where some cannot be used (no solution, too long), a step goes on into what the next one begins with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from earnest.data.samples import demonstrations
from earnest.train.demonstrations import Pool
from earnest.types import Sample


@dataclass(frozen=True, slots=True)
class Replayed:
    """The demonstrations of a step. held_out: how many of them an evaluation asks as well."""

    samples: Sequence[Sample]
    held_out: int


class Replay:
    """So many demonstrations of a pool for every step."""

    def __init__(self, pool: Pool, examples: int, weight: float) -> None:
        """weight: of their mean negative log-likelihood in the step's loss."""
        assert examples > 0 and weight > 0
        self.pool, self.examples, self.weight = pool, examples, weight

    def at(self, step: int) -> Replayed:
        """Those of step `step` (from 0); their tokens' weights add up to `weight`."""
        pool = self.pool
        pool.order.go_to(step * self.examples)
        before = pool.leaked
        samples = demonstrations(pool.take(self.examples, "as_is"))
        return Replayed([replace(s, weight=s.weight * self.weight) for s in samples], pool.leaked - before)
