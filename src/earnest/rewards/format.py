"""The taught format as a reward: the thought closed, an answer after it, and an end. It knows nothing of the answer.

A term beside the verifier's for models that lose the format. Alone it teaches the format alone (health rule H5).
"""

from __future__ import annotations

from collections.abc import Sequence

from earnest.rewards.base import Reward, Score
from earnest.types import Finish, Rollout


class Format(Reward):
    """1 for a completion in the taught format that ended by itself, else 0."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [float(r.parsed.well_formed and r.completion.finish is Finish.STOP) for r in rollouts]
