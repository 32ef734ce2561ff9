"""Whether an answer is the gold answer, by the kind of thing that the gold is. A helper of `math`, no verifier.

Kinds must be the same. What is taken for another kind, and nothing else: `x = 5` for 5 and 5 for `x = 5`; a list for a
set, in any order; named values for a tuple or a list, in their order; an inequality for an interval; a value with its
unit for a value, and the other way round, since units are compared where both sides state one.

For a complex number no bracket is left to multiply out. A gold that is a number written out (42, 3/4, 0.5) is met by a
number written out, in any notation, by one power (2^{10}), a root, a logarithm, a factorial; not by a sum or a
product, nor for a whole number by a quotient: `6 \\times 7`, `20+22` and `84/2` copy the question. A decimal that is
how a double is printed is met by the value that it is the double of, a root with a fraction before it among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from earnest.verifiers.math import numeric
from earnest.verifiers.math.claims import claim, has_unknown, is_expression, is_open
from earnest.verifiers.math.decimals import is_double_of, is_surd
from earnest.verifiers.math.exact import Budget, Undefined
from earnest.verifiers.math.forms import has_sum, is_complex, is_number, is_undone, is_unexpanded
from earnest.verifiers.math.measures import canonical_letter
from earnest.verifiers.math.nodes import (
    Based,
    Chain,
    Grid,
    Group,
    Listing,
    Node,
    Num,
    Op,
    Quantity,
    Ratio,
    Sym,
    Unreadable,
    Words,
    children,
    symbols,
)  # fmt: skip
from earnest.verifiers.math.regions import ORDER, equal, infinite, region
from earnest.verifiers.math.same import same, substituted

ANOTHER = "another answer"
KIND = "another kind of answer"
NOT_EQUAL = "not shown equal"
UNDONE = "not worked out"
_ZERO = Num(Fraction(0))
_POINT = (Fraction(37, 11), Fraction(-53, 13), Fraction(29, 17), Fraction(-31, 19), Fraction(41, 23))
MAX_ITEMS = 64
_COORDINATES = ("x", "y", "z")


def difference(gold: Node, answer: Node, budget: Budget) -> str:
    """Why the answer is not the gold one; "" if it is. Raises Unreadable where working that out goes past a limit."""
    try:
        return _difference(gold, answer, budget)
    except Undefined:
        return "a value that is not defined"


def _difference(gold: Node, answer: Node, budget: Budget) -> str:
    named_gold, named = claim(gold, budget), claim(answer, budget)
    if named_gold is not None and named is not None and named_gold.name is not None and named.name is not None:
        if named_gold.name != named.name:
            return ANOTHER if not is_open(named_gold.value) else _equation(gold, answer, budget)
        return _difference(named_gold.value, named.value, budget)
    if isinstance(gold, Chain) and isinstance(answer, Chain) and (named_gold is None or is_open(named_gold.value)):
        found = _relation(gold, answer, budget)
        if not found or named is None or named_gold is None:
            return found
    if named_gold is not None:
        return _difference(named_gold.value, answer, budget)
    if named is not None:
        return _difference(gold, named.value, budget)
    return _of_values(gold, answer, budget)


# ------------------------------------------------------------------------------------------------ by kind


def _of_values(gold: Node, answer: Node, budget: Budget) -> str:
    match gold, answer:
        case (Words(a), Words(b)):
            return "" if _folded(a) == _folded(b) else ANOTHER
        case (Words(word), Op() | Sym()) | (Op() | Sym(), Words(word)) if (
            word.isascii() and word.isalpha() and len(word) <= 4
        ):
            letters = Op("*", tuple(Sym(letter) for letter in word))
            pair = (letters, answer) if isinstance(gold, Words) else (gold, letters)
            return _scalar(*pair, budget)
        case (Based(), Based()):
            return "" if gold == answer else ANOTHER
        case (Grid(rows), Grid(others)):
            if [len(row) for row in rows] != [len(row) for row in others]:
                return "another shape"
            pairs = [(x, y) for row, other in zip(rows, others, strict=True) for x, y in zip(row, other, strict=True)]
            return _all(pairs, budget)
        case (Ratio(), Ratio()):
            return _ratio(gold, answer, budget)
        case (Quantity(a, unit), Quantity(b, other)):
            return (
                _difference(a, b, budget)
                if unit == other
                else "another unit"
                if not _angles(gold, answer, budget)
                else ""
            )
        case (Quantity(), _) | (_, Quantity()):
            return _with_unit(gold, answer, budget)
        case _:
            return _collections(gold, answer, budget)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _angles(gold: Node, answer: Node, budget: Budget) -> bool:
    """True if degrees on one side are what radians on the other are."""
    sides = [
        Op("*", (n.value, Sym("deg"))) if isinstance(n, Quantity) and n.unit == "degree" else n for n in (gold, answer)
    ]
    sides = [side.value if isinstance(side, Quantity) and side.unit == "rad" else side for side in sides]
    if not all(isinstance(side, Num | Op | Sym) for side in sides):
        return False
    return bool(same(sides[0], sides[1], budget))


def _with_unit(gold: Node, answer: Node, budget: Budget) -> str:
    """One side states a unit. Degrees may be met by radians, which have none."""
    a = gold.value if isinstance(gold, Quantity) else gold
    b = answer.value if isinstance(answer, Quantity) else answer
    if isinstance(gold, Quantity):
        b = _without_letter(b, gold.unit)
    if "degree" in (getattr(gold, "unit", ""), getattr(answer, "unit", "")) and (_has_pi(a) or _has_pi(b)):
        return "" if _angles(gold, answer, budget) else "another unit"
    found = _difference(a, b, budget)
    return "" if found and found != UNDONE and _angles(gold, answer, budget) else found


def _has_pi(node: Node) -> bool:
    """True for what is an angle in radians, if it is an angle."""
    return node == Sym("pi") or any(_has_pi(child) for child in children(node))


def _without_letter(value: Node, unit: str) -> Node:
    """`12 m` as 12, where the gold has metres: in plain text a unit of one letter is read as a factor."""
    match value:
        case Op("*", (*front, Sym(name))) if front and canonical_letter(name) == unit:
            return front[0] if len(front) == 1 else Op("*", tuple(front))
        case Op("*", (*front, Op("^", (Sym(name), Num(power))))) if (
            front and f"{canonical_letter(name)}^{power}" == unit
        ):
            return front[0] if len(front) == 1 else Op("*", tuple(front))
        case _:
            return value


def _ratio(gold: Ratio, answer: Ratio, budget: Budget) -> str:
    if len(gold.terms) != len(answer.terms):
        return ANOTHER
    pairs = list(zip(gold.terms, answer.terms, strict=True))
    found = _all(pairs, budget)
    if not found:
        return "" if _is_time(gold) == _is_time(answer) else ANOTHER  # 2:03 is no 2:3
    if _is_time(gold) or _is_time(answer):
        return found
    if any(is_number(a) and is_undone(b, a) for a, b in pairs):
        return UNDONE
    if any(is_open(b) and not is_open(a) for a, b in pairs):
        return KIND
    crossed = [
        (Op("*", (a, d)), Op("*", (b, c))) for (a, b), (c, d) in pairwise(zip(gold.terms, answer.terms, strict=True))
    ]
    ones = [term for term in (*gold.terms, *answer.terms) if same(term, _ZERO, budget)]
    return "" if not ones and all(same(x, y, budget) for x, y in crossed) else ANOTHER


def _is_time(ratio: Ratio) -> bool:
    return len(ratio.widths) in (2, 3) and all(width == 2 for width in ratio.widths[1:])


def _collections(gold: Node, answer: Node, budget: Budget) -> str:
    many, given = items_of(gold, budget), items_of(answer, budget)
    if many is not None:
        return _sets(gold, answer, many, given, budget)
    if isinstance(gold, Group) and isinstance(answer, Listing):
        named = in_order(answer, budget)
        if named is not None and gold.left in ("(", "<"):
            return _all_pairs(gold.items, named, budget)
    if isinstance(gold, Group) and isinstance(answer, Group) and _brackets(gold) == _brackets(answer):
        return _all_pairs(gold.items, answer.items, budget)
    first = region(gold, budget)
    if first is not None:
        second = region(answer, budget)
        return KIND if second is None else "" if equal(first, second, budget) else ANOTHER
    if isinstance(gold, Chain) and isinstance(answer, Chain):
        return _relation(gold, answer, budget)
    if isinstance(gold, Num | Sym | Op) and isinstance(answer, Num | Sym | Op):
        return _scalar(gold, answer, budget)
    return KIND


def _brackets(group: Group) -> str:
    return (group.left + group.right).replace("<", "(").replace(">", ")")


def items_of(node: Node, budget: Budget) -> Sequence[Node] | None:
    """The members of a list or a finite set; None for anything else."""
    match node:
        case Listing(items) if not any(isinstance(item, Chain) and set(item.signs) - {"=", "~"} for item in items):
            return items
        case Group("\\{", "\\}", items):
            return items
        case Op("union", (first, second)):
            a, b = items_of(first, budget), items_of(second, budget)
            return None if a is None or b is None else (*a, *b)
        case _:
            return None


def in_order(listing: Listing, budget: Budget) -> list[Node] | None:
    """The values of `x = 3, y = -1`, coordinates by their letters; None unless every item has a name of its own."""
    found = [one for item in listing.items if (one := claim(item, budget)) is not None and one.name is not None]
    names = [one.name for one in found]
    if len(found) < len(listing.items) or len(set(names)) < len(names):
        return None
    if all(isinstance(name, Sym) and name.name in _COORDINATES for name in names):
        found.sort(key=lambda one: repr(one.name))
    return [one.value for one in found]


def _sets(gold: Node, answer: Node, many: Sequence[Node], given: Sequence[Node] | None, budget: Budget) -> str:
    if isinstance(gold, Listing) and isinstance(answer, Group) and answer.left == "(":
        named = in_order(gold, budget)
        return KIND if named is None else _all_pairs(named, answer.items, budget)
    if given is None:
        if len(many) == 1 and isinstance(gold, Group) and _is_one(answer):
            given = (answer,)
        else:
            first, second = region(gold, budget), region(answer, budget)
            return "" if first is not None and second is not None and equal(first, second, budget) else KIND
    if "parts" in (getattr(gold, "joiner", ""), getattr(answer, "joiner", "")):
        return _all_pairs(many, given, budget)
    ordered_gold, ordered = (in_order(n, budget) if isinstance(n, Listing) else None for n in (gold, answer))
    if ordered_gold is not None and ordered is None and isinstance(answer, Listing):
        return _all_pairs(ordered_gold, [_unnamed(item, budget) for item in given], budget)
    many, given = _members(many, budget), _members(given, budget)
    return _same_members(many, given, budget)


def _is_one(node: Node) -> bool:
    if isinstance(node, Op):
        return node.name not in ("union", "inter", "minus")
    return isinstance(node, Num | Chain | Quantity) or (isinstance(node, Sym) and node.name not in ("reals", "empty"))


def _unnamed(item: Node, budget: Budget) -> Node:
    found = claim(item, budget)
    return item if found is None else found.value


def _members(items: Sequence[Node], budget: Budget) -> list[Node]:
    """The items; without their name where one name stands for all (`x = 1, 2`, `x = 1 or x = 2`); lists of names as tuples."""
    tuples: list[Node] = []
    for item in items:
        values = in_order(item, budget) if isinstance(item, Listing) else None
        tuples.append(Group("(", ")", tuple(values)) if values is not None else item)
    claims = [claim(item, budget) for item in tuples]
    names = {one.name for one in claims if one is not None and one.name is not None}
    if len(names) == 1 and claims[0] is not None and claims[0].name is not None:
        return [item if one is None else one.value for item, one in zip(tuples, claims, strict=True)]
    return tuples


def _same_members(many: Sequence[Node], given: Sequence[Node], budget: Budget) -> str:
    if len(many) > MAX_ITEMS or len(given) > 2 * MAX_ITEMS:
        raise Unreadable("too many items", limit=True)
    left = list(given)
    for item in many:
        reasons = [_difference(item, other, budget) for other in left]
        if "" not in reasons:
            met = any(not _difference(item, other, budget) for other in given)
            if not met:
                return ANOTHER if UNDONE not in reasons else UNDONE
        else:
            left.pop(reasons.index(""))
    extra = [other for other in left if all(_difference(item, other, budget) for item in many)]
    return ANOTHER if extra else ""


def _all_pairs(golds: Sequence[Node], answers: Sequence[Node], budget: Budget) -> str:
    return ANOTHER if len(golds) != len(answers) else _all(list(zip(golds, answers, strict=True)), budget)


def _all(pairs: Sequence[tuple[Node, Node]], budget: Budget) -> str:
    return next((found for a, b in pairs if (found := _difference(a, b, budget))), "")


# ------------------------------------------------------------------------------------------------ relations


def _relation(gold: Chain, answer: Chain, budget: Budget) -> str:
    first = region(gold, budget) if set(gold.signs) <= ORDER | {"in", "!="} else None
    if first is not None:
        second = region(answer, budget)
        if second is not None:
            return "" if equal(first, second, budget) else ANOTHER
    if len(gold.sides) == 2 == len(answer.sides):
        return _equation(gold, answer, budget)
    gold, answer = _forward(gold), _forward(answer)
    if gold.signs != answer.signs:
        return ANOTHER
    return "" if all(same(a, b, budget) for a, b in zip(gold.sides, answer.sides, strict=True)) else ANOTHER


def _forward(chain: Chain) -> Chain:
    """The chain with its larger sides on the right."""
    if not set(chain.signs) <= {">", ">="}:
        return chain
    return Chain(chain.sides[::-1], tuple(sign.replace(">", "<") for sign in chain.signs[::-1]))


def _equation(gold: Node, answer: Node, budget: Budget) -> str:
    """Equal up to a factor that is not zero, and for an inequality positive."""
    if not isinstance(gold, Chain) or not isinstance(answer, Chain):
        return KIND
    gold, answer = _forward(gold), _forward(answer)
    if (
        gold.signs != answer.signs
        or len(gold.signs) != 1
        or not all(is_expression(side) for side in (*gold.sides, *answer.sides))
    ):
        return ANOTHER
    if gold.signs[0] not in ("=", "<", "<=", "!="):
        return "" if all(same(a, b, budget) for a, b in zip(gold.sides, answer.sides, strict=True)) else ANOTHER
    first, second = (Op("+", (chain.sides[0], Op("neg", (chain.sides[1],)))) for chain in (gold, answer))
    names = sorted(symbols(first))
    if not names or names != sorted(symbols(second)):
        return ANOTHER
    at = {name: Num(_POINT[place % len(_POINT)] + place) for place, name in enumerate(names)}
    a, b = first, second
    for name in names:
        a, b = substituted(a, name, at[name]), substituted(b, name, at[name])
    if same(a, _ZERO, budget) or same(b, _ZERO, budget):
        return NOT_EQUAL
    if "<" in gold.signs[0] and (numeric.approximate(a, {}, budget) > 0) != (numeric.approximate(b, {}, budget) > 0):
        return ANOTHER
    return "" if same(Op("*", (first, b)), Op("*", (second, a)), budget) else ANOTHER


# ------------------------------------------------------------------------------------------------ one value


def _scalar(gold: Node, answer: Node, budget: Budget) -> str:
    if infinite(gold) or infinite(answer):
        return "" if infinite(gold) == infinite(answer) else ANOTHER
    if (isinstance(gold, Sym) and gold.name in ("reals", "empty")) or (
        isinstance(answer, Sym) and answer.name in ("reals", "empty")
    ):
        return "" if gold == answer else KIND
    if isinstance(gold, Sym) and isinstance(answer, Sym):
        return "" if gold == answer else ANOTHER
    if (is_open(answer) and not is_open(gold)) or (has_unknown(gold) and not has_unknown(answer)):
        return KIND
    found = same(gold, answer, budget)
    if not found:
        if is_double_of(gold, answer, budget):
            return "" if is_surd(answer) or not is_undone(answer, gold) else UNDONE
        return NOT_EQUAL if found is None else ANOTHER
    if has_sum(answer) and not has_sum(gold):
        return UNDONE
    if is_number(gold):
        return UNDONE if is_undone(answer, gold) else ""
    return UNDONE if is_complex(gold) and is_unexpanded(answer) else ""
