"""From rewards to advantages: what each rollout, and then each sampled token, should be credited with.

Pure functions on whole optimizer steps. Per-rollout vectors are (N,), packed per-token vectors are (T,) with T =
sum(length_N), rollout after rollout. A reward of nan is a grading error: it leaves every mean and spread, and its
credit is 0. Group statistics are computed in float64 and returned in the dtype of the rewards, so that equal rewards
give exactly 0.
"""

from __future__ import annotations

import torch
from torch import Tensor


def group_mean(reward_N: Tensor, group_N: Tensor) -> Tensor:
    """(N,): mean of the graded rewards of each rollout's group; 0 for a group without any."""
    total_N, count_N = _group_sum(reward_N.double().nan_to_num(nan=0.0), group_N), _graded(reward_N, group_N)
    return (total_N / count_N.clamp(min=1)).to(reward_N.dtype)


def group_std(reward_N: Tensor, group_N: Tensor, *, ddof: int = 0) -> Tensor:
    """(N,): sqrt(sum (r - mean)^2 / (n - ddof)) over each group's n graded rewards; 0 where n is 0 or 1."""
    count_N = _graded(reward_N, group_N)
    square_N = _centered(reward_N, group_N).square()
    return (_group_sum(square_N, group_N) / (count_N - ddof).clamp(min=1)).sqrt().to(reward_N.dtype)


def unequal(reward_N: Tensor, group_N: Tensor) -> Tensor:
    """(N,) bool: graded, in a group whose graded rewards are not all equal. All others learn nothing from their group.

    Compares the rewards themselves: a mean of equal floats can differ from them in the last bit, and then their
    spread is not 0.
    """
    graded_N = ~reward_N.isnan()
    groups = _groups(group_N)
    top_G = reward_N.new_full((groups,), -torch.inf)
    top_G = top_G.scatter_reduce(0, group_N, reward_N.nan_to_num(nan=-torch.inf), "amax")
    low_G = reward_N.new_full((groups,), torch.inf)
    low_G = low_G.scatter_reduce(0, group_N, reward_N.nan_to_num(nan=torch.inf), "amin")
    return graded_N & (top_G > low_G)[group_N]


def dead_fraction(live_N: Tensor, group_N: Tensor) -> float:
    """Share of the groups without any live rollout."""
    groups = _groups(group_N)
    return 1.0 - int((torch.bincount(group_N, live_N.double(), minlength=groups) > 0).sum()) / groups


def group_centered(reward_N: Tensor, group_N: Tensor) -> Tensor:
    """(N,): A_i = r_i - mean(r) over the group. Liu et al. 2025, arXiv:2503.20783."""
    return _centered(reward_N, group_N).where(unequal(reward_N, group_N), 0.0).to(reward_N.dtype)


def group_advantage(
    reward_N: Tensor, group_N: Tensor, *, ddof: int = 0, min_std: float = 1e-6, eps: float = 0.0
) -> Tensor:
    """(N,): A_i = (r_i - mean(r)) / (std(r) + eps) over the group; 0 where std <= min_std.

    ddof 0 is the population's spread: |A| <= sqrt(n - 1), and +-1 for rewards half 1 and half 0. ddof 1 multiplies
    every advantage by sqrt((n - 1) / n). Shao et al. 2024, arXiv:2402.03300.
    """
    std_N = group_std(reward_N.double(), group_N, ddof=ddof)
    scaled_N = _centered(reward_N, group_N) / (std_N.clamp(min=min_std) + eps)
    return scaled_N.where(unequal(reward_N, group_N) & (std_N > min_std), 0.0).to(reward_N.dtype)


