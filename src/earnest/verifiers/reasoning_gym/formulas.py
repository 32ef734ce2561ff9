"""Formulas of one line, read and worked out without `eval`, with their derivatives. A helper of the checks, no verifier.

Grammar: sums and products, `**` or `^`, signs, brackets, numbers, the names and functions that the caller allows. Limits: 2,000
characters, 32 levels, numbers of 40 digits, exponents of 64 in exact arithmetic.
"""

from __future__ import annotations

import cmath
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

MAX_CHARS = 2000
MAX_DEPTH = 32
MAX_EXPONENT = 64
MAX_BITS = 20_000

N = TypeVar("N", Fraction, complex)


class Unreadable(Exception):
    """The text is no such expression, or has no value. Caught where a text is checked."""


@dataclass(frozen=True, slots=True)
class Node:
    """Example: "2*x" is Node("*", (Node("2"), Node("x"))). Without parts: a number or a name."""

    head: str
    parts: tuple[Node, ...] = ()

    @property
    def is_number(self) -> bool:
        return not self.parts and self.head[0] in "0123456789."


_TOKEN = re.compile(r"[ \t]*+(?:([0-9]{1,40}+(?:\.[0-9]{1,40}+)?+|\.[0-9]{1,40}+)|([A-Za-z]{1,20}+)|(\*\*|[-+*/^()]))")


def parse(text: str, *, names: Collection[str] = (), functions: Collection[str] = ()) -> Node:
    """The expression that the whole text is. Raises Unreadable."""
    if len(text) > MAX_CHARS:
        raise Unreadable("too long")
    tokens: list[str] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(f"'{text[at : at + 10]}' is no part of an expression")
        tokens.append(match[match.lastindex or 0])
        at = match.end()
    reader = _Reader(tokens, frozenset(names), frozenset(functions))
    found = reader.sum()
    if reader.at < len(tokens):
        raise Unreadable("more than one expression")
    return found


class _Reader:
    def __init__(self, tokens: list[str], names: frozenset[str], functions: frozenset[str]) -> None:
        self.tokens, self.names, self.functions = tokens, names, functions
        self.at = self.depth = 0

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def sum(self) -> Node:
        found = self._product()
        while self._next() in ("+", "-"):
            head = self.tokens[self.at]
            self.at += 1
            found = Node(head, (found, self._product()))
        return found

    def _product(self) -> Node:
        found = self._signed()
        while self._next() in ("*", "/"):
            head = self.tokens[self.at]
            self.at += 1
            found = Node(head, (found, self._signed()))
        return found

    def _signed(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        if self._next() in ("+", "-"):
            head = "neg" if self._next() == "-" else "pos"
            self.at += 1
            found = Node(head, (self._signed(),))
        else:
            found = self._atom()
            if self._next() in ("**", "^"):
                self.at += 1
                found = Node("^", (found, self._signed()))
        self.depth -= 1
        return found

    def _atom(self) -> Node:
        token = self._next()
        self.at += 1
        if token == "(" or token in self.functions:
            if token != "(":
                if self._next() != "(":
                    raise Unreadable(f"'{token}' without brackets")
                self.at += 1
            inner = self.sum()
            if self._next() != ")":
                raise Unreadable("a bracket that never closes")
            self.at += 1
            return inner if token == "(" else Node(token, (inner,))
        if token in self.names or (token and token[0] in "0123456789."):
            return Node(token)
        raise Unreadable(f"'{token}' where a number is due" if token else "it ends too early")


@dataclass(frozen=True, slots=True)
class Dual(Generic[N]):
    """A value and its derivative."""

    value: N
    slope: N


_OUTER: dict[str, tuple[Callable[[complex], complex], Callable[[complex], complex]]] = {
    "sin": (cmath.sin, cmath.cos), "cos": (cmath.cos, lambda z: -cmath.sin(z)), "exp": (cmath.exp, cmath.exp),
    "tan": (cmath.tan, lambda z: 1 / cmath.cos(z) ** 2), "log": (cmath.log, lambda z: 1 / z), "ln": (cmath.log, lambda z: 1 / z),
    "sqrt": (cmath.sqrt, lambda z: 0.5 / cmath.sqrt(z)), "asin": (cmath.asin, lambda z: 1 / cmath.sqrt(1 - z * z)),
    "acos": (cmath.acos, lambda z: -1 / cmath.sqrt(1 - z * z)), "atan": (cmath.atan, lambda z: 1 / (1 + z * z)),
    "sinh": (cmath.sinh, cmath.cosh), "cosh": (cmath.cosh, cmath.sinh), "tanh": (cmath.tanh, lambda z: 1 / cmath.cosh(z) ** 2),
}  # fmt: skip
FUNCTIONS = frozenset(_OUTER)


def exact(node: Node, at: Mapping[str, Dual[Fraction]]) -> Dual[Fraction]:
    """Value and derivative in rational arithmetic; powers are integers. Raises Unreadable."""
    if not node.parts:
        return at[node.head] if node.head in at else Dual(Fraction(node.head), Fraction(0))
    if node.head == "^":
        base, power = exact(node.parts[0], at), exact(node.parts[1], at)
        if (
            power.value.denominator != 1
            or power.slope
            or abs(power.value) > MAX_EXPONENT
            or (not base.value and power.value < 1)
        ):
            raise Unreadable("a power that is not worked out")
        exponent = int(power.value)
        if max(base.value.numerator.bit_length(), base.value.denominator.bit_length()) * abs(exponent) > MAX_BITS:
            raise Unreadable("too large")
        slope = base.slope * exponent * base.value ** (exponent - 1) if exponent and base.slope else Fraction(0)
        return Dual(base.value**exponent, slope)
    found = _combined(node.head, [exact(part, at) for part in node.parts])
    if max(found.value.numerator.bit_length(), found.value.denominator.bit_length()) > MAX_BITS:
        raise Unreadable("too large")
    return found


def numeric(node: Node, at: Mapping[str, Dual[complex]]) -> Dual[complex]:
    """The same in complex floating point, with functions. Raises ArithmeticError and ValueError where there is no value."""
    if not node.parts:
        return at[node.head] if node.head in at else Dual(complex(float(node.head)), 0j)
    parts = [numeric(part, at) for part in node.parts]
    if node.head in _OUTER:
        function, derivative = _OUTER[node.head]
        inner = parts[0]
        return Dual(function(inner.value), derivative(inner.value) * inner.slope if inner.slope else 0j)
    if node.head == "^":
        base, power = parts
        value = base.value**power.value
        slope = power.value * base.value ** (power.value - 1) * base.slope if base.slope else 0j
        return Dual(value, slope + (value * cmath.log(base.value) * power.slope if power.slope else 0j))
    return _combined(node.head, parts)


def _combined(head: str, parts: list[Dual[N]]) -> Dual[N]:
    one = parts[0]
    if head == "neg":
        return Dual(-one.value, -one.slope)
    if head == "pos":
        return one
    two = parts[1]
    if head == "+":
        return Dual(one.value + two.value, one.slope + two.slope)
    if head == "-":
        return Dual(one.value - two.value, one.slope - two.slope)
    if head == "*":
        return Dual(one.value * two.value, one.slope * two.value + one.value * two.slope)
    assert head == "/", head
    if not two.value:
        raise Unreadable("a division by zero")
    value = one.value / two.value
    return Dual(value, (one.slope - value * two.slope) / two.value)
