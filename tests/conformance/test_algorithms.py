"""What every policy-gradient method must keep to, with its defaults. A new file in `algorithms/` is tested by being there."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from builders import NAN, Toy, make_process, make_step, permuted
from earnest import component
from earnest.algorithms.base import Algorithm
from earnest.algorithms.kl import KL
from earnest.functional.credit import to_tokens
from earnest.models.base import Forward, Policy
from earnest.models.critic import Critic
from earnest.train.losses import PolicyGradient
from earnest.train.mismatch import Mismatch
from earnest.train.reference import Reference
from earnest.train.step import accumulate
from earnest.train.updates import Entropy, Learning, Planner
from earnest.types import Batch, Group, Step
from judged_groups import judged_groups

REWARDS = [[1.0, 0.0, 0.25, 0.0, 0.5], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.2]]
LENGTHS = [3, 1, 4, 2, 5, 3, 3, 1, 2, 4, 1, 2]
FINISHED = [True, True, False, True, True, False, True, True, True, True, False, True]


VARIANTS: list[dict[str, object]] = [
    {"name": "grpo", "std": "batch"},
    {"name": "grpo", "delta": 3.0},
    {"name": "process_grpo", "std": "sample"},
    {"name": "reinforce", "baseline": "group"},
    {"name": "reinforce", "baseline": "length"},
    {"name": "reinforce_pp", "baseline": "group"},
    {"name": "cispo", "ratio_min": 0.8, "ratio_max": 1.2},
    {"name": "pass_at_k", "k": 3},
    {"name": "pass_at_k", "k": 2, "estimator": "marginal"},
]
"""Settings with a formula of their own."""


@pytest.fixture(params=[*component.names("algorithm"), *VARIANTS], ids=lambda spec: str(spec).strip("{}"))
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    return component.build("algorithm", request.param).with_max_tokens(8)


def step_and_toy(rewards: list[list[float]] = REWARDS, *, same_reference: bool = False) -> tuple[Step, Toy]:
    toy, flat = Toy.make(sum(LENGTHS)), [r for group in rewards for r in group]
    g = torch.Generator().manual_seed(1)
    logp_T = toy.logp().detach().float()
    noise_T = torch.zeros_like(logp_T) if same_reference else 0.3 * torch.randn(len(logp_T), generator=g)
    step = make_step(
        rewards,
        LENGTHS,
        finished=FINISHED,
        logp_T=logp_T,
        ref_logp_T=logp_T - noise_T,
        value_T=toy.values().detach().float(),
        bootstrap_N=torch.rand(len(LENGTHS), generator=g),
        process=make_process(
            [[r] * min(length, 2) for r, length in zip(flat, LENGTHS, strict=True)],
            [[length // 2, length] if length > 1 else [1] for length in LENGTHS],
        ),
    )
    return step, toy


def weights(algorithm: Algorithm, step: Step) -> torch.Tensor:
    return algorithm.weights(step.length_N, step.group_N, algorithm.credit(step).live_N)


def test_shapes(algorithm: Algorithm) -> None:
    step, _ = step_and_toy()
    credit = algorithm.credit(step)
    assert credit.advantage_T.shape == (sum(LENGTHS),) and credit.advantage_T.isfinite().all()
    assert credit.live_N.shape == (len(LENGTHS),) and credit.live_N.dtype == torch.bool and credit.live_N.any()
    assert ("critic" in algorithm.needs) == (credit.return_T is not None)
    weight_N = algorithm.weights(step.length_N, step.group_N, credit.live_N)
    assert weight_N.shape == (len(LENGTHS),) and (weight_N >= 0).all() and weight_N.isfinite().all()
    assert (weight_N[credit.live_N] > 0).all()


def test_zero_weight_means_no_gradient(algorithm: Algorithm) -> None:
    step, toy = step_and_toy([[1.0, 0.0, 1.0, NAN, 0.5], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.2]])
    credit = algorithm.credit(step)
    weight_N = algorithm.weights(step.length_N, step.group_N, credit.live_N)
    for i in (weight_N == 0).nonzero().flatten().tolist():
        assert not credit.live_N[i]
        everywhere_N = torch.ones_like(weight_N)
        loss = toy.loss(algorithm, step, credit, everywhere_N, old_logp_T=step.sampler_logp_T, i_N=[i], critic=False)
        assert toy.gradient(loss).abs().max() < 1e-7


def test_gradient_does_not_depend_on_micro_batches(algorithm: Algorithm) -> None:
    step, toy = step_and_toy()
    credit, weight_N = algorithm.credit(step), weights(algorithm, step)
    old_logp_T = step.sampler_logp_T + 0.2 * torch.randn(
        len(step.sampler_logp_T), generator=torch.Generator().manual_seed(2)
    )
    whole = toy.gradient(toy.loss(algorithm, step, credit, weight_N, old_logp_T=old_logp_T))
    assert whole.abs().max() > 1e-4
    for split in ([[i] for i in range(12)], [[0, 5, 11], [7, 1, 2, 3], [4, 10, 9, 8, 6]]):
        parts = [toy.gradient(toy.loss(algorithm, step, credit, weight_N, old_logp_T=old_logp_T, i_N=s)) for s in split]
        torch.testing.assert_close(sum(parts), whole, rtol=1e-6, atol=1e-9)


def test_first_update_is_reinforce(algorithm: Algorithm) -> None:
    step, toy = step_and_toy(same_reference=True)
    credit, weight_N = algorithm.credit(step), weights(algorithm, step)
    loss = toy.loss(algorithm, step, credit, weight_N, old_logp_T=toy.logp().detach(), critic=False)
    expected = -(to_tokens(weight_N, step.length_N).double() * credit.advantage_T * toy.logp()).sum()
    torch.testing.assert_close(toy.gradient(loss), toy.gradient(expected), rtol=1e-4, atol=1e-8)


def test_loss_agrees_with_finite_differences(algorithm: Algorithm) -> None:
    step, toy = step_and_toy()
    credit, weight_N = algorithm.credit(step), weights(algorithm, step)
    old_logp_T = (step.sampler_logp_T + 0.1 * torch.cos(torch.arange(float(len(step.sampler_logp_T))))).double()

    def value() -> torch.Tensor:
        return toy.loss(algorithm, step, credit, weight_N, old_logp_T=old_logp_T)

    torch.testing.assert_close(toy.gradient(value()), toy.differences(value), rtol=1e-4, atol=1e-7)


def test_equal_rewards_teach_nothing(algorithm: Algorithm) -> None:
    if "critic" in algorithm.needs:
        return assert_critic_still_learns(algorithm)
    for reward in (0.0, 1.0, 0.1):
        step, _ = step_and_toy([[reward] * 5, [reward] * 3, [reward] * 3, [reward]], same_reference=True)
        credit = algorithm.credit(step)
        assert (credit.advantage_T == 0).all() and not credit.live_N.any()
        assert weights(algorithm, step).isfinite().all()


def assert_critic_still_learns(algorithm: Algorithm) -> None:
    step, _ = step_and_toy([[1.0] * 5, [1.0] * 3, [1.0] * 3, [1.0]])
    credit = algorithm.credit(step)
    assert credit.live_N.all() and (credit.advantage_T != 0).any()


def test_ungraded_rollouts_change_nothing(algorithm: Algorithm) -> None:
    rewards = [[1.0, NAN, 1.0, 0.0, 0.5], [NAN, 0.0, 1.0], [1.0, 1.0, NAN], [0.2]]
    step, toy = step_and_toy(rewards)
    kept = [0, 2, 3, 4, 6, 7, 8, 9, 11]
    failed = [1, 5, 10]
    credit, without = algorithm.credit(step), algorithm.credit(permuted(step, kept))
    advantages = credit.advantage_T.split(LENGTHS)
    torch.testing.assert_close(torch.cat([advantages[i] for i in kept]), without.advantage_T, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(credit.live_N[kept], without.live_N)
    assert all((advantages[i] == 0).all() for i in failed) and not credit.live_N[failed].any()
    loss = toy.loss(algorithm, step, credit, weights(algorithm, step), old_logp_T=step.sampler_logp_T)
    assert toy.gradient(loss).isfinite().all()
    assert all(value == value for value in credit.metrics.values())


def test_all_ungraded(algorithm: Algorithm) -> None:
    step, _ = step_and_toy([[NAN] * 5, [NAN] * 3, [NAN] * 3, [NAN]])
    credit = algorithm.credit(step)
    assert not credit.live_N.any() and (credit.advantage_T == 0).all()
    assert weights(algorithm, step).isfinite().all()


def test_order_within_a_group_does_not_matter(algorithm: Algorithm) -> None:
    step, _ = step_and_toy()
    order = [4, 0, 3, 1, 2, 7, 5, 6, 10, 9, 8, 11]
    credit, shuffled = algorithm.credit(step), algorithm.credit(permuted(step, order))
    moved = torch.cat([credit.advantage_T.split(LENGTHS)[i] for i in order])
    torch.testing.assert_close(moved, shuffled.advantage_T, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(weights(algorithm, step)[order], weights(algorithm, permuted(step, order)))


def test_metrics_are_per_token_and_without_gradient(algorithm: Algorithm) -> None:
    step, toy = step_and_toy()
    loss = algorithm.token_loss(toy.tokens(algorithm, step, algorithm.credit(step), old_logp_T=step.sampler_logp_T))
    assert loss.policy_T.shape == (sum(LENGTHS),)
    for value in loss.metrics.values():
        assert value.shape == (sum(LENGTHS),) and not value.requires_grad


def test_a_step_is_not_changed(algorithm: Algorithm) -> None:
    step, _ = step_and_toy([[1.0, NAN, 1.0, 0.0, 0.5], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.2]])
    before = {k: v.clone() for k, v in vars_of(step).items()}
    algorithm.credit(step)
    for name, value in vars_of(step).items():
        torch.testing.assert_close(value, before[name], equal_nan=True, rtol=0, atol=0)


def vars_of(step: Step) -> dict[str, torch.Tensor]:
    copied = replace(step)
    return {n: v for n in copied.__dataclass_fields__ if isinstance(v := getattr(copied, n), torch.Tensor)}


# ------------------------------------------------------------------------------------------------ with what goes beside it

TERMS = [
    {"kl": KL(in_loss=0.3)},
    {"kl": KL(in_loss=0.3, estimator="k2")},
    {"kl": KL(in_loss=0.3, ratio_weight=True)},
    {"kl": KL(in_loss=0.3, estimator="k1", ratio_weight=True)},
    {"kl": KL(in_loss=0.3, estimator="k2", ratio_weight=True)},
    {"entropy": True},
    *({"mismatch": Mismatch(method=m)} for m in ("token_tis", "token_mask", "sequence_tis", "sequence_mask")),
    {"mismatch": Mismatch(method="geometric", low=0.9, high=1.1)},
]


@pytest.mark.parametrize("term", TERMS, ids=str)
@pytest.mark.parametrize("name", ["dapo", "ppo", "rloo"])
def test_what_the_loop_adds_agrees_with_finite_differences(name: str, term: dict[str, Any]) -> None:
    step, toy = step_and_toy()
    algorithm = component.build("algorithm", name).model_copy(update={"kl": term.get("kl", KL())})
    credit, weight_N = algorithm.credit(step), weights(algorithm, step)
    wave_T = torch.cos(torch.arange(float(len(step.sampler_logp_T)))).double()
    weight_T = to_tokens(weight_N, step.length_N).double()
    batch = Batch(
        ids_L=torch.zeros(0), cu_seqlens=torch.cumsum(torch.tensor([0, *LENGTHS]), 0), index_T=torch.arange(len(wave_T)),
        seq_T=torch.repeat_interleave(torch.arange(len(LENGTHS)), step.length_N), weight_T=weight_T,
        kl_weight_T=0.3 * weight_T.roll(1), entropy_weight_T=0.2 * weight_T.roll(2), adv_T=credit.advantage_T,
        sampler_logp_T=step.sampler_logp_T + 0.2 * wave_T.roll(3), old_logp_T=step.sampler_logp_T + 0.1 * wave_T,
        return_T=credit.return_T, old_value_T=step.value_T, ref_logp_T=step.ref_logp_T,
    )  # fmt: skip

    class Values:
        """The toy's critic in the place of a model's."""

        def values(self, batch: Batch, forward: Forward) -> torch.Tensor:
            return toy.values()

    critic: Any = Values() if "critic" in algorithm.needs else None
    loss = PolicyGradient(algorithm, 1.0, critic, mismatch=term.get("mismatch"), with_entropy="entropy" in term)

    def value() -> torch.Tensor:
        entropy_T = toy.entropies() if "entropy" in term else None
        return loss(batch, Forward(toy.logp(), torch.zeros(0), len(wave_T), entropy_T)).total

    plain = PolicyGradient(algorithm.model_copy(update={"kl": KL()}), 1.0, critic)
    without = toy.gradient(plain(batch, Forward(toy.logp(), torch.zeros(0), len(wave_T))).total)
    assert (toy.gradient(value()) - without).abs().max() > 1e-4, "the term does something"
    torch.testing.assert_close(toy.gradient(value()), toy.differences(value), rtol=1e-4, atol=1e-7)


BESIDE = {"own": None, "in loss": KL(in_loss=0.2, over="sum"), "in reward": KL(in_reward=0.2)}


def gradient_on(policy: Policy, algorithm: Algorithm, groups: Sequence[Group], max_tokens: int) -> torch.Tensor:
    """Of a second update, for which the policy has moved since pi_old was read, with entropy bonus and a bounded weight."""
    moved, other = copy.deepcopy(policy), copy.deepcopy(policy)
    g = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for p in (p for _, p in other.parameters()):
            p.add_(0.05 * p.abs().mean() * torch.randn(p.shape, generator=g))
    critic = Critic(moved) if "critic" in algorithm.needs else None
    if critic is not None:
        torch.nn.init.normal_(critic.head.linear.weight, generator=torch.Generator().manual_seed(1))
    reference = Reference(other, algorithm.kl) if "reference" in algorithm.needs else None
    learning = Learning(seed=3, temperature=1.0, max_tokens=max_tokens, epochs=2, entropy=Entropy(bonus=0.1))
    plan = Planner(moved, algorithm, learning, critic=critic, reference=reference).plan(groups, 0)
    with torch.no_grad():
        for p in (p for _, p in moved.parameters()):
            p.add_(0.02 * torch.randn(p.shape, generator=g))
    loss = PolicyGradient(algorithm, 1.0, critic, mismatch=Mismatch(method="sequence_tis"), with_entropy=True)
    accumulate(moved, loss, plan.updates[-1], max_tokens)
    return torch.cat([p.grad.flatten() for _, p in moved.parameters() if p.grad is not None])


@pytest.mark.parametrize("kl", BESIDE)
@pytest.mark.parametrize("name", component.names("algorithm"))
def test_neither_packing_nor_order_changes_the_gradient_of_a_model(tiny_policy: Policy, name: str, kl: str) -> None:
    algorithm = component.build(
        "algorithm", {"name": name, **({"k": 2} if name == "pass_at_k" else {})}
    ).with_max_tokens(8)
    if BESIDE[kl] is not None:
        if BESIDE[kl].in_reward and name in ("process_grpo", "pass_at_k"):
            return  # refused: their credit is not of the reward
        algorithm = algorithm.model_copy(update={"kl": BESIDE[kl]})
    groups = judged_groups(tiny_policy)
    whole = gradient_on(tiny_policy, algorithm, groups, 4096)
    assert whole.abs().max() > 1e-5
    permuted_groups = [Group(g.problem, g.rollouts[::-1]) for g in (groups[2], groups[0], groups[3], groups[1])]
    for given, max_tokens in ((groups, 1), (groups, 16), (permuted_groups, 24)):
        off = (gradient_on(tiny_policy, algorithm, given, max_tokens) - whole).abs().max()
        assert off <= 1e-4 * whole.abs().max()