def batch_scaled(reward_N: Tensor, group_N: Tensor, *, eps: float = 0.0) -> Tensor:
    """(N,): A_i = (r_i - mean of the group) / (std + eps), with the spread (Bessel's) of all graded rewards of the step.

    Liu et al. 2025, arXiv:2508.08221 (Lite PPO); TRL's scale_rewards "batch".
    """
    graded = reward_N[~reward_N.isnan()].double()
    std = graded.std(correction=1) if len(graded) > 1 else graded.new_zeros(())
    scaled_N = _centered(reward_N, group_N) / (std + eps).clamp(min=1e-12)
    return scaled_N.where(unequal(reward_N, group_N), 0.0).to(reward_N.dtype)


def leave_one_out(reward_N: Tensor, group_N: Tensor) -> Tensor:
    """(N,): A_i = r_i - mean of the group's other rewards = n/(n-1) (r_i - mean(r)).

    Ahmadian et al. 2024, arXiv:2402.14740.
    """
    count_N = _graded(reward_N, group_N)
    scaled_N = _centered(reward_N, group_N) * count_N / (count_N - 1).clamp(min=1)
    return scaled_N.where(unequal(reward_N, group_N), 0.0).to(reward_N.dtype)


def length_centered(reward_N: Tensor, group_N: Tensor, length_N: Tensor) -> Tensor:
    """(N,): A_i = r_i - sum_j |o_j| r_j / sum_j |o_j| over the group: the baseline of least variance where a completion's
    squared gradient grows with its length. Hao et al. 2025, arXiv:2505.23585 (OPO).
    """
    share_N = length_N.double().where(~reward_N.isnan(), 0.0)
    total_N = _group_sum(share_N * reward_N.double().nan_to_num(nan=0.0), group_N)
    baseline_N = total_N / _group_sum(share_N, group_N).clamp(min=1)
    return (reward_N.double() - baseline_N).where(unequal(reward_N, group_N), 0.0).to(reward_N.dtype)


def steps_to_go(advantage_K: Tensor, rollout_K: Tensor, tokens_K: Tensor, length_N: Tensor) -> Tensor:
    """(T,): A_it = sum over the rollout's judged steps that end at or after token t; 0 after the last of them.

    rollout_K: whose step it is, a place in N. tokens_K: the rollout's tokens up to the end of the step; a step that ends before
    the first counts for none. Shao et al. 2024, arXiv:2402.03300, 4.1.3.
    """
    some_K = tokens_K > 0
    last_K = (length_N.cumsum(0) - length_N)[rollout_K] + tokens_K - 1
    ends_T = advantage_K.new_zeros(int(length_N.sum())).index_add(0, last_K[some_K], advantage_K[some_K])
    return returns_to_go(ends_T, length_N)


def to_tokens(x_N: Tensor, length_N: Tensor) -> Tensor:
    """(N,) -> (T,): each rollout's value at each of its tokens."""
    return torch.repeat_interleave(x_N, length_N)


def sequence_sum(x_T: Tensor, length_N: Tensor) -> Tensor:
    """(T,) -> (N,): sum over each rollout's tokens; 0 for a rollout without any."""
    seq_T = to_tokens(torch.arange(len(length_N), device=length_N.device), length_N)
    return x_T.new_zeros(len(length_N)).index_add(0, seq_T, x_T)


def last_token_rewards(reward_N: Tensor, length_N: Tensor, penalty_T: Tensor | None = None) -> Tensor:
    """(N,) -> (T,): each rollout's reward at its last token (the stop token, if any), 0 elsewhere and for nan.

    penalty_T: taken off at every token.
    """
    reward_T = reward_N.new_zeros(int(length_N.sum()))
    last_N = length_N.cumsum(0) - 1
    some_N = length_N > 0
    reward_T[last_N[some_N]] = reward_N.nan_to_num(nan=0.0)[some_N]
    return reward_T if penalty_T is None else reward_T - penalty_T


