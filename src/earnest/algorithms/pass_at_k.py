"""Pass@k training: what is ascended is the chance that one of k completions is right."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from earnest.algorithms.families import Clipped, GroupRelative
from earnest.functional import credit, pass_at_k, reduce


class PassAtK(Clipped, GroupRelative):
    """Pass@k training.

    Objective:
        n completions of a prompt, c of them right;   q = C(n-c, k) / C(n, k);   s = sqrt(q (1 - q))
        A_i = q / s if right, else (q - C(n-1-c, k-1) / C(n-1, k-1)) / s
        L   = 1/T sum_it -min(rho_it A_i, clip(rho_it, 1 - clip_low, 1 + clip_high) A_i),   T = sum_i |o_i|

    Assumes: right and wrong, and more than k completions per prompt; a group that has lost too many to failures of the grader has
    no credit. Prompts that are mostly solved teach next to nothing: none at all once fewer than k completions are wrong. That
    keeps the policy broad, and its pass@1 may stand still.

    Degrades to: DAPO with clip_high 0.2, for k = 1 and rewards of 0 and 1.

    Reference: Pass@k Training, arXiv:2508.10751; Pass@K Policy Optimization (PKPO), arXiv:2505.15201, for estimators "pkpo" and
    "marginal".
    """

    k: int = Field(default=4, gt=0)
    """Of how many completions one should be right."""

    estimator: Literal["normalised", "pkpo", "marginal"] = "normalised"
    """A_i: `normalised` as above. `pkpo`: n times PKPO's weights, whose sum is an unbiased gradient of pass@k and has no negative
    part. `marginal`: the same less its baseline, what the others would be worth alone; only right completions have credit."""

    right_above: float = 0.5
    """A completion is right if its reward is above this; what else a reward says is not looked at."""

    @model_validator(mode="after")
    def _rewards_are_right_or_wrong(self) -> Self:
        if self.kl.in_reward:
            raise ValueError("a reward here is right or wrong, from which no KL is taken; choose kl.in_loss")
        return self

    @property
    def least_group(self) -> int:
        return self.k + (self.estimator == "normalised")

    def advantage(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        right_N = (reward_N > self.right_above).float().where(~reward_N.isnan(), torch.nan)
        if self.estimator == "normalised":
            return pass_at_k.normalised(right_N, group_N, self.k)
        of = {"pkpo": pass_at_k.weights, "marginal": pass_at_k.marginal_weights}[self.estimator]
        return of(right_N, group_N, self.k) * torch.bincount(group_N, (~reward_N.isnan()).float())[group_N]

    def live(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        credit_N = credit.group_mean(self.advantage(reward_N, group_N).abs(), group_N)
        return ~reward_N.isnan() & (credit_N > 0)

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.token_mean(length_N, counted_N)
