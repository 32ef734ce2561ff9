"""Group statistics, packed recursions, whitening: hand-worked numbers and the cases that trainers have got wrong."""

from __future__ import annotations

import torch

from builders import NAN
from earnest.functional import credit

REWARD_N = torch.tensor([1.0, 0.0, 0.0, NAN, 0.5, 0.5, NAN, 3.0])
GROUP_N = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])


def test_means_and_spreads_leave_out_ungraded_rollouts() -> None:
    torch.testing.assert_close(
        credit.group_mean(REWARD_N, GROUP_N), torch.tensor([1 / 3] * 4 + [0.5] * 3 + [3.0]), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        credit.group_std(REWARD_N, GROUP_N), torch.tensor([2**0.5 / 3] * 4 + [0.0] * 4), rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        credit.group_std(REWARD_N, GROUP_N, ddof=1), torch.tensor([3**-0.5] * 4 + [0.0] * 4), rtol=1e-6, atol=0
    )


def test_a_group_of_errors_has_mean_zero_and_no_credit() -> None:
    reward_N, group_N = torch.tensor([NAN, NAN, 1.0, 0.0]), torch.tensor([0, 0, 1, 1])
    assert credit.group_mean(reward_N, group_N).tolist() == [0.0, 0.0, 0.5, 0.5]
    assert credit.group_advantage(reward_N, group_N).tolist() == [0.0, 0.0, 1.0, -1.0]
    assert credit.unequal(reward_N, group_N).tolist() == [False, False, True, True]
    assert credit.dead_fraction(credit.unequal(reward_N, group_N), group_N) == 0.5


def test_one_graded_rollout_has_nothing_to_be_compared_with() -> None:
    reward_N, group_N = torch.tensor([NAN, 1.0, NAN]), torch.tensor([0, 0, 0])
    for of in (credit.group_advantage, credit.group_centered, credit.leave_one_out):
        assert of(reward_N, group_N).tolist() == [0.0, 0.0, 0.0]


def test_equal_rewards_that_no_float_holds_are_still_dead() -> None:
    for dtype in (torch.float32, torch.float64):
        reward_N, group_N = torch.full((7,), 0.1, dtype=dtype), torch.zeros(7, dtype=torch.int64)
        for of in (credit.group_advantage, credit.group_centered, credit.leave_one_out):
            assert (of(reward_N, group_N) == 0).all()
        assert (credit.group_advantage(reward_N, group_N, min_std=0.0) == 0).all()
        assert not credit.unequal(reward_N, group_N).any()


def test_advantages_are_bounded_and_sum_to_zero() -> None:
    reward_N = torch.rand(32, generator=torch.Generator().manual_seed(0))
    group_N = torch.arange(4).repeat_interleave(8)
    advantage_N = credit.group_advantage(reward_N, group_N)
    assert advantage_N.abs().max() <= 7**0.5 + 1e-6
    torch.testing.assert_close(credit.group_mean(advantage_N, group_N), torch.zeros(32), rtol=0, atol=1e-6)
    torch.testing.assert_close(credit.group_std(advantage_N, group_N), torch.ones(32), rtol=0, atol=1e-6)


def test_a_spread_below_the_least_is_no_signal() -> None:
    reward_N, group_N = torch.tensor([0.0, 1e-7]), torch.zeros(2, dtype=torch.int64)
    assert credit.group_advantage(reward_N, group_N).tolist() == [0.0, 0.0]
    assert credit.group_advantage(reward_N, group_N, min_std=0.0).tolist() == [-1.0, 1.0]


def test_last_tokens_of_packed_rollouts() -> None:
    reward_T = credit.last_token_rewards(torch.tensor([1.0, 2.0, NAN, 3.0]), torch.tensor([2, 0, 1, 3]))
    assert reward_T.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0, 3.0]


def test_sums_of_packed_rollouts() -> None:
    length_N = torch.tensor([2, 0, 3])
    assert credit.sequence_sum(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), length_N).tolist() == [3.0, 0.0, 12.0]
    assert credit.to_tokens(torch.tensor([7, 8, 9]), length_N).tolist() == [7, 7, 9, 9, 9]


def gae_by_definition(
    value: list[float], reward: list[float], gamma: float, lam: float, bootstrap: float
) -> list[float]:
    later = [*value, bootstrap][1:]
    delta = [r + gamma * w - v for r, v, w in zip(reward, value, later, strict=True)]
    return [sum((gamma * lam) ** (k - t) * delta[k] for k in range(t, len(delta))) for t in range(len(delta))]


def test_gae_of_packed_rollouts_is_gae_of_each() -> None:
    g = torch.Generator().manual_seed(0)
    lengths = [4, 0, 1, 6, 2]
    length_N = torch.tensor(lengths)
    value_T, reward_T = torch.randn(2, 13, generator=g, dtype=torch.float64)
    bootstrap_N = torch.randn(5, generator=g, dtype=torch.float64)
    for gamma, lam in ((1.0, 0.95), (0.9, 0.8), (0.99, 1.0), (1.0, 0.0)):
        advantage_T, return_T = credit.gae(value_T, reward_T, length_N, gamma=gamma, lam=lam, bootstrap_N=bootstrap_N)
        rows = zip(value_T.split(lengths), reward_T.split(lengths), bootstrap_N, strict=True)
        expected = [a for v, r, b in rows for a in gae_by_definition(v.tolist(), r.tolist(), gamma, lam, float(b))]
        torch.testing.assert_close(advantage_T, torch.tensor(expected, dtype=torch.float64))
        torch.testing.assert_close(return_T, advantage_T + value_T)


def test_returns_stay_within_their_rollout() -> None:
    reward_T = torch.tensor([0.0, 0.0, 1.0, 5.0, -1.0])
    assert credit.returns_to_go(reward_T, torch.tensor([3, 2])).tolist() == [1.0, 1.0, 1.0, 4.0, -1.0]
    assert credit.returns_to_go(reward_T, torch.tensor([3, 2]), gamma=0.5).tolist() == [0.25, 0.5, 1.0, 4.5, -1.0]


def test_whitening_a_constant_gives_zeros_not_noise() -> None:
    assert (credit.whiten(torch.full((1001,), 0.1, dtype=torch.float64)) == 0).all()
    assert credit.whiten(torch.tensor([3.0, 5.0]), torch.tensor([True, False])).tolist() == [0.0, 0.0]
    assert credit.whiten(torch.tensor([3.0]), ddof=1).tolist() == [0.0]
    assert credit.whiten(torch.tensor([3.0, 5.0]), torch.tensor([False, False])).tolist() == [0.0, 0.0]


def test_explained_variance() -> None:
    return_T = torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert credit.explained_variance(return_T, return_T) == 1.0
    assert credit.explained_variance(torch.full((4,), 9.0), return_T) == 0.0
    assert credit.explained_variance(-return_T, return_T) == -3.0
    assert credit.explained_variance(torch.rand(4), torch.ones(4)) == 0.0
