"""REINFORCE++: PPO's clipped ratio without a critic; baseline and scale come from the whole step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from earnest.algorithms.base import Credit
from earnest.algorithms.families import Clipped
from earnest.functional import credit, reduce
from earnest.types import Step


class ReinforcePP(Clipped):
    """REINFORCE++.

    Objective:
        r_it = [t is the last token] r_i - beta (log pi_old - log pi_ref),   beta = kl.in_reward
        R_it = sum over s >= t of r_is
        A_it = (R_it - mean(R)) / std(R)                                     over all tokens of the step
        L    = 1/T sum_it -min(rho_it A_it, clip(rho_it, 1 - clip_low, 1 + clip_high) A_it)

    Assumes: prompts of similar difficulty, unless baseline is "group" (the paper's variant for reasoning, which takes
    the group's mean off r_i first). One completion per prompt is enough. The mean is over tokens, so long completions
    weigh more in the baseline.

    Degrades to: REINFORCE with a batch-mean baseline, up to scale, when there is one update per rollout and no KL.

    Reference: REINFORCE++, arXiv:2501.03262. The clip range is PPO's, and the paper's KL is off unless `kl` sets it.
    """

    baseline: Literal["none", "group"] = "none"
    """`group`: the mean reward of the prompt's completions is taken off before the step is whitened."""

    std: Literal["population", "sample"] = "population"
    """The spread of the step: the population's, as OpenRLHF, or with Bessel's correction, as verl."""

    @property
    def least_group(self) -> int:
        return 2 if self.baseline == "group" else 1

    def credit(self, step: Step) -> Credit:
        whole_N = torch.zeros_like(step.group_N)
        live_N = credit.unequal(step.reward_N, step.group_N if self.baseline == "group" else whole_N)
        metrics: dict[str, float] = {}
        reward_N = step.reward_N
        if self.baseline == "group":
            metrics["frac_reward_zero_std"] = credit.dead_fraction(live_N, step.group_N)
            reward_N = credit.group_centered(reward_N, step.group_N)
        reward_T = credit.last_token_rewards(reward_N, step.length_N, step.penalty_T)
        graded_T = credit.to_tokens(~step.reward_N.isnan(), step.length_N)
        return_T = credit.returns_to_go(reward_T, step.length_N)
        advantage_T = credit.whiten(return_T, graded_T, ddof=0 if self.std == "population" else 1)
        return Credit(advantage_T, live_N, metrics=metrics)

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        return reduce.token_mean(length_N, torch.ones_like(live_N))
