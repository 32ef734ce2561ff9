"""What of a micro-batch a model reads: each sequence as far as it must, and a prompt that several begin with only once.

Reinforcement learning trains on groups: eight completions of one prompt repeat it eight times, often a third of all
tokens. The decoder can read the distinct prompts first, and then every sequence's rest over the keys and values of its own
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
class Prompts:
    """The P distinct prompts of S sequences, padded on the right with 0."""

    ids_PL: Tensor
    length_P: tuple[int, ...]
    of_S: tuple[int, ...]  # into the P prompts


@dataclass(frozen=True, slots=True)
class Reading:
    """Token ids to read, padded on the right with 0: the prompts, if they are read apart, and then the sequences."""

    ids_SL: Tensor  # without their prompts if those are read apart; (S, 0) if nothing else is left
    prompts: Prompts | None
    tokens: int  # all of them, padding not counted
    longest: int  # of a sequence, its prompt included


def plan_reading(batch: Batch, *, whole: bool, share: bool) -> Reading:
    """How to read a batch whose prompts are what comes before the first trained token of each sequence.

    whole: to the end; otherwise up to the last token from which a trained one is predicted. share: read prompts apart where that
    saves enough.
    """
    rows, first_S = _rows(batch, whole=whole)
    tokens, longest = sum(map(len, rows)), max(map(len, rows))
    place: dict[tuple[int, ...], int] = {}
    if share:
        of_S = tuple(place.setdefault(tuple(row[:n]), len(place)) for row, n in zip(rows, first_S, strict=True))
        length_P = tuple(map(len, place))
        saved = sum(first_S) - sum(length_P)
        if saved >= PAYS * tokens:
            rests = [row[n:] for row, n in zip(rows, first_S, strict=True)]
            return Reading(_padded(rests), Prompts(_padded(list(place)), length_P, of_S), tokens - saved, longest)
    return Reading(_padded(rows), None, tokens, longest)


def _rows(batch: Batch, *, whole: bool) -> tuple[list[list[int]], list[int]]:
    """The ids to read of each sequence, and the length of its prompt; one without a trained token is all prompt."""
    start_S, length_S = batch.cu_seqlens[:-1], batch.cu_seqlens.diff()
    count_S = torch.bincount(batch.seq_T, minlength=batch.sequences)
    end_S, some_S = count_S.cumsum(0), count_S > 0
    first_S, last_S = length_S.clone(), length_S.clone()
    first_S[some_S] = batch.index_T[(end_S - count_S)[some_S]] - start_S[some_S]
    last_S[some_S] = batch.index_T[end_S[some_S] - 1] - start_S[some_S]
    ids, read_S = batch.ids_L.tolist(), length_S if whole else last_S
    return [ids[a : a + n] for a, n in zip(start_S.tolist(), read_S.tolist(), strict=True)], first_S.tolist()


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], dtype=torch.int64).view(len(rows), width)
