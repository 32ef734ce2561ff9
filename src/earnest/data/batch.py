"""Samples to packed micro-batches. How samples are split never changes a gradient: their weights are fixed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import torch
from torch import Tensor

from earnest.types import Batch, Sample

WORTH_A_PASS = 1024
"""Tokens below which a micro-batch is not closed for the sake of less padding: a pass has costs of its own."""


def split(samples: Sequence[Sample], max_tokens: int) -> list[list[Sample]]:
    """Micro-batches of at most `max_tokens` tokens after padding to their longest sequence; a longer sequence stands alone.

    One that is worth a pass is also closed where the next sequence, a longer one, would make more than a quarter of it padding.
    """
    batches: list[list[Sample]] = []
    tokens = 0  # of the last batch, without padding
    for sample in sorted(samples, key=lambda s: len(s.token_ids)):
        length = len(sample.token_ids)
        padded = (len(batches[-1]) + 1) * length if batches else 0
        wasteful = tokens >= WORTH_A_PASS and padded - tokens - length > padded / 4
        if batches and padded <= max_tokens and not wasteful:
            batches[-1].append(sample)
            tokens += length
        else:
            batches.append([sample])
            tokens = length
    return batches


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
    )
