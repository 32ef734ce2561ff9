"""JSON that a model wrote, read strictly. A helper of the verifiers, no verifier; golds, which are ours, are read by `golds`.

No duplicate keys, no NaN or Infinity (nor a number that overflows to it), no fraction that a float would round to a whole
number, no comments. It is measured before it is read: nesting 64 deep, 300 digits in a row, 20,000 values.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from earnest.verifiers.refused import Refused

MAX_DEPTH = 64
MAX_DIGITS = 300
MAX_VALUES = 20_000

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]|,|[0-9]++', re.DOTALL)
"""A string that never closes goes to the end: to look for its end again from every later quote would take quadratic time."""


def read(text: str) -> Any | Refused:
    """The value of a text that is JSON, or why it is none. Linear; never raises."""
    refused = _measure(text)
    if refused is not None:
        return refused
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float)
    except (ValueError, RecursionError) as error:
        return Refused(str(error))


def _measure(text: str) -> Refused | None:
    """Why JSON is too deep, too large or has too long a number; what is in strings does not count."""
    depth = values = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth, values = depth + 1, values + 1
        elif first in "]}":
            depth -= 1
        elif first == ",":
            values += 1
        elif first != '"' and token.end() - token.start() > MAX_DIGITS:
            return Refused("a number with too many digits", limit=True)
        if depth > MAX_DEPTH or values > MAX_VALUES:
            return Refused("nested too deeply" if depth > MAX_DEPTH else "too many values", limit=True)
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key that is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number too large")
    if value.is_integer():
        try:
            exact = Decimal(digits)
        except InvalidOperation:
            raise ValueError("an exponent too large") from None
        if exact != exact.to_integral_value():
            raise ValueError("a fraction that would be read as a whole number")
    return value
