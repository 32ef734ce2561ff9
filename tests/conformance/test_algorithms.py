"""What every policy-gradient method must keep to, with its defaults. A new file in `algorithms/` is tested by being there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from builders import NAN, Toy, make_process, make_step, permuted
from earnest import component
from earnest.algorithms.base import Algorithm
from earnest.functional.credit import to_tokens
from earnest.types import Step

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

    exact, h = toy.gradient(value()), 1e-6
    numeric = []
    for table in (toy.logits, toy.critic):
        flat = table.data.view(-1)
        for i in range(len(flat)):
            kept = float(flat[i])
            flat[i] = kept + h
            above = value().item()
            flat[i] = kept - h
            below = value().item()
            flat[i] = kept
            numeric.append((above - below) / (2 * h))
    torch.testing.assert_close(exact, torch.tensor(numeric, dtype=torch.float64), rtol=1e-4, atol=1e-7)


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
