"""Dr. GRPO: GRPO without the two divisions that bias it, by the group's spread and by the completion's length."""

from __future__ import annotations

from typing import Self

from pydantic import Field
from torch import Tensor

from earnest.algorithms.families import Clipped, GroupRelative
from earnest.functional import credit, reduce


class DrGRPO(Clipped, GroupRelative):
    """GRPO done right.

    Objective:
        A_i = r_i - mean(r)                                                  over the G rewards of a prompt
        L   = 1/N sum_i 1/L_max sum_t -min(rho_it A_i, clip(rho_it, 1 - clip_low, 1 + clip_high) A_i)

    Assumes: several completions per prompt with rewards that differ. Scaling the rewards scales the step: {-1, 1}
    moves twice as far as {0, 1}.

    Degrades to: REINFORCE with a mean baseline when there is one update per rollout; PPO with gamma = lam = 1 and a
    critic that knows the group's mean is the same gradient; RLOO's advantages are G/(G-1) times these.

    Reference: Understanding R1-Zero-Like Training, arXiv:2503.20783.
    """

    max_length: int | None = Field(default=None, gt=0)
    """L_max, the constant that token sums are divided by. null: the most tokens that a completion may have."""

    def with_max_tokens(self, max_tokens: int) -> Self:
        return self if self.max_length is not None else self.model_copy(update={"max_length": max_tokens})

    def advantage(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        return credit.group_centered(reward_N, group_N)

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        assert self.max_length is not None, "with_max_tokens comes first"
        return reduce.constant(length_N, counted_N, self.max_length)
