"""A reward that knows nothing: the control for the question whether the reward taught what was learned.

What a run gains under it comes from training as such (from the format, from shorter answers, from the model's own habits) and
not from being told what is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from earnest.rewards.base import Reward, Score
from earnest.seeding import rng
from earnest.types import Rollout


class Random(Reward):
    """1 or 0 by chance, drawn from the seed, the problem and the number of the sample."""

    probability: float = Field(default=0.5, gt=0, lt=1)
    """Of a 1."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [float(rng(seed, r.problem.id, r.completion.index).random() < self.probability) for r in rollouts]
