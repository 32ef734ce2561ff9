"""The cosine reward: the verdict's pay, made to depend on the length along half a cosine.

It holds the verdict, so it stands in the place of `correct`, not beside it: the longer it is, the less a right completion is
paid and the less a wrong one costs (a try that failed had better be a long one). What was cut is paid `exceeded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field

from earnest.functional.reward import cosine
from earnest.rewards.base import Failed, Reward, Score, sampled_tokens
from earnest.types import Finish, Rollout


class Cosine(Reward):
    """Pay by verdict and length, in the place of `correct` (arXiv:2502.03373). The defaults are the paper's."""

    shapes: ClassVar[bool] = True

    right_short: float = Field(default=2.0, allow_inf_nan=False)
    """A right completion's score at length 0."""
    right_long: float = Field(default=1.0, allow_inf_nan=False)
    """A right completion's score at `max_length`."""
    wrong_short: float = Field(default=-10.0, allow_inf_nan=False)
    """A wrong completion's score at length 0."""
    wrong_long: float = Field(default=0.0, allow_inf_nan=False)
    """A wrong completion's score at `max_length`."""
    exceeded: float = Field(default=-10.0, allow_inf_nan=False)
    """The score of a completion that was cut or is longer than `max_length`."""
    max_length: int | None = Field(default=None, gt=0)
    """Sampled tokens at which the cosine ends. null: the most tokens that a completion of the stage may have."""

    def with_max_tokens(self, max_tokens: int) -> Self:
        return self if self.max_length is not None else self.model_copy(update={"max_length": max_tokens})

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [self._score(r) for r in rollouts]

    def _score(self, rollout: Rollout) -> Score:
        assert self.max_length is not None, "with_max_tokens comes first"
        length, right = sampled_tokens(rollout), rollout.verdict.correct
        if right is None:
            return Failed(rollout.verdict.reason)
        if rollout.completion.finish is not Finish.STOP or length > self.max_length:
            return self.exceeded
        ends = (self.right_short, self.right_long) if right else (self.wrong_short, self.wrong_long)
        return cosine(length, self.max_length, *ends)
