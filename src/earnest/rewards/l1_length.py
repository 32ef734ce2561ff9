"""L1's length reward (LCPO-Exact): every token more or less than the target costs.

A term beside `correct`, for a policy that is told its target in the prompt and learns to keep to it. The term reads the target
from its own setting or from the problem; it does not write prompts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from earnest.component import is_set
from earnest.functional.reward import target_miss
from earnest.rewards.base import Failed, Reward, Score, sampled_tokens
from earnest.types import Rollout


class L1Length(Reward):
    """-alpha for every token by which a completion misses its target length (L1, arXiv:2503.04697)."""

    shapes: ClassVar[bool] = True

    target: int | None = Field(default=None, gt=0)
    """Sampled tokens that a completion should have. null: each problem has a target of its own, in its `meta`."""
    meta: str = Field(default="target_tokens", min_length=1)
    """Where `target` is null: the key of `Problem.meta` (a column of your rows) that holds the target."""
    alpha: float = Field(default=0.0003, gt=0, allow_inf_nan=False)
    """What a token costs."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.target is not None and is_set(self, "meta"):
            raise ValueError("meta has no effect beside target; leave one of them out")
        return self

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [self._score(r) for r in rollouts]

    def _score(self, rollout: Rollout) -> Score:
        target = self.target if self.target is not None else rollout.problem.meta.get(self.meta)
        if target is None:
            return Failed(f"the problem's meta has no '{self.meta}'")
        if isinstance(target, bool) or not isinstance(target, int | float) or not 0 <= target < math.inf:
            return Failed(f"the problem's '{self.meta}' is no number of tokens: {str(target)[:60]}")
        return target_miss(sampled_tokens(rollout), target, self.alpha)
