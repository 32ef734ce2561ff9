"""Whether two expressions are one: exactly where that can be done, else by their values. A helper of `math`, no verifier.

Constants are compared as fractions, or to as many digits as the sizes in them ask for (`numeric`). Expressions with
letters are compared at points that are drawn from a seed made of the two of them, so that a verdict is the same on
every machine: at exact rational points where only the four operations occur (two different rational functions of
degree d agree at a random one of M points with a chance of d/M at most), else to 50 digits where both are real.
Nothing is simplified.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from hashlib import sha256

from earnest.verifiers.math import exact, numeric
from earnest.verifiers.math.exact import Budget, Undefined
from earnest.verifiers.math.nodes import Node, Op, Sym, Unreadable, children, symbols

EXACT_POINTS = 4
POINTS = 12
ENOUGH = 3
"""Points at which both sides have a value, at the least, before they count as equal."""
INTEGERS = (5, 3, 8, 4, 7, 6)
_OF_WHOLE = ("sum", "prod", "!", "binom", "gcd", "lcm")


def same(a: Node, b: Node, budget: Budget) -> bool | None:
    """True: one value, wherever both have one. None: it cannot be told. Raises Unreadable past a limit.

    a: the gold's, where one side is a gold's: it says which letters are whole numbers.
    """
    if a == b:
        return True
    names = sorted(symbols(a) | symbols(b))
    try:
        return _of_letters(a, b, names, budget) if names else _of_constants(a, b, budget)
    except Undefined:
        return None
    except Unreadable as refused:
        if refused.limit and not names and budget.beyond is not None and budget.beyond(a, b):
            return True
        raise


def constant(node: Node, budget: Budget) -> Fraction | None:
    """The rational number that a tree without letters is. Raises Unreadable past a limit."""
    try:
        return exact.value(node, {}, budget)
    except Undefined:
        return None


def _of_constants(a: Node, b: Node, budget: Budget) -> bool | None:
    x, y = exact.value(a, {}, budget), exact.value(b, {}, budget)
    if x is not None and y is not None:
        return x == y
    agreement = numeric.agree(a, b, {}, budget, surely=True)
    return agreement is not None and agreement.equal


def _of_letters(a: Node, b: Node, names: list[str], budget: Budget) -> bool | None:
    seed = int.from_bytes(sha256(repr((a, b)).encode()).digest()[:8])
    whole = _whole(a)
    if _is_elementary(a) and _is_elementary(b):
        whole |= _whole(b)
    exactly = _at_exact_points(a, b, names, random.Random(seed), whole, budget)
    return exactly if exactly is not None else _at_points(a, b, names, random.Random(seed), whole, budget)


def _whole(node: Node) -> frozenset[str]:
    """The letters that stand for whole numbers: in bounds, factorials, common divisors and indices."""
    if isinstance(node, Op) and (node.name in _OF_WHOLE or node.name.endswith("_")):
        return symbols(node)
    return frozenset().union(*(_whole(child) for child in children(node)))


def _is_elementary(node: Node) -> bool:
    """True where nothing is known to be special about whole numbers but what is defined for them alone: whether they are meant
    may then be seen from either side, and not from the gold alone."""
    if isinstance(node, Op) and node.name not in _OF_WHOLE and node.name not in ("+", "*", "neg", "/", "inv", "^"):
        return False
    return all(_is_elementary(child) for child in children(node))


def _at_exact_points(
    a: Node, b: Node, names: list[str], draw: random.Random, whole: Collection[str], budget: Budget
) -> bool | None:
    """None: one of them is no rational function."""
    met = 0
    for number in range(2 * EXACT_POINTS if whole else EXACT_POINTS):
        point = _point(names, number, draw, whole)
        try:
            x, y = exact.value(a, point, budget), exact.value(b, point, budget)
        except Undefined:
            continue
        except Unreadable:
            if number < EXACT_POINTS:
                raise
            break  # the later ones are larger
        if x is None or y is None:
            return None
        if x != y:
            return False
        met += 1
    return True if met >= ENOUGH else None


def _point(names: list[str], number: int, draw: random.Random, whole: Collection[str]) -> dict[str, Fraction]:
    """A rational point; the first is positive, the second negative, and of the others the signs differ. A letter that stands for
    a whole number is one of 3 to 10 at the first points, then of up to 30."""
    point: dict[str, Fraction] = {}
    for place, name in enumerate(names):
        if name in whole:
            small = INTEGERS[(number + 2 * place) % 6] + draw.randrange(3)
            point[name] = Fraction(small if number < EXACT_POINTS else 2 * small + draw.randrange(11))
            continue
        size = Fraction(draw.randrange(2, 2000), draw.choice((7, 11, 13, 17, 19, 23, 29, 31)))
        sign = (1, -1)[number] if number < 2 else (-1) ** (number + place)
        point[name] = sign * size
    return point


def _points(names: list[str], draw: random.Random, whole: Collection[str]) -> Iterator[Mapping[str, Fraction]]:
    """Points of several sizes, since functions have domains: below 1, below 4, below 60; signs as above."""
    for number in range(POINTS):
        point = _point(names, number % 6, draw, whole)
        ceiling = (4, 4, 1, 4, 60, 1)[number % 6]
        for place, name in enumerate(names):
            if name in whole:
                continue
            size = Fraction(draw.randrange(1, 9973), 9973) * ceiling
            sign = 1 if number in (0, 2, 4) else -1 if number in (1, 5) else (-1) ** (number + place)
            point[name] = sign * size
        yield point


def _at_points(
    a: Node, b: Node, names: list[str], draw: random.Random, whole: Collection[str], budget: Budget
) -> bool | None:
    """Equal at every point where both are real, or where neither is anywhere, at every point where both have a value."""
    real = apart = mixed = 0
    differs_apart = False
    for point in _points(names, draw, whole):
        try:
            agreed = numeric.agree(a, b, point, budget, surely=real == 0)
        except Undefined:
            continue
        if agreed is None:
            mixed += 1
            if mixed >= 2 * ENOUGH and not real and not apart:
                return False
            continue
        if agreed.real and not agreed.equal:
            return False
        real += agreed.real
        apart += not agreed.real
        differs_apart = differs_apart or not agreed.equal
        if real > ENOUGH:
            return True
    if real >= ENOUGH:
        return True
    if not real and apart >= ENOUGH:
        return not differs_apart
    return False if mixed >= ENOUGH and not real and not apart else None


def substituted(node: Node, name: str, by: Node) -> Node:
    """The expression with a letter replaced. Raises Unreadable for what is no expression."""
    match node:
        case Sym(found):
            return by if found == name else node
        case Op(operation, args):
            return Op(operation, tuple(substituted(arg, name, by) for arg in args))
        case _:
            if children(node):
                raise Unreadable("not an expression")
            return node
