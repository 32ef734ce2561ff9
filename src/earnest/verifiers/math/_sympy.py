"""The process behind `symbolic`: builds two trees with sympy's constructors and looks whether their difference is zero.

Nothing is parsed here and nothing evaluated by name: what is not in the table has no meaning. There are no letters but the
indices of series, and what is divided by, or raised to a power, has to be known to have an inverse, or a real power: sympy would
have 0^0 = 1 and A / A = 1 for an A that is 0 in disguise. Within a series more is let through: it is a gold's, because an answer
with one is not worked out (`compare`), whatever is found here.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Mapping
from functools import cache
from types import FrameType
from typing import Any

import sympy
from sympy import S

MEMORY = 2 << 30
LARGEST = 10**6
"""Bits that a power of two numbers may have to be worked out."""
MAX_FACTORIAL = 200_000
MAX_BASE = 10**12
"""Of a power that is too large to be worked out: its primes have to be found."""


class _Outside(Exception):
    """Not among what can be answered, or the processor time is spent."""


def is_zero(first: str, second: str, cpu_s: float) -> bool:
    """Whether a - b was shown to be zero."""
    _limited()
    signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        a, b = (_built(json.loads(tree), frozenset()) for tree in (first, second))
        return _vanishes(a - b)
    except (_Outside, MemoryError, RecursionError, ArithmeticError, ValueError, TypeError, NotImplementedError):
        return False
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _vanishes(difference: Any) -> bool:
    for work in (lambda x: x, lambda x: x.doit(), sympy.simplify):
        difference = work(difference)
        if difference == 0:
            return True
    return False


@cache
def _limited() -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Outside


def _built(tree: list[Any], bound: frozenset[str]) -> Any:
    """bound: indices of the series around it, which may have a constant's name."""
    name, *below = tree
    if not below:
        if name in bound:
            return _index(name)
        if name not in _CONSTANTS:
            raise _Outside
        return _CONSTANTS[name]
    if below == [""]:
        return sympy.Rational(name)
    if name in _SERIES:
        return _series(name, below, bound)
    if name not in _OPERATIONS:
        raise _Outside
    return _OPERATIONS[name](*(_built(part, bound) for part in below))


def _index(name: str) -> Any:
    return sympy.Symbol(name, integer=True)


def _series(name: str, below: list[Any], bound: frozenset[str]) -> Any:
    """A sum or product from a whole number to one that is no smaller, or without an end."""
    (index,), first, last, body = below
    lower = _built(first, bound)
    upper = S.Infinity if last == ["oo"] else _built(last, bound)
    if not (lower.is_Integer and (upper is S.Infinity or (upper.is_Integer and upper >= lower))):
        raise _Outside
    return _SERIES[name](_built(body, bound | {index}), (_index(index), lower, upper))


def _has_index(x: Any) -> bool:
    return any(not symbol.name.startswith("#") for symbol in x.free_symbols)


def _power(base: Any, exponent: Any) -> Any:
    """The power. One of numbers that is too large to be written out is a power of unknowns, one for each prime of the base: what
    holds for all positive values holds for those."""
    known = base.is_positive or (base.is_Rational and not base.is_zero and exponent.is_Integer)
    if not known and not (_has_index(base) and exponent.is_Integer):
        raise _Outside
    numbers = base.is_Rational and exponent.is_Rational
    if not numbers or max(int(base.p).bit_length(), int(base.q).bit_length()) * abs(exponent) <= LARGEST:
        return sympy.Pow(base, exponent)
    if max(abs(base.p), base.q) > MAX_BASE:
        raise _Outside
    primes: Any = sympy.factorrat(abs(base))
    unknowns = (sympy.Symbol(f"#{p}", positive=True) ** (n * exponent) for p, n in primes.items())
    return sympy.Mul((-1) ** exponent if base.is_negative else 1, *unknowns)


def _over(top: Any, bottom: Any) -> Any:
    """The quotient, where the divisor is known to be above or below zero, or is an expression in the index of a series."""
    if bottom.is_positive or bottom.is_negative or _has_index(bottom):
        return top / bottom
    raise _Outside


def _factorial(n: Any) -> Any:
    if (n.is_Integer and 0 <= n <= MAX_FACTORIAL) or _has_index(n):
        return sympy.factorial(n)
    raise _Outside


def _root(x: Any, n: Any) -> Any:
    if x.is_positive and n.is_Integer and n > 1:
        return sympy.root(x, n)
    raise _Outside


def _logarithm(x: Any, *base: Any) -> Any:
    if x.is_positive and all(b.is_positive and (b - 1).is_zero is False for b in base):
        return sympy.log(x, *base)
    raise _Outside


_CONSTANTS: Mapping[str, Any] = {"pi": S.Pi, "e": S.Exp1, "i": S.ImaginaryUnit, "deg": S.Pi / 180}
_SERIES: Mapping[str, Any] = {"sum": sympy.Sum, "prod": sympy.Product}
_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "+": sympy.Add, "*": sympy.Mul, "neg": lambda x: -x, "/": _over, "inv": lambda x: _over(S.One, x), "^": _power,
    "root": _root, "!": _factorial, "ln": _logarithm, "log": _logarithm, "exp": sympy.exp, "sin": sympy.sin,
    "cos": sympy.cos, "arctan": sympy.atan, "sinh": sympy.sinh, "cosh": sympy.cosh,
}  # fmt: skip
