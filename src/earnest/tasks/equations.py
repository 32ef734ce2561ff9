"""Linear equations in one unknown, solved step by step: the worked trace of a word problem that comes with its equation.

"70-x=27" -> steps ["70 - 27 = 43"], value 43. A recursive-descent reader over exact fractions; nothing is ever evaluated as code.
It reads numbers, x, + - * /, brackets and one =, and solves by undoing operations, so the unknown may occur once only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from earnest.tasks.near_misses import decimal

LONGEST = 500
"""Characters in an equation."""

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+|[xX]|[-+*/()=])")


class EquationError(ValueError):
    """Not an equation that this module reads, or one without a single solution."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The x of an equation."""


@dataclass(frozen=True, slots=True)
class Operation:
    symbol: Literal["+", "-", "*", "/"]
    left: Term
    right: Term


Term: TypeAlias = "Fraction | Unknown | Operation"


@dataclass(frozen=True, slots=True)
class Solved:
    """Example: Solved(("32 + 42 = 74", "74 - 35 = 39"), Fraction(39))."""

    steps: tuple[str, ...]
    value: Fraction


def solve(equation: str) -> Solved:
    """The value of x and the operations that lead to it. Raises EquationError."""
    left, right = read(equation)
    if (_unknowns(left), _unknowns(right)) == (0, 1):
        left, right = right, left
    if (_unknowns(left), _unknowns(right)) != (1, 0):
        raise EquationError(f"x must occur exactly once: {equation}")
    steps: list[str] = []
    try:
        value = _evaluate(_isolate(left, right), steps)
    except ZeroDivisionError:
        raise EquationError(f"division by zero: {equation}") from None
    return Solved(tuple(steps), value)


def calculate(symbol: str, left: Fraction, right: Fraction) -> Fraction:
    """One operation. Raises ZeroDivisionError."""
    match symbol:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right


def step(symbol: str, left: Fraction, right: Fraction) -> str:
    """One line of a trace. Example: "70 - 27 = 43"."""
    return f"{decimal(left)} {symbol} {decimal(right)} = {decimal(calculate(symbol, left, right))}"


def _isolate(side: Term, known: Term) -> Term:
    """What x equals, given that `side`, which has the only x, equals `known`."""
    while isinstance(side, Operation):
        left, right = side.left, side.right
        in_left = _unknowns(left) == 1
        match side.symbol:
            case "+":
                known = Operation("-", known, right if in_left else left)
            case "-":
                known = Operation("+", known, right) if in_left else Operation("-", left, known)
            case "*":
                known = Operation("/", known, right if in_left else left)
            case "/":
                known = Operation("*", known, right) if in_left else Operation("/", left, known)
        side = left if in_left else right
    return known


def _evaluate(term: Term, steps: list[str]) -> Fraction:
    if isinstance(term, Fraction):
        return term
    assert isinstance(term, Operation), term
    left, right = _evaluate(term.left, steps), _evaluate(term.right, steps)
    steps.append(step(term.symbol, left, right))
    return calculate(term.symbol, left, right)


def _unknowns(term: Term) -> int:
    if isinstance(term, Operation):
        return _unknowns(term.left) + _unknowns(term.right)
    return int(isinstance(term, Unknown))


def read(equation: str) -> tuple[Term, Term]:
    """The two sides of an equation. Raises EquationError."""
    tokens = _tokens(equation)
    if tokens.count("=") != 1:
        raise EquationError(f"expected one '=': {equation}")
    cut = tokens.index("=")
    return _Reader(tokens[:cut]).whole(), _Reader(tokens[cut + 1 :]).whole()


def _tokens(text: str) -> list[str]:
    if len(text) > LONGEST:
        raise EquationError(f"longer than {LONGEST} characters")
    tokens, position, text = [], 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise EquationError(f"cannot read {text[position:]!r}")
        tokens.append(match.group(1))
        position = match.end()
    return tokens


class _Reader:
    """sum: product {(+|-) product}; product: factor {(*|/) factor}; factor: [-] number | x | ( sum )."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._next = tokens, 0

    def whole(self) -> Term:
        term = self._sum()
        if self._peek():
            raise EquationError(f"unexpected '{self._peek()}'")
        return term

    def _sum(self) -> Term:
        term = self._product()
        while (symbol := self._peek()) in ("+", "-"):
            self._next += 1
            term = Operation(symbol, term, self._product())
        return term

    def _product(self) -> Term:
        term = self._factor()
        while (symbol := self._peek()) in ("*", "/"):
            self._next += 1
            term = Operation(symbol, term, self._factor())
        return term

    def _factor(self) -> Term:
        token = self._peek()
        self._next += 1
        if token == "(":
            term = self._sum()
            if self._peek() != ")":
                raise EquationError("a bracket is not closed")
            self._next += 1
            return term
        if token == "-":
            number = self._factor()
            if not isinstance(number, Fraction):
                raise EquationError("a sign is read before a number only")
            return -number
        if token in ("x", "X"):
            return Unknown()
        if not token or not (token[0].isdigit() or token[0] == "."):
            raise EquationError(f"expected a number, x or a bracket, got '{token}'")
        return Fraction(token)

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""
