"""DPO: raise the chosen completion above the rejected one, and keep the chosen one likely."""

from __future__ import annotations

from pydantic import Field

from earnest.functional import preference
from earnest.preference.base import PairLoss, Preference, Side


class DPO(Preference):
    """Direct preference optimisation, with a likelihood term for the chosen completion.

    Objective:
        m = beta [ (log pi(y_w) - log ref(y_w)) - (log pi(y_l) - log ref(y_l)) ]       log-probs are sums over tokens
        L = mean over pairs of [ -log sigmoid(m) - alpha log pi(y_w) / |y_w| ]

    Assumes: right and wrong completions of one prompt. Only their difference is fitted, so without the second term the right one
    may become less likely while the margin grows; pairs that share most of their tokens do that. The likelihood term is what
    Iterative RPO adds for reasoning, and its weight here is that paper's, because what this stage does is what it did: pairs of
    right and wrong chains of thought, sampled afresh.

    Degrades to: plain DPO with alpha 0; supervised fine-tuning on right completions as alpha grows.

    Reference: DPO, arXiv:2305.18290; Iterative RPO, arXiv:2404.19733 (alpha 1).
    """

    alpha: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Weight of -log pi / |y| of the chosen completion. 0: plain DPO."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs taken to be the wrong way round (cDPO), for verifiers that err."""

    def pair_loss(self, chosen: Side, rejected: Side) -> PairLoss:
        loss_P = preference.logistic(self.reward(chosen) - self.reward(rejected), self.label_smoothing)
        if not self.alpha:
            return PairLoss(loss_P)
        nll_P = preference.mean_nll(chosen.logp_P, chosen.length_P)
        return PairLoss(loss_P + self.alpha * nll_P, {"nll_loss": nll_P.detach()})
