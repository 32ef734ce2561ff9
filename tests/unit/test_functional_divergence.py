"""KL estimators where they can go wrong: sign, extremes, and which divergence their gradient follows on another vocabulary."""

from __future__ import annotations

import torch

from earnest.functional import divergence

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, generator=G, dtype=torch.float64)
REF = torch.randn(6, generator=G, dtype=torch.float64).log_softmax(-1)


def gradient(value: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(value, logits, retain_graph=True)[0]


def test_values_and_gradients_against_the_exact_divergences() -> None:
    logits = LOGITS.clone().requires_grad_()
    logp = logits.log_softmax(-1)
    pi = logp.exp()
    forward, backward = (pi * (logp - REF)).sum(), (REF.exp() * (REF - logp)).sum()
    for of in (divergence.k1, divergence.k3):
        torch.testing.assert_close((pi * of(logp, REF)).sum(), forward)
    sampled = pi.detach()
    torch.testing.assert_close(gradient((sampled * divergence.k2(logp, REF)).sum(), logits), gradient(forward, logits))
    torch.testing.assert_close(gradient((sampled * divergence.k3(logp, REF)).sum(), logits), gradient(backward, logits))
    assert gradient((sampled * divergence.k1(logp, REF)).sum(), logits).abs().max() < 1e-12


def test_equal_policies() -> None:
    logp = REF.clone().requires_grad_()
    for of in (divergence.k1, divergence.k2, divergence.k3):
        assert (of(logp, REF) == 0).all()
    assert (gradient(divergence.k3(logp, REF).sum(), logp) == 0).all()


def test_k3_is_not_negative_near_zero_and_finite_far_away() -> None:
    assert (divergence.k3(torch.linspace(-1e-3, 1e-3, 101), torch.zeros(101)) >= 0).all()
    assert divergence.k3(torch.tensor([-1e4]), torch.zeros(1)).isfinite().all()
