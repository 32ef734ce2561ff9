"""The verifier's score as a reward: what reinforcement learning with verifiable rewards means."""

from __future__ import annotations

from collections.abc import Sequence

from earnest.rewards.base import Failed, Reward, Score
from earnest.types import Rollout


class Correct(Reward):
    """The verifier's score; where grading failed there is none."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [Failed(r.verdict.reason) if r.verdict.score is None else r.verdict.score for r in rollouts]
