"""Numbers that carry their uncertainty: rates and means clustered by problem, pass@k, paired differences.

Pure functions over plain sequences, numpy and scipy only. The samples of one problem are not independent, so the unit
is the *problem* everywhere: `distinct` counts problems, `n` counts samples, and an interval says what other problems of
the same kind would give for the same checkpoint. It does not cover the noise of training (another seed, another run).
Intervals are two-sided at 95 %. Below two problems there is none.

Grader errors are no samples: the caller leaves them out and counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array: TypeAlias = NDArray[np.float64]
Interval: TypeAlias = tuple[float, float]

Z95 = float(stats.norm.ppf(0.975))
PERMUTATIONS = 9_999
"""Sign flips drawn when there are too many to enumerate; p is then never below 1e-4."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, or a mean such as a length, over problems. Example: Rate(0.57, n=900, distinct=300, ci95=(0.53, 0.6))."""

    value: float
    n: int  # samples
    distinct: int  # problems
    ci95: Interval | None  # None below two problems


@dataclass(frozen=True, slots=True)
class Difference:
    """b minus a on the same problems. Example: Difference(0.27, ci95=(0.22, 0.32), p_value=1e-4, n=500, se=0.025)."""

    diff: float
    ci95: Interval | None  # None below two problems
    p_value: float | None  # two-sided; None below two problems
    n: int  # problems in both
    se: float | None  # standard error of diff, problems as the unit

    @property
    def z(self) -> float | None:
        """diff in standard errors; None where there is no spread to measure it by."""
        return self.diff / self.se if self.se is not None and self.se > 1e-12 else None


def rate(correct_by_problem: Sequence[Sequence[bool]]) -> Rate:
    """Mean over problems of each problem's share of correct samples, with a Wilson interval clustered by problem.

    One sample per problem: Wilson (1927) with n = P, the number of problems. More: Wilson with the effective size

        n_eff = p (1 - p) / SE^2 (z / t)^2,   SE^2 = sum_i (p_i - p)^2 / (P (P - 1)),   clipped to P <= n_eff <= n

    SE is the standard error clustered by problem (Miller 2024, arXiv 2411.00640); n_eff, with its correction for few
    clusters (t has P - 1 degrees of freedom), is that of survey statistics (Korn and Graubard 1998, Survey Methodology
    24, 193). It falls to P when the samples of a problem always agree, rises to n when they are independent. Where SE
    says nothing (all p_i equal, such as p = 0 or 1) n_eff is P, so an interval never has zero width. Problems without
    samples are left out.
    """
    kept = [problem for problem in correct_by_problem if len(problem)]
    return rate_of_means([sum(problem) / len(problem) for problem in kept], sum(map(len, kept)))


def rate_of_means(means_P: Sequence[float], n: int) -> Rate:
    """`rate` from per-problem rates in [0, 1] made of n samples in all (pass@k comes this way). Needs one problem."""
    p_P = np.asarray(means_P, dtype=np.float64)
    assert p_P.size >= 1 and p_P.min() >= 0.0 and p_P.max() <= 1.0
    problems, p = p_P.size, float(p_P.mean())
    if problems < 2:
        return Rate(p, n, problems, None)
    variance = float(p_P.var(ddof=1)) / problems
    n_eff = p * (1 - p) / variance * (Z95 / _t95(problems - 1)) ** 2 if variance > 1e-15 else 0.0
    return Rate(p, n, problems, wilson(p, min(max(n_eff, problems), max(n, problems))))


def wilson(p: float, n: float) -> Interval:
    """Wilson's score interval for a proportion p of n (real) trials.

        (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    Wilson, JASA 22 (1927) 209. Example: wilson(0.5, 10) = (0.2366, 0.7634); wilson(0, 10) = (0, 0.2775).
    """
    assert n > 0 and 0 <= p <= 1
    shrink = 1 + Z95**2 / n
    centre = (p + Z95**2 / (2 * n)) / shrink
    half = Z95 * sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2)) / shrink
    return (0.0 if p == 0 else max(0.0, centre - half), 1.0 if p == 1 else min(1.0, centre + half))


def mean_interval(values_by_problem: Sequence[Sequence[float]]) -> Rate:
    """Mean over problems of each problem's mean (a length), with a t interval of P - 1 degrees of freedom."""
    kept = [problem for problem in values_by_problem if len(problem)]
    assert kept
    m_P = np.array([np.mean(problem) for problem in kept])
    problems, mean, n = m_P.size, float(m_P.mean()), sum(map(len, kept))
    if problems < 2:
        return Rate(mean, n, problems, None)
    half = _t95(problems - 1) * float(m_P.std(ddof=1)) / sqrt(problems)
    return Rate(mean, n, problems, (mean - half, mean + half))


def pass_at_k(n: int, c: int, k: int) -> float | None:
    """Probability that one of k of the n samples is correct, c being correct: 1 - C(n-c, k) / C(n, k). None if n < k.

    Unbiased; 1 - (1 - c/n)^k is not. Chen et al. 2021, arXiv 2107.03374, eq. 1.
    """
    assert 0 <= c <= n and k >= 1
    return None if n < k else 1 - comb(n - c, k) / comb(n, k)


