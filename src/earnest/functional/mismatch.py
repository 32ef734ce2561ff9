"""Weights for log-probs that the sampler and the trainer do not agree on: w = pi_old / mu, with pi_old the trainer's and mu the
sampler's probability of the drawn token.

Another kernel, another dtype or weights that are an update old make an on-policy sample slightly off-policy. A weight is a
constant that multiplies the surrogate. Token weights are biased but calm, sequence weights unbiased but wild, and the geometric
mean serves to reject only. Where pi_old is taken from the sampler w is 1, and nothing is corrected twice. All return (T,).
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOG_RATIO_MAX = 20.0


def token_tis(log_w_T: Tensor, cap: float) -> Tensor:
    """min(w_t, cap): truncated importance sampling, token by token."""
    return _exp(log_w_T).clamp(max=cap)


def token_mask(log_w_T: Tensor, low: float, high: float) -> Tensor:
    """w_t where low <= w_t <= high, else 0 (masked importance sampling, IcePop)."""
    w_T = _exp(log_w_T)
    return w_T.where((w_T >= low) & (w_T <= high), 0.0)


def sequence_tis(log_w_T: Tensor, seq_T: Tensor, sequences: int, cap: float) -> Tensor:
    """min(prod_t w_t, cap), at every token of the sequence."""
    return _exp(sequence_total(log_w_T, seq_T, sequences)).clamp(max=cap)[seq_T]


def sequence_mask(log_w_T: Tensor, seq_T: Tensor, sequences: int, cap: float) -> Tensor:
    """prod_t w_t where it is at most cap, else 0 (TRL's default, cap 3)."""
    w_S = _exp(sequence_total(log_w_T, seq_T, sequences))
    return w_S.where(w_S <= cap, 0.0)[seq_T]


def geometric_rejection(log_w_T: Tensor, seq_T: Tensor, sequences: int, low: float, high: float) -> Tensor:
    """1 where the geometric mean of a sequence's w_t is within [low, high], else 0."""
    w_S = _exp(sequence_mean(log_w_T, seq_T, sequences))
    return ((w_S >= low) & (w_S <= high)).to(log_w_T.dtype)[seq_T]


def stale_negatives(log_drift_T: Tensor, adv_T: Tensor, seq_T: Tensor, sequences: int, delta: float) -> Tensor:
    """0 for a sequence with a negative advantage whose mean log(mu / pi) exceeds delta, else 1.

    DeepSeek-V3.2, arXiv:2512.02556, eq. 9, whose pi_old is what the sampler recorded: what the policy has left far behind need
    not be pushed down further.
    """
    drift_S = sequence_mean(log_drift_T, seq_T, sequences)
    adv_S = sequence_mean(adv_T, seq_T, sequences)
    return (~((adv_S < 0) & (drift_S > delta))).to(adv_T.dtype)[seq_T]


def sequence_total(x_T: Tensor, seq_T: Tensor, sequences: int) -> Tensor:
    """(T,) -> (S,): sum over each sequence's tokens."""
    return x_T.new_zeros(sequences).index_add(0, seq_T, x_T)


def sequence_mean(x_T: Tensor, seq_T: Tensor, sequences: int) -> Tensor:
    """(T,) -> (S,): mean over each sequence's tokens; 0 for one without any."""
    return sequence_total(x_T, seq_T, sequences) / torch.bincount(seq_T, minlength=sequences).clamp(min=1)


def _exp(log_w: Tensor) -> Tensor:
    return log_w.clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()
