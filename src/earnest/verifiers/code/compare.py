"""Whether what a program gave back or printed is what was expected. A helper, no verifier; runs outside every sandbox."""

from __future__ import annotations

import math
from typing import Any


def same(found: Any, expected: Any, tolerance: float, from_json: bool) -> bool:
    """Equal in type and value, all the way down; values are exact builtins (`sandbox/codec.py`).

    True is not 1, and 1 is not 1.0. nan is nan. With a tolerance, where a float is expected a number may be off by that much,
    absolutely or relative to it. from_json: the expected value was written in JSON, which has one kind of list: a tuple is one.
    """
    kind = type(expected)
    if kind is float and tolerance and type(found) in (int, float):
        return _near(found, expected, tolerance)
    if from_json and kind is list and type(found) is tuple:
        found = list(found)
    if type(found) is not kind:
        return False
    if kind in (list, tuple):
        return len(found) == len(expected) and all(
            same(a, b, tolerance, from_json) for a, b in zip(found, expected, strict=True)
        )
    if kind is dict:
        return found.keys() == expected.keys() and all(
            same(found[key], value, tolerance, from_json) for key, value in expected.items()
        )
    if kind is float:
        return found == expected or (math.isnan(found) and math.isnan(expected))
    return found == expected


def _near(found: float, expected: float, tolerance: float) -> bool:
    try:
        return found == expected or math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def same_lines(found: bytes, expected: str) -> bool:
    """The same lines, but for white space at the end of each and empty lines at the end of all."""
    try:
        text = found.decode("utf-8").rstrip()
    except UnicodeDecodeError:
        return False
    wanted = expected.rstrip()
    if text.count("\n") != wanted.count("\n"):  # before a flood of lines becomes a list of them
        return False
    return all(a.rstrip() == b.rstrip() for a, b in zip(text.split("\n"), wanted.split("\n"), strict=True))
