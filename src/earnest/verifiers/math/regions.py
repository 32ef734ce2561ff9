"""Sets of real numbers: intervals, unions, differences, inequalities in one letter. A helper of `math`, no verifier.

A region is read as a condition on x and the places where it can change. Those places and the gaps between them, each
in or out, are its canonical form: `|x| > 1`, `x < -1 or x > 1` and `(-oo, -1) \\cup (1, oo)` have one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from earnest.verifiers.math import numeric
from earnest.verifiers.math.exact import Budget, Undefined
from earnest.verifiers.math.nodes import Chain, Group, Listing, Node, Num, Op, Sym, Unreadable, symbols
from earnest.verifiers.math.same import same, substituted

MAX_PLACES = 40
_NEAR = Fraction(1, 2**100)
_ZERO, _ONE, _TWO = (Num(Fraction(n)) for n in range(3))
ORDER = frozenset(["<", ">", "<=", ">="])


@dataclass(frozen=True, slots=True)
class Region:
    """letter: the one it is a condition on, "" for none. bits: gap, place, gap, ... from left to right."""

    letter: str
    places: tuple[Node, ...]
    bits: tuple[bool, ...]


class _Line:
    """The real line, on which a value is placed once. Values nearer than 2^-100 are compared as expressions."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self._placed = budget, dict[Node, Fraction]()

    def at(self, node: Node) -> Fraction:
        if isinstance(node, Num):
            return node.value
        if node not in self._placed:
            self._placed[node] = numeric.approximate(node, {}, self.budget)
        return self._placed[node]

    def order(self, a: Node, b: Node) -> int:
        """-1, 0 or 1: a is less than, equal to, greater than b."""
        apart = self.at(a) - self.at(b)
        if abs(apart) < _NEAR and same(a, b, self.budget):
            return 0
        return -1 if apart < 0 else 1


@dataclass(frozen=True, slots=True)
class _Condition:
    """holds(x): whether the number x is in it. places: where that can change."""

    places: tuple[Node, ...]
    holds: Callable[[Node], bool]


def region(node: Node, budget: Budget) -> Region | None:
    """The set of numbers that a tree stands for; None if it is none. Finite sets count. Raises Unreadable past a limit."""
    node = _with_letters(node)
    letters = _letters(node)
    if len(letters) > 1:
        return None
    try:
        line = _Line(budget)
        condition = _condition(node, line)
        return None if condition is None else _canonical(next(iter(letters), ""), condition, line)
    except Undefined:
        return None


def equal(a: Region, b: Region, budget: Budget) -> bool:
    if a.letter and b.letter and a.letter != b.letter:
        return False
    if a.bits != b.bits:
        return False
    return all(same(x, y, budget) for x, y in zip(a.places, b.places, strict=True))


def _with_letters(node: Node) -> Node:
    """A value of a function that is not known, f(x), as a letter of its own."""
    match node:
        case Chain(sides, signs):
            return Chain(tuple(_with_letters(side) for side in sides), signs)
        case Op(name, args) if name.endswith("()") and all(isinstance(arg, Sym) for arg in args):
            return Sym(name + ",".join(arg.name for arg in args if isinstance(arg, Sym)))
        case Op(name, args):
            return Op(name, tuple(_with_letters(arg) for arg in args))
        case Listing(items, joiner):
            return Listing(tuple(_with_letters(item) for item in items), joiner)
        case _:
            return node


def _letters(node: Node) -> frozenset[str]:
    """The letters that conditions are on: none where there is no relation."""
    match node:
        case Chain((left, *_), ("in",)):
            return frozenset((left.name,)) if isinstance(left, Sym) else frozenset(("", "?"))
        case Chain():
            return symbols(node)
        case Listing(items=items):
            return frozenset().union(*(_letters(item) for item in items))
        case _:
            return frozenset()


def _condition(node: Node, line: _Line) -> _Condition | None:
    match node:
        case Sym("reals"):
            return _Condition((), lambda x: True)
        case Sym("empty"):
            return _Condition((), lambda x: False)
        case Group("\\{", "\\}", items) if not any(isinstance(item, Group | Chain) or symbols(item) for item in items):
            return _Condition(items, lambda x: any(not line.order(x, item) for item in items))
        case Group("(" | "[" as left, ")" | "]" as right, (low, high)) if not symbols(low) | symbols(high):
            return _interval(left == "[", low, high, right == "]", line)
        case Op("union" | "inter" | "minus" as name, (first, second)):
            return _combined(name, [_condition(first, line), _condition(second, line)])
        case Chain((Sym(), inside), ("in",)):
            return _condition(inside, line)
        case Chain(sides, signs) if set(signs) <= ORDER or signs == ("!=",):
            return _inequality(sides, signs, line)
        case Listing(items, joiner) if all(isinstance(item, Chain) and "=" not in item.signs for item in items):
            return _combined("union" if joiner == "or" else "inter", [_condition(item, line) for item in items])
        case _:
            return None


