"""GSPO: GRPO's credit, with ratio and clip on whole completions."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from earnest.algorithms.base import Tokens
from earnest.algorithms.families import Clipped, Normalised
from earnest.functional import reduce, surrogate


class GSPO(Clipped, Normalised):
    """Group sequence policy optimisation.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        s_i = (prod_t pi / pi_old)^(1 / |o_i|)
        L   = 1/N sum_i -min(s_i A_i, clip(s_i, 1 - clip_low, 1 + clip_high) A_i)

    Assumes: several completions per prompt with rewards that differ. A geometric mean stays near 1, so the clip range is far
    narrower than a token's, and a completion beyond it is left out as a whole: a large share is nothing unusual. The mean over
    completions is the only one that fits a ratio of completions.

    Degrades to: GRPO without KL, when there is one update per rollout or every completion has one token and the ranges agree.

    Reference: Group Sequence Policy Optimization, arXiv:2507.18071. The defaults are the paper's.
    """

    clip_low: float = Field(default=3e-4, gt=0, lt=1)
    """How far a completion's ratio may fall below 1 before the gradient of a wrong one stops."""

    clip_high: float = Field(default=4e-4, gt=0)
    """How far a completion's ratio may rise above 1 before the gradient of a right one stops."""

    def ratio(self, t: Tokens) -> Tensor:
        return surrogate.geometric_ratio(t.logp_T - t.old_logp_T, t.seq_T, t.sequences)

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.sequence_mean(length_N, counted_N)
