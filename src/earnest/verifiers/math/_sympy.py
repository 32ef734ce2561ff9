"""The process behind `symbolic`: builds two trees with sympy's constructors and looks whether their difference is zero.

Nothing is parsed here and nothing evaluated by name: what is not in the table has no meaning. There are real numbers alone, and
what is divided by, raised to a power or under a logarithm is positive by the way it is built, or a fraction that is written out.
What sympy believes of a sign does not count: it would have A / A = 1 for an A that is 0 in disguise. Nor does what it makes of a
series: it has ended some too early.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    """Not among what can be answered."""


class _Spent(Exception):
    """The processor time is."""


@dataclass(frozen=True, slots=True)
class _Real:
    """A real number. positive: it is above zero, by the operations that it is made with."""

    value: Any
    positive: bool

    @property
    def divides(self) -> bool:
        return self.positive or bool(self.value.is_Rational and self.value != 0)


def is_zero(first: str, second: str, cpu_s: float) -> bool | None:
    """Whether a - b was shown to be zero. None: the time or the memory for it is spent."""
    _limited()
    signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        a, b = (_built(json.loads(tree)).value for tree in (first, second))
        return _vanishes(a - b)
    except (_Spent, MemoryError):
        return None
    except (_Outside, RecursionError, ArithmeticError, ValueError, TypeError, NotImplementedError):
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
    raise _Spent


def _built(tree: list[Any]) -> _Real:
    name, *below = tree
    if not below:
        if name not in _CONSTANTS:
            raise _Outside
        return _Real(_CONSTANTS[name], positive=True)
    if below == [""]:
        number = sympy.Rational(name)
        return _Real(number, positive=number > 0)
    if name not in _OPERATIONS:
        raise _Outside
    found = _OPERATIONS[name](*(_built(part) for part in below))
    if found.value.has(S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.NaN):
        raise _Outside
    return found


def _sum(*terms: _Real) -> _Real:
    return _Real(sympy.Add(*(term.value for term in terms)), all(term.positive for term in terms))


def _product(*factors: _Real) -> _Real:
    return _Real(sympy.Mul(*(factor.value for factor in factors)), all(factor.positive for factor in factors))


def _over(top: _Real, bottom: _Real) -> _Real:
    if not bottom.divides:
        raise _Outside
    return _Real(top.value / bottom.value, top.positive and bottom.positive)


def _power(base: _Real, exponent: _Real) -> _Real:
    """The power. One of numbers that is too large to be written out is a power of unknowns, one for each prime of the base: what
    holds for all positive values holds for those."""
    b, e = base.value, exponent.value
    if not base.positive and not (base.divides and e.is_Integer):
        raise _Outside
    if not (b.is_Rational and e.is_Rational) or max(int(b.p).bit_length(), int(b.q).bit_length()) * abs(e) <= LARGEST:
        return _Real(sympy.Pow(b, e), base.positive)
    if max(abs(b.p), b.q) > MAX_BASE:
        raise _Outside
    primes: Any = sympy.factorrat(abs(b))
    unknowns = (sympy.Symbol(f"#{p}", positive=True) ** (n * e) for p, n in primes.items())
    return _Real(sympy.Mul((-1) ** e if b.is_negative else 1, *unknowns), base.positive)


def _root(x: _Real, n: _Real) -> _Real:
    if not (x.positive and n.value.is_Integer and n.value > 1):
        raise _Outside
    return _Real(sympy.root(x.value, n.value), positive=True)


def _factorial(n: _Real) -> _Real:
    if not (n.value.is_Integer and 0 <= n.value <= MAX_FACTORIAL):
        raise _Outside
    return _Real(sympy.factorial(n.value), positive=True)


def _logarithm(x: _Real, *base: _Real) -> _Real:
    if not x.positive or not all(b.positive and b.value.is_Rational and b.value != 1 for b in base):
        raise _Outside
    return _Real(sympy.log(x.value, *(b.value for b in base)), positive=False)


def _entire(function: Callable[[Any], Any], *, positive: bool = False) -> Callable[[_Real], _Real]:
    """A function that has a real value for every real number."""
    return lambda x: _Real(function(x.value), positive)


_CONSTANTS: Mapping[str, Any] = {"pi": S.Pi, "e": S.Exp1, "deg": S.Pi / 180}
_OPERATIONS: Mapping[str, Callable[..., _Real]] = {
    "+": _sum, "*": _product, "neg": lambda x: _Real(-x.value, positive=False), "/": _over,
    "inv": lambda x: _over(_Real(S.One, positive=True), x), "^": _power, "root": _root, "!": _factorial,
    "ln": _logarithm, "log": _logarithm, "exp": _entire(sympy.exp, positive=True), "sin": _entire(sympy.sin),
    "cos": _entire(sympy.cos), "arctan": _entire(sympy.atan), "sinh": _entire(sympy.sinh), "cosh": _entire(sympy.cosh),
}  # fmt: skip
