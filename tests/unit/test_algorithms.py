"""How the methods relate to each other, and what is particular to each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from builders import NAN, Toy, make_step
from earnest.algorithms.base import Algorithm, Tokens
from earnest.algorithms.cispo import CISPO
from earnest.algorithms.dapo import DAPO
from earnest.algorithms.dr_grpo import DrGRPO
from earnest.algorithms.gmpo import GMPO
from earnest.algorithms.grpo import GRPO
from earnest.algorithms.gspo import GSPO
from earnest.algorithms.kl import KL
from earnest.algorithms.luspo import LUSPO
from earnest.algorithms.ppo import PPO
from earnest.algorithms.reinforce import Reinforce
from earnest.algorithms.reinforce_pp import ReinforcePP
from earnest.algorithms.rloo import RLOO
from earnest.algorithms.sapo import SAPO
from earnest.component import KeyedConfigError, build
from earnest.functional.credit import group_mean, length_centered, to_tokens
from earnest.types import Step

REWARDS = [[1.0, 0.0, 1.0, 0.5], [0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
LENGTHS = [3, 1, 4, 2, 5, 3, 3, 1, 2, 4, 1, 2]


def gradient(algorithm: Algorithm, step: Step, toy: Toy) -> Tensor:
    credit = algorithm.credit(step)
    weight_N = algorithm.weights(step.length_N, step.group_N, credit.live_N)
    loss = toy.loss(algorithm, step, credit, weight_N, old_logp_T=toy.logp().detach(), critic=False)
    return toy.gradient(loss)


def knowing_step(lengths: list[int], *, finished: list[bool] | None = None) -> tuple[Step, Toy]:
    """A step whose critic knows each group's mean."""
    toy = Toy.make(sum(lengths))
    step = make_step(REWARDS, lengths, finished=finished, logp_T=toy.logp().detach().float())
    return replace(step, value_T=to_tokens(group_mean(step.reward_N, step.group_N), step.length_N)), toy


def test_ppo_with_the_mean_as_critic_is_dr_grpo() -> None:
    plain = PPO(gamma=1.0, lam=1.0, whiten=False)
    step, toy = knowing_step([6] * 12)
    torch.testing.assert_close(plain.credit(step).advantage_T, DrGRPO().credit(step).advantage_T)
    torch.testing.assert_close(gradient(plain, step, toy), gradient(DrGRPO(max_length=6), step, toy))


def test_ppo_with_the_mean_as_critic_is_dr_grpo_up_to_the_normaliser() -> None:
    plain = PPO(gamma=1.0, lam=1.0, whiten=False)
    step, toy = knowing_step(LENGTHS)
    torch.testing.assert_close(plain.credit(step).advantage_T, DrGRPO().credit(step).advantage_T)
    scale = 12 * 8 / sum(LENGTHS)
    torch.testing.assert_close(gradient(plain, step, toy), scale * gradient(DrGRPO(max_length=8), step, toy))


def test_rloo_is_dr_grpo_times_g_over_g_minus_1() -> None:
    step, toy = knowing_step(LENGTHS)
    torch.testing.assert_close(RLOO(kl=KL()).credit(step).advantage_T, 4 / 3 * DrGRPO().credit(step).advantage_T)
    torch.testing.assert_close(gradient(RLOO(kl=KL()), step, toy), 4 / 3 * gradient(DrGRPO(max_length=1), step, toy))
    torch.testing.assert_close(
        gradient(RLOO(kl=KL()), step, toy), 4 / 3 * 8 * gradient(DrGRPO(max_length=8), step, toy)
    )


def test_grpo_is_dr_grpo_over_the_spread() -> None:
    step = make_step([[1.0, 0.0, 0.0, 0.0]])
    std = (0.25 * 0.75) ** 0.5
    torch.testing.assert_close(GRPO().credit(step).advantage_T, DrGRPO().credit(step).advantage_T / std)


