"""Values as bytes and back, for a line whose other end may be hostile: exact builtin types alone, and nothing that runs.

The types are None, bool, int, float (nan and infinities included), complex, str, bytes, list, tuple, dict, set and frozenset, by
`type(x) is`: an instance of a subclass is foreign, because its `__eq__` or `__repr__` would be the sender's. A value is a tag, a
length and a body; a whole number is in hexadecimal (so that none is too long to be written), a float as `float.hex` writes it.

Decoding is safe on any bytes: it raises CodecError or returns a value made of these types, in time about linear in their
number. Sizes, depth and the number of values are limited on both sides: whoever decodes pays for each with time and memory, and
an empty set of 5 bytes is one of 216 there. Whoever decodes compares; whoever encodes is not believed.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

MAX_BYTES = 1 << 24
MAX_DEPTH = 64
MAX_VALUES = 1 << 20
"""In one value, with those inside it: a list of a million numbers can cross."""
MAX_SAME_HASH = 64
"""Keys of one dict or set that may share a hash: builtin hashes can be made to collide, and then every look-up is a search."""

_HEAD = struct.Struct(">cI")
_FRAME = struct.Struct(">I")


class CodecError(Exception):
    """The value cannot be written, or the bytes are none that `encode` writes."""


def encode(value: Any) -> bytes:
    """The value as bytes. Raises CodecError for a foreign type, and for what is too deep or too long."""
    parts: list[bytes] = []
    _write(value, parts, 0, [MAX_BYTES])
    if len(parts) > MAX_VALUES:
        raise CodecError(f"more than {MAX_VALUES:,} values")
    return b"".join(parts)


def decode(data: bytes) -> Any:
    """The value of exactly these bytes. Raises CodecError."""
    if len(data) > MAX_BYTES:
        raise CodecError(f"more than {MAX_BYTES:,} bytes")
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise CodecError("bytes after the end")
    return value


def framed(data: bytes) -> bytes:
    """The bytes with their length before them, as they go over a stream."""
    return _FRAME.pack(len(data)) + data


def unframed(buffer: bytearray) -> bytes | None:
    """Takes the first whole frame off the buffer; None while it is not whole. Raises CodecError for one that is too long."""
    if len(buffer) < _FRAME.size:
        return None
    (length,) = _FRAME.unpack_from(buffer)
    if length > MAX_BYTES:
        raise CodecError(f"a frame of {length:,} bytes")
    if len(buffer) < _FRAME.size + length:
        return None
    frame = bytes(buffer[_FRAME.size : _FRAME.size + length])
    del buffer[: _FRAME.size + length]
    return frame


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next frame of a blocking stream; None at its end."""
    head = _read_all(read, _FRAME.size)
    return None if head is None else _read_all(read, _FRAME.unpack(head)[0])


def _read_all(read: Callable[[int], bytes], count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        chunk = read(min(count - len(data), 1 << 20))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def _write(value: Any, parts: list[bytes], depth: int, left: list[int]) -> None:
    if depth > MAX_DEPTH:
        raise CodecError(f"deeper than {MAX_DEPTH}")
    kind = type(value)
    if kind in _ATOMS:
        tag, write = _ATOMS[kind]
        body, count = write(value), None
    elif kind in _ITEMS:
        tag, body, count = _ITEMS[kind], b"", len(value)
    else:
        raise CodecError(f"a value of type {kind.__name__}")
    left[0] -= _HEAD.size + len(body)
    if left[0] < 0:
        raise CodecError(f"more than {MAX_BYTES:,} bytes")
    parts.append(_HEAD.pack(tag, len(body) if count is None else count) + body)
    if count is not None:
        for item in _flat(value) if kind is dict else value:
            _write(item, parts, depth + 1, left)


def _flat(value: dict[Any, Any]) -> Iterator[Any]:
    for pair in value.items():
        yield from pair


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _int(value: int) -> bytes:
    return b"%x" % value


_ATOMS: dict[type, tuple[bytes, Callable[[Any], bytes]]] = {
    type(None): (b"N", lambda value: b""),
    bool: (b"B", lambda value: b"1" if value else b"0"),
    int: (b"I", _int),
    float: (b"F", lambda value: value.hex().encode()),
    complex: (b"C", lambda value: f"{value.real.hex()} {value.imag.hex()}".encode()),
    str: (b"S", _text),
    bytes: (b"Y", lambda value: value),
}
_ITEMS: dict[type, bytes] = {list: b"L", tuple: b"T", dict: b"D", set: b"E", frozenset: b"Z"}


class _Reader:
    """Reads one value after another from the bytes of a frame."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.left = data, 0, MAX_VALUES - 1

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CodecError(f"deeper than {MAX_DEPTH}")
        if self.at + _HEAD.size > len(self.data):
            raise CodecError("cut")
        tag, length = _HEAD.unpack_from(self.data, self.at)
        self.at += _HEAD.size
        if tag in b"LTDEZ":
            return self._items(tag, length, depth)
        body = self.data[self.at : self.at + length]
        if len(body) < length:
            raise CodecError("cut")
        self.at += length
        try:
            return _atom(tag, body)
        except (ValueError, OverflowError) as error:
            raise CodecError(f"no value: {str(error)[:80]}") from None

    def _items(self, tag: bytes, count: int, depth: int) -> Any:
        if count * _HEAD.size > len(self.data) - self.at:
            raise CodecError("cut")
        self.left -= 2 * count if tag == b"D" else count
        if self.left < 0:
            raise CodecError(f"more than {MAX_VALUES:,} values")
        if tag == b"D":
            pairs = [(self.value(depth + 1), self.value(depth + 1)) for _ in range(count)]
            _check_keys([key for key, _ in pairs])
            return dict(pairs)
        items = [self.value(depth + 1) for _ in range(count)]
        if tag == b"L":
            return items
        if tag == b"T":
            return tuple(items)
        _check_keys(items)
        return set(items) if tag == b"E" else frozenset(items)


def _check_keys(keys: list[Any]) -> None:
    try:
        hashes = list(map(hash, keys))
    except TypeError:
        raise CodecError("a key that cannot be one") from None
    if len(hashes) > MAX_SAME_HASH and max(Counter(hashes).values()) > MAX_SAME_HASH:
        raise CodecError("keys made to collide")


def _atom(tag: bytes, body: bytes) -> Any:
    if tag == b"Y":
        return body
    text = body.decode("utf-8", "surrogatepass")
    if tag == b"S":
        return text
    if tag == b"N" and not text:
        return None
    if tag == b"B" and text in ("0", "1"):
        return text == "1"
    if tag == b"I":
        return int(text, 16)
    if tag == b"F":
        return float.fromhex(text)
    if tag == b"C" and text.count(" ") == 1:
        real, imag = text.split(" ")
        return complex(float.fromhex(real), float.fromhex(imag))
    raise CodecError("no value")
