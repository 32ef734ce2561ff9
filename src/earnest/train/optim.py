"""The optimizer and its learning rate, both functions of the recipe and the step number alone."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict, Field

from earnest.models.base import Policy
from earnest.train.losses import Loss

Decay: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class Optim(BaseModel):
    """AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) with warm-up, a schedule and gradient clipping."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    lr: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    betas: tuple[Decay, Decay] = (0.9, 0.95)
    """Decay of the moment estimates."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Largest norm of the whole gradient."""
    warmup: int = Field(0, ge=0)
    """Steps of linear warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """After warm-up: constant, or down to zero at the last step."""

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "constant":
            return self.lr * rising
        left = 1.0 - max(0, step - self.warmup) / max(1, steps - self.warmup)
        falling = left if self.schedule == "linear" else 0.5 * (1.0 - math.cos(math.pi * left))
        return self.lr * rising * falling


def build_optimizer(policy: Policy, loss: Loss, optim: Optim, head_lr: float | None = None) -> torch.optim.AdamW:
    """AdamW over the policy's trainable parameters and the loss's heads (which may learn at a rate of their own)."""
    groups = [{"params": [p for _, p in policy.parameters()], "lr_scale": 1.0}]
    heads = [p for _, p in loss.head_parameters()]
    if heads:
        groups.append({"params": heads, "lr_scale": (head_lr or optim.lr) / optim.lr})
    return torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas, weight_decay=optim.weight_decay, fused=True)
