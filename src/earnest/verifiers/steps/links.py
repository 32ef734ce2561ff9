"""Whether two sides of an equation agree. A helper of the verifier `steps`, no verifier.

Wrong is said only where no usual reading makes the two sides equal and nothing about their borders is in doubt; that is what
makes a "wrong" worth acting on. What the readings are stands in `value`, what counts as a rounding in `_rounded`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias

from earnest.verifiers.refused import Refused
from earnest.verifiers.steps.runs import Run
from earnest.verifiers.steps.tokens import NUMBER, OPEN, OPERATOR, PERCENT, PREFIX, WORD
from earnest.verifiers.steps.value import Reading, Shown, Value, shown, value
from earnest.verifiers.steps.words import UNITS

Outcome: TypeAlias = Literal["right", "wrong", "not checkable"]

PLAIN = Reading()
NEARLY = Fraction(1, 10**40)
MIN_PLACES = 2
"""Digits after the point that a rounded value must show to stand after a plain `=`."""
ROUNDED_PLACES = 3
"""Decimals from which on a factor is taken for rounded; a product of such may be off by a thousandth."""
MIN_DIGITS = 3
"""Digits of a rounded value after a plain `=` from which on it is not called wrong."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Example: Judged("wrong", "21 and not 22")."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Two sides, what joins them, and what the text around them says."""

    left: Run
    right: Run
    relation: str  # "=", "~", "is", "is~" or "mod"
    modulus: Fraction | None = None
    begins: bool = True  # the left side is no result of what stands before it
    goes_on: bool = False  # another relation follows the right side
    in_chain: bool = False  # a link beside it has something to work out
    rounds: bool = False  # the text after it speaks of rounding or of a remainder


def judge(link: Link) -> Judged:
    """Right, wrong, or why it is not checkable."""
    left, right = link.left, link.right
    if left.unknown or right.unknown:
        return Judged("not checkable", "a part of it is not known")
    one, two = value(left, PLAIN), value(right, PLAIN)
    for side in (one, two):
        if isinstance(side, Refused):
            return Judged("not checkable", side.reason)
    assert isinstance(one, Value) and isinstance(two, Value)
    if link.relation == "mod" and link.modulus is None:
        return Judged("not checkable", "no modulus is given")
    if link.modulus is not None:
        found = _congruent(one, two, link.modulus)
        doubt = found.outcome == "wrong" and (left.doubt or right.doubt)
        return Judged("not checkable", "it can be read in more than one way") if doubt else found
    if not left.worked and not right.worked and not link.in_chain:
        return _restated(left, right, one, two)
    readings = [PLAIN, Reading(scaled=False), Reading(tight=True)]
    readings += [Reading(converted=True)] if _conversion(left, right) else []
    readings += [Reading(percent=False)] if _per_hundred(left, right) or _per_hundred(right, left) else []
    for reading in readings:
        found = _compared(left, right, reading, link.relation)
        if found.outcome != "wrong":
            return found
    if left.doubt or right.doubt or one.doubt or two.doubt or _is_name(link) or _runs_on(left, right, one, two):
        return Judged("not checkable", "it can be read in more than one way")
    if _mixes_measures(left, right):
        return Judged("not checkable", "its units need a conversion that is not known")
    if _is_near(link, one.number, two.number):
        return Judged("not checkable", "within the rounding of the numbers it starts from")
    if link.rounds and abs(one.number - two.number) < 1:
        return Judged("not checkable", "rounded, or with a remainder")
    if _compared(left, right, Reading(repeating=True), link.relation).outcome == "right":
        return Judged("not checkable", "within the rounding of the numbers it starts from")
    return _compared(left, right, PLAIN, link.relation)


def _is_name(link: Link) -> bool:
    """Whether the left side names a thing and is no result: `4 bedrooms = 121 * 4`, `Week 2 = 35 + 35`, `3/4 is equal to $15`."""
    left = link.left
    if not left.worked and left.words and link.right.words and not _unit_words(left) & _unit_words(link.right):
        return True
    if left.tokens[0].text == "[" and left.tokens[-1].text == "]":
        return True  # the integer part
    if not link.begins:
        return False
    if left.share and (left.words or link.relation.startswith("is")):
        return True
    said = link.relation.startswith("is") and link.goes_on
    return not left.worked and (left.words or bool(left.before) or said)


def _runs_on(left: Run, right: Run, one: Value, two: Value) -> bool:
    """`1 - 2/3 = 1/3 of $150` and `100 / 5 = 20 times 2 people`: the sentence goes on after the result, in words."""
    first = next((i for i, t in enumerate(right.tokens) if t.worded), 0)
    last = next((i for i in range(len(left.tokens) - 1, 0, -1) if left.tokens[i].worded), 0)
    if first:
        head = value(replace(right, tokens=right.tokens[:first]), PLAIN)
        if isinstance(head, Value) and head.number == one.number:
            return True
    if last:
        tail = value(replace(left, tokens=left.tokens[last + 1 :]), PLAIN)
        return isinstance(tail, Value) and tail.number == two.number
    return False


def _compared(left: Run, right: Run, reading: Reading, relation: str) -> Judged:
    one, two = value(left, reading), value(right, reading)
    if isinstance(one, Refused) or isinstance(two, Refused):
        return Judged("wrong", "")
    if one.number == two.number and one.exact and two.exact:
        return Judged("right")
    if not (one.exact and two.exact) and abs(one.number - two.number) <= NEARLY * max(abs(one.number), 1):
        return Judged("right")
    about = "~" in relation
    for side, run in ((one, right), (two, left)):
        literal = shown(run, reading, coarse=about)
        if literal is not None and (found := _rounded(side, literal, about=about)) is not None:
            return found
    return Judged("wrong", f"{_said(one.number)} and not {_said(two.number)}")


def _rounded(side: Value, literal: Shown, *, about: bool) -> Judged | None:
    """After `≈` any correct rounding is right. After `=` it is where at least two places are shown of a value that never ends, or
    cents of an amount of money. None: no rounding."""
    distance = abs(side.number - literal.number)
    if literal.cut and 0 <= side.number - literal.number < literal.unit:
        return Judged("right")
    if 2 * distance <= literal.unit:
        if about:
            return Judged("right")
        if literal.places >= MIN_PLACES:
            ends = side.exact and _ends(side.number)
            if not ends or (literal.money and literal.places == MIN_PLACES):
                return Judged("right")
            return Judged("not checkable", "rounded without saying so")
        digits = len(str(int(abs(literal.number) / literal.unit)))
        return Judged("not checkable", "rounded without saying so") if digits >= MIN_DIGITS else None
    if distance < literal.unit and abs(literal.number) < abs(side.number) and (about or literal.places >= MIN_PLACES):
        return Judged("not checkable", "cut off and not rounded")
    return None


def _ends(number: Fraction) -> bool:
    """True if the number has finitely many decimals."""
    under = number.denominator
    for prime in (2, 5):
        while under % prime == 0:
            under //= prime
    return under == 1


def _congruent(one: Value, two: Value, modulus: Fraction) -> Judged:
    numbers = (one.number, two.number, modulus)
    if not modulus or any(n.denominator != 1 for n in numbers):
        return Judged("not checkable", "no integers")
    if (one.number - two.number) % modulus == 0:
        return Judged("right")
    return Judged("wrong", f"{_said(one.number)} and {_said(two.number)} differ mod {_said(modulus)}")


def _restated(left: Run, right: Run, one: Value, two: Value) -> Judged:
    """A number against a number: another form of the same is right; else it is not known what the writer meant by `=`."""
    if one.number == two.number:
        if [t.value for t in left.tokens if t.value] != [t.value for t in right.tokens if t.value]:
            return Judged("right")
        return Judged("not checkable", "nothing was worked out")
    if _conversion(left, right) and _compared(left, right, Reading(converted=True), "=").outcome == "right":
        return Judged("right")
    return Judged("not checkable", "nothing was worked out")


def _is_near(link: Link, one: Fraction, two: Fraction) -> bool:
    """One estimate against another, or a product of decimals that were themselves rounded."""
    difference, size = abs(one - two), max(abs(one), abs(two))
    if "~" in link.relation and link.left.worked and link.right.worked:
        return difference * 10 <= size
    tokens = (*link.left.tokens, *link.right.tokens)
    rounded = any(t.places >= ROUNDED_PLACES and not t.money for t in tokens)
    multiplied = any(t.kind is PREFIX or (t.kind is OPERATOR and t.text not in ("+", "-")) for t in tokens)
    return rounded and multiplied and difference * 1000 <= size


def _unit_words(run: Run) -> set[str]:
    return {t.text.lower().removesuffix("s") for t in run.tokens if t.kind is WORD}


def _units(*runs: Run) -> set[str]:
    """The known units in the runs; "$" for money."""
    found = {t.text.lower() for run in runs for t in run.tokens if t.kind is WORD} & UNITS.keys()
    return found | ({"$"} if any(t.money for run in runs for t in run.tokens) else set())


def _conversion(left: Run, right: Run) -> bool:
    """True if units of one measure, and at least two of them, are named."""
    units = _units(left, right)
    measures = {"money" if unit == "$" else UNITS[unit][0] for unit in units}
    factors = {100 if unit == "$" else int(UNITS[unit][1]) for unit in units}
    return len(measures) == 1 and len(factors) > 1


def _mixes_measures(left: Run, right: Run) -> bool:
    """True if days and months, or grams and pounds, stand in one equation."""
    measures = {UNITS[unit][0] for unit in _units(left, right) if unit != "$"}
    return any(
        pair <= measures
        for pair in ({"time", "long time"}, {"length", "metres"}, {"weight", "grams"}, {"volume", "litres"})
    )


def _per_hundred(one: Run, two: Run) -> bool:
    """`20 / 80 * 100 = 25%` and `1 / 4 * 100% = 25`: one side alone has the sign, and it says what the number is."""
    if not _has_percent(one) or _has_percent(two):
        return False
    return _in_percent(one) or all(
        one.tokens[i - 1].value == 100 and one.tokens[i - 2].text == "*"
        for i, t in enumerate(one.tokens) if t.kind is PERCENT
    )  # fmt: skip


def _has_percent(run: Run) -> bool:
    return any(t.kind is PERCENT for t in run.tokens)


def _in_percent(run: Run) -> bool:
    """True if every number of a sum has the sign: 100% - 30%."""
    tokens = [t for t in run.tokens if t.kind is not WORD]
    operators = all(t.text in ("+", "-") for t in tokens if t.kind is OPERATOR)
    signed = all(
        place + 1 < len(tokens) and tokens[place + 1].kind is PERCENT
        for place, token in enumerate(tokens) if token.kind is NUMBER
    )  # fmt: skip
    return operators and signed and not any(t.kind is OPEN for t in tokens)


def _said(number: Fraction) -> str:
    """A number for people, shortened."""
    if number.denominator == 1:
        text = str(number.numerator) if number.numerator.bit_length() < 200 else "a very long number"
        return text
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > 900:
        return "a very long fraction"
    return f"{float(number):.6g}" if _ends(number) or number.denominator > 999 else str(number)
