"""The taught format as a reward: the thought closed, an answer after it that the verifier could read, and an end.

It does not ask whether the answer is right: a term beside the verifier's for models that lose the format. Alone it teaches the
format alone (health rule H5).
"""

from __future__ import annotations

from collections.abc import Sequence

from earnest.rewards.base import Failed, Reward, Score
from earnest.types import Finish, Rollout, Status


class Format(Reward):
    """1 for a completion in the taught format that ended by itself with an answer that can be read, else 0."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [self._score(r) for r in rollouts]

    def _score(self, rollout: Rollout) -> Score:
        verdict = rollout.verdict
        if verdict.status is Status.ERROR:
            return Failed(verdict.reason)  # whether there is an answer is what could not be found out
        # Any other status than OK was read as no answer: none or several, a cut one, one past the limits of the grader.
        ended = rollout.completion.finish is Finish.STOP
        return float(rollout.parsed.well_formed and ended and verdict.status is Status.OK)
