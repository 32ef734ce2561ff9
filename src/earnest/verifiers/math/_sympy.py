"""The process behind `symbolic`: builds two trees with sympy's constructors and looks whether their difference is zero.

Nothing is parsed here and nothing evaluated by name: what is not in the table has no meaning, and what sympy gives a value that
has none to a careful person (0^0, a division by what may be zero, infinity but for the bound of a sum) is refused. Letters are
real, and those that count are whole.
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
        trees = json.loads(first), json.loads(second)
        whole = frozenset[str]().union(*map(_whole, trees))
        a, b = (_built(tree, whole, frozenset()) for tree in trees)
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


def _whole(tree: list[Any], *, counts: bool = False) -> frozenset[str]:
    """The letters that stand in the index or a bound of a sum, or in a factorial."""
    name, *below = tree
    if not below:
        return frozenset([name] if counts else [])
    return frozenset[str]().union(
        *(
            _whole(part, counts=counts or name == "!" or (name in _SERIES and place < 3))
            for place, part in enumerate(below)
            if isinstance(part, list)
        )
    )


def _built(tree: list[Any], whole: frozenset[str], bound: frozenset[str]) -> Any:
    """bound: indices of the sums around it, which may have a constant's name."""
    name, *below = tree
    if not below:
        if name not in bound and name in _CONSTANTS:
            return _CONSTANTS[name]
        if name == "oo":
            raise _Outside
        return sympy.Symbol(name, real=True, integer=True if name in whole else None)
    if below == [""]:
        return sympy.Rational(name)
    found = _series(name, below, whole, bound) if name in _SERIES else _applied(name, below, whole, bound)
    if found.has(S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.NaN) and name not in _SERIES:
        raise _Outside
    return found


def _applied(name: str, below: list[Any], whole: frozenset[str], bound: frozenset[str]) -> Any:
    if name not in _OPERATIONS:
        raise _Outside
    return _OPERATIONS[name](*(_built(part, whole, bound) for part in below))


def _series(name: str, below: list[Any], whole: frozenset[str], bound: frozenset[str]) -> Any:
    """A sum or product from a whole number to one that is no smaller, or without an end."""
    (index,), first, last, body = below
    lower = _built(first, whole, bound)
    upper = S.Infinity if last == ["oo"] else _built(last, whole, bound)
    if not (lower.is_Integer and (upper is S.Infinity or (upper.is_Integer and upper >= lower))):
        raise _Outside
    within = _built(body, whole | {index}, bound | {index})
    return _SERIES[name](within, (sympy.Symbol(index, real=True, integer=True), lower, upper))


def _power(base: Any, exponent: Any) -> Any:
    """The power. One of numbers that is too large to be written out is a power of unknowns, one for each prime of the base: what
    holds for all positive values holds for those."""
    if not base.free_symbols and not (base.is_positive or (base.is_zero is False and exponent.is_Integer)):
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
    """The quotient, where the divisor is known not to be zero, or has letters and so is zero at points at most."""
    if bottom.is_zero or (bottom.is_zero is None and not bottom.free_symbols):
        raise _Outside
    return top / bottom


def _factorial(n: Any) -> Any:
    return sympy.factorial(n, evaluate=False) if n.is_Integer and n > MAX_FACTORIAL else sympy.factorial(n)


def _root(x: Any, n: Any) -> Any:
    if x.is_nonnegative and n.is_Integer and n > 1:
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
