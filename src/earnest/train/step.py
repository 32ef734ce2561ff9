"""One update: micro-batches forward and backward, one clipped step. Knows no algorithm and no stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch

from earnest.data.batch import bundles, pack, split
from earnest.distributed.ranks import ALONE, Ranks, largest
from earnest.models.base import Policy
from earnest.train.losses import Loss, NegativeLogLikelihood
from earnest.types import Sample


@dataclass(frozen=True, slots=True)
class Gradient:
    """What accumulation found; the gradients themselves are on the parameters. metrics: means over the update's tokens."""

    loss: float
    tokens: int  # trained
    processed: int  # tokens that went through the model; a prompt that several sequences share may count once
    metrics: dict[str, float]


def accumulate(
    policy: Policy, loss: Loss, samples: Sequence[Sample], max_tokens: int, ranks: Ranks = ALONE,
    supervised: Sequence[Sample] = (),
) -> Gradient:  # fmt: skip
    """Add the gradient of an update's whole loss to the parameters, micro-batch by micro-batch, each rank its share of them.

    supervised: imitated besides (-log p). What that costs is the metric `loss/replay` and no part of `loss`.
    """
    own, beside = _Passes(), _Passes()
    own.take(policy, loss, list(chain.from_iterable(ranks.mine(bundles(samples)))), max_tokens)
    beside.take(policy, NegativeLogLikelihood(), ranks.mine(supervised), max_tokens)
    ranks.sum_gradients([*(p for _, p in policy.parameters()), *(p for _, p in loss.head_parameters())])
    whole = {
        "loss": own.total, "replay": beside.total, "tokens": own.tokens + beside.tokens,
        "read": own.processed + beside.processed,
    }  # fmt: skip
    sums, counts, maxima = own.sums, own.counts, own.maxima
    if ranks.size > 1:
        whole, sums, counts, maxima = ranks.sum(whole), ranks.sum(sums), ranks.sum(counts), ranks.max(maxima)
    metrics = {n: x / counts[n] for n, x in sums.items()} | maxima
    metrics |= {"loss/replay": whole["replay"]} if supervised else {}
    return Gradient(whole["loss"], int(whole["tokens"]), int(whole["read"]), metrics)


@dataclass(slots=True)
class _Passes:
    """What this rank's micro-batches came to."""

    total: float = 0.0
    tokens: int = 0
    processed: int = 0
    sums: dict[str, float] = field(default_factory=dict[str, float])
    counts: dict[str, float] = field(default_factory=dict[str, float])
    maxima: dict[str, float] = field(default_factory=dict[str, float])

    def take(self, policy: Policy, loss: Loss, samples: Sequence[Sample], max_tokens: int) -> None:
        for part in split(samples, max_tokens):
            batch = pack(part, policy.device)
            forward = policy.forward(batch, temperature=loss.temperature, stats=loss.stats)
            cost = loss(batch, forward)
            cost.total.backward()
            self.total += cost.total.item()
            self.tokens += len(batch.index_T)
            self.processed += forward.tokens
            for name, x in cost.means.items():
                self.sums[name] = self.sums.get(name, 0.0) + x.sum().item()
                self.counts[name] = self.counts.get(name, 0) + len(x)
            for name, x in cost.maxima.items():
                self.maxima[name] = largest((self.maxima.get(name, 0.0), x.max().item()))


@dataclass(frozen=True, slots=True)
class Update:
    """An update that was taken, or why it was not."""

    grad_norm: float
    taken: bool  # False: the gradient was not finite, and nothing changed


def update(
    policy: Policy, optimizer: torch.optim.Optimizer, lr: float, clip: float, *, heads_only: bool = False
) -> Update:
    """Clip the accumulated gradient to norm `clip` and step. Clears the gradient either way. heads_only: the policy stays put."""
    if heads_only:
        for _, parameter in policy.parameters():
            parameter.grad = None
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip).item()
    taken = math.isfinite(norm)
    if taken:
        for group in optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        optimizer.step()
        policy.version += 1
    optimizer.zero_grad(set_to_none=True)
    return Update(norm, taken)
