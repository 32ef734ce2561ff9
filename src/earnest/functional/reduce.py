"""How sequences share an optimizer step's loss: one weight per sequence, the same for all of its tokens.

    loss = sum over tokens of weight[sequence of the token] * loss[token]

The weights come from the lengths of the whole step, before it is split, so micro-batches, accumulation and data
parallelism cannot change the sum. `length_N` counts sampled tokens. `counted_N` says which rollouts are in the mean;
the others weigh 0 and leave the denominator. All return (N,) float32.
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_mean(length_N: Tensor, counted_N: Tensor) -> Tensor:
    """1 / sum_j |o_j|: every token of the step weighs the same. Yu et al. 2025, arXiv:2503.14476 (DAPO), eq. 8."""
    return _over((length_N * counted_N).sum().clamp(min=1), counted_N)


def sequence_mean(length_N: Tensor, counted_N: Tensor) -> Tensor:
    """1 / (N |o_i|): mean over sequences of the mean over their tokens. A sequence without tokens still counts in N.

    Long wrong answers are punished less per token than short ones. Shao et al. 2024, arXiv:2402.03300 (GRPO), eq. 3.
    """
    return _over(counted_N.sum().clamp(min=1) * length_N.clamp(min=1), counted_N)


def sequence_sum(length_N: Tensor, counted_N: Tensor) -> Tensor:
    """1 / N: mean over sequences of the sum over their tokens, so the step grows with length."""
    return _over(counted_N.sum().clamp(min=1).expand_as(length_N), counted_N)


def constant(length_N: Tensor, counted_N: Tensor, max_length: int) -> Tensor:
    """1 / (N L_max): as sequence_sum, over a constant. Liu et al. 2025, arXiv:2503.20783 (Dr. GRPO)."""
    return _over(counted_N.sum().clamp(min=1).expand_as(length_N) * max_length, counted_N)


def _over(denominator: Tensor, counted_N: Tensor) -> Tensor:
    return (counted_N.double() / denominator).to(torch.float32)
