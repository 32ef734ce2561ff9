"""One optimizer step: micro-batches forward and backward, one clipped update. Knows no algorithm and no stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from earnest.data.batch import pack, split
from earnest.models.base import Policy
from earnest.train.losses import Loss, ratio_error
from earnest.types import Sample


@dataclass(frozen=True, slots=True)
class Gradient:
    """What accumulation found; the gradients themselves are on the parameters. metrics: means over the step's tokens."""

    loss: float
    tokens: int  # trained
    processed: int  # tokens that went through the model; a prompt that several sequences share may count once
    metrics: dict[str, float]


def accumulate(policy: Policy, loss: Loss, samples: Sequence[Sample], max_tokens: int) -> Gradient:
    """Add the gradient of the whole step's loss to the parameters: sum over tokens of weight times token loss."""
    total, tokens, processed, worst = 0.0, 0, 0, 0.0
    sums: dict[str, float] = {}
    for part in split(samples, max_tokens):
        batch = pack(part, policy.device)
        forward = policy.forward(batch, temperature=loss.temperature, stats=loss.stats)
        found = loss(batch, forward)
        loss_T = found.policy_T if found.value_T is None else found.policy_T + found.value_T
        value = (batch.weight_T * loss_T).sum()
        value.backward()
        total += value.item()
        tokens += len(batch.index_T)
        processed += forward.tokens
        metrics = dict(found.metrics)
        if found.value_T is not None:
            metrics["loss/value"] = found.value_T
        if forward.entropy_T is not None:
            metrics["entropy"] = forward.entropy_T
        if batch.sampler_logp_T is not None:
            error_T = ratio_error(batch, forward.logp_T)
            worst = max(worst, error_T.max().item())
            metrics["sampler/ratio_error"] = error_T
        for name, x_T in metrics.items():
            sums[name] = sums.get(name, 0.0) + x_T.detach().sum().item()
    means = {name: value / tokens for name, value in sums.items()}
    if "sampler/ratio_error" in means:
        means["sampler/max_ratio_error"] = worst
    return Gradient(total, tokens, processed, means)


@dataclass(frozen=True, slots=True)
class Update:
    """An optimizer step that was taken, or why it was not."""

    grad_norm: float
    taken: bool  # False: the gradient was not finite, and nothing changed


def update(policy: Policy, optimizer: torch.optim.Optimizer, lr: float, clip: float) -> Update:
    """Clip the accumulated gradient to norm `clip` and step. Clears the gradient either way."""
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
