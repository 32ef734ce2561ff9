"""GMPO: the geometric mean of a completion's token ratios, each clipped on one side before the mean is taken."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from earnest.algorithms.base import TokenLoss, Tokens
from earnest.algorithms.families import Normalised
from earnest.functional import reduce, surrogate
from earnest.functional.mismatch import sequence_mean


class GMPO(Normalised):
    """Geometric-mean policy optimisation.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        d_it = min(log rho_it, log_clip) for A_i > 0, max(log rho_it, -log_clip) else
        L   = 1/N sum_i -exp(1/|o_i| sum_t d_it) A_i

    Assumes: several completions per prompt with rewards that differ. One wild token moves a geometric mean little, so the range
    is wide; a clipped token loses its gradient, the others of the completion go on.

    Degrades to: GSPO without a clip where no token reaches log_clip; GRPO without KL, when there is one update per rollout.

    Reference: Geometric-Mean Policy Optimization, arXiv:2507.20673. The default is the paper's.
    """

    for_reuse: ClassVar[frozenset[str]] = frozenset({"log_clip"})

    log_clip: float = Field(default=0.4, gt=0)
    """How far the log of a token's ratio may go the way its advantage points: 0.4 is a ratio of 0.67 or 1.49."""

    def token_loss(self, t: Tokens) -> TokenLoss:
        log_ratio_T = t.logp_T - t.old_logp_T
        adv_S = sequence_mean(t.adv_T, t.seq_T, t.sequences)  # a token that is left out has none, but is in the mean
        log_d_T = surrogate.one_sided(log_ratio_T, adv_S[t.seq_T], self.log_clip)
        ratio_T = surrogate.geometric_ratio(log_d_T, t.seq_T, t.sequences)
        low_T, high_T = (log_ratio_T < log_d_T).float(), (log_ratio_T > log_d_T).float()
        return TokenLoss(-ratio_T * t.adv_T, metrics={"clip_ratio/low_mean": low_T, "clip_ratio/high_mean": high_T})

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.sequence_mean(length_N, counted_N)