def gae(
    value_T: Tensor, reward_T: Tensor, length_N: Tensor, *, gamma: float, lam: float, bootstrap_N: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation: (advantage_T, return_T). Schulman et al. 2016, arXiv:1506.02438, eq. 16.

        delta_t = r_t + gamma V_{t+1} - V_t
        A_t     = sum_k (gamma lam)^k delta_{t+k}
        R_t     = A_t + V_t

    bootstrap_N: V after each rollout's last token; None or 0 where the rollout ended by itself. Tokens that were not
    sampled are not in (T,), so the recursion passes over them.
    """
    if len(value_T) == 0:
        return value_T, value_T
    value_NL, reward_NL = _pad(value_T, length_N), _pad(reward_T, length_N)
    next_NL = torch.cat([value_NL[:, 1:], value_NL.new_zeros(len(length_N), 1)], dim=1)
    if bootstrap_N is not None:
        some_N = length_N > 0
        next_NL[some_N, length_N[some_N] - 1] = bootstrap_N.to(next_NL.dtype)[some_N]
    delta_NL = reward_NL + gamma * next_NL - value_NL  # 0 in the padding, which is on the right
    advantage_N = delta_NL.new_zeros(len(length_N))
    columns = []
    for t in reversed(range(delta_NL.shape[1])):
        advantage_N = delta_NL[:, t] + gamma * lam * advantage_N
        columns.append(advantage_N)
    advantage_T = torch.stack(columns[::-1], dim=1)[_inside(length_N)]
    return advantage_T, advantage_T + value_T


def returns_to_go(reward_T: Tensor, length_N: Tensor, *, gamma: float = 1.0) -> Tensor:
    """(T,): R_t = sum_k gamma^k r_{t+k} within each rollout."""
    return gae(torch.zeros_like(reward_T), reward_T, length_N, gamma=gamma, lam=1.0)[0]


def whiten(x_T: Tensor, mask_T: Tensor | None = None, *, ddof: int = 0, eps: float = 1e-8) -> Tensor:
    """(T,): (x - mean) / sqrt(var + eps) over the tokens of the mask; 0 outside, and everywhere if all are equal.

    ddof 0 is the population's variance (OpenRLHF), ddof 1 Bessel's (TRL, verl).
    """
    mask_T = torch.ones_like(x_T, dtype=torch.bool) if mask_T is None else mask_T
    kept = x_T[mask_T].double()
    if len(kept) <= ddof or kept.min() == kept.max():
        return torch.zeros_like(x_T)
    white_T = (x_T.double() - kept.mean()) * (kept.var(correction=ddof) + eps).rsqrt()
    return white_T.where(mask_T, 0.0).to(x_T.dtype)


def explained_variance(value_T: Tensor, return_T: Tensor) -> float:
    """1 - Var(R - V) / Var(R): 1 for a perfect critic, 0 for one that knows only the mean, and where R is constant."""
    if len(return_T) == 0 or return_T.min() == return_T.max():
        return 0.0
    miss_T = return_T.double() - value_T.double()
    return float(1 - miss_T.var(correction=0) / return_T.double().var(correction=0))


def _groups(group_N: Tensor) -> int:
    return int(group_N.max()) + 1


def _group_sum(x_N: Tensor, group_N: Tensor) -> Tensor:
    return x_N.new_zeros(_groups(group_N)).index_add(0, group_N, x_N)[group_N]


def _graded(reward_N: Tensor, group_N: Tensor) -> Tensor:
    return _group_sum((~reward_N.isnan()).double(), group_N)


def _centered(reward_N: Tensor, group_N: Tensor) -> Tensor:
    """r - mean in float64; 0 where the reward is nan."""
    return (reward_N.double() - group_mean(reward_N.double(), group_N)).nan_to_num(nan=0.0)


def _inside(length_N: Tensor) -> Tensor:
    return torch.arange(int(length_N.max()), device=length_N.device) < length_N[:, None]


def _pad(x_T: Tensor, length_N: Tensor) -> Tensor:
    """(T,) -> (N, L): rows padded with zeros on the right."""
    inside_NL = _inside(length_N)
    x_NL = x_T.new_zeros(inside_NL.shape)
    x_NL[inside_NL] = x_T
    return x_NL
