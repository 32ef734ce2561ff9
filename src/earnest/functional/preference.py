"""Losses on pairs of completions, from log-probs of whole completions: one number per pair, (P,) in and out.

A log-prob of a completion is the *sum* over its sampled tokens. What a pair's margin is made of, and what is added to the
loss, is said in `preference/`.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def logistic(margin_P: Tensor, smoothing: float = 0.0) -> Tensor:
    """-(1 - e) log sigmoid(m) - e log sigmoid(-m): ln 2 where m is 0; e is the share of pairs that are the wrong way round.

    Rafailov et al. 2023, arXiv:2305.18290, eq. 7; smoothing: Mitchell 2023, "A note on DPO with noisy preferences", eq. 3.
    """
    return -(1 - smoothing) * logsigmoid(margin_P) - smoothing * logsigmoid(-margin_P)


def squared(difference_P: Tensor, beta: float) -> Tensor:
    """(d - 1 / (2 beta))^2. Azar et al. 2023, arXiv:2310.12036, eq. 17 (its tau is beta)."""
    return (difference_P - 1 / (2 * beta)).square()


def mean_nll(logp_P: Tensor, length_P: Tensor) -> Tensor:
    """-log pi(y) / |y|: the mean over the completion's tokens. Pang et al. 2024, arXiv:2404.19733, eq. 1."""
    return -logp_P / length_P
