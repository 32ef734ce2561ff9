"""DAPO's loss: GRPO with a higher upper clip, a mean over all tokens and no KL."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from earnest.algorithms.families import Clipped, Normalised
from earnest.functional import reduce


class DAPO(Clipped, Normalised):
    """Decoupled clip and dynamic sampling policy optimisation.

    Objective:
        A_i = (r_i - mean(r)) / std(r)                                       over the G rewards of a prompt
        L   = 1/T sum_it -min(rho_it A_i, clip(rho_it, 1 - clip_low, 1 + clip_high) A_i)
        T   = sum_i |o_i|

    Assumes: several completions per prompt with rewards that differ. A long completion weighs more than a short one. The
    paper's other two parts stand elsewhere: dynamic sampling is the stage's `refill`, the soft punishment of overlong
    completions the reward `overlong`.

    Degrades to: GRPO with aggregation "token" and no KL; where all completions have one length, GRPO's mean.

    Reference: arXiv:2503.14476. The defaults are the paper's.
    """

    clip_high: float = Field(default=0.28, gt=0)
    """How far the ratio may rise above 1 before the gradient of a right token stops: unlikely tokens need room."""

    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        return reduce.token_mean(length_N, counted_N)
