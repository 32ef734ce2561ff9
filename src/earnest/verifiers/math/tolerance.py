"""Whether an answer is the gold answer but for a declared tolerance in its numbers. A helper of `math`, no verifier.

The tolerance holds for a number, and for each entry of a matrix, a tuple, a set or a list, and each end of an interval
or an inequality. Kinds, shapes, brackets and counts are compared as they are without it, and an entry with letters
exactly. In sets and lists each item meets one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from earnest.verifiers.math import numeric
from earnest.verifiers.math.claims import claim, is_expression, is_open
from earnest.verifiers.math.compare import ANOTHER, KIND, MAX_ITEMS, UNDONE, difference, in_order, items_of
from earnest.verifiers.math.exact import Budget, Undefined
from earnest.verifiers.math.forms import is_undone
from earnest.verifiers.math.nodes import Chain, Grid, Group, Listing, Node, Num, Op, Quantity, Unreadable, children
from earnest.verifiers.math.regions import infinite, region
from earnest.verifiers.math.same import constant

NUMBER = "another number"


def within(gold: Node, answer: Node, tolerance: Fraction, budget: Budget) -> str:
    """Why the answer is not within the tolerance; "" if it is. Raises Unreadable past a limit."""
    named_gold, named = claim(gold, budget), claim(answer, budget)
    names = [one.name for one in (named_gold, named) if one is not None and one.name is not None]
    if len(set(names)) > 1:
        return ANOTHER
    gold = gold if named_gold is None else named_gold.value
    answer = answer if named is None else named.value
    if isinstance(gold, Quantity) and isinstance(answer, Quantity) and gold.unit != answer.unit:
        return "another unit"
    gold, answer = (node.value if isinstance(node, Quantity) else node for node in (gold, answer))
    wanted = value_of(gold, budget)
    if wanted is None:
        return _structure(gold, answer, tolerance, budget)
    given = value_of(answer, budget)
    if given is None:
        return KIND
    if abs(wanted - given) > tolerance:
        return NUMBER
    return difference(gold, answer, budget) and UNDONE if is_undone(answer, gold) else ""


def has_value(node: Node, budget: Budget) -> bool:
    """True if there is a number in it that a tolerance can hold for."""
    if isinstance(node, Chain) and "=" in node.signs:
        stated = claim(node, budget)
        return stated is not None and has_value(stated.value, budget)
    if isinstance(node, Op) and node.name not in ("union", "inter", "minus"):
        return value_of(node, budget) is not None
    return value_of(node, budget) is not None or any(has_value(child, budget) for child in children(node))


def value_of(node: Node, budget: Budget) -> Fraction | None:
    """The real value of an expression without letters, exact or near enough to measure by."""
    if not is_expression(node) or is_open(node) or infinite(node):
        return None
    if isinstance(node, Num):
        return node.value
    try:
        exactly = constant(node, budget)
        return numeric.approximate(node, {}, budget) if exactly is None else exactly
    except Undefined:
        return None
    except Unreadable as refused:
        if refused.limit:
            raise
        return None


def _structure(gold: Node, answer: Node, tolerance: Fraction, budget: Budget) -> str:
    if isinstance(gold, Grid) and isinstance(answer, Grid):
        if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
            return "another shape"
        return _pairs(children(gold), children(answer), tolerance, budget)
    many, given = items_of(gold, budget), items_of(answer, budget)
    if isinstance(gold, Group) and many is None:
        named = in_order(answer, budget) if isinstance(answer, Listing) and gold.left == "(" else None
        if named is not None:
            return _pairs(gold.items, named, tolerance, budget)
        if isinstance(answer, Group) and (gold.left, gold.right) == (answer.left, answer.right):
            return _pairs(gold.items, answer.items, tolerance, budget)
    if many is not None and given is not None:
        return _items(many, given, tolerance, budget)
    first, second = region(gold, budget), region(answer, budget)
    if first is None or second is None:
        return difference(gold, answer, budget)
    if first.bits != second.bits or (first.letter and second.letter and first.letter != second.letter):
        return ANOTHER
    ends = [[numeric.approximate(place, {}, budget) for place in found.places] for found in (first, second)]
    return "" if all(abs(a - b) <= tolerance for a, b in zip(*ends, strict=True)) else ANOTHER


def _pairs(golds: Sequence[Node], answers: Sequence[Node], tolerance: Fraction, budget: Budget) -> str:
    if len(golds) != len(answers):
        return ANOTHER
    pairs = zip(golds, answers, strict=True)
    return next((found for a, b in pairs if (found := within(a, b, tolerance, budget))), "")


def _items(golds: Sequence[Node], answers: Sequence[Node], tolerance: Fraction, budget: Budget) -> str:
    """Each of the one with one of the other: numbers by size, anything else with the first that it meets."""
    if len(golds) > MAX_ITEMS or len(answers) > MAX_ITEMS:
        raise Unreadable("too many items", limit=True)
    if len(golds) != len(answers):
        return ANOTHER
    ordered = [_by_size(items, budget) for items in (golds, answers)]
    if ordered[0] and ordered[1]:
        return _pairs(ordered[0], ordered[1], tolerance, budget)
    left = list(answers)
    for item in golds:
        met = next((other for other in left if not within(item, other, tolerance, budget)), None)
        if met is None:
            return ANOTHER
        left.remove(met)
    return ""


def _by_size(items: Sequence[Node], budget: Budget) -> list[Node]:
    """The items in the order of their values; [] where one of them is no number."""
    valued = [(value_of(item, budget), item) for item in items]
    numbers = [(value, item) for value, item in valued if value is not None]
    return [item for _, item in sorted(numbers, key=lambda one: one[0])] if len(numbers) == len(valued) else []
