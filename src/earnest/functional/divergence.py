"""Estimators of KL(pi || ref) from log-probs of tokens that pi sampled. Schulman 2020, joschu.net/blog/kl-approx.html.

With d = log pi - log ref, what each does depends on where it is put (expectations under pi):

    k1 in the loss    value KL(pi||ref)    gradient 0: no effect at all
    k1 in the reward  value KL(pi||ref)    gradient of KL(pi||ref)
    k2 in the loss    value biased         gradient of KL(pi||ref)
    k3 in the loss    value KL(pi||ref)    gradient of KL(ref||pi)
    k3 in the reward  value KL(pi||ref)    gradient biased
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOG_RATIO_MAX = 20.0


def k1(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """d, elementwise: unbiased, of either sign."""
    return logp - ref_logp


def k2(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """d^2 / 2, elementwise."""
    return 0.5 * _log_ratio(logp, ref_logp).square()


def k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """exp(-d) - 1 + d, elementwise: unbiased and never negative; exponential where pi drops a token that ref likes."""
    d = _log_ratio(logp, ref_logp)
    return torch.expm1(-d) + d


def _log_ratio(logp: Tensor, ref_logp: Tensor) -> Tensor:
    return (logp - ref_logp).clamp(-_LOG_RATIO_MAX, _LOG_RATIO_MAX)