def test_ppo_takes_the_critics_word_only_after_a_cut() -> None:
    finished = [i % 2 == 0 for i in range(12)]
    step, _ = knowing_step(LENGTHS, finished=finished)
    step = replace(step, bootstrap_N=torch.full((12,), 100.0))
    advantages = PPO(whiten=False, lam=1.0).credit(step).advantage_T.split(LENGTHS)
    assert [bool((a > 50).all()) for a in advantages] == [not f for f in finished]
    assert all((a.abs() < 2).all() for a, f in zip(advantages, finished, strict=True) if f)


def test_ppo_returns_are_taken_before_whitening() -> None:
    step, _ = knowing_step(LENGTHS)
    white, plain = PPO(whiten=True).credit(step), PPO(whiten=False).credit(step)
    assert white.return_T is not None and plain.return_T is not None and step.value_T is not None
    torch.testing.assert_close(white.return_T, plain.return_T)
    torch.testing.assert_close(plain.return_T, plain.advantage_T + step.value_T)
    assert white.advantage_T.mean().abs() < 1e-6 and abs(white.advantage_T.std(correction=0).item() - 1) < 1e-4


def test_ppo_keeps_ungraded_completions_from_the_critic() -> None:
    step = make_step([[1.0, NAN, 0.0]], [2, 3, 1])
    credit = PPO().credit(step)
    weight_N = PPO().weights(step.length_N, step.group_N, credit.live_N)
    torch.testing.assert_close(weight_N, torch.tensor([1 / 3, 0.0, 1 / 3]))
    plain = PPO(whiten=False).credit(replace(step, value_T=torch.full((6,), 0.5)))
    assert (plain.advantage_T != 0).tolist() == [True, True, False, False, False, True]


def test_the_critics_share_of_the_loss() -> None:
    toy = Toy.make(4)
    step = make_step([[1.0, 0.0]], [2, 2], value_T=toy.values().detach().float())
    ppo = PPO(value_coef=0.1, value_clip=None)
    credit = ppo.credit(step)
    assert credit.return_T is not None
    loss = ppo.token_loss(toy.tokens(ppo, step, credit, old_logp_T=toy.logp().detach()))
    torch.testing.assert_close(loss.value_T, 0.05 * (toy.values() - credit.return_T).square())


def test_the_reference_is_asked_for_only_if_it_is_used() -> None:
    assert GRPO().needs == RLOO().needs == {"reference"}
    assert GRPO(kl=KL()).needs == RLOO(kl=KL()).needs == ReinforcePP().needs == DAPO().needs == frozenset()
    assert PPO().needs == {"critic"} and PPO(kl=KL(in_reward=0.1)).needs == {"critic", "reference"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"in_loss": 0.1, "in_reward": 0.1}, "twice"),
        ({"estimator": "k2"}, "coefficient is 0"),
        ({"in_reward": 0.1, "ratio_weight": True}, "no effect"),
        ({"in_loss": 0.1, "estimator": "k1"}, "no gradient"),
        ({"in_loss": -1}, "greater than or equal"),
    ],
)
def test_a_kl_without_effect_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(KeyedConfigError, match=told):
        build("algorithm", {"name": "dapo", "kl": settings})


@pytest.mark.parametrize(
    ("field", "value"), [("clip_low", 0), ("clip_low", 1), ("clip_high", 0), ("aggregation", "tokens")]
)
def test_values_out_of_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(KeyedConfigError):
        build("algorithm", {"name": "grpo", field: value})


def test_dead_groups_are_kept_in_the_mean_or_dropped() -> None:
    live_N = torch.tensor([True] * 2 + [False] * 2)
    length_N, group_N = torch.tensor([2, 4, 3, 1]), torch.tensor([0, 0, 1, 1])
    for algorithm, kept, dropped in [
        (GRPO(kl=KL()), [1 / 8, 1 / 16], [1 / 4, 1 / 8]),
        (GRPO(kl=KL(), aggregation="token"), [1 / 10, 1 / 10], [1 / 6, 1 / 6]),
        (DrGRPO(max_length=10), [1 / 40, 1 / 40], [1 / 20, 1 / 20]),
        (RLOO(kl=KL()), [1 / 4, 1 / 4], [1 / 2, 1 / 2]),
    ]:
        for choice, expected in (("keep", kept), ("drop", dropped)):
            chosen = algorithm.model_copy(update={"dead_groups": choice})
            torch.testing.assert_close(chosen.weights(length_N, group_N, live_N), torch.tensor([*expected, 0.0, 0.0]))
    with_kl = RLOO().weights(
        length_N, group_N, live_N
    )  # a KL in the reward gives groups of equal rewards a gradient too
    torch.testing.assert_close(with_kl, torch.full((4,), 1 / 4))


