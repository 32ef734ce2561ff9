"""Keys and values of the rows that are decoded, in buffers with room to grow.

The library's own layer joins old and new keys into a fresh tensor for every token, which copies the whole cache each time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens a buffer has room for beyond those it holds when it is made."""


def roomy_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a model. Layers that keep something else than every token's keys and values stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class RoomyLayer(DynamicLayer):
    """Keys and values (rows, heads, tokens, size) as views of longer buffers."""

    buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append and return all keys and all values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        end = held + key_states.shape[-2]
        if self.buffers is None or end > self.buffers[0].shape[-2]:
            self.buffers = _longer(self.keys, key_states, end), _longer(self.values, value_states, end)
        keys, values = self.buffers
        keys[:, :, held:end] = key_states
        values[:, :, held:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Row i becomes the old row beam_idx[i]."""
        super().reorder_cache(beam_idx)  # pyright: ignore[reportArgumentType]
        self.buffers = None


def _longer(held: Tensor | None, new: Tensor, end: int) -> Tensor:
    rows, heads, _, size = new.shape
    buffer = new.new_empty(rows, heads, end + ROOM, size)
    if held is not None and held.numel():
        buffer[:, :, : held.shape[-2]] = held
    return buffer
