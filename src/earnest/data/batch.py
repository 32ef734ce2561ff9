"""Samples to packed micro-batches. How samples are split never changes a gradient: their weights are fixed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import torch
from torch import Tensor

from earnest.types import Batch, Pairs, Sample

WORTH_A_PASS = 1024
"""Tokens below which a micro-batch is not closed for the sake of less padding: a pass has costs of its own."""


def split(samples: Sequence[Sample], max_tokens: int) -> list[list[Sample]]:
    """Micro-batches of at most `max_tokens` tokens after padding to their longest sequence; a longer sequence stands alone.

    One that is worth a pass is also closed where the next sequence, a longer one, would make more than a quarter of it padding.
    The two sequences of a pair go together, as one that is as long as the longer of them.
    """
    batches: list[list[Sample]] = []
    tokens = 0  # of the last batch, without padding
    for bundle in sorted(bundles(samples), key=_longest):
        length = sum(len(s.token_ids) for s in bundle)
        padded = (len(batches[-1]) + len(bundle)) * _longest(bundle) if batches else 0
        wasteful = tokens >= WORTH_A_PASS and padded - tokens - length > padded / 4
        if batches and padded <= max_tokens and not wasteful:
            batches[-1] += bundle
            tokens += length
        else:
            batches.append(bundle)
            tokens = length
    return batches


def bundles(samples: Sequence[Sample]) -> list[list[Sample]]:
    """What must stay together: the two sides of each pair; a sample that is of no pair alone."""
    found: dict[tuple[bool, int], list[Sample]] = {}
    for place, sample in enumerate(samples):
        key = (False, place) if sample.pair is None else (True, sample.pair)
        found.setdefault(key, []).append(sample)
    return list(found.values())


def _longest(bundle: Sequence[Sample]) -> int:
    return max(len(s.token_ids) for s in bundle)


def pack(samples: Sequence[Sample], device: torch.device) -> Batch:
    """Samples end to end. Example: two samples of 3 and 2 tokens give cu_seqlens = [0, 3, 5]."""
    lengths = torch.tensor([len(s.token_ids) for s in samples])
    cu_seqlens = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    mask_L = torch.tensor(list(chain.from_iterable(s.mask for s in samples)))
    index_T = mask_L.nonzero().squeeze(1)
    seq_L = torch.repeat_interleave(torch.arange(len(samples)), lengths)
    seq_T = seq_L[index_T]
    assert not mask_L[cu_seqlens[:-1]].any(), "nothing predicts the first token of a sequence"

    def spread(weight: Callable[[Sample], float]) -> Tensor:
        return torch.tensor([weight(s) for s in samples], dtype=torch.float32)[seq_T].to(device)

    def gather(field: Callable[[Sample], Tensor | None]) -> Tensor | None:
        parts = [field(s) for s in samples]
        if parts[0] is None:
            assert all(p is None for p in parts), "samples of one step carry the same fields"
            return None
        return torch.cat([p for p in parts if p is not None]).to(device)

    return Batch(
        ids_L=torch.tensor(list(chain.from_iterable(s.token_ids for s in samples))).to(device),
        cu_seqlens=cu_seqlens.to(device),
        index_T=index_T.to(device),
        seq_T=seq_T.to(device),
        weight_T=spread(lambda s: s.weight),
        kl_weight_T=spread(lambda s: s.kl_weight),
        entropy_weight_T=spread(lambda s: s.entropy_weight),
        sampler_logp_T=gather(lambda s: s.sampler_logprobs),
        old_logp_T=gather(lambda s: s.old_logprobs),
        adv_T=gather(lambda s: s.advantages),
        return_T=gather(lambda s: s.returns),
        old_value_T=gather(lambda s: s.old_values),
        ref_logp_T=gather(lambda s: s.ref_logprobs),
        pairs=_pairs(samples, device),
    )


def _pairs(samples: Sequence[Sample], device: torch.device) -> Pairs | None:
    """Where each pair's two sides are; None where not every sample has its other side here, as when one side is only read."""
    places = {(s.pair, s.chosen): place for place, s in enumerate(samples)}
    numbers = list(dict.fromkeys(s.pair for s in samples))
    if None in numbers or not len(places) == len(samples) == 2 * len(numbers):
        return None
    chosen, rejected = ([places[number, side] for number in numbers] for side in (True, False))
    weight_P = torch.tensor([samples[i].weight for i in chosen], dtype=torch.float32)
    return Pairs(torch.tensor(chosen).to(device), torch.tensor(rejected).to(device), weight_P.to(device))
