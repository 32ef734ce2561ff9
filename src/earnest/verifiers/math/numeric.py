"""What a tree is worth to fifty digits and more, real or complex: the second tier of `math`. A helper, no verifier.

A difference that looks like rounding is looked at again, with as many digits as the sizes of what was met on the way ask for,
and is measured there against what rounding can be, never against another difference. What shrinks with the digits where it may
not be zero (a divisor, the argument of a logarithm), or grows with them, has no value. Arguments are kept to sizes for
which a function is cheap. One computation at a time: the caches of mpmath's constants are not safe across threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from earnest.verifiers.math.exact import MAX_TERMS, Budget, Undefined, is_opaque, opaque
from earnest.verifiers.math.exact import value as exact_value
from earnest.verifiers.math.nodes import MAX_FACTORIAL, Node, Num, Op, Sym, Unreadable

DIGITS = 50
MORE_DIGITS = 120
MOST_DIGITS = 1000
WIDE = 10**10
"""Between the largest and the least that is met: beyond it fifty digits are not enough to tell rounding from a value."""
LARGEST = 10**6
"""Of the argument of an exponential, in absolute value; and the exponent of a power times the logarithm of its base."""
_LOCK = threading.Lock()
_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "arccot": "acot", "arcsec": "asec", "arccsc": "acsc",
}  # fmt: skip
COST = 8
"""Of one operation, against the budget of `exact`."""


@cache
def _context() -> Any:
    from mpmath.ctx_mp import MPContext  # late: half a tenth of a second

    return MPContext()


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two values at one point compare. real: both are real numbers."""

    equal: bool
    real: bool


def agree(a: Node, b: Node, at: Mapping[str, Fraction], budget: Budget, *, surely: bool) -> Agreement | None:
    """Whether both have one value there. None: one of them is real and the other is not.

    surely: confirm with more digits, as many as the sizes of the numbers in them ask for; otherwise a difference as small as
    rounding counts as none. Raises Unreadable, Undefined.
    """
    with _LOCK:
        ctx = _context()
        few = _Pair(a, b, at, budget, DIGITS)
        real = _is_real(few.x)
        if real != _is_real(few.y):
            return None
        if few.apart > ctx.mpf(10) ** -35 * few.scale and few.apart > few.peak * ctx.mpf(10) ** (10 - DIGITS):
            return Agreement(False, real)
        if not surely and few.peak < WIDE * few.scale:
            return Agreement(True, real)
        digits = _digits(few.peak, few.least)
        many = _Pair(a, b, at, budget, digits)
        _look_again(few.delicate, many.delicate)
        return Agreement(bool(many.apart <= ctx.mpf(10) ** (20 - digits) * few.peak), real)


def approximate(node: Node, at: Mapping[str, Fraction], budget: Budget) -> Fraction:
    """A real value, near enough to order values by. Raises Undefined where there is none."""
    exactly = exact_value(node, at, budget)
    if exactly is not None:
        return exactly
    with _LOCK:
        ctx = _context()
        ctx.dps = DIGITS
        few = _Evaluation(ctx, at, budget)
        found = few.of(node)
        if few.peak / few.least > WIDE:
            ctx.dps = _digits(few.peak, few.least)
            many = _Evaluation(ctx, at, budget)
            found = many.of(node)
            _look_again(few.delicate, many.delicate)
        if not _is_real(found):
            raise Undefined
        real = ctx.re(found)
        if abs(real) > ctx.mpf(2) ** 4096:
            raise Unreadable("too large a value", limit=True)
        return Fraction(int(ctx.floor(real * ctx.mpf(2) ** 200)), 2**200)


def _digits(peak: Any, least: Any) -> int:
    digits = MORE_DIGITS + int(_context().log10(peak / least))
    if digits > MOST_DIGITS:
        raise Unreadable("numbers of too many sizes", limit=True)
    return digits


def _look_again(few: list[Any], many: list[Any]) -> None:
    """Compare what must not be zero in two walks. Raises Undefined where it is: it was rounding."""
    if len(few) != len(many) or any(
        again < size * _context().mpf(10) ** -20 for size, again in zip(few, many, strict=True)
    ):
        raise Undefined


