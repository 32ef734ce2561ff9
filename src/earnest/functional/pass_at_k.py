"""Credit that ascends pass@k, the chance that one of k completions is right, in place of the chance of one.

right_N is 1 or 0 for each completion, nan for one that could not be graded. With n graded completions in its group, c of them
right, and

    miss(n, c, k) = C(n - c, k) / C(n, k)         the chance that k of the n, drawn without replacement, are all wrong

everything is exact; a group of fewer than k has no pass@k, and no credit.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb, sqrt

import torch
from torch import Tensor


def normalised(right_N: Tensor, group_N: Tensor, k: int) -> Tensor:
    """(N,): the mean advantage of the subsets of k that a completion is in, each rewarded with its best and normalised over all
    subsets (population's spread):

        q = miss(n, c, k),   s = sqrt(q (1 - q))
        A = q / s                                      if right
        A = (q - miss(n - 1, c, k - 1)) / s            if wrong

    0 where q is 0 or 1; GRPO's advantage for k = 1. Chen et al. 2025, arXiv:2508.10751, section 2.4.
    """

    def of(n: int, c: int, right: bool) -> float:
        q = _miss(n, c, k)
        s = sqrt(q * (1 - q))
        return 0.0 if s == 0 else (q if right else q - _miss(n - 1, c, k - 1)) / s

    return _each(right_N, group_N, k, of)


def weights(right_N: Tensor, group_N: Tensor, k: int) -> Tensor:
    """(N,): w with sum_i w_i grad log pi(o_i) an unbiased estimate of the gradient of a group's pass@k:

        w = k/n                                        if right
        w = k/n (1 - miss(n - 1, c, k - 1))            if wrong

    Walder and Karkhanis 2025, arXiv:2505.15201 (PKPO), theorem 2.
    """

    def of(n: int, c: int, right: bool) -> float:
        return k / n * (1.0 if right else 1 - _miss(n - 1, c, k - 1))

    return _each(right_N, group_N, k, of)


def marginal_weights(right_N: Tensor, group_N: Tensor, k: int) -> Tensor:
    """(N,): `weights` less, in each subset, what it would be worth without the completion: as unbiased, and calmer.

        w = k/n miss(n - 1, c - 1, k - 1)              if right
        w = 0                                          if wrong

    arXiv:2505.15201 (PKPO), the baseline that leaves one out of k.
    """

    def of(n: int, c: int, right: bool) -> float:
        return k / n * _miss(n - 1, c - 1, k - 1) if right else 0.0

    return _each(right_N, group_N, k, of)


def _miss(n: int, c: int, k: int) -> float:
    return comb(n - c, k) / comb(n, k)


def _each(right_N: Tensor, group_N: Tensor, k: int, of: Callable[[int, int, bool], float]) -> Tensor:
    graded_N = ~right_N.isnan()
    n_G = torch.bincount(group_N, graded_N.double()).long().tolist()
    c_G = torch.bincount(group_N, right_N.double().nan_to_num(nan=0.0)).long().tolist()
    credit = [
        of(n_G[g], c_G[g], right == 1) if right == right and n_G[g] >= k else 0.0
        for right, g in zip(right_N.tolist(), group_N.tolist(), strict=True)
    ]
    return torch.tensor(credit, dtype=torch.float64).to(right_N.dtype)
