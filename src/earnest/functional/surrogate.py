"""Policy and value losses per token, from log-probs and advantages. Losses are to be minimised.

The old log-probs, old values, advantages and returns are constants; gradients flow through the present policy and
critic only.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOG_RATIO_MAX = 20.0  # exp(20) = 5e8: far beyond any clip range, and finite in float32


def ratio(logp: Tensor, old_logp: Tensor) -> Tensor:
    """rho = pi / pi_old = exp(logp - old_logp), elementwise; exactly 1 in the first update after a rollout."""
    return (logp - old_logp).clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()


def sequence_ratio(logp_T: Tensor, old_logp_T: Tensor, seq_T: Tensor, sequences: int) -> Tensor:
    """(T,): the ratio of the whole sequence, prod_t rho_t, at each of its tokens."""
    log_ratio_T = logp_T - old_logp_T
    log_ratio_S = log_ratio_T.new_zeros(sequences).index_add(0, seq_T, log_ratio_T)
    return log_ratio_S.clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()[seq_T]


def lengths(seq_T: Tensor, sequences: int) -> Tensor:
    """(T,): how many tokens the sequence of each token has."""
    return torch.bincount(seq_T, minlength=sequences)[seq_T]


def clipped(ratio_T: Tensor, adv_T: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """(T,): -min(rho A, clip(rho, 1 - clip_low, 1 + clip_high) A). Schulman et al. 2017, arXiv:1707.06347, eq. 7."""
    return -torch.minimum(ratio_T * adv_T, ratio_T.clamp(1 - clip_low, 1 + clip_high) * adv_T)


def clip_metrics(ratio_T: Tensor, adv_T: Tensor, clip_low: float, clip_high: float) -> dict[str, Tensor]:
    """Per token, 1 where the clip has taken the gradient away: below for A < 0, above for A > 0."""
    low_T = ((ratio_T < 1 - clip_low) & (adv_T < 0)).float()
    high_T = ((ratio_T > 1 + clip_high) & (adv_T > 0)).float()
    return {"clip_ratio/low_mean": low_T, "clip_ratio/high_mean": high_T}


def value_loss(value_T: Tensor, old_value_T: Tensor, return_T: Tensor, clip: float | None) -> Tensor:
    """(T,): 1/2 max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2); without the second term if clip is None.

    Where the clipped term is the larger one its gradient is 0, although V still misses R: a critic that lags learns
    slowly.
    """
    loss_T = (value_T - return_T).square()
    if clip is not None:
        near_T = old_value_T + (value_T - old_value_T).clamp(-clip, clip)
        loss_T = torch.maximum(loss_T, (near_T - return_T).square())
    return 0.5 * loss_T