def _combined(name: str, parts: Sequence[_Condition | None]) -> _Condition | None:
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    places = tuple(place for part in found for place in part.places)
    if name == "minus":
        return _Condition(places, lambda x: found[0].holds(x) and not found[1].holds(x))
    each = any if name == "union" else all
    return _Condition(places, lambda x: each(part.holds(x) for part in found))


def infinite(node: Node) -> int:
    """1 and -1 for the infinities, else 0."""
    match node:
        case Sym("oo"):
            return 1
        case Op("neg", (Sym("oo"),)):
            return -1
        case _:
            return 0


def _interval(closed_low: bool, low: Node, high: Node, closed_high: bool, line: _Line) -> _Condition | None:
    ends = infinite(low), infinite(high)
    if ends[0] > 0 or ends[1] < 0 or (ends[0] and closed_low) or (ends[1] and closed_high):
        return None
    places = tuple(place for place, end in ((low, ends[0]), (high, ends[1])) if not end)
    if len(places) == 2 and not _below(low, high, line, or_equal=closed_low and closed_high):
        return None

    def holds(x: Node) -> bool:
        above = ends[0] != 0 or _below(low, x, line, or_equal=closed_low)
        return above and (ends[1] != 0 or _below(x, high, line, or_equal=closed_high))

    return _Condition(places, holds)


def _below(a: Node, b: Node, line: _Line, *, or_equal: bool) -> bool:
    order = line.order(a, b)
    return order < 0 or (or_equal and not order)


def _inequality(sides: Sequence[Node], signs: Sequence[str], line: _Line) -> _Condition | None:
    """A chain of inequalities, each between sides that are linear, or one of them the absolute value of what is linear."""
    parts: list[_Condition] = []
    for left, sign, right in zip(sides, signs, sides[1:], strict=False):
        if infinite(left) or infinite(right):
            if (sign, infinite(left) or -infinite(right)) not in (("<", -1), (">", 1)):
                return None
            continue
        names = symbols(left) | symbols(right)
        if len(names) != 1:
            return None
        places = _places(left, right, next(iter(names)), line)
        if places is None:
            return None
        parts.append(_Condition(places, _holds(left, sign, right, next(iter(names)), line)))
    return _combined("inter", parts) if parts else None


def _holds(left: Node, sign: str, right: Node, name: str, line: _Line) -> Callable[[Node], bool]:
    def holds(x: Node) -> bool:
        order = line.order(substituted(left, name, x), substituted(right, name, x))
        if not order:
            return sign in ("<=", ">=")
        return sign == "!=" or (order < 0) == sign.startswith("<")

    return holds


def _places(left: Node, right: Node, name: str, line: _Line) -> tuple[Node, ...] | None:
    """Where the two sides can be equal; None if that cannot be said."""
    for side, other in ((left, right), (right, left)):
        match side:
            case Op("abs", (inside,)) if not symbols(other):
                roots = [_root(inside, bound, name, line.budget) for bound in (other, Op("neg", (other,)))]
                return None if None in roots else tuple(root for root in roots if root is not None)
            case _:
                pass
    root = _root(left, right, name, line.budget)
    return None if root is None else (root,)


def _root(left: Node, right: Node, name: str, budget: Budget) -> Node | None:
    """Where linear sides meet."""
    difference = Op("+", (left, Op("neg", (right,))))
    at = [substituted(difference, name, x) for x in (_ZERO, _ONE, _TWO)]
    slope = Op("+", (at[1], Op("neg", (at[0],))))
    again = Op("+", (at[2], Op("neg", (at[1],))))
    far = substituted(difference, name, Num(Fraction(-7, 3)))
    line = Op("+", (at[0], Op("*", (Num(Fraction(-7, 3)), slope))))
    if not same(slope, again, budget) or not same(far, line, budget) or same(slope, _ZERO, budget):
        return None
    return Op("/", (Op("neg", (at[0],)), slope))


def _canonical(letter: str, condition: _Condition, line: _Line) -> Region:
    """In and out between and at the places, of which those where nothing changes are left out."""
    if len(condition.places) > MAX_PLACES:
        raise Unreadable("too many intervals", limit=True)
    valued = sorted(((line.at(place), place) for place in condition.places), key=lambda p: p[0])
    places: list[tuple[Fraction, Node]] = []
    for value, place in valued:
        if not places or line.order(places[-1][1], place):
            places.append((value, place))
    bits = [condition.holds(Num(places[0][0] - 1 if places else Fraction(0)))]
    kept: list[Node] = []
    for i, (value, place) in enumerate(places):
        beyond = value + 1 if i + 1 == len(places) else (value + places[i + 1][0]) / 2
        at, after = condition.holds(place), condition.holds(Num(beyond))
        if not bits[-1] == at == after:
            kept.append(place)
            bits += [at, after]
    return Region(letter, tuple(kept), tuple(bits))
