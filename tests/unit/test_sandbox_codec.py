"""What crosses the walls: exact builtins and back, nothing else, and no bytes that hurt who reads them."""

from __future__ import annotations

import enum
import math
import struct
import time
from collections import OrderedDict, namedtuple
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.sandbox.codec import MAX_BYTES, MAX_DEPTH, CodecError, decode, encode, framed, unframed

HASHABLE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.binary(),
        st.complex_numbers(allow_nan=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)),
    max_leaves=8,
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(HASHABLE, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
    ),
    max_leaves=20,
)


class Always(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Colour(enum.IntEnum):
    RED = 1


def same(a: Any, b: Any) -> bool:
    """Equal in type and value all the way down; nan is nan, 0.0 is not -0.0."""
    if type(a) is not type(b):
        return False
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict:
        return same([*a], [*b]) and same([*a.values()], [*b.values()])
    return repr(a) == repr(b) if type(a) in (float, complex) else a == b


@settings(max_examples=300, deadline=None, database=None)
@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -0.0,
        10**6000,
        -(2**100_000),
        "\ud800",
        True,
        1,
        1.0,
        {1: {2: {3}}},
        "",
        b"\x00",
        [],
        (),
        set(),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_odd_values_cross(value: Any) -> None:
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize(
    "value",
    [Always(0), Colour.RED, OrderedDict(), namedtuple("P", "x")(1), object(), len, type, [Always(1)], {1: {2: Always(1)}},
     range(3), iter(()), bytearray(), NotImplemented, ...],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_exact_builtin_is_refused(value: Any) -> None:
    with pytest.raises(CodecError, match="a value of type"):
        encode(value)


def test_depth_and_size_are_limited_on_both_sides() -> None:
    deep: list[Any] = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    around: list[Any] = []
    around.append(around)
    for value in (deep, around):
        with pytest.raises(CodecError, match="deeper"):
            encode(value)
    with pytest.raises(CodecError, match="deeper"):
        decode(struct.pack(">cI", b"L", 1) * 2000 + struct.pack(">cI", b"N", 0))
    with pytest.raises(CodecError, match="bytes"):
        encode("x" * MAX_BYTES)
    with pytest.raises(CodecError):
        unframed(bytearray(struct.pack(">I", MAX_BYTES + 1)))


@pytest.mark.parametrize(
    "data",
    [b"", b"X", struct.pack(">cI", b"L", 2**32 - 1), struct.pack(">cI", b"S", 5) + b"ab", encode(1) + b"x",
     struct.pack(">cI", b"I", 2) + b"zz", struct.pack(">cI", b"B", 1) + b"2", struct.pack(">cI", b"F", 3) + b"xyz",
     struct.pack(">cI", b"E", 1) + encode([]), struct.pack(">cI", b"D", 1) + encode([]) + encode(1),
     struct.pack(">cI", b"S", 1) + b"\xff", struct.pack(">cI", b"C", 3) + b"0x1"],
)  # fmt: skip
def test_malformed_bytes_are_an_error_of_the_codec(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


@settings(max_examples=500, deadline=None, database=None)
@given(st.one_of(st.binary(max_size=200), VALUES.map(encode)), st.data())
def test_any_bytes_are_a_value_or_a_codec_error(data: bytes, draw: st.DataObject) -> None:
    if data and draw.draw(st.booleans()):
        at = draw.draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
    with suppress(CodecError):
        decode(data)


def test_keys_made_to_collide_are_refused_and_not_searched() -> None:
    same_hash = [k * (2**61 - 1) for k in range(20_000)]
    assert len({hash(k) for k in same_hash}) == 1
    data = struct.pack(">cI", b"E", len(same_hash)) + b"".join(map(encode, same_hash))
    begun = time.perf_counter()
    with pytest.raises(CodecError, match="collide"):
        decode(data)
    assert time.perf_counter() - begun < 1


def test_frames_are_taken_off_one_by_one() -> None:
    buffer = bytearray()
    assert unframed(buffer) is None
    buffer += framed(b"one") + framed(b"")[:3]
    assert unframed(buffer) == b"one" and unframed(buffer) is None
    buffer += b"\x00"
    assert unframed(buffer) == b"" and not buffer
