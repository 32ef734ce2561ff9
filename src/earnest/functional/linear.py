"""The product of a linear layer, by the faster of the two libraries that torch has for it.

On x86 torch multiplies float32 matrices with MKL, which leaves AVX-512 unused on AMD's processors; oneDNN, which torch comes
with and takes itself for bfloat16, uses it and needs half the time. Both compute in float32 and differ in rounding alone. Which
one is taken depends on the processor, torch and the sizes, never on a measurement: the same call gives the same bits in every
process on one machine.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

WORTH_ITS_COSTS = 2**23
"""Multiplications of a product up to which oneDNN's costs per call outweigh its speed."""
DIGITS = 4
"""oneDNN keeps a program for every number of rows it meets; so it meets those alone that have so many binary digits, then
zeros."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b, as torch.nn.functional.linear: x (..., K), weight (N, K), bias (N,) or None -> (..., N)."""
    small = x.numel() * len(weight) <= WORTH_ITS_COSTS
    if small or x.dtype != torch.float32 or x.device.type != "cpu" or weight.dtype != x.dtype or not onednn_is_faster():
        return functional.linear(x, weight, bias)
    if torch.is_grad_enabled():
        return cast(Tensor, _Linear.apply(x, weight, bias))
    return _product(x, weight, bias)


@functools.cache
def onednn_is_faster() -> bool:
    """An AMD processor with AVX-512 under Linux, and a torch whose oneDNN gives the products that MKL gives."""
    cpuinfo = Path("/proc/cpuinfo")
    amd = cpuinfo.is_file() and "AuthenticAMD" in cpuinfo.read_text()
    return amd and torch.backends.cpu.get_cpu_capability() == "AVX512" and _agrees()


def _agrees() -> bool:
    a, b = torch.arange(12.0).view(3, 4), torch.arange(20.0).view(5, 4)  # small whole numbers: exact in any order
    x, y = a.view(4, 3).T, b.view(4, 5).T  # and with columns that lie together, as the gradients ask for
    try:
        return torch.equal(_onednn(a, b, torch.ones(5)), a @ b.T + 1) and torch.equal(_onednn(x, y, None), x @ y.T)
    except (AttributeError, RuntimeError):  # not in this build of torch
        return False


def _onednn(x_RK: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise.default(x_RK, weight, bias, "none", [], "")


def _blocks(rows: int, multiplications: int) -> Iterator[slice]:
    """All rows, of so many multiplications each: the longest blocks for oneDNN first, what is too little for it last."""
    start = 0
    while (rows - start) * multiplications > WORTH_ITS_COSTS:
        unit = 1 << max(0, (rows - start).bit_length() - DIGITS)
        size = (rows - start) // unit * unit
        yield slice(start, start + size)
        start += size
    if start < rows:
        yield slice(start, rows)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    x_RK = x.reshape(-1, x.shape[-1])
    parts = [_of_block(x_RK[block], weight, bias) for block in _blocks(len(x_RK), weight.numel())]
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).view(*x.shape[:-1], len(weight))


def _of_block(x_RK: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    big = x_RK.numel() * len(weight) > WORTH_ITS_COSTS
    return (_onednn if big else functional.linear)(x_RK, weight, bias)


class _Linear(torch.autograd.Function):
    """The same with its gradient; torch has none for oneDNN's product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        grad_RN = grad.reshape(-1, grad.shape[-1])
        return (
            _product(grad, weight.T, None) if wants_x else None,
            _of_weight(grad_RN, x.reshape(-1, x.shape[-1])) if wants_weight else None,
            grad_RN.sum(dim=0) if wants_bias else None,
        )


def _of_weight(grad_RN: Tensor, x_RK: Tensor) -> Tensor:
    """(N, K): the gradient of the weight. oneDNN is faster with the longer side as the columns of its product."""
    wide = grad_RN.shape[1] > x_RK.shape[1]
    a_RA, b_RB = (x_RK, grad_RN) if wide else (grad_RN, x_RK)
    blocks = _blocks(len(a_RA), a_RA.shape[1] * b_RB.shape[1])
    total_AB = functools.reduce(Tensor.add_, (_of_block(a_RA[block].T, b_RB[block].T, None) for block in blocks))
    return total_AB.T if wide else total_AB
