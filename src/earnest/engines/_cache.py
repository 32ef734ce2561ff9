"""A KV cache whose full-attention layers grow in place: a decoding step writes one column and copies nothing."""

from __future__ import annotations

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class GrowingLayer(DynamicLayer):
    """Keys and values (B, H, length, D) are views into buffers, which are enlarged by half when they are full."""

    keys: Tensor  # pyright: ignore[reportIncompatibleVariableOverride]
    values: Tensor  # pyright: ignore[reportIncompatibleVariableOverride]
    _key_room: Tensor
    _value_room: Tensor

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._key_room, self._value_room = _room(key_states, end + 32), _room(value_states, end + 32)
        else:
            if end > self._key_room.shape[-2]:
                self._key_room, self._value_room = _room(self.keys, end + end // 2), _room(self.values, end + end // 2)
            self._key_room[:, :, start:end] = key_states
            self._value_room[:, :, start:end] = value_states
        self.keys, self.values = self._key_room[:, :, :end], self._value_room[:, :, :end]
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Row i becomes the old row beam_idx[i]; rows may be dropped and repeated."""
        if not self.is_initialized:  # a layer that reads another layer's keys
            return
        length, capacity = self.get_seq_length(), self._key_room.shape[-2]
        self._key_room, self._value_room = _room(self.keys[beam_idx], capacity), _room(self.values[beam_idx], capacity)
        self.keys, self.values = self._key_room[:, :, :length], self._value_room[:, :, :length]


def _room(x: Tensor, capacity: int) -> Tensor:
    """x (B, H, length, D) at the start of a buffer of that capacity."""
    buffer = x.new_empty(*x.shape[:2], capacity, x.shape[-1])
    buffer[:, :, : x.shape[-2]] = x
    return buffer


def growing_cache(config: PreTrainedConfig) -> Cache:
    """The architecture's own cache (sliding windows, linear attention), its plain layers replaced by growing ones."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def reorder(cache: Cache, index: Tensor) -> None:
    """Row i of the cache becomes its old row index[i]; rows may be dropped and repeated."""
    cache.reorder_cache(index)  # pyright: ignore[reportArgumentType]
