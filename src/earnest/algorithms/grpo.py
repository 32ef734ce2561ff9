"""GRPO: rewards compared within a group, a clipped ratio per token, and a KL to the reference model in the loss."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, TokenLoss, Tokens
from earnest.functional import credit, divergence, reduce, surrogate
from earnest.types import Step


class GRPO(Algorithm):
    """Group relative policy optimisation.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        L   = 1/N sum_i 1/|o_i| sum_t [ -min(rho_it A_i, clip(rho_it, 1 - clip_low, 1 + clip_high) A_i) + beta k3_it ]
        rho = pi / pi_old,   k3 = pi_ref/pi - 1 - log(pi_ref/pi)

    Assumes: several completions per prompt with rewards that differ; a group of equal rewards teaches nothing.
    Dividing by the spread makes tiny differences as loud as large ones and favours very easy and very hard prompts (2
    arcsin(sqrt p) is ascended, not p). The spread is the population's.

    Degrades to: REINFORCE with the same advantages when there is one update per rollout (rho = 1, the clip changes
    nothing); Dr. GRPO without the spread and with constant weights; DAPO's loss with aggregation "token", clip_high
    0.28, beta 0.

    Reference: DeepSeekMath, arXiv:2402.03300. The defaults are the paper's.
    """

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """How far the ratio may fall below 1 before a wrong token's gradient stops."""

    clip_high: float = Field(default=0.2, gt=0)
    """How far the ratio may rise above 1 before a right token's gradient stops."""

    aggregation: Literal["sequence", "token"] = "sequence"
    """`sequence`: mean over completions of the mean over their tokens. `token`: mean over all tokens of the step."""

    beta: float = Field(default=0.04, ge=0)
    """Weight of the KL to the reference model, per token in the loss. 0: no reference model is kept."""

    min_std: float = Field(default=1e-6, ge=0)
    """A group whose rewards spread no more than this is dead."""

    dead_groups: Literal["keep", "drop"] = "keep"
    """`drop`: groups without signal, and completions that could not be graded, leave the mean."""

    @model_validator(mode="after")
    def _kl_reaches_dead_groups(self) -> GRPO:
        if self.beta > 0 and self.dead_groups == "drop":
            raise ValueError(
                "dead_groups: drop would take dead groups out of the KL too; set beta: 0 or dead_groups: keep"
            )
        return self

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"reference"} if self.beta > 0 else ())

    def credit(self, step: Step) -> Credit:
        advantage_N = credit.group_advantage(step.reward_N, step.group_N, min_std=self.min_std)
        spread_N = credit.group_std(step.reward_N, step.group_N) > self.min_std
        live_N = credit.unequal(step.reward_N, step.group_N) & spread_N
        dead = credit.dead_fraction(live_N, step.group_N)
        return Credit(credit.to_tokens(advantage_N, step.length_N), live_N, metrics={"frac_reward_zero_std": dead})

    def token_loss(self, t: Tokens) -> TokenLoss:
        ratio_T = surrogate.ratio(t.logp_T, t.old_logp_T)
        policy_T = surrogate.clipped(ratio_T, t.adv_T, self.clip_low, self.clip_high)
        metrics = surrogate.clip_metrics(ratio_T, t.adv_T, self.clip_low, self.clip_high)
        if self.beta > 0:
            assert t.ref_logp_T is not None
            kl_T = divergence.k3(t.logp_T, t.ref_logp_T)
            policy_T = policy_T + self.beta * kl_T
            metrics["kl"] = kl_T.detach()
        return TokenLoss(policy_T, metrics=metrics)

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        counted_N = live_N if self.dead_groups == "drop" else torch.ones_like(live_N)
        mean = {"sequence": reduce.sequence_mean, "token": reduce.token_mean}[self.aggregation]
        weight_N = mean(length_N, counted_N)
        return weight_N if self.beta > 0 else weight_N * live_N  # without a KL, no advantage means no gradient