def paired_difference(a_by_problem: Sequence[Sequence[float]], b_by_problem: Sequence[Sequence[float]]) -> Difference:
    """Pass rate of b minus that of a on the same problems: d_i = b_i - a_i, each a problem's share of correct samples.

    In place of right or wrong a sample may be a chance of being right, in [0, 1] (a vote, pass@k).

    Interval: adjusted Wald for paired proportions (Bonett and Price 2012, J. Educ. Behav. Stat. 37, 479), with a t
    quantile and per-problem shares. Two imaginary problems are added, one gained and one lost:

        m = sum_i d_i / (P + 2),   m +- t(0.975, P-1) sqrt((sum_i d_i^2 + 2) / (P + 2) - m^2) / sqrt(P + 2)

    The plain paired t interval is too narrow just where claims are made, with few problems that changed: 4 of 300
    gained and none lost would count as an effect, although a fair coin gives four equal faces one time in eight. With
    the two added it agrees there with the exact test, and is never of zero width. Cut to [-1, 1].

    p: sign-flip permutation of d_i (Fisher 1935), enumerated where possible, else drawn with a fixed seed. For one
    sample per problem it is McNemar's exact test. se is sqrt(mean(d^2) - mean(d)^2) / sqrt(P).
    """
    d_P = _differences(a_by_problem, b_by_problem)
    problems = d_P.size
    assert problems >= 1
    if problems < 2:
        return Difference(float(d_P.mean()), None, None, problems, None)
    total = problems + 2
    m = float(d_P.sum()) / total
    spread = sqrt((float((d_P**2).sum()) + 2) / total - m**2)
    half = _t95(problems - 1) * spread / sqrt(total)
    interval = (max(-1.0, m - half), min(1.0, m + half))
    return Difference(float(d_P.mean()), interval, sign_flip(d_P.tolist()), problems, float(d_P.std()) / sqrt(problems))


def ratio_change(a_P: Sequence[float], b_P: Sequence[float]) -> Difference:
    """Relative change of a total on the same documents: R - 1 with R = sum_i b_i / sum_i a_i. Positive: b is larger.

    For bits per byte, where the bytes cancel. Interval: t on the linearised ratio, e_i = b_i - R a_i,
    SE = sqrt(P / (P-1) sum_i e_i^2) / sum_i a_i (Cochran, Sampling Techniques, 1977, section 6.3); p from the same t.
    Without any spread (a model against itself) p is 1 if nothing changed, else 0.
    """
    x_P, y_P = np.asarray(a_P, dtype=np.float64), np.asarray(b_P, dtype=np.float64)
    assert x_P.size == y_P.size >= 1 and x_P.sum() > 0
    problems, ratio = x_P.size, float(y_P.sum() / x_P.sum())
    if problems < 2:
        return Difference(ratio - 1, None, None, problems, None)
    e_P = y_P - ratio * x_P
    se = sqrt(problems / (problems - 1) * float((e_P**2).sum())) / float(x_P.sum())
    half = _t95(problems - 1) * se
    p = float(2 * stats.t.sf(abs(ratio - 1) / se, problems - 1)) if se > 1e-12 else float(abs(ratio - 1) < 1e-12)
    return Difference(ratio - 1, (ratio - 1 - half, ratio - 1 + half), p, problems, se)


def spread_over_seeds(values: Sequence[float]) -> Rate:
    """Mean over runs with different seeds and its t interval: what a claim about a *recipe* rests on."""
    return mean_interval([[value] for value in values])


def welch(a: Sequence[float], b: Sequence[float]) -> Interval:
    """95 % interval of mean(b) - mean(a): independent samples of unequal variance (Welch 1947), two values of each at least."""
    assert min(len(a), len(b)) > 1, "a spread takes two values"
    diff = float(np.mean(b) - np.mean(a))
    square_a, square_b = (float(np.var(x, ddof=1)) / len(x) for x in (a, b))  # squared standard errors of the two means
    square = square_a + square_b
    if square**2 == 0:
        return diff, diff
    half = _t95(square**2 / (square_a**2 / (len(a) - 1) + square_b**2 / (len(b) - 1))) * sqrt(square)
    return diff - half, diff + half


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar p from the problems that only one of two models solved: a binomial test at 1/2."""
    discordant = only_a + only_b
    return float(stats.binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0


def sign_flip(differences_P: Sequence[float]) -> float:
    """Two-sided p of "each difference is as likely to be negative": the share of sign patterns with a mean as extreme.

    Exact for equal magnitudes (binomial) and up to 13 non-zero differences, else from 9,999 drawn with a fixed seed.
    """
    d_P = np.asarray(differences_P, dtype=np.float64)
    d_P = d_P[np.abs(d_P) > 1e-12]
    if not d_P.size:
        return 1.0
    if np.ptp(np.abs(d_P)) < 1e-12:
        return mcnemar(int((d_P < 0).sum()), int((d_P > 0).sum()))
    if d_P.size <= 13:
        patterns = np.arange(2**d_P.size)[:, None] >> np.arange(d_P.size) & 1
    else:
        patterns = np.random.default_rng(0).integers(0, 2, size=(PERMUTATIONS, d_P.size), dtype=np.int8)
    extreme = int((np.abs((2.0 * patterns - 1) @ d_P) >= abs(d_P.sum()) - 1e-9).sum())
    if d_P.size <= 13:
        return extreme / len(patterns)
    return (extreme + 1) / (PERMUTATIONS + 1)


def _differences(a_by_problem: Sequence[Sequence[float]], b_by_problem: Sequence[Sequence[float]]) -> Array:
    assert len(a_by_problem) == len(b_by_problem), "paired: one entry per problem on both sides"
    assert all(len(a) and len(b) for a, b in zip(a_by_problem, b_by_problem, strict=True)), "a problem without samples"
    return np.array(
        [np.mean(b) - np.mean(a) for a, b in zip(a_by_problem, b_by_problem, strict=True)], dtype=np.float64
    )


def _t95(degrees: float) -> float:
    return float(stats.t.ppf(0.975, degrees))
