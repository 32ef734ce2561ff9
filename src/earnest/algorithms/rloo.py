"""RLOO: REINFORCE on whole completions, each compared with the mean of the others of its prompt."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, TokenLoss, Tokens
from earnest.functional import credit, divergence, reduce, surrogate
from earnest.types import Step


class RLOO(Algorithm):
    """REINFORCE leave-one-out.

    Objective:
        R_i = r_i - beta sum_t (log pi_old - log pi_ref)
        A_i = R_i - mean of the R_j of the prompt's other completions
        L   = 1/N sum_i -min(rho_i A_i, clip(rho_i, 1 - clip_low, 1 + clip_high) A_i),   rho_i = prod_t pi / pi_old

    Assumes: a completion is one action, so its ratio is the product over its tokens and its log-prob their sum: long
    completions take larger steps, and the ratio of a long one leaves the clip range soon. The paper makes one update
    per rollout, where rho = 1 and the clip changes nothing; ratio and clip are there for more than one, and then the
    step should be small. beta 0 is the usual choice for verifiable rewards.

    Degrades to: G/(G-1) times Dr. GRPO with L_max = 1, when there is one update per rollout and beta is 0.

    Reference: Back to Basics, arXiv:2402.14740.
    """

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """How far a completion's ratio may fall below 1 before the gradient of a wrong one stops."""

    clip_high: float = Field(default=0.2, gt=0)
    """How far a completion's ratio may rise above 1 before the gradient of a right one stops."""

    beta: float = Field(default=0.03, ge=0)
    """Weight of the KL to the reference, summed over the completion and taken off its reward. 0: no reference is
    kept.
    """

    dead_groups: Literal["keep", "drop"] = "keep"
    """`drop`: groups without signal, and completions that could not be graded, leave the mean."""

    @model_validator(mode="after")
    def _kl_reaches_dead_groups(self) -> RLOO:
        if self.beta > 0 and self.dead_groups == "drop":
            raise ValueError(
                "dead_groups: drop would take dead groups out of the KL too; set beta: 0 or dead_groups: keep"
            )
        return self

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"reference"} if self.beta > 0 else ())

    def credit(self, step: Step) -> Credit:
        reward_N = step.reward_N
        live_N = credit.unequal(reward_N, step.group_N)
        metrics = {"frac_reward_zero_std": credit.dead_fraction(live_N, step.group_N)}
        if self.beta > 0:
            assert step.ref_logp_T is not None
            kl_N = credit.sequence_sum(divergence.k1(step.sampler_logp_T, step.ref_logp_T), step.length_N)
            reward_N = reward_N - self.beta * kl_N
            metrics["kl"] = float(kl_N.sum() / step.length_N.sum().clamp(min=1))
        advantage_N = credit.leave_one_out(reward_N, step.group_N)
        return Credit(credit.to_tokens(advantage_N, step.length_N), live_N, metrics=metrics)

    def token_loss(self, t: Tokens) -> TokenLoss:
        ratio_T = surrogate.sequence_ratio(t.logp_T, t.old_logp_T, t.seq_T, t.sequences)
        metrics = surrogate.clip_metrics(ratio_T, t.adv_T, self.clip_low, self.clip_high)
        sequence_T = surrogate.clipped(ratio_T, t.adv_T, self.clip_low, self.clip_high)
        length_T = torch.bincount(t.seq_T, minlength=t.sequences)[t.seq_T]
        return TokenLoss(sequence_T / length_T, metrics=metrics)  # the tokens of a sequence share its loss equally

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        counted_N = live_N if self.dead_groups == "drop" else torch.ones_like(live_N)
        weight_N = reduce.sequence_sum(length_N, counted_N)
        return weight_N if self.beta > 0 else weight_N * live_N  # without a KL, no advantage means no gradient
