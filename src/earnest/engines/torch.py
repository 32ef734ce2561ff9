"""The engine that always works: batched sampling with a KV cache, in this process, on the policy's own weights.

Exact rather than fastest: its log-probs are the trainer's up to rounding, and identical calls give identical bits.
"""

from __future__ import annotations

from pydantic import Field

from earnest.engines.base import Engine, EngineSession
from earnest.models.base import Policy


class Torch(Engine):
    """Sampling with the policy's own module; nothing is copied when the weights change."""

    max_rows: int = Field(default=512, ge=1)
    """Most completions decoded at once; the KV cache grows with it."""

    def open(self, policy: Policy) -> EngineSession:
        from earnest.engines._decode import TorchSession

        return TorchSession(policy, self.max_rows)
