"""Splitting into micro-batches: nothing is lost, no batch is too large, and little of one is padding."""

from __future__ import annotations

import random

import pytest

from earnest.data.batch import WORTH_A_PASS, split
from earnest.types import Sample


def samples(lengths: list[int]) -> list[Sample]:
    return [Sample(token_ids=(i,) * n, mask=(False,) + (True,) * (n - 1), weight=1.0) for i, n in enumerate(lengths)]


def lengths(batches: list[list[Sample]]) -> list[list[int]]:
    return [[len(s.token_ids) for s in batch] for batch in batches]


def test_short_and_long_sequences_go_apart_once_they_fill_a_pass():
    rows = samples([38] * 32 + [15] * 96)
    assert lengths(split(rows, 16384)) == [[15] * 96, [38] * 32]
    few = samples([38] * 3 + [15] * 9)
    assert lengths(split(few, 16384)) == [[15] * 9 + [38] * 3], "too few tokens for a pass of their own"


def test_a_quarter_of_padding_is_not_worth_another_pass():
    assert len(split(samples([30] * 50 + [38] * 50), 16384)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_every_sample_is_in_one_batch_within_the_limits(seed: int):
    draw = random.Random(seed)
    rows = samples([draw.randrange(2, 300) for _ in range(200)])
    batches = split(rows, 4096)
    assert sorted(s.token_ids[0] for batch in batches for s in batch) == list(range(200))
    for batch in lengths(batches):
        padded = len(batch) * max(batch)
        assert padded <= 4096 or len(batch) == 1
        assert sum(batch) < WORTH_A_PASS + max(batch) or padded - sum(batch) <= padded / 4
