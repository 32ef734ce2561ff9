"""SAPO: a smooth gate where others clip."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from earnest.algorithms.base import TokenLoss, Tokens
from earnest.algorithms.families import Normalised
from earnest.functional import reduce, surrogate


class SAPO(Normalised):
    """Soft adaptive policy optimisation.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        L   = 1/N sum_i 1/|o_i| sum_t -4/tau sigmoid(tau (rho_it - 1)) A_i,   tau = tau_pos for A_i > 0, tau_neg else

    Assumes: several completions per prompt with rewards that differ. A token's gradient is that of REINFORCE times
    4 p (1 - p) rho with p the sigmoid: it fades on both sides of ratio 1, also where the step would lead back, and never stops.

    Degrades to: GRPO without KL, when there is one update per rollout.

    Reference: Soft Adaptive Policy Optimization, arXiv:2511.20347. The defaults are the paper's.
    """

    for_reuse: ClassVar[frozenset[str]] = frozenset({"tau_pos", "tau_neg"})

    tau_pos: float = Field(default=1.0, gt=0)
    """How fast the gate closes for tokens of a positive advantage."""

    tau_neg: float = Field(default=1.05, gt=0)
    """How fast it closes for the others, which raise all tokens that were not drawn and are the likelier cause of instability."""

    def token_loss(self, t: Tokens) -> TokenLoss:
        return TokenLoss(
            surrogate.soft_gate(surrogate.ratio(t.logp_T, t.old_logp_T), t.adv_T, self.tau_pos, self.tau_neg)
        )

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.sequence_mean(length_N, counted_N)
