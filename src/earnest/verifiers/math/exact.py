"""What a tree is worth as an exact fraction, where it is one: the first tier of `math`. A helper, no verifier.

Everything costs: an operation one unit and more with the size of its numbers, against a `Budget` that a whole
comparison shares. Time is thus bounded by counting, the same on every machine, and not by a clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from hashlib import sha256

from earnest.verifiers.math.nodes import MAX_BITS, MAX_EXPONENT, MAX_FACTORIAL, Node, Num, Op, Sym, Unreadable

MAX_TERMS = 1000
POINT_BITS = 32 * MAX_BITS
"""Size of a value at a point; constants are kept to MAX_BITS, factorials apart."""


class Undefined(Exception):
    """No value there: a division by zero, or a function outside of its domain."""


@dataclass(slots=True)
class Budget:
    """What is left to spend. 1 is about three microseconds at the most."""

    left: float = 12_000
    beyond: Callable[[Node, Node], bool] | None = None
    """Whether two expressions are shown to be equal where counting does not reach; None: nothing is asked."""

    def spend(self, cost: float) -> None:
        self.left -= cost
        if self.left < 0:
            raise Unreadable("too much to work out", limit=True)


def value(node: Node, at: Mapping[str, Fraction], budget: Budget) -> Fraction | None:
    """The value with these values of its letters; None: not a rational number, or not of one kind with them.

    Raises Undefined, and Unreadable past a limit.
    """
    budget.spend(1)
    match node:
        case Num(number):
            return number
        case Sym(name):
            return at.get(name)
        case Op("sum" | "prod" as name, (Sym(index), lower, upper, body)):
            return _big(name, index, (lower, upper, body), at, budget)
        case Op("^", (base, exponent)):
            b, e = value(base, at, budget), value(exponent, at, budget)
            return None if b is None or e is None else power(b, e, budget)
        case Op(name, args):
            values = [value(arg, at, budget) for arg in args]
            if any(v is None for v in values):
                return None
            return _apply(name, [v for v in values if v is not None], budget)
        case _:
            return None


def _apply(name: str, args: list[Fraction], budget: Budget) -> Fraction | None:
    for arg in args:
        bits = arg.numerator.bit_length() + arg.denominator.bit_length()
        if bits > 512:
            budget.spend((bits / 512) ** 2)
    match name, args:
        case "+", _:
            return sum(args, Fraction(0))
        case "*", _:
            return reduce(lambda a, b: a * b, args)
        case "neg", [x]:
            return -x
        case ("/", [_, bottom]) | ("inv", [bottom]) if not bottom:
            raise Undefined
        case "/", [top, bottom]:
            return top / bottom
        case "inv", [x]:
            return 1 / x
        case "abs", [x]:
            return abs(x)
        case (("floor" | "ceil"), [x]):
            return Fraction(math.floor(x) if name == "floor" else math.ceil(x))
        case "!", [n]:
            if n.denominator != 1 or n < 0:
                return None
            if n > MAX_FACTORIAL:
                raise Unreadable("too large a factorial", limit=True)
            budget.spend((int(n) / 50) ** 1.6)
            return Fraction(math.factorial(int(n)))
        case "binom", [n, k]:
            return _binomial(n, k, budget)
        case "root", [x, n]:
            return _root(x, n, budget)
        case (("max" | "min"), _):
            return max(args) if name == "max" else min(args)
        case (("gcd" | "lcm"), _) if all(arg.denominator == 1 for arg in args):
            return Fraction((math.gcd if name == "gcd" else math.lcm)(*(int(arg) for arg in args)))
        case _ if is_opaque(name):
            return opaque(name, repr(args))
        case _:
            return None


def is_opaque(name: str) -> bool:
    """True for a function of which nothing is known: f(), or the letter of an indexed family."""
    return name.endswith(("()", "_"))


def opaque(name: str, args: str) -> Fraction:
    """A value of an unknown function: some number that depends on the name and the arguments alone."""
    digest = sha256(f"{name}{args}".encode()).digest()
    return Fraction(int.from_bytes(digest[:4]) - 2**31, 2**16 + digest[4])


def power(base: Fraction, exponent: Fraction, budget: Budget) -> Fraction | None:
    if exponent.denominator != 1:
        root = _root(base, Fraction(exponent.denominator), budget)
        return None if root is None else power(root, Fraction(exponent.numerator), budget)
    if not base and exponent <= 0:
        raise Undefined
    if abs(exponent) > MAX_EXPONENT:
        if abs(base) in (0, 1):
            return base if exponent % 2 or base != -1 else Fraction(1)
        raise Unreadable("too large an exponent", limit=True)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(int(exponent))
    if bits > POINT_BITS:
        raise Unreadable("too large a power", limit=True)
    budget.spend((bits / 512) ** 1.6 if bits > 512 else 1)
    return base ** int(exponent)


def _root(x: Fraction, n: Fraction, budget: Budget) -> Fraction | None:
    """The real root, where it is rational. Of a negative number for odd n alone."""
    if n.denominator != 1 or not 2 <= n <= 64 or (x < 0 and not n % 2):
        return None
    if x.numerator.bit_length() + x.denominator.bit_length() > 2 * MAX_BITS:
        return None
    top, bottom = _integer_root(abs(x.numerator), int(n)), _integer_root(x.denominator, int(n))
    budget.spend(20)
    if top**n != abs(x.numerator) or bottom**n != x.denominator:
        return None
    return Fraction(top if x >= 0 else -top, bottom)


def _integer_root(number: int, n: int) -> int:
    """The whole part of a root, by Newton's method."""
    if n == 2:
        return math.isqrt(number)
    if number < 2:
        return number
    x = 1 << -(-number.bit_length() // n)
    while True:
        y = ((n - 1) * x + number // x ** (n - 1)) // n
        if y >= x:
            return x
        x = y


def _binomial(n: Fraction, k: Fraction, budget: Budget) -> Fraction | None:
    if n.denominator != 1 or k.denominator != 1 or n < 0 or k < 0:
        return None
    if n > MAX_FACTORIAL:
        raise Unreadable("too large a binomial", limit=True)
    budget.spend((int(n) / 50) ** 1.6)
    return Fraction(math.comb(int(n), int(k)))


def _big(
    name: str, index: str, parts: tuple[Node, Node, Node], at: Mapping[str, Fraction], budget: Budget
) -> Fraction | None:
    """A sum or product between whole bounds, term by term."""
    lower, upper = value(parts[0], at, budget), value(parts[1], at, budget)
    if lower is None or upper is None or lower.denominator != 1 or upper.denominator != 1:
        return None
    if upper - lower > MAX_TERMS:
        raise Unreadable("too many terms", limit=True)
    total = Fraction(0 if name == "sum" else 1)
    for k in range(int(lower), int(upper) + 1):
        term = value(parts[2], {**at, index: Fraction(k)}, budget)
        if term is None:
            return None
        total = total + term if name == "sum" else total * term
        bits = total.numerator.bit_length()
        if bits > POINT_BITS:
            raise Unreadable("too large a value", limit=True)
        budget.spend(1 + (bits / 512) ** 2)
    return total
