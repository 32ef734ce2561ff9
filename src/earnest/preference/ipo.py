"""IPO: a margin to reach and not to exceed, so that certain pairs do not drive the policy away from the reference."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from earnest.functional import preference
from earnest.preference.base import PairLoss, Preference, Side


class IPO(Preference):
    """Identity preference optimisation.

    Objective:
        d = (log pi(y_w) - log ref(y_w)) / |y_w| - (log pi(y_l) - log ref(y_l)) / |y_l|
        L = mean over pairs of ( d - 1 / (2 beta) )^2

    Assumes: right and wrong completions of one prompt. DPO's margin has no end when a pair is always decided the same way, as
    right and wrong always are; this one's is 1 / (2 beta): nats per token, or per completion with over "sum".

    Degrades to: the formula of the paper with over "sum". Its authors have since said that the log-probs are meant to be
    means over tokens, and so does TRL.

    Reference: Azar et al. 2023, arXiv:2310.12036.
    """

    over: Literal["mean", "sum"] = "mean"
    """Over the tokens of a completion."""

    def pair_loss(self, chosen: Side, rejected: Side) -> PairLoss:
        return PairLoss(preference.squared(self._log_ratio(chosen) - self._log_ratio(rejected), self.beta))

    def reward(self, side: Side) -> Tensor:
        return self.beta * self._log_ratio(side)

    def _log_ratio(self, side: Side) -> Tensor:
        ratio_P = side.logp_P - side.ref_logp_P
        return ratio_P / side.length_P if self.over == "mean" else ratio_P
