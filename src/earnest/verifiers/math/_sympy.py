"""The process behind `symbolic`: builds two trees with sympy's constructors and looks whether their difference is zero.

Nothing is parsed here and nothing evaluated by name: an operation that is not in the table has no meaning. Letters are real, and
those that count are whole.
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


class _TooLong(Exception):
    """The processor time is spent."""


def is_zero(first: str, second: str, cpu_s: float) -> bool | None:
    """Whether the two are one value; None: it cannot be told, or not in time."""
    _limited()
    if first == second:
        return True
    signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        whole: set[str] = set()
        trees = json.loads(first), json.loads(second)
        for tree in trees:
            _find_whole(tree, whole)
        a, b = (_built(tree, whole) for tree in trees)
        return _vanishes(a - b)
    except (
        _TooLong,
        MemoryError,
        RecursionError,
        ArithmeticError,
        ValueError,
        TypeError,
        NotImplementedError,
        KeyError,
    ):
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _vanishes(difference: Any) -> bool | None:
    for work in (lambda x: x, lambda x: x.doit(), sympy.simplify):
        difference = work(difference)
        if difference == 0:
            return True
    return None


@cache
def _limited() -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooLong


def _find_whole(tree: list[Any], whole: set[str], *, counts: bool = False) -> None:
    """The letters that stand in the index or a bound of a sum, or in a factorial."""
    name, *below = tree
    if not below:
        whole.update([name] if counts else [])
        return
    for place, part in enumerate(below):
        if isinstance(part, list):
            _find_whole(part, whole, counts=counts or name in ("!", "binom") or (name in ("sum", "prod") and place < 3))


def _built(tree: list[Any], whole: set[str]) -> Any:
    name, *below = tree
    if not below:
        return _CONSTANTS.get(name) or sympy.Symbol(name, real=True, integer=True if name in whole else None)
    if below == [""]:
        return sympy.Rational(name)
    args = [_built(part, whole) for part in below]
    return _power(*args) if name == "^" else _OPERATIONS[name](*args)


def _power(base: Any, exponent: Any) -> Any:
    """The power. One of numbers that is too large to be written out is a power of unknowns, one for each prime of the base: what
    holds for all values holds for those."""
    if base.is_Rational and exponent.is_Rational:
        bits = max(int(base.p).bit_length(), int(base.q).bit_length()) * abs(exponent)
        if bits > LARGEST:
            primes = sympy.factorrat(abs(base))
            sign = (-1) ** exponent if base < 0 else 1
            return sign * sympy.Mul(
                *(sympy.Symbol(f"#{p}", positive=True) ** (n * exponent) for p, n in primes.items())
            )
        if base < 0 and exponent.q % 2 and exponent.q > 1:  # of an odd root the real one
            return (-1) ** exponent.p * sympy.Pow(-base, exponent)
    return sympy.Pow(base, exponent)


def _factorial(n: Any) -> Any:
    return sympy.factorial(n, evaluate=False) if n.is_Integer and n > MAX_FACTORIAL else sympy.factorial(n)


def _big(of: Any) -> Callable[..., Any]:
    return lambda index, lower, upper, body: of(body, (index, lower, upper))


_CONSTANTS: Mapping[str, Any] = {"pi": S.Pi, "e": S.Exp1, "i": S.ImaginaryUnit, "oo": S.Infinity, "deg": S.Pi / 180}
_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "+": sympy.Add, "*": sympy.Mul, "neg": lambda x: -x, "/": lambda x, y: x / y, "inv": lambda x: 1 / x,
    "root": lambda x, n: sympy.real_root(x, n) if x.is_negative else sympy.root(x, n), "abs": sympy.Abs,
    "floor": sympy.floor, "ceil": sympy.ceiling, "!": _factorial, "binom": sympy.binomial, "max": sympy.Max,
    "min": sympy.Min, "gcd": sympy.gcd, "lcm": sympy.lcm, "ln": sympy.log, "log": sympy.log, "exp": sympy.exp,
    "sum": _big(sympy.Sum), "prod": _big(sympy.Product), "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan,
    "cot": sympy.cot, "sec": sympy.sec, "csc": sympy.csc, "arcsin": sympy.asin, "arccos": sympy.acos,
    "arctan": sympy.atan, "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh,
}  # fmt: skip
