"""REINFORCE++: PPO's clipped ratio without a critic; baseline and scale come from the whole step."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, TokenLoss, Tokens
from earnest.functional import credit, divergence, reduce, surrogate
from earnest.types import Step


class ReinforcePP(Algorithm):
    """REINFORCE++.

    Objective:
        r_it = [t is the last token] r_i - beta (log pi_old - log pi_ref)
        R_it = sum over s >= t of r_is
        A_it = (R_it - mean(R)) / std(R)                                     over all tokens of the step
        L    = 1/T sum_it -min(rho_it A_it, clip(rho_it, 1 - clip_low, 1 + clip_high) A_it)

    Assumes: prompts of similar difficulty, unless baseline is "group" (the paper's variant for reasoning, which takes
    the group's mean off r_i first). One completion per prompt is enough. The mean is over tokens, so long completions
    weigh more in the baseline. The spread is the population's.

    Degrades to: REINFORCE with a batch-mean baseline, up to scale, when there is one update per rollout and beta is 0.

    Reference: REINFORCE++, arXiv:2501.03262.
    """

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """How far the ratio may fall below 1 before a wrong token's gradient stops."""

    clip_high: float = Field(default=0.2, gt=0)
    """How far the ratio may rise above 1 before a right token's gradient stops."""

    beta: float = Field(default=0.0, ge=0)
    """Weight of the KL to the reference model, taken off the reward token by token. 0: no reference model is kept."""

    baseline: Literal["none", "group"] = "none"
    """`group`: the mean reward of the prompt's completions is taken off before the step is whitened."""

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"reference"} if self.beta > 0 else ())

    def credit(self, step: Step) -> Credit:
        whole_N = torch.zeros_like(step.group_N)
        live_N = credit.unequal(step.reward_N, step.group_N if self.baseline == "group" else whole_N)
        metrics: dict[str, float] = {}
        reward_N = step.reward_N
        if self.baseline == "group":
            metrics["frac_reward_zero_std"] = credit.dead_fraction(live_N, step.group_N)
            reward_N = credit.group_centered(reward_N, step.group_N)
        reward_T = credit.last_token_rewards(reward_N, step.length_N)
        if self.beta > 0:
            assert step.ref_logp_T is not None
            kl_T = divergence.k1(step.sampler_logp_T, step.ref_logp_T)
            reward_T = reward_T - self.beta * kl_T
            metrics["kl"] = float(kl_T.mean())
        graded_T = credit.to_tokens(~step.reward_N.isnan(), step.length_N)
        advantage_T = credit.whiten(credit.returns_to_go(reward_T, step.length_N), graded_T)
        return Credit(advantage_T, live_N, metrics=metrics)

    def token_loss(self, t: Tokens) -> TokenLoss:
        ratio_T = surrogate.ratio(t.logp_T, t.old_logp_T)
        policy_T = surrogate.clipped(ratio_T, t.adv_T, self.clip_low, self.clip_high)
        return TokenLoss(policy_T, metrics=surrogate.clip_metrics(ratio_T, t.adv_T, self.clip_low, self.clip_high))

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        return reduce.token_mean(length_N, torch.ones_like(live_N))
