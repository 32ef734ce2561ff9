"""The chunked head against the whole softmax: values, gradients, and that no chunk's logits are kept."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from earnest.functional import logprobs
from earnest.functional.logprobs import chunked_logprobs

T, D, V = 37, 8, 19


def problem(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    hidden = torch.randn(T, D, generator=g).to(dtype).requires_grad_()
    weight = torch.randn(V, D, generator=g).to(dtype).requires_grad_()
    bias = torch.randn(V, generator=g).to(dtype).requires_grad_()
    return hidden, weight, bias, torch.randint(0, V, (T,), generator=g)


def whole(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    temperature: float,
    scale: float,
    cap: float | None,
) -> tuple[Tensor, Tensor]:
    z = (hidden.double() @ weight.double().T + (0 if bias is None else bias.double())) * scale
    z = z if cap is None else cap * torch.tanh(z / cap)
    z = z / temperature
    lse = z.logsumexp(-1)
    p = (z - lse[:, None]).exp()
    return z.gather(1, target[:, None]).squeeze(1) - lse, lse - (p * z).sum(-1)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("temperature", "scale", "cap", "with_bias"),
    [(1.0, 1.0, None, True), (0.7, 1.0, None, False), (1.3, 0.5, 2.0, True)],
)
def test_values_and_gradients(
    monkeypatch: pytest.MonkeyPatch, plain: bool, temperature: float, scale: float, cap: float | None, with_bias: bool
) -> None:
    monkeypatch.setattr(logprobs, "PLAIN_ELEMENTS", 2**22 if plain else 0)
    hidden, weight, bias, target = problem()
    given_bias = bias if with_bias else None
    found = chunked_logprobs(
        hidden, weight, given_bias, target,
        temperature=temperature, want_entropy=True, chunk=5, scale=scale, softcap=cap,
    )  # fmt: skip
    expected = whole(hidden, weight, given_bias, target, temperature, scale, cap)
    parameters = [p for p in (hidden, weight, given_bias) if p is not None]
    mix_T = torch.linspace(-1, 1, T)
    assert found[1] is not None
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b.float(), rtol=1e-5, atol=1e-5)
    grads = torch.autograd.grad((mix_T * found[0]).sum() + (mix_T**2 * found[1]).sum(), parameters)
    exact = torch.autograd.grad((mix_T * expected[0]).sum() + (mix_T**2 * expected[1]).sum(), parameters)
    for a, b in zip(grads, exact, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    alone, none = chunked_logprobs(
        hidden, weight, given_bias, target, temperature=temperature, chunk=5, scale=scale, softcap=cap
    )
    torch.testing.assert_close(alone, found[0])
    assert none is None


def test_uniform_logits_have_the_entropy_of_the_vocabulary() -> None:
    logp_T, entropy_T = chunked_logprobs(
        torch.zeros(2, D), torch.ones(V, D), None, torch.tensor([0, 3]), temperature=0.3, want_entropy=True
    )
    torch.testing.assert_close(entropy_T, torch.full((2,), math.log(V)))
    torch.testing.assert_close(logp_T, torch.full((2,), -math.log(V)))


def test_half_precision_weights_give_float32() -> None:
    hidden, weight, bias, target = problem(torch.bfloat16)
    logp_T, _ = chunked_logprobs(hidden, weight, bias, target, temperature=1.0)
    assert logp_T.dtype == torch.float32
    assert (logp_T.exp() <= 1).all()


def test_no_tokens() -> None:
    hidden, weight, bias, _ = problem()
    logp_T, entropy_T = chunked_logprobs(
        hidden[:0], weight, bias, torch.empty(0, dtype=torch.int64), temperature=1.0, want_entropy=True
    )
    assert logp_T.shape == (0,) and entropy_T is not None and entropy_T.shape == (0,)


class Largest(TorchDispatchMode):
    """The most elements that any operation has returned at once."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else (out,):
            if isinstance(value, Tensor):
                self.elements = max(self.elements, value.numel())
        return out


def test_all_logits_are_never_held_and_none_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logprobs, "PLAIN_ELEMENTS", 0)
    hidden, weight, bias, target = problem()
    saved: list[int] = []

    def note(x: Tensor) -> Tensor:
        saved.append(x.numel())
        return x

    with Largest() as largest:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            logp_T, _ = chunked_logprobs(hidden, weight, bias, target, temperature=1.0, chunk=5)
        logp_T.sum().backward()
    assert largest.elements == max(T * D, V * D, 5 * V) < T * V
    assert saved and not {5 * V, T % 5 * V} & set(saved)
