"""Grades an answer whose gold is one number: an integer, a decimal, a fraction, an amount of money, a percentage.

It reads the answer after the thought, finds the one answer it commits to (`commitment`), reads that as one number (`literal`)
and compares exact fractions. It evaluates nothing: `6 × 7`, `41 = 42` and `84/2` are not 42, and neither is `42%`, `42 or 41`
or a list that holds 42. It is not for symbols, sets, intervals or tuples; those are for `math`.

Limits (status `limit`): 4,096 characters and 256 digits in the answer (more where the gold itself has more), braces 64 deep,
powers of 4,096 bits, exponents to 1,000.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers import commitment, literal
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Uncommitted
from earnest.verifiers.entry import given
from earnest.verifiers.literal import Literal
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import quoted, right, unanswered, wrong

_SHORT = 64
NUMBER_WORD = re.compile(
    r"\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|(?:thir|for|fif|six|seven|eigh|nine)ty"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|hundred|thousand|million)\b",
    re.IGNORECASE,
)
NUMBER = re.compile(r"-?[0-9][0-9,]*+(?:\.[0-9]++)?+(?:/[0-9]++)?+(?<!,)")


class Number(Verifier):
    """One number, exactly. Example: gold "1000.50" is met by `\\boxed{\\$1{,}000.50}`, gold "0.28" by `28\\%`."""

    version: ClassVar[str] = "2"

    evaluated: bool = False
    """Also refuse powers (`2^{10}`) and fractions that can be reduced (`2/4`): for problems that are written as one."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        gold = _gold(answer)
        return gold.reason if isinstance(gold, Refused) else None

    def _judge(self, item: Item) -> Verdict:
        found = given(item, _gold)
        if isinstance(found, Verdict):
            return found
        assert item.problem.answer is not None
        return self._grade(found.text, item.problem.answer.strip(), found.gold)

    def _grade(self, text: str, answer: str, gold: Literal) -> Verdict:
        if len(text) <= _SHORT:
            number = literal.read(text)
            if isinstance(number, Literal):
                return self._compare(text, number, gold)
        chars, digits = max(literal.MAX_CHARS, 2 * len(answer)), max(literal.MAX_DIGITS, len(answer))

        def value(candidate: str) -> object:
            number = literal.read(candidate, max_chars=chars, max_digits=digits)
            return number.value if isinstance(number, Literal) else None

        found = commitment.find(text)
        if isinstance(found, Uncommitted):
            return unanswered(Status.NO_ANSWER, found.reason)
        if not found:
            number = literal.read(text, max_chars=chars, max_digits=digits)
            if isinstance(number, Refused):
                return unanswered(Status.NO_ANSWER, "no answer was marked, and the text is not one number")
            return self._compare(text, number, gold)
        settled = commitment.settle(text, found, value)
        if isinstance(settled, Uncommitted):
            return unanswered(Status.NO_ANSWER, settled.reason)
        extracted = settled.text.strip()
        if settled.depth > literal.MAX_NESTING:
            return unanswered(Status.LIMIT, "nested too deeply", quoted(extracted))
        number = literal.read(extracted, max_chars=chars, max_digits=digits)
        if isinstance(number, Refused):
            return unanswered(Status.LIMIT if number.limit else Status.NO_ANSWER, number.reason, quoted(extracted))
        rest = commitment.retraction(text, settled)
        later = {value(m[0]) for m in NUMBER.finditer(rest)} - {None}
        if later - {number.value} or NUMBER_WORD.search(rest) or commitment.is_contradicted(text, settled, value):
            return unanswered(Status.NO_ANSWER, "several different answers", quoted(extracted))
        return self._compare(extracted, number, gold)

    def _compare(self, extracted: str, number: Literal, gold: Literal) -> Verdict:
        extracted = quoted(extracted)
        if number.value != gold.value:
            return wrong(extracted, "another number")
        if not units_agree(number, gold):
            return wrong(extracted, "another unit")
        if self.evaluated and not number.evaluated:
            return wrong(extracted, "not worked out")
        return right(extracted)


_CURRENCY_WORDS = {
    "$": {"dollar", "dollars", "usd", "buck", "bucks"},
    "€": {"euro", "euros", "eur"},
    "£": {"pound", "pounds", "gbp"},
    "¥": {"yen", "yuan", "jpy", "cny"},
    "₹": {"rupee", "rupees", "inr"},
}


def units_agree(number: Literal, gold: Literal) -> bool:
    """Units are compared where both sides state one; a plain gold number can state a currency only."""
    if not gold.currency:
        return True
    if number.currency:
        return number.currency == gold.currency
    return not number.unit or not _CURRENCY_WORDS[gold.currency].isdisjoint(number.unit)


@lru_cache(maxsize=65536)
def _gold(answer: str | None) -> Literal | Refused:
    """The gold answer as a number: with neither a unit in words nor anything left to work out."""
    if answer is None:
        return Refused("there is none")
    if "=" in answer:
        return Refused("an equation")
    gold = literal.read(answer.strip(), max_chars=50_000, max_digits=20_000)
    if isinstance(gold, Literal) and gold.unit:
        return Refused("a unit in words beside the number")
    return gold
