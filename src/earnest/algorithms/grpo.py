"""GRPO: rewards compared within a group, a clipped ratio per token, and a KL to the reference model in the loss."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from earnest.algorithms.families import Clipped, Normalised
from earnest.algorithms.kl import KL, KLSetting
from earnest.functional import reduce


class GRPO(Clipped, Normalised):
    """Group relative policy optimisation.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        L   = 1/N sum_i 1/|o_i| sum_t [ -min(rho_it A_i, clip(rho_it, 1 - clip_low, 1 + clip_high) A_i) + beta k3_it ]
        rho = pi / pi_old,   k3 = pi_ref/pi - 1 - log(pi_ref/pi),   beta = kl.in_loss

    Assumes: several completions per prompt with rewards that differ; a group of equal rewards teaches nothing.
    Dividing by the spread makes tiny differences as loud as large ones and favours very easy and very hard prompts (2
    arcsin(sqrt p) is ascended, not p). The spread is the population's.

    Degrades to: REINFORCE with the same advantages when there is one update per rollout (rho = 1, the clip changes
    nothing); Dr. GRPO without the spread and with constant weights; DAPO with aggregation "token", clip_high 0.28 and no KL.

    Reference: DeepSeekMath, arXiv:2402.03300. The defaults are the paper's.
    """

    kl: KLSetting = KL(in_loss=0.04)
    """KL to the stage's input checkpoint. null: none, and no reference is kept."""

    aggregation: Literal["sequence", "token"] = "sequence"
    """`sequence`: mean over completions of the mean over their tokens. `token`: mean over all tokens of the step."""

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        mean = {"sequence": reduce.sequence_mean, "token": reduce.token_mean}[self.aggregation]
        return mean(length_N, counted_N)