def test_dr_grpo_takes_the_runs_limit_unless_it_has_its_own() -> None:
    assert DrGRPO().with_max_tokens(64).max_length == 64
    assert DrGRPO(max_length=100).with_max_tokens(64).max_length == 100
    with pytest.raises(AssertionError):
        DrGRPO().weights(torch.tensor([1]), torch.tensor([0]), torch.tensor([True]))


def test_a_tiny_spread_is_dead_for_grpo_only() -> None:
    step = make_step([[0.0, 1e-7]])
    assert not GRPO().credit(step).live_N.any()
    assert DrGRPO().credit(step).live_N.all()
    assert GRPO(min_std=0).credit(step).live_N.all()


def test_reinforce_pp_compares_across_the_step_or_within_groups() -> None:
    step = make_step([[1.0, 1.0], [0.0, 0.0]])
    plain = ReinforcePP().credit(step)
    torch.testing.assert_close(plain.advantage_T, torch.tensor([1.0] * 6 + [-1.0] * 6))
    assert plain.live_N.all()
    grouped = ReinforcePP(baseline="group").credit(step)
    assert not grouped.live_N.any() and (grouped.advantage_T == 0).all()
    assert grouped.metrics["frac_reward_zero_std"] == 1.0


def test_rloo_clips_whole_completions() -> None:
    logp_T = torch.tensor([0.15, 0.15, 0.0], requires_grad=True)  # product 1.35 in the first: beyond 1.2, no token is
    tokens = Tokens(
        logp_T=logp_T,
        old_logp_T=torch.zeros(3),
        adv_T=torch.tensor([1.0, 1.0, 1.0]),
        seq_T=torch.tensor([0, 0, 1]),
        sequences=2,
    )
    loss = RLOO().token_loss(tokens)
    torch.testing.assert_close(loss.policy_T.detach(), torch.tensor([-0.6, -0.6, -1.0]))
    assert torch.autograd.grad(loss.policy_T.sum(), logp_T)[0].tolist() == [0.0, 0.0, -1.0]
    assert loss.metrics["clip_ratio/high_mean"].tolist() == [1.0, 1.0, 0.0]


def test_dead_share_is_reported() -> None:
    step = make_step(REWARDS)
    for algorithm in (GRPO(), DrGRPO(), RLOO()):
        assert algorithm.credit(step).metrics["frac_reward_zero_std"] == pytest.approx(1 / 3)


def test_reinforces_baselines() -> None:
    step = make_step([[1.0, 0.0, 0.0, NAN], [1.0, 1.0]], [4, 2, 2, 9, 1, 1])

    def of(baseline: str) -> tuple[list[float], list[bool]]:
        found = Reinforce(baseline=baseline).credit(step)  # type: ignore[arg-type]
        first = [float(a[0]) for a in found.advantage_T.split(step.length_N.tolist())]
        return first, found.live_N.tolist()

    graded = [True, True, True, False, True, True]
    assert of("none") == ([1.0, 0.0, 0.0, 0.0, 1.0, 1.0], [True, False, False, False, True, True])
    assert of("batch") == (pytest.approx([0.4, -0.6, -0.6, 0.0, 0.4, 0.4]), graded)
    grouped = [True, True, True, False, False, False]
    assert of("group") == (pytest.approx([2 / 3, -1 / 3, -1 / 3, 0.0, 0.0, 0.0]), grouped)
    assert of("length") == (pytest.approx([0.5, -0.5, -0.5, 0.0, 0.0, 0.0]), grouped)  # 4 of 8 tokens are right


