"""Dr. GRPO: GRPO without the two divisions that bias it, by the group's spread and by the completion's length."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, TokenLoss, Tokens
from earnest.functional import credit, reduce, surrogate
from earnest.types import Step


class DrGRPO(Algorithm):
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

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """How far the ratio may fall below 1 before a wrong token's gradient stops."""

    clip_high: float = Field(default=0.2, gt=0)
    """How far the ratio may rise above 1 before a right token's gradient stops."""

    max_length: int | None = Field(default=None, gt=0)
    """L_max, the constant that token sums are divided by. null: the most tokens that a completion may have."""

    dead_groups: Literal["keep", "drop"] = "keep"
    """`drop`: groups without signal, and completions that could not be graded, leave the mean."""

    def with_max_tokens(self, max_tokens: int) -> Self:
        return self if self.max_length is not None else self.model_copy(update={"max_length": max_tokens})

    def credit(self, step: Step) -> Credit:
        advantage_N = credit.group_centered(step.reward_N, step.group_N)
        live_N = credit.unequal(step.reward_N, step.group_N)
        dead = credit.dead_fraction(live_N, step.group_N)
        return Credit(credit.to_tokens(advantage_N, step.length_N), live_N, metrics={"frac_reward_zero_std": dead})

    def token_loss(self, t: Tokens) -> TokenLoss:
        ratio_T = surrogate.ratio(t.logp_T, t.old_logp_T)
        policy_T = surrogate.clipped(ratio_T, t.adv_T, self.clip_low, self.clip_high)
        return TokenLoss(policy_T, metrics=surrogate.clip_metrics(ratio_T, t.adv_T, self.clip_low, self.clip_high))

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        assert self.max_length is not None, "with_max_tokens comes first"
        counted_N = live_N if self.dead_groups == "drop" else torch.ones_like(live_N)
        return reduce.constant(length_N, counted_N, self.max_length) * live_N  # no advantage, no gradient
