"""The learning rate of each step, whose parameters it is for, and how far one step goes."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

from earnest.models.base import Policy
from earnest.models.critic import Critic
from earnest.train.losses import NegativeLogLikelihood, PolicyGradient
from earnest.train.optim import Optim, build_optimizer
from earnest.train.step import update


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [8.0] * 6),
        ({"warmup": 2}, [4.0, 8.0, 8.0, 8.0, 8.0, 8.0]),
        ({"schedule": "linear"}, [8.0, 8 * 5 / 6, 8 * 4 / 6, 4.0, 8 * 2 / 6, 8 / 6]),
        ({"warmup": 2, "schedule": "linear"}, [4.0, 8.0, 8.0, 6.0, 4.0, 2.0]),
        ({"warmup": 2, "schedule": "cosine"}, [4.0, 8.0, 8.0, 4 + 8**0.5, 4.0, 4 - 8**0.5]),
    ],
)
def test_the_learning_rate_rises_and_falls_by_hand(settings: dict[str, Any], expected: list[float]) -> None:
    optim = Optim.model_validate({"lr": 8.0, **settings})
    assert [optim.lr_at(step, 6) for step in range(6)] == pytest.approx(expected)


def test_adamw_has_the_recipes_settings(tiny_policy: Policy) -> None:
    optim = Optim.model_validate({"lr": 0.01, "betas": (0.5, 0.6), "weight_decay": 0.2})
    (group,) = build_optimizer(tiny_policy, NegativeLogLikelihood(), optim).param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.5, 0.6), 0.2)
    assert {id(p) for p in group["params"]} == {id(p) for _, p in tiny_policy.parameters()}


@pytest.mark.parametrize(("head_lr", "scale"), [(None, 1.0), (0.03, 3.0)])
def test_a_critic_learns_at_a_rate_of_its_own(tiny_policy: Policy, head_lr: float | None, scale: float) -> None:
    """AdamW's first step is as long as its learning rate, whatever the gradient; the schedule is for both."""
    from earnest.algorithms.ppo import PPO

    policy = copy.deepcopy(tiny_policy)
    critic = Critic(policy)
    optim = Optim.model_validate({"lr": 0.01})
    optimizer = build_optimizer(policy, PolicyGradient(PPO(), 1.0, critic), optim, head_lr)
    parameter = next(p for _, p in policy.parameters())
    before = parameter.detach().clone()
    for p in (parameter, critic.head.linear.weight):
        p.grad = torch.ones_like(p)
    update(policy, optimizer, 0.005, clip=math.inf)
    torch.testing.assert_close(before - parameter.detach(), torch.full_like(before, 0.005), rtol=1e-3, atol=0)
    moved = -critic.head.linear.weight.detach()
    torch.testing.assert_close(moved, torch.full_like(moved, 0.005 * scale), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("clip", "length"), [(2.0, 2.0), (20.0, 5.0)])
def test_a_gradient_beyond_the_largest_norm_is_made_as_long_as_that(
    tiny_policy: Policy, clip: float, length: float
) -> None:
    policy = copy.deepcopy(tiny_policy)
    (a, b), (first, second) = [[p for _, p in policy.parameters()][i] for i in (0, 1)], (3.0, 4.0)
    before = [p.detach().clone() for p in (a, b)]
    for p, size in ((a, first), (b, second)):
        p.grad = torch.zeros_like(p)
        p.grad.view(-1)[0] = size
    plain = torch.optim.SGD([{"params": [a, b], "lr_scale": 1.0}], lr=1.0)
    assert update(policy, plain, 0.1, clip).grad_norm == pytest.approx(5.0)
    steps = [(was - p.detach()).norm().item() for was, p in zip(before, (a, b), strict=True)]
    assert steps == pytest.approx([0.1 * length * 3 / 5, 0.1 * length * 4 / 5], rel=1e-3)
