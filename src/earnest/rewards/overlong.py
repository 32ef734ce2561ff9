"""DAPO's soft punishment of overlong completions: near the limit a completion costs more with every token.

It keeps a policy from being cut, and says nothing about lengths far from the limit. What is cut has been graded wrong already:
the term shapes and does not judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from earnest.functional.reward import soft_overlong
from earnest.rewards.base import Reward, Score, sampled_tokens
from earnest.types import Rollout


class Overlong(Reward):
    """0 for completions well below the limit, falling to -1 at the limit (DAPO, arXiv:2503.14476, eq. 13)."""

    shapes: ClassVar[bool] = True

    max_length: int | None = Field(default=None, gt=0)
    """Sampled tokens from which on the score is -1. null: the most tokens that a completion of the stage may have."""
    cache: int | None = Field(default=None, gt=0)
    """Tokens below `max_length` over which it falls from 0 to -1. null: a fifth of `max_length`, as in the paper."""

    @model_validator(mode="after")
    def _the_cache_fits(self) -> Self:
        if self.max_length is not None and self.cache is not None and self.cache > self.max_length:
            raise ValueError(
                f"cache {self.cache} is more than max_length {self.max_length}: every completion would cost"
            )
        return self

    def with_max_tokens(self, max_tokens: int) -> Self:
        limit = self.max_length or max_tokens
        cache = self.cache or max(1, limit // 5)
        if cache > limit:
            raise ValueError(f"cache {cache} is more than the stage's max_tokens {limit}: every completion would cost")
        if limit - cache >= max_tokens:
            raise ValueError(
                f"it has no effect: it begins above {limit - cache} tokens, and completions have at most {max_tokens}"
            )
        return self.model_copy(update={"max_length": limit, "cache": cache})

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        assert self.max_length is not None and self.cache is not None, "with_max_tokens comes first"
        return [soft_overlong(sampled_tokens(r), self.max_length, self.cache) for r in rollouts]
