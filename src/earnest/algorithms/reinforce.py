"""REINFORCE: the policy gradient itself, with a baseline and nothing else."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, TokenLoss, Tokens
from earnest.functional import credit, reduce, surrogate
from earnest.types import Step


class Reinforce(Algorithm):
    """REINFORCE.

    Objective:
        R_i = r_i - beta sum_t (log pi_old - log pi_ref),   beta = kl.in_reward
        A_i = R_i - b
        L   = 1/N sum_i sum_t -rho_it A_i,   rho = pi / pi_old;   its gradient where rho is 1 is that of -A_i log pi(o_i)

    Assumes: one update per rollout, which is what the theorem is about. In further ones each token is reweighted by its ratio,
    which nothing bounds: few and small ones, or a method with a clip. Long completions take larger steps. Without a baseline a
    reward of 1 for everything is ascended too, in the mean to no effect but noise.

    Degrades to: RLOO up to G/(G-1), with baseline "group" and one update per rollout; REINFORCE++ up to its scale and the mean
    over tokens, with baseline "batch".

    Reference: Williams 1992, Machine Learning 8, 229; On-Policy RL with Optimal Reward Baseline (OPO), arXiv:2505.23585, for
    baseline "length".
    """

    baseline: Literal["none", "batch", "group", "length"] = "batch"
    """b: 0 (`none`), the mean reward of the step (`batch`), of the prompt's completions (`group`), or of these with each counted
    by its length (`length`, OPO). The mean of the prompt's other completions is `rloo`."""

    @property
    def least_group(self) -> int:
        return 2 if self.baseline in ("group", "length") else 1

    def credit(self, step: Step) -> Credit:
        reward_N, group_N, whole_N = step.reward_N, step.group_N, torch.zeros_like(step.group_N)
        live_N = credit.unequal(reward_N, whole_N if self.baseline == "batch" else group_N)
        if step.penalty_T is not None:
            reward_N = reward_N - credit.sequence_sum(step.penalty_T, step.length_N)
        match self.baseline:
            case "none":
                advantage_N, live_N = reward_N.nan_to_num(nan=0.0), ~reward_N.isnan() & (reward_N != 0)
            case "batch":
                advantage_N = credit.group_centered(reward_N, whole_N)
            case "group":
                advantage_N = credit.group_centered(reward_N, group_N)
            case "length":
                advantage_N = credit.length_centered(reward_N, group_N, step.length_N)
        return Credit(credit.to_tokens(advantage_N, step.length_N), live_N)

    def token_loss(self, t: Tokens) -> TokenLoss:
        return TokenLoss(-surrogate.ratio(t.logp_T, t.old_logp_T) * t.adv_T)

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        weight_N = reduce.sequence_sum(length_N, torch.ones_like(live_N))
        return weight_N if self.kl.in_reward else weight_N * live_N  # else no advantage means no gradient
