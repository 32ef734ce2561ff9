"""Prompts that several sequences of a micro-batch begin with, each read by the model once.

Reinforcement learning trains on groups: eight completions of one prompt repeat it eight times, often a third of all
tokens. Here the decoder reads the distinct prompts, and then every sequence's rest over the keys and values of its own
prompt. The gradient flows back through those, so the numbers are those of reading every sequence whole, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from earnest.types import Batch

PAYS = 1 / 8
"""Share of a micro-batch's tokens that must be saved; a second, shorter pass has costs of its own."""


@dataclass(frozen=True, slots=True)
class Prefixes:
    """P distinct prompts of S sequences, and what the sequences have after them. Padded on the right with 0."""

    ids_PL: Tensor
    length_P: tuple[int, ...]
    prompt_S: tuple[int, ...]  # into the P prompts
    rest_SL: Tensor  # (S, 0) if no sequence has more than its prompt


def find_prefixes(rows: Sequence[Sequence[int]], first_S: Sequence[int]) -> Prefixes | None:
    """The distinct prompts of S token rows, of which the first first_S tokens are prompt. None: too little is repeated."""
    place: dict[tuple[int, ...], int] = {}
    prompt_S = tuple(place.setdefault(tuple(row[:first]), len(place)) for row, first in zip(rows, first_S, strict=True))
    if sum(first_S) - sum(map(len, place)) < PAYS * sum(map(len, rows)):
        return None
    return Prefixes(
        ids_PL=padded(list(place)), length_P=tuple(map(len, place)), prompt_S=prompt_S,
        rest_SL=padded([row[first:] for row, first in zip(rows, first_S, strict=True)]),
    )  # fmt: skip


def read_rows(batch: Batch, *, whole: bool) -> tuple[list[list[int]], list[int]]:
    """The S token rows a model has to read, and how much of each comes before its first trained token.

    Unless `whole`, a row ends before its last trained token, which nothing needs to be predicted from.
    """
    start_S, length_S = batch.cu_seqlens[:-1], batch.cu_seqlens.diff()
    count_S = torch.bincount(batch.seq_T, minlength=batch.sequences)
    end_S, some_S = count_S.cumsum(0), count_S > 0
    first_S, last_S = length_S.clone(), length_S.clone()
    first_S[some_S] = batch.index_T[(end_S - count_S)[some_S]] - start_S[some_S]
    last_S[some_S] = batch.index_T[end_S[some_S] - 1] - start_S[some_S]
    ids, read_S = batch.ids_L.tolist(), length_S if whole else last_S
    return [ids[a : a + n] for a, n in zip(start_S.tolist(), read_S.tolist(), strict=True)], first_S.tolist()


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids to (rows, longest), with 0 on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], dtype=torch.int64).view(len(rows), width)
