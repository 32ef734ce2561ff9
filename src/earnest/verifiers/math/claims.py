"""What an equation commits to: a value and perhaps a name for it. A helper of `math`, no verifier.

`x = 5` is 5 under the name x. An equation whose sides are not one value is no value: `5 = 6` is neither 5 nor 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from earnest.verifiers.math import numeric
from earnest.verifiers.math.exact import Budget, Undefined, is_opaque
from earnest.verifiers.math.nodes import CONSTANTS, Chain, Group, Node, Num, Op, Ratio, Sym, Words, children, symbols
from earnest.verifiers.math.same import same


@dataclass(frozen=True, slots=True)
class Claim:
    """`name = value`: what is on the right, and the name, where the left is one."""

    name: Node | None
    value: Node


def claim(node: Node, budget: Budget) -> Claim | None:
    """The value that a chain of equations commits to: the sides after the names must be equal, all of them.

    `x = 5`, `f(x) = 2x + 1`, `6 \\times 7 = 42`, `x = 2\\sqrt{3} \\approx 3.46`; but not `5 = 6`, `2x = 10` or `x = 1 = 2`.
    """
    if not isinstance(node, Chain) or not set(node.signs) <= {"=", "~"}:
        return None
    exact_sides, signs = list(node.sides), list(node.signs)
    cut = signs.index("~") if "~" in signs else len(signs)
    sides, about = exact_sides[: cut + 1], exact_sides[cut + 1 :]
    if len(sides) == 1 and is_name(sides[0]):
        sides, about = [*sides, about[0]], about[1:]
    if (
        len(sides) == 2
        and isinstance(sides[1], Sym)
        and is_name(sides[1])
        and not is_name(sides[0])
        and not is_open(sides[0])
    ):
        sides = sides[::-1]
    name: Node | None = None
    while len(sides) > 1 and is_name(sides[0]) and not _mentions(sides[1], sides[0]):
        name, sides = name if name is not None else sides[0], sides[1:]
    if name is None and any(is_open(side) for side in sides):
        return None
    if not all(is_expression(side) for side in sides) and len(sides) > 1:
        return None
    if not all(same(a, b, budget) for a, b in pairwise(sides)):
        return None
    if not all(_is_rounded(sides[-1], value, budget) for value in about):
        return None
    return Claim(name, sides[-1])


def is_expression(node: Node) -> bool:
    """True for one value, with or without letters: no list, text, matrix, quantity or numeral of another base."""
    return isinstance(node, Num | Sym | Op)


def is_name(node: Node) -> bool:
    """True for what an answer may be called: x, a_3, f(x), AB, |AB|, (x, y), NO/BO."""
    match node:
        case Sym(name):
            return name not in CONSTANTS
        case Op(name, _) if name.endswith(("()", "_")):
            return True
        case Op("abs", (Sym(name),)):
            return len(name) > 1 and name.isupper()
        case Op("/", (Sym(top), Sym(bottom))):
            return len(top) > 1 < len(bottom) and top.isupper() and bottom.isupper()
        case Group("(", ")", items):
            return all(is_name(item) for item in items)
        case Op("*", (Sym("m"), Sym(name))):
            return name.startswith("angle ")
        case Ratio(terms, _):
            return all(is_name(term) for term in terms)
        case Words(text):
            return text.isalpha()
        case _:
            return False


def _mentions(value: Node, name: Node) -> bool:
    return isinstance(name, Sym) and name.name in symbols(value)


def _is_rounded(value: Node, shown: Node, budget: Budget) -> bool:
    """True if the decimal that is shown is the value, cut or rounded to the places it has."""
    if not isinstance(shown, Num) or is_open(value) or not is_expression(value):
        return False
    try:
        near = numeric.approximate(value, {}, budget)
    except Undefined:
        return False
    return abs(near - shown.value) < Fraction(1, 10 ** (shown.places or 0))


def is_open(value: Node) -> bool:
    """True if it has letters that stand for anything, or functions of which nothing is known."""
    return bool(symbols(value)) or has_unknown(value)


def has_unknown(value: Node) -> bool:
    """True if a function of which nothing is known is in it, f(), or a member of a family."""
    return (isinstance(value, Op) and is_opaque(value.name)) or any(has_unknown(child) for child in children(value))