class _Pair:
    """Two values at one point to so many digits, and the largest and the least value met on the way."""

    def __init__(self, a: Node, b: Node, at: Mapping[str, Fraction], budget: Budget, digits: int) -> None:
        ctx = _context()
        ctx.dps = digits
        evaluation = _Evaluation(ctx, at, budget)
        self.x, self.y = evaluation.of(a), evaluation.of(b)
        self.peak, self.least, self.delicate = evaluation.peak, evaluation.least, evaluation.delicate
        self.apart, self.scale = abs(self.x - self.y), max(abs(self.x), abs(self.y))


def _is_real(x: Any) -> bool:
    ctx, imaginary = _context(), getattr(x, "imag", 0)
    return not imaginary or bool(abs(imaginary) < abs(x) * ctx.mpf(10) ** (20 - ctx.dps))


class _Evaluation:
    """One walk over trees at one point. peak, least: the largest value met and the least but 0, not within 1; what a function or
    a decimal hides counts. delicate: sizes, in the order of the walk, of what has a value only where it is not zero."""

    def __init__(self, ctx: Any, at: Mapping[str, Fraction], budget: Budget) -> None:
        self.ctx, self.at, self.budget = ctx, dict(at), budget
        self.peak = self.least = ctx.mpf(1)
        self.delicate: list[Any] = []
        self.cost = COST * max(1.0, ctx.dps / MORE_DIGITS)

    def of(self, node: Node) -> Any:
        self.budget.spend(self.cost)
        try:
            found = self._value(node)
        except (ValueError, ArithmeticError):  # a pole of one of mpmath's functions
            raise Undefined from None
        if not self.ctx.isfinite(found):
            raise Undefined
        size = abs(found)
        self.peak = max(self.peak, size)
        self._met(size)
        return found

    def _met(self, size: Any) -> None:
        self.least = min(self.least, size) if size else self.least

    def _value(self, node: Node) -> Any:
        ctx = self.ctx
        match node:
            case Num(number):
                self._met(ctx.mpf(1) / number.denominator)
                return ctx.mpf(number.numerator) / number.denominator
            case Sym(name):
                return self._symbol(name)
            case Op("^", (base, exponent)):
                return self._power(base, exponent)
            case Op("root", (x, n)):
                return self._power(x, Op("/", (Num(Fraction(1)), n)))
            case Op("sum" | "prod", _):
                return self._big(node)
            case Op("!" | "binom" | "floor" | "ceil" | "gcd" | "lcm", _):
                return self._whole(node)
            case Op(name, args):
                return self._apply(name, [self.of(arg) for arg in args])
            case _:
                raise Unreadable("not one value")

    def _symbol(self, name: str) -> Any:
        ctx = self.ctx
        if name in self.at:
            found = self.at[name]
            return ctx.mpf(found.numerator) / found.denominator
        match name:
            case "pi":
                return +ctx.pi
            case "e":
                return +ctx.e
            case "i":
                return ctx.mpc(0, 1)
            case "deg":
                return +ctx.degree
            case _:
                raise Undefined

    def _apply(self, name: str, args: list[Any]) -> Any:
        ctx = self.ctx
        match name, args:
            case "+", _:
                return ctx.fsum(args)
            case "*", _:
                return ctx.fprod(args)
            case "neg", [x]:
                return -x
            case ("/", [_, bottom]) | ("inv", [bottom]) if not bottom:
                raise Undefined
            case "/", [top, bottom]:
                self.delicate.append(abs(bottom))
                return top / bottom
            case "inv", [x]:
                self.delicate.append(abs(x))
                return 1 / x
            case "abs", [x]:
                return abs(x)
            case (("log" | "ln"), [x, *base]):
                return self._logarithm(x, base)
            case "exp", [x]:
                return self._exponential(x)
            case (("max" | "min"), _) if all(_is_real(arg) for arg in args):
                return (max if name == "max" else min)(ctx.re(arg) for arg in args)
            case _ if name in _FUNCTIONS and len(args) == 1:
                return self._function(name, args[0])
            case _ if is_opaque(name):
                found = opaque(name, repr([ctx.nstr(arg, 25) for arg in args]))
                return ctx.mpf(found.numerator) / found.denominator
            case _:
                raise Unreadable(f"no value of {name}")

    def _function(self, name: str, x: Any) -> Any:
        ctx, size = self.ctx, abs(x)
        if size > LARGEST or (name.endswith("h") and abs(ctx.im(x)) > LARGEST):
            raise Unreadable("too large an argument", limit=True)
        self.budget.spend(4 * self.cost)
        self._met(size**4)  # cos x is 1 - x^2 / 2, and tanh x is 1 - 2 e^-2x
        if size > 1 and name.startswith("arc"):
            self._met(size**-4)
        elif name.endswith("h"):
            self._met(ctx.exp(-4 * size))
        if name in ("arccot", "arcsec", "arccsc"):
            self.delicate.append(size)
        if name.startswith("arc"):
            x = self._at_one(x)
            self.delicate += [
                abs(edge) for edge in (1 - x * x, 1 + x * x) if edge
            ]  # they are roots and logarithms there
        found = getattr(ctx, _FUNCTIONS[name])(x)
        self.delicate.append(1 / (1 + abs(found)))
        return found

    def _at_one(self, x: Any) -> Any:
        """1 or -1 for what is one of them but for rounding, so that the angle between opposite vectors is pi."""
        near = self.peak * self.ctx.mpf(10) ** (10 - self.ctx.dps)
        return next((self.ctx.mpf(one) for one in (1, -1) if abs(x - one) < near), x)

    def _logarithm(self, x: Any, base: list[Any]) -> Any:
        if not x or (base and (not base[0] or base[0] == 1)):
            raise Undefined
        self.delicate += [abs(x), *(size for b in base for size in (abs(b), abs(b - 1)))]
        self.budget.spend(4 * self.cost)
        return self.ctx.log(x) / self.ctx.log(base[0]) if base else self.ctx.log(x)

    def _exponential(self, x: Any) -> Any:
        if abs(x) > LARGEST:
            raise Unreadable("too large an exponent", limit=True)
        self.budget.spend(4 * self.cost)
        self._met(abs(x) ** 4)
        return self.ctx.exp(x)

    def _power(self, base: Node, exponent: Node) -> Any:
        """The power; of a negative number for an odd root the real one."""
        ctx = self.ctx
        b, e = self.of(base), self.of(exponent)
        if not b:
            if _is_real(e) and ctx.re(e) > 0:
                return ctx.mpf(0)
            raise Undefined
        if abs(e) * (1 + abs(ctx.log(abs(b)))) > LARGEST:
            raise Unreadable("too large a power", limit=True)
        self.budget.spend(4 * self.cost)
        self._met(abs(e) ** 4)
        if not (_is_real(e) and ctx.re(e) > 0.97):  # a root of rounding is larger, and its root again
            self.delicate.append(abs(b))
        if _is_real(b) and ctx.re(b) < 0:
            fraction = exact_value(exponent, self.at, self.budget)
            if fraction is not None and fraction.denominator % 2 and fraction.denominator > 1:
                size = ctx.power(-ctx.re(b), e)
                return -size if fraction.numerator % 2 else size
        return ctx.power(b, e)

    def _whole(self, node: Op) -> Any:
        """Functions of whole numbers: exactly, or for a floor from the value."""
        found = exact_value(node, self.at, self.budget)
        if found is not None:
            return self.ctx.mpf(found.numerator) / found.denominator
        args = [self.of(arg) for arg in node.args]
        if not all(_is_real(arg) for arg in args):
            raise Undefined
        if node.name in ("floor", "ceil"):
            real = self.ctx.re(args[0])
            if abs(real - self.ctx.nint(real)) < self.ctx.mpf(10) ** (-self.ctx.dps // 2):
                raise Undefined  # at a step, as near as it can be told
            return getattr(self.ctx, node.name)(real)
        if node.name == "!" and abs(args[0]) <= MAX_FACTORIAL:
            self.budget.spend(50 * self.cost)
            found = self.ctx.gamma(args[0] + 1)
            self.delicate.append(1 / (1 + abs(found)))
            return found
        raise Undefined

    def _big(self, node: Op) -> Any:
        """A sum or product between whole bounds, term by term."""
        index, lower, upper, body = node.args
        assert isinstance(index, Sym)
        first, last = exact_value(lower, self.at, self.budget), exact_value(upper, self.at, self.budget)
        if first is None or last is None or first.denominator != 1 or last.denominator != 1:
            raise Undefined
        if last - first > MAX_TERMS:
            raise Unreadable("too many terms", limit=True)
        before = self.at.get(index.name)
        terms: list[Any] = []
        for k in range(int(first), int(last) + 1):
            self.at[index.name] = Fraction(k)
            terms.append(self.of(body))
        if before is None:
            self.at.pop(index.name, None)
        else:
            self.at[index.name] = before
        return self.ctx.fsum(terms) if node.name == "sum" else self.ctx.fprod(terms)
