"""Wrong answers near a right one, for tasks that know nothing about their problems but the answer's text."""

from __future__ import annotations

import re
from fractions import Fraction

_FRACTION = re.compile(r"([+-]?\d+)/(\d+)")
_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?")
_NUMBER = re.compile(r"(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?")


def is_number(answer: str) -> bool:
    """True for a plain decimal number: "12", "-0.5"; not for "1/2", "12 kg" or "50%"."""
    return _DECIMAL.fullmatch(answer) is not None


def near_misses(answer: str) -> list[str]:
    """Answers that must not be paid for where `answer` is right: neighbours, other scales and signs, hedges.

    Examples: "12" -> "13", "11", "120", "-12", "12.5", "12 or 13", "13 12"; "3/4" -> "3/5", "1", "4/3", ...; "Paris" ->
    "Parisx", "not Paris", ...
    """
    fraction = _FRACTION.fullmatch(answer)
    if fraction and int(fraction[2]):
        return _fractions(answer, int(fraction[1]), int(fraction[2]))
    if not is_number(answer):
        return [f"{answer}x", f"x{answer}", f"not {answer}", f"{answer} or not {answer}"]
    value = Fraction(answer)
    other = [value + 1, value - 1, value + Fraction(1, 2)] + ([value * 10, -value] if value else [])
    texts = [decimal(v) for v in other]
    return list(dict.fromkeys([*texts, f"{answer} or {texts[0]}", f"{texts[0]} {answer}"]))


def _fractions(answer: str, top: int, bottom: int) -> list[str]:
    """Fractions of another value, and hedges."""
    near = [(top, bottom + 1), (top + 1, bottom), (bottom, top), (-top, bottom), (10 * top, bottom)]
    values = [Fraction(a, b) for a, b in near if b]
    texts = list(dict.fromkeys(str(value) for value in values if value != Fraction(top, bottom)))
    return [*texts, f"{answer} or {texts[0]}", f"{texts[0]} {answer}"]


def other_numbers(text: str, answer: str) -> list[str]:
    """The numbers of a text that are not the answer, each once: what a model writes that stops too early or copies."""
    return [other for value in dict.fromkeys(numbers(text)) if (other := decimal(value)) != answer]


def numbers(text: str) -> list[Fraction]:
    """The numbers written in digits. Example: "3 of the 1,200 cost $0.50" -> [3, 1200, 1/2]."""
    return [Fraction(found.replace(",", "")) for found in _NUMBER.findall(text)]


def decimal(value: Fraction) -> str:
    """A number as people write it: "3", "0.25"; "2/3" where the decimals never end."""
    places = 0
    denominator = value.denominator
    while denominator % 10 == 0 or denominator % 5 == 0 or denominator % 2 == 0:
        denominator //= 10 if denominator % 10 == 0 else 5 if denominator % 5 == 0 else 2
        places += 1
    if denominator > 1:
        return f"{value.numerator}/{value.denominator}"
    if not places:
        return str(value.numerator)
    digits = f"{abs(value.numerator) * 10**places // value.denominator:0{places + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