def test_the_length_baseline_has_the_least_variance_where_squared_scores_grow_with_length() -> None:
    length_N, reward_N, group_N = (
        torch.tensor([1, 6, 3]),
        torch.tensor([1.0, 0.0, 0.5]),
        torch.zeros(3, dtype=torch.int64),
    )
    chosen = (reward_N - length_centered(reward_N, group_N, length_N))[0]
    variance = [float((length_N * (reward_N - b).square()).sum()) for b in (chosen, chosen - 0.01, chosen + 0.01)]
    assert variance[0] < min(variance[1:])


@pytest.mark.parametrize("name", ["grpo", "dapo", "gspo", "sapo"])
def test_where_only_the_kl_tells_completions_apart_it_keeps_its_size(name: str) -> None:
    """Normalised like a reward it would be as loud with a coefficient of 1e-4 as with one of 1."""
    penalty_T = torch.tensor([3e-4, 1e-4, 2e-4, 2e-4])
    step = replace(make_step([[1.0, 1.0], [1.0, 0.0]], [1, 1, 1, 1]), penalty_T=penalty_T)
    algorithm = build("algorithm", {"name": name, "kl": {"in_reward": 1e-3}})
    torch.testing.assert_close(
        algorithm.credit(step).advantage_T, torch.tensor([-1e-4, 1e-4, 1.0, -1.0]), rtol=1e-3, atol=1e-7
    )


def test_reinforce_takes_a_kl_off_the_reward() -> None:
    step = make_step([[1.0, 0.0]], [1, 2], penalty_T=torch.tensor([0.2, 0.1, 0.3]))
    found = Reinforce(kl=KL(in_reward=0.1)).credit(step)
    torch.testing.assert_close(found.advantage_T, torch.tensor([0.6, -0.6, -0.6]))


def test_reinforce_with_the_groups_mean_is_dr_grpo_of_length_one() -> None:
    step, toy = knowing_step(LENGTHS)
    ours = gradient(Reinforce(baseline="group"), step, toy)
    torch.testing.assert_close(ours, gradient(DrGRPO(max_length=1), step, toy))
    torch.testing.assert_close(ours, 3 / 4 * gradient(RLOO(kl=KL()), step, toy))


def test_what_is_the_same_method_with_one_update_per_rollout() -> None:
    step, toy = knowing_step(LENGTHS)
    grpo, dapo = gradient(GRPO(kl=KL()), step, toy), gradient(DAPO(), step, toy)
    for algorithm, same in ((GSPO(), grpo), (GMPO(), grpo), (SAPO(), grpo), (CISPO(), dapo)):
        torch.testing.assert_close(gradient(algorithm, step, toy), same, msg=algorithm.name)
    torch.testing.assert_close(gradient(LUSPO(), step, toy), sum(LENGTHS) / 12 * dapo)
    step, toy = knowing_step([5] * 12)
    torch.testing.assert_close(gradient(LUSPO(), step, toy), 5 * gradient(GSPO(), step, toy))


def test_the_spread_can_be_that_of_a_sample() -> None:
    step = make_step([[1.0, 0.0, 0.5]], [2, 1, 3])
    shrink = (5 / 6) ** 0.5  # six tokens
    for population, sample in [
        (ReinforcePP(), ReinforcePP(std="sample")),
        (PPO(), PPO(std="sample")),
    ]:
        torch.testing.assert_close(sample.credit(step).advantage_T, shrink * population.credit(step).advantage_T)
    with pytest.raises(KeyedConfigError, match="no effect"):
        build("algorithm", {"name": "ppo", "whiten": False, "std": "sample"})


def test_explained_variance_is_that_of_completions_with_a_reward() -> None:
    value_T = torch.tensor([0.2, 0.4, 0.6, 0.8, 0.1, 0.3])
    settings = PPO(whiten=False)
    whole = settings.credit(make_step([[1.0, 0.0]], [2, 2], value_T=value_T[:4])).metrics["explained_variance"]
    failed = settings.credit(make_step([[1.0, 0.0, NAN]], [2, 2, 2], value_T=value_T)).metrics["explained_variance"]
    assert failed == pytest.approx(whole) and whole != 0
