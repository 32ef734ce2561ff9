"""Numbers read off a policy without a gradient: one per trained token, or one per sequence, in the order of the samples.

A critic's values, a reference's log-probs and the bits of a document all come from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from earnest.data.batch import pack, split
from earnest.models.base import Forward, Policy
from earnest.types import Batch, Sample

Read: TypeAlias = Callable[[Batch, Forward], Tensor]
"""A number per trained token of a micro-batch: (T,)."""


@torch.no_grad()
def read_tokens(
    policy: Policy,
    samples: Sequence[Sample],
    max_tokens: int,
    temperature: float,
    read: Read,
    stats: frozenset[str] = frozenset(),
) -> Tensor:
    """A number per trained token without gradient, in the order of the samples: (T,) on the CPU, float32."""
    place = {id(sample): i for i, sample in enumerate(samples)}
    found: list[Tensor] = [torch.empty(0)] * len(samples)
    for part in split(samples, max_tokens):
        batch = pack(part, policy.device)
        x_T = read(batch, policy.forward(batch, temperature=temperature, stats=stats)).float().cpu()
        sizes = torch.bincount(batch.seq_T.cpu(), minlength=len(part)).tolist()
        for sample, x in zip(part, x_T.split(sizes), strict=True):
            found[place[id(sample)]] = x
    return torch.cat([torch.empty(0), *found])


@torch.no_grad()
def read_ends(
    samples: Sequence[Sample], max_tokens: int, device: torch.device, read: Callable[[Batch], Tensor]
) -> Tensor:
    """A number per sequence, such as a value after its last token: (N,) on the CPU, float32."""
    place = {id(sample): i for i, sample in enumerate(samples)}
    found = torch.zeros(len(samples))
    for part in split(samples, max_tokens):
        x_S = read(pack(part, device)).float().cpu()
        found[[place[id(s)] for s in part]] = x_S
    return found
