"""CISPO: the ratio's weight is clipped, the gradient is not, so that no token is ever left out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from earnest.algorithms.base import TokenLoss, Tokens
from earnest.algorithms.families import Normalised
from earnest.functional import reduce, surrogate


class CISPO(Normalised):
    """Clipped importance sampling weights.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        L   = 1/T sum_it -sg(clip(rho_it, ratio_min, ratio_max)) A_i log pi_it,   T = sum_i |o_i|

    Assumes: several completions per prompt with rewards that differ. A token far from the old policy keeps pulling, with a
    bounded weight: a rare word of a right answer is not lost, and what has been learned is not left alone either. The value of
    the loss is the integral of its gradient, -rho A within the bounds.

    Degrades to: DAPO without a clip where no ratio leaves the bounds; with one update per rollout, DAPO.

    Reference: MiniMax-M1, arXiv:2506.13585; the bound is that of ScaleRL, arXiv:2510.13786, as the paper gives none. verl clamps
    on both sides, to 0.8 and 1.2.
    """

    for_reuse: ClassVar[frozenset[str]] = frozenset({"ratio_max", "ratio_min"})

    ratio_max: float = Field(default=5.0, gt=1)
    """The largest weight of a token."""

    ratio_min: float | None = Field(default=None, gt=0, lt=1)
    """The smallest weight of a token. null: none, a token that has become unlikely counts as little as it is drawn."""

    def token_loss(self, t: Tokens) -> TokenLoss:
        policy_T = surrogate.truncated(t.logp_T, t.old_logp_T, t.adv_T, self.ratio_min, self.ratio_max)
        ratio_T = surrogate.ratio(t.logp_T, t.old_logp_T).detach()
        low_T, high_T = (ratio_T < (self.ratio_min or 0.0)).float(), (ratio_T > self.ratio_max).float()
        return TokenLoss(policy_T, metrics={"clip_ratio/low_mean": low_T, "clip_ratio/high_mean": high_T})

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.token_mean(length_N, counted_N)
