"""The product of a linear layer against torch's own: values and gradients, of all shapes and whichever library computes them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from earnest.functional import linear as module
from earnest.functional.linear import linear, onednn_is_faster
from earnest.models._linear import Linear, quicken


@pytest.fixture(params=["sizes", "always"])
def wanted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is on this machine, and then oneDNN on every processor whose torch has its product, for small products too."""
    if request.param == "always":
        monkeypatch.setattr(module, "WORTH_ITS_COSTS", 0)
        monkeypatch.setattr(module, "onednn_is_faster", module._agrees)


def problem(*shape: int, bias: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    g = torch.Generator().manual_seed(sum(shape))
    *rows, columns, outputs = shape
    x, weight = torch.randn(*rows, columns, generator=g), torch.randn(outputs, columns, generator=g)
    return x, weight, torch.randn(outputs, generator=g) if bias else None


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 7, 3), (2, 5, 3, 7), (0, 4, 6), (600, 64, 256), (40, 30, 256, 64)])
def test_values_and_gradients(shape: tuple[int, ...], bias: bool) -> None:
    found, expected = [], []
    for product, into in ((linear, found), (nn.functional.linear, expected)):
        leaves = [x.requires_grad_() for x in problem(*shape, bias=bias) if x is not None]
        out = product(leaves[0], leaves[1], leaves[2] if bias else None)
        into += [out, *torch.autograd.grad(out.sin().sum(), leaves)]
    assert all(a.shape == b.shape for a, b in zip(found, expected, strict=True))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-4)


@pytest.mark.usefixtures("wanted")
def test_what_is_frozen_and_what_does_not_lie_in_order() -> None:
    x, weight, _ = problem(600, 64, 128, bias=False)
    turned = x.T.contiguous().T.requires_grad_()
    out = linear(turned, weight.T.contiguous().T)
    torch.testing.assert_close(out, x @ weight.T, atol=1e-3, rtol=1e-4)
    (grad,) = torch.autograd.grad(out[:, ::2].sum(), turned)
    torch.testing.assert_close(grad, weight[::2].sum(0).expand_as(x), atol=1e-3, rtol=1e-4)
    with torch.no_grad():
        assert not linear(turned, weight).requires_grad


@pytest.mark.parametrize("rows", [0, 1, 256, 257, 3328, 3391, 16384, 100_003])
def test_blocks_cover_all_rows_once(rows: int) -> None:
    blocks = list(module._blocks(rows, 64 * 256))
    assert [row for block in blocks for row in range(rows)[block]] == list(range(rows)) and len(blocks) < 6


def test_onednn_meets_few_sizes() -> None:
    each = 64 * 256
    sizes = {block.stop - block.start for rows in range(1024, 4096) for block in module._blocks(rows, each)}
    big = [size for size in sizes if size * each > module.WORTH_ITS_COSTS]
    assert 16 <= len(big) <= 32 and all(len(f"{size:b}".rstrip("0")) <= module.DIGITS for size in big)


@pytest.mark.usefixtures("wanted")
def test_the_same_bits_every_time() -> None:
    x, weight, bias = problem(600, 64, 256, bias=True)
    first = linear(x, weight, bias)
    assert all(torch.equal(linear(x.clone(), weight.clone(), bias), first) for _ in range(5))


@pytest.mark.usefixtures("wanted")
def test_other_precisions_are_left_to_torch() -> None:
    x, weight, bias = (part.double() if part is not None else None for part in problem(600, 64, 256, bias=True))
    assert x is not None and weight is not None
    assert torch.equal(linear(x, weight, bias), nn.functional.linear(x, weight, bias))


def test_a_product_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return nn.functional.linear(x, weight, bias) + 1

    def missing(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")

    for product in (wrong, missing):
        monkeypatch.setattr(module, "_onednn", product)
        assert not module._agrees()


def test_a_model_keeps_its_weights_names_and_what_is_no_plain_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Own(4, 2))
    before, state = copy.deepcopy(model), model.state_dict()
    quicken(model)
    assert isinstance(model[0], Linear) == onednn_is_faster()
    monkeypatch.setattr("earnest.models._linear.onednn_is_faster", lambda: True)
    quicken(model)
    assert type(model[0]) is Linear and type(model[2]) is Own
    assert model.state_dict().keys() == state.keys() and all(model.state_dict()[k] is not None for k in state)
    x = torch.arange(6.0).view(2, 3)
    torch.testing.assert_close(copy.deepcopy(model)(x), before(x))
