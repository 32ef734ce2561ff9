"""Weights of sequences: who is counted, and that what is not counted weighs nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from earnest.functional import reduce

LENGTH_N = torch.tensor([2, 6, 4])
REDUCTIONS = [reduce.token_mean, reduce.sequence_mean, reduce.sequence_sum, lambda n, c: reduce.constant(n, c, 10)]


def close(found: Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected))


def test_all_counted() -> None:
    all_N = torch.tensor([True, True, True])
    close(reduce.token_mean(LENGTH_N, all_N), [1 / 12] * 3)
    close(reduce.sequence_mean(LENGTH_N, all_N), [1 / 6, 1 / 18, 1 / 12])
    close(reduce.sequence_sum(LENGTH_N, all_N), [1 / 3] * 3)
    close(reduce.constant(LENGTH_N, all_N, 10), [1 / 30] * 3)


def test_some_counted() -> None:
    some_N = torch.tensor([True, False, True])
    close(reduce.token_mean(LENGTH_N, some_N), [1 / 6, 0.0, 1 / 6])
    close(reduce.sequence_mean(LENGTH_N, some_N), [1 / 4, 0.0, 1 / 8])
    close(reduce.sequence_sum(LENGTH_N, some_N), [1 / 2, 0.0, 1 / 2])
    close(reduce.constant(LENGTH_N, some_N, 10), [1 / 20, 0.0, 1 / 20])


@pytest.mark.parametrize("of", REDUCTIONS)
def test_nothing_counted_and_empty_sequences_are_finite(of: Callable[[Tensor, Tensor], Tensor]) -> None:
    close(of(LENGTH_N, torch.tensor([False, False, False])), [0.0, 0.0, 0.0])
    assert of(torch.tensor([0, 0, 0]), torch.tensor([True, True, True])).isfinite().all()


@pytest.mark.parametrize("of", REDUCTIONS[:2])
def test_means_of_a_constant_are_the_constant(of: Callable[[Tensor, Tensor], Tensor]) -> None:
    weight_N = of(LENGTH_N, torch.tensor([True, True, True]))
    torch.testing.assert_close((weight_N * LENGTH_N).sum(), torch.tensor(1.0))
