"""Intervals, pass@k and paired tests against numbers worked by hand, and their coverage in simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from earnest.functional.stats import (
    mcnemar,
    mean_interval,
    paired_difference,
    pass_at_k,
    rate,
    rate_of_means,
    ratio_change,
    sign_flip,
    spread_over_seeds,
    wilson,
)


def test_wilson_known_values():
    # Newcombe 1998 (Stat. Med. 17, 857), table I, method 3
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(1.0, 20)[1] == 1.0


def test_one_sample_per_problem_is_plain_wilson():
    found = rate([[True]] * 15 + [[False]] * 133)
    assert (found.value, found.n, found.distinct) == (15 / 148, 148, 148)
    assert found.ci95 == wilson(15 / 148, 148)


def test_clustered_interval_by_hand():
    # four problems of four samples: p_i = 1, 1/2, 1/4, 1/4; p = 1/2; sum (p_i - p)^2 = 3/8; SE^2 = 3/8 / (4 * 3) = 1/32
    marks = [[True] * 4, [True, True, False, False], [True] + [False] * 3, [False, True, False, False]]
    found = rate(marks)
    assert (found.value, found.n, found.distinct) == (0.5, 16, 4)
    n_eff = 0.25 / (1 / 32) * (1.959963984540054 / 3.182446305284263) ** 2  # 8, less for 3 degrees of freedom: 3.03
    assert 3.03 < n_eff < 3.04
    assert found.ci95 == wilson(0.5, 4)  # not below the number of problems


def test_effective_size_lies_between_problems_and_samples():
    generator = np.random.default_rng(0)
    marks = [[bool(x) for x in row] for row in generator.random((100, 8)) < generator.random((100, 1))]
    found = rate(marks)
    means = [float(np.mean(row)) for row in marks]
    variance = float(np.var(means, ddof=1)) / 100
    n_eff = found.value * (1 - found.value) / variance * (1.959963984540054 / 1.9842169515086827) ** 2
    assert 100 < n_eff < 800
    assert found.ci95 == pytest.approx(wilson(found.value, n_eff), abs=1e-9)


def test_agreeing_samples_are_worth_one_each():
    assert rate([[True] * 8] * 30 + [[False] * 8] * 70).ci95 == rate([[True]] * 30 + [[False]] * 70).ci95


@pytest.mark.parametrize("right", [True, False])
def test_all_or_nothing_has_width(right: bool):
    found = rate([[right] * 4] * 50)
    assert found.ci95 == wilson(float(right), 50)
    assert found.ci95 is not None and found.ci95[1] - found.ci95[0] > 0.07


def test_unequal_clusters_weigh_problems_equally():
    found = rate([[True], [False, False, False], []])
    assert (found.value, found.n, found.distinct) == (0.5, 4, 2)


def test_no_interval_below_two_problems():
    assert rate([[True, False, True]]).ci95 is None
    assert mean_interval([[1.0, 2.0]]).ci95 is None
    single = paired_difference([[True]], [[False]])
    assert (single.diff, single.ci95, single.p_value, single.n) == (-1.0, None, None, 1)
    assert ratio_change([2.0], [3.0]).ci95 is None


def test_mean_interval_by_hand():
    # problem means 2, 4, 6: mean 4, s = 2, half = 4.303 * 2 / sqrt 3
    found = mean_interval([[1, 3], [4], [6, 6]])
    assert (found.value, found.n, found.distinct) == (4.0, 5, 3)
    half = 4.302652729911275 * 2 / math.sqrt(3)
    assert found.ci95 == pytest.approx((4 - half, 4 + half))
    assert spread_over_seeds([2.0, 4.0, 6.0]).ci95 == found.ci95


def test_pass_at_k_is_unbiased_and_undefined_below_k():
    marks = [True, True, False, False, False]
    for k in range(1, 6):
        subsets = list(itertools.combinations(marks, k))
        assert pass_at_k(5, 2, k) == pytest.approx(sum(any(s) for s in subsets) / len(subsets))
    assert pass_at_k(5, 2, 6) is None


def test_paired_interval_by_hand():
    # d = 1, 1, 0, -1 plus the imaginary 1 and -1: sum 1, squares 5, m = 1/6, spread = sqrt(5/6 - 1/36)
    found = paired_difference([[False], [False], [True], [True]], [[True], [True], [True], [False]])
    half = 3.182446305284263 * math.sqrt(5 / 6 - 1 / 36) / math.sqrt(6)
    assert found.diff == 0.25
    assert found.ci95 == pytest.approx((max(-1, 1 / 6 - half), min(1, 1 / 6 + half)))
    assert found.se == pytest.approx(math.sqrt(3 / 4 - 1 / 16) / 2)


@pytest.mark.parametrize(("gained", "shown"), [(4, False), (5, False), (6, True)])
def test_few_changes_are_judged_as_the_exact_test_does(gained: int, shown: bool):
    a = [[False]] * 300
    found = paired_difference(a, [[True]] * gained + [[False]] * (300 - gained))
    assert found.ci95 is not None and found.p_value == pytest.approx(2 * 0.5**gained)
    assert (found.ci95[0] > 0, (found.p_value or 1) < 0.05) == (shown, shown)


def test_identical_models_differ_by_nothing_but_not_for_certain():
    marks = [[True, False], [False, False], [True, True]]
    found = paired_difference(marks, marks)
    assert (found.diff, found.p_value, found.z) == (0.0, 1.0, None)
    assert found.ci95 is not None and found.ci95[0] < 0 < found.ci95[1]


def test_paired_difference_is_antisymmetric():
    generator = np.random.default_rng(3)
    a, b = (generator.random((2, 40, 4)) < np.array([0.4, 0.6])[:, None, None]).tolist()
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert there.ci95 is not None and back.ci95 is not None
    assert there.diff == -back.diff and there.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]))
    assert there.p_value == back.p_value


def test_sign_flip_is_exact_for_few():
    d = [0.5, 0.25, -0.25, 1.0]
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in itertools.product((-1, 1), repeat=4)]
    assert sign_flip([*d, 0.0, 0.0]) == sum(s >= abs(sum(d)) - 1e-9 for s in sums) / 16


def test_sign_flip_by_draws_is_seeded_and_near_the_t_test():
    d = (np.random.default_rng(5).normal(0.12, 0.5, 80)).tolist()
    t_test = 2 * scipy_stats.t.sf(abs(np.mean(d)) / (np.std(d, ddof=1) / math.sqrt(80)), 79)
    assert sign_flip(d) == sign_flip(d) == pytest.approx(t_test, abs=0.01)


def test_mcnemar():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert sign_flip([1.0] * 9 + [-1.0] + [0.0] * 50) == mcnemar(1, 9)


def test_ratio_change_by_hand():
    # R = 6.6 / 6; e = 1.2 - 1.1, 2.0 - 2.2, 3.4 - 3.3; SE = sqrt(3/2 * 0.06) / 6 = 0.05
    found = ratio_change([1.0, 2.0, 3.0], [1.2, 2.0, 3.4])
    assert found.diff == pytest.approx(0.1) and found.se == pytest.approx(0.05)
    assert found.ci95 == pytest.approx((0.1 - 4.302652729911275 * 0.05, 0.1 + 4.302652729911275 * 0.05))
    assert found.p_value == pytest.approx(2 * scipy_stats.t.sf(2, 2))
    same = ratio_change([1.0, 2.0], [1.0, 2.0])
    assert (same.diff, same.p_value, same.z) == (0.0, 1.0, None)


def test_rate_of_means_refuses_what_is_no_rate():
    with pytest.raises(AssertionError):
        rate_of_means([0.5, 1.5], 2)


@pytest.mark.parametrize(
    ("problems", "k", "a", "b"), [(20, 4, 0.5, 0.5), (50, 8, 2, 2), (50, 4, 0.3, 3), (100, 1, 1, 3)]
)
def test_clustered_interval_covers(problems: int, k: int, a: float, b: float):
    """Problems of beta-distributed difficulty: 95 % of intervals hold the true mean. Unclustered Wilson holds it less."""
    generator, runs = np.random.default_rng(11), 400
    clustered = naive = 0
    for _ in range(runs):
        marks = generator.random((problems, k)) < generator.beta(a, b, (problems, 1))
        low, high = rate(marks.tolist()).ci95 or (1, 0)
        clustered += low <= a / (a + b) <= high
        low, high = wilson(float(marks.mean()), marks.size)
        naive += low <= a / (a + b) <= high
    assert 0.92 <= clustered / runs <= 0.99
    if k > 1:
        assert naive / runs < 0.91


def test_paired_interval_covers_and_rarely_claims_for_nothing():
    generator, runs = np.random.default_rng(12), 300
    claimed = covered = 0
    for _ in range(runs):
        p = generator.beta(0.5, 0.5, (60, 1))
        a, null, better = generator.random((60, 4)) < p, generator.random((60, 4)) < p, generator.random((60, 4)) < p
        better |= (generator.random((60, 1)) < 0.3) & np.ones((1, 4), bool)
        low, high = paired_difference(a.tolist(), null.tolist()).ci95 or (1, 0)
        claimed += low > 0 or high < 0
        low, high = paired_difference(a.tolist(), better.tolist()).ci95 or (1, 0)
        covered += low <= 0.15 <= high
    assert claimed / runs <= 0.06
    assert 0.92 <= covered / runs <= 0.99
