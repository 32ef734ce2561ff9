"""Policy and value losses per token, from log-probs and advantages. Losses are to be minimised.

The old log-probs, old values, advantages and returns are constants; gradients flow through the present policy and
critic only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from earnest.functional.mismatch import sequence_mean

_LOG_RATIO_MAX = 20.0  # exp(20) = 5e8: far beyond any clip range, and finite in float32


def ratio(logp: Tensor, old_logp: Tensor) -> Tensor:
    """rho = pi / pi_old = exp(logp - old_logp), elementwise; exactly 1 in the first update after a rollout."""
    return (logp - old_logp).clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()


def sequence_ratio(logp_T: Tensor, old_logp_T: Tensor, seq_T: Tensor, sequences: int) -> Tensor:
    """(T,): the ratio of the whole sequence, prod_t rho_t, at each of its tokens."""
    log_ratio_T = logp_T - old_logp_T
    log_ratio_S = log_ratio_T.new_zeros(sequences).index_add(0, seq_T, log_ratio_T)
    return log_ratio_S.clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()[seq_T]


def geometric_ratio(log_ratio_T: Tensor, seq_T: Tensor, sequences: int) -> Tensor:
    """(T,): s = (prod_t rho_t)^(1/|o|) of each token's sequence, whose gradient reaches every token through its own rho alone:

        s_t = sg(s) rho_t / sg(rho_t)

    Over a sequence that is credited as one this is the gradient of |o| s. Zheng et al. 2025, arXiv:2507.18071 (GSPO-token).
    """
    mean_S = sequence_mean(log_ratio_T.detach(), seq_T, sequences)
    own_T = (log_ratio_T - log_ratio_T.detach()).exp()  # 1, with a gradient
    return mean_S.clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX).exp()[seq_T] * own_T


def lengths(seq_T: Tensor, sequences: int) -> Tensor:
    """(T,): how many tokens the sequence of each token has."""
    return torch.bincount(seq_T, minlength=sequences)[seq_T]


def clipped(ratio_T: Tensor, adv_T: Tensor, clip_low: float, clip_high: float, delta: float | None = None) -> Tensor:
    """(T,): -min(rho A, clip(rho, 1 - clip_low, 1 + clip_high) A). Schulman et al. 2017, arXiv:1707.06347, eq. 7.

    delta: min(rho, delta) in place of the first rho, which bounds the loss for A < 0 as well: the dual clip, whose c it is
    (Ye et al. 2020, arXiv:1912.09729). It changes nothing for A > 0 as long as delta > 1 + clip_high.
    """
    near_T = ratio_T.clamp(1 - clip_low, 1 + clip_high)
    return -torch.minimum((ratio_T if delta is None else ratio_T.clamp(max=delta)) * adv_T, near_T * adv_T)


def clip_metrics(
    ratio_T: Tensor, adv_T: Tensor, clip_low: float, clip_high: float, delta: float | None = None
) -> dict[str, Tensor]:
    """Per token, 1 where the clip has taken the gradient away: below for A < 0, above for A > 0 (and beyond delta for A < 0)."""
    low_T = ((ratio_T < 1 - clip_low) & (adv_T < 0)).float()
    high_T = (ratio_T > 1 + clip_high) & (adv_T > 0)
    if delta is not None:
        high_T = high_T | ((ratio_T > delta) & (adv_T < 0))
    return {"clip_ratio/low_mean": low_T, "clip_ratio/high_mean": high_T.float()}


def truncated(logp_T: Tensor, old_logp_T: Tensor, adv_T: Tensor, low: float | None, high: float) -> Tensor:
    """(T,): a loss with the gradient of -sg(clip(rho, low, high)) A log pi. MiniMax-M1, arXiv:2506.13585, eq. 4.

    Its value is the integral of that: -c (1 + log(rho / c)) A with c = clip(rho, low, high), which is -rho A within the bounds.
    """
    log_ratio_T = logp_T - old_logp_T
    log_c_T = log_ratio_T.clamp(None if low is None else math.log(low), math.log(high))
    return -log_c_T.exp() * (1 + log_ratio_T - log_c_T) * adv_T


def soft_gate(ratio_T: Tensor, adv_T: Tensor, tau_pos: float, tau_neg: float) -> Tensor:
    """(T,): -4/tau sigmoid(tau (rho - 1)) A, with tau_pos for A > 0 and tau_neg elsewhere; the slope at rho = 1 is -A.

    Gao et al. 2025, arXiv:2511.20347 (SAPO).
    """
    tau_T = torch.where(adv_T > 0, tau_pos, tau_neg)
    return -4 / tau_T * torch.sigmoid(tau_T * (ratio_T - 1)) * adv_T


def one_sided(log_ratio_T: Tensor, adv_T: Tensor, bound: float) -> Tensor:
    """(T,): log rho, at most `bound` for A > 0 and at least -`bound` elsewhere. Zhao et al. 2025, arXiv:2507.20673 (GMPO)."""
    return torch.where(adv_T > 0, log_ratio_T.clamp(max=bound), log_ratio_T.clamp(min=-bound))


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
