"""LUSPO: GSPO without its division by the completion's length."""

from __future__ import annotations

from torch import Tensor

from earnest.algorithms.gspo import GSPO
from earnest.functional import reduce


class LUSPO(GSPO):
    """Length-unbiased sequence policy optimisation.

    Objective:
        L = 1/N sum_i -|o_i| min(s_i A_i, clip(s_i, 1 - clip_low, 1 + clip_high) A_i),   A_i and s_i as GSPO's

    Assumes: what GSPO does. Every token of the step weighs the same, so the step grows with the completions.

    Degrades to: GSPO, up to a constant, where all completions have one length.

    Reference: Length-Unbiased Sequence Policy Optimization, arXiv:2602.05261. The clip range is GSPO's.
    """

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.sequence_sum(length_N, counted_N)
