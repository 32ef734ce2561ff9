"""Credit for pass@k: against enumeration of all subsets, at its limits, and what a recipe may ask of it."""

from __future__ import annotations

import itertools
import statistics

import pytest
import torch
from torch import Tensor

from builders import NAN, make_step
from earnest.algorithms.dapo import DAPO
from earnest.algorithms.pass_at_k import PassAtK
from earnest.component import KeyedConfigError, build
from earnest.functional import credit, pass_at_k

CASES = [(n, c, k) for n in (2, 5, 6) for c in range(n + 1) for k in range(1, n + 1)]


def group(n: int, c: int) -> tuple[Tensor, Tensor]:
    return torch.tensor([1.0] * c + [0.0] * (n - c), dtype=torch.float64), torch.zeros(n, dtype=torch.int64)


@pytest.mark.parametrize(("n", "c", "k"), CASES)
def test_every_estimator_is_a_mean_over_all_subsets(n: int, c: int, k: int) -> None:
    subsets = list(itertools.combinations(range(n), k))
    best = [float(min(s) < c) for s in subsets]  # the first c are right
    mean, spread = statistics.fmean(best), statistics.pstdev(best)

    def among(i: int, values: list[float]) -> list[float]:
        return [v for s, v in zip(subsets, values, strict=True) if i in s]

    scaled = [0.0 if spread == 0 else (b - mean) / spread for b in best]
    expected = [statistics.fmean(among(i, scaled)) for i in range(n)]
    assert pass_at_k.normalised(*group(n, c), k).tolist() == pytest.approx(expected, abs=1e-12)
    weights = [k / n * statistics.fmean(among(i, best)) for i in range(n)]
    assert pass_at_k.weights(*group(n, c), k).tolist() == pytest.approx(weights, abs=1e-12)
    alone = [[float(any(j < c for j in s if j != i)) for s in subsets] for i in range(n)]
    gained = [w - k / n * statistics.fmean(among(i, alone[i])) for i, w in enumerate(weights)]
    assert pass_at_k.marginal_weights(*group(n, c), k).tolist() == pytest.approx(gained, abs=1e-12)


def test_one_of_one_is_grpos_credit() -> None:
    reward_N, group_N = torch.tensor([1.0, 0.0, 0.0, NAN, 1.0, 1.0]), torch.tensor([0, 0, 0, 0, 1, 1])
    torch.testing.assert_close(pass_at_k.normalised(reward_N, group_N, 1), credit.group_advantage(reward_N, group_N))
    step = make_step([[1.0, 0.0, 0.0, NAN], [1.0, 1.0]])
    ours, dapo = PassAtK(k=1), DAPO()
    torch.testing.assert_close(ours.credit(step).advantage_T, dapo.credit(step).advantage_T)
    live_N = ours.credit(step).live_N
    torch.testing.assert_close(live_N, dapo.credit(step).live_N)
    torch.testing.assert_close(
        ours.weights(step.length_N, step.group_N, live_N), dapo.weights(step.length_N, step.group_N, live_N)
    )


def test_a_group_that_is_too_small_or_mostly_solved_teaches_nothing() -> None:
    step = make_step([[1.0, 0.0, NAN, NAN], [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0] * 4])
    for estimator, alive in (("normalised", [2]), ("pkpo", [1, 2]), ("marginal", [2])):
        found = PassAtK(k=3, estimator=estimator).credit(step)  # type: ignore[arg-type]
        assert sorted(set(step.group_N[found.live_N].tolist())) == alive, estimator
        dead_T = ~credit.to_tokens(found.live_N, step.length_N)
        assert (found.advantage_T[dead_T] == 0).all()
        assert found.metrics["frac_reward_zero_std"] == pytest.approx(1 - len(alive) / 4)


def test_right_is_a_reward_above_the_threshold() -> None:
    graded = make_step([[1.1, 0.1, 0.5, 1.0, 0.0]])  # with a bonus for form
    plain = make_step([[1.0, 0.0, 0.0, 1.0, 0.0]])
    torch.testing.assert_close(PassAtK(k=2).credit(graded).advantage_T, PassAtK(k=2).credit(plain).advantage_T)
    strict = PassAtK(k=2, right_above=1.05).credit(graded).advantage_T[::3]
    assert (strict > 0).tolist() == [True] + [False] * 4


def test_a_kl_in_the_reward_and_groups_that_are_too_small_are_refused() -> None:
    with pytest.raises(KeyedConfigError, match=r"kl\.in_loss"):
        build("algorithm", {"name": "pass_at_k", "kl": {"in_reward": 0.1}})
    base = {"name": "rl", "id": "rl", "steps": 1, "lr": 1e-3, "gates": []}
    build("stage", {**base, "algorithm": "pass_at_k", "group_size": 5})
    build("stage", {**base, "algorithm": {"name": "pass_at_k", "estimator": "marginal"}, "group_size": 4})
    build("stage", {**base, "algorithm": "reinforce", "group_size": 1})
    for algorithm, size in (("pass_at_k", 4), ("grpo", 1), ({"name": "reinforce", "baseline": "length"}, 1)):
        with pytest.raises(KeyedConfigError, match="group_size"):
            build("stage", {**base, "algorithm": algorithm, "group_size": size})
