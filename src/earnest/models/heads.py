"""Small heads on a policy's hidden states. Not a plug-in: whoever needs one makes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ValueHead(nn.Module):
    """A critic: hidden state (..., D) -> value (...), float32.

    Starts at zero, so that the first advantages are the plain returns whatever the scale of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, dtype=torch.float32)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.linear(hidden.float()).squeeze(-1)
