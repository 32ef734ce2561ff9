"""Clipping: which side stops a gradient, and that extreme ratios stay finite."""

from __future__ import annotations

import pytest
import torch

from earnest.functional import surrogate


@pytest.mark.parametrize(
    ("ratio", "advantage", "flows"),
    [(1.3, 1.0, False), (1.3, -1.0, True), (0.7, 1.0, True), (0.7, -1.0, False), (1.0, 1.0, True), (1.0, -1.0, True)],
)
def test_the_gradient_stops_only_where_the_step_would_go_further(ratio: float, advantage: float, flows: bool) -> None:
    logp_T = torch.tensor([ratio]).log().requires_grad_()
    rho_T, adv_T = surrogate.ratio(logp_T, torch.zeros(1)), torch.tensor([advantage])
    (slope,) = torch.autograd.grad(surrogate.clipped(rho_T, adv_T, 0.2, 0.2).sum(), logp_T)
    assert slope.item() == pytest.approx(-ratio * advantage if flows else 0.0)
    metrics = surrogate.clip_metrics(rho_T, adv_T, 0.2, 0.2)
    assert metrics["clip_ratio/low_mean"].item() == float(not flows and ratio < 1)
    assert metrics["clip_ratio/high_mean"].item() == float(not flows and ratio > 1)


def test_the_two_bounds_are_not_exchanged() -> None:
    ratio_T = torch.tensor([1.25, 0.75])
    loss_T = surrogate.clipped(ratio_T, torch.tensor([1.0, -1.0]), 0.1, 0.3)
    torch.testing.assert_close(loss_T, torch.tensor([-1.25, 0.9]))


def test_extreme_ratios_are_finite() -> None:
    logp_T = torch.tensor([0.0, -500.0], requires_grad=True)
    loss = surrogate.clipped(surrogate.ratio(logp_T, torch.tensor([-500.0, 0.0])), -torch.ones(2), 0.2, 0.2).sum()
    assert loss.isfinite() and torch.autograd.grad(loss, logp_T)[0].isfinite().all()


def test_sequence_ratio_is_the_product_within_each_sequence() -> None:
    new_T = torch.tensor([0.1, 0.2, -0.4, 0.3])
    found = surrogate.sequence_ratio(new_T, torch.zeros(4), torch.tensor([0, 2, 0, 2]), 3)
    torch.testing.assert_close(found, torch.tensor([-0.3, 0.5, -0.3, 0.5]).exp())


def test_value_loss_takes_the_larger_of_the_two() -> None:
    old, target = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    value = torch.tensor([0.6, 0.9])  # within the bound; beyond it and away from the target
    torch.testing.assert_close(surrogate.value_loss(value, old, target, 0.2), torch.tensor([0.08, 0.405]))
    torch.testing.assert_close(surrogate.value_loss(value, old, target, None), torch.tensor([0.08, 0.405]))
