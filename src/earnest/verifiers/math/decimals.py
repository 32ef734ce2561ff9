"""Decimals that do not spell their value: with a comma for the point, or as the double next to it. A helper of `math`.

`1,22` may be 1.22, where the comma can group no thousands and nothing else stands there; `1,234` never is 1.234. And a
gold like 4.123105625617661, with the 15 to 17 digits that a double is printed with, is what a program computed for
sqrt(17): it is met by the exact value. The reverse, an exact gold and a decimal of many digits, stays wrong.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from earnest.verifiers.math import numeric
from earnest.verifiers.math.claims import is_expression, is_open
from earnest.verifiers.math.exact import Budget, Undefined
from earnest.verifiers.math.folding import fold
from earnest.verifiers.math.marks import bare
from earnest.verifiers.math.nodes import Node, Num, Op
from earnest.verifiers.math.same import constant

_COMMA = re.compile(r"((?:\\?\$|[€£] ?)?[-+]? ?)(0|[1-9][0-9]*+)(?:,|\{ ?, ?\})([0-9]++)((?: ?(?:\\?[%$]|[€£]))?)")
_DIGITS = range(15, 18)


def with_point(text: str) -> str:
    """A number with a decimal comma and nothing beside it but its sign, currency or per cent, with a point; "" otherwise."""
    match = _COMMA.fullmatch(fold(bare(text)))
    if match is None or (len(match[3]) == 3 and match[2] != "0"):
        return ""
    return f"{match[1]}{match[2]}.{match[3]}{match[4]}"


def is_double(gold: Node) -> bool:
    """True for a decimal that is how a double is printed: no digit more or less, and 15 digits at the least."""
    match gold:
        case Num(value, int() as places, False):
            digits = str(abs(int(value * 10**places)))
            return len(digits) in _DIGITS and digits[-1] != "0" and Fraction(repr(float(value))) == value
        case _:
            return False


def is_double_of(gold: Node, answer: Node, budget: Budget) -> bool:
    """True if the gold is the double of an exact value: the nearest one to a fraction, else within a unit of its last bit."""
    if not is_double(gold) or _has_point(answer) or not is_expression(answer) or is_open(answer):
        return False
    wanted = constant(gold, budget)
    assert wanted is not None
    double = float(wanted)
    try:
        exactly = constant(answer, budget)
        if exactly is not None:
            return float(exactly) == double
        value = numeric.approximate(answer, {}, budget)
    except (Undefined, OverflowError):
        return False
    return abs(value - Fraction(double)) <= Fraction(math.ulp(double))


def is_surd(node: Node) -> bool:
    """True for a root with a fraction before it, as in 2\\sqrt{5}/3: worked out as far as it can be without rounding."""
    match node:
        case Op("root", (Num(), Num())) | Num():
            return True
        case Op("neg", (inner,)) | Op("/", (inner, Num())):
            return is_surd(inner)
        case Op("*", (Num() | Op("/", (Num(), Num())), Op("root", (Num(), Num())))):
            return True
        case _:
            return False


def _has_point(node: Node) -> bool:
    match node:
        case Num(places=places):
            return places is not None
        case Op(args=args):
            return any(_has_point(arg) for arg in args)
        case _:
            return False
