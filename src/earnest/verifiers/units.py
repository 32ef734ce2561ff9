"""What may stand after the digits of a number: per cent, degrees, a currency, a multiplier, words for a unit.

A helper of the number verifier, no verifier. Words are refused where they change the number (`plus`, `squared`, `half`), deny it
(`not`, `wrong`), hedge it (`or`, `about`) or are a number themselves; any other few words are taken for a unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from earnest.verifiers.refused import Refused

MONEY = "$€£¥₹"
MAX_UNIT_WORDS = 6


@dataclass(frozen=True, slots=True)
class Suffix:
    """Example: " million dollars" is Suffix(factor=1000000, unit=("dollars",))."""

    factor: Fraction | int = 1
    money: str = ""
    unit: tuple[str, ...] = ()  # lower case


_NO_SUFFIX = Suffix()
MULTIPLIERS = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ATTACHED_WORDS = """
    mm cm m km in ft yd mi mg g kg oz lb lbs ml mL l L s sec ms min h hr hrs kmh mph kph c C F J W V A N Hz am pm USD
    EUR GBP
"""
_CHANGING_WORDS = """
    or and to but not no nor nope never if when either neither between vs versus plus minus add added subtract
    subtracted times multiplied divided over squared cubed raised power root sqrt mod modulo pi tau log ln exp sin cos
    tan inf infinity factorial choose base half halves third thirds quarter quarters point is are was were isn be been
    equals equal approx approximately about around roughly less more fewer than least most greater above below under
    maximum minimum up wrong incorrect false maybe perhaps possibly alternatively mil mln mn bn tn k thousandth
    thousandths hundredth hundredths tenth tenths one two three four five six seven eight nine ten eleven twelve
    twenty thirty forty fifty sixty seventy eighty ninety zero squareroot percent percentage pct
    tens lakh lakhs crore crores dozen dozens doubled tripled halved twice thrice double triple negative positive
    hexadecimal hex octal binary decimal basis hole off short too many low lower high higher except otherwise
    instead however rejected wait actually ish upward upwards onward onwards hmm rather grand score gross fold debt
    deficit loss sort kind bp bps permille mille myriad lac lacs
"""
_ATTACHED = frozenset(_ATTACHED_WORDS.split())
_REFUSED = frozenset(_CHANGING_WORDS.split()) | MULTIPLIERS.keys()
_CHANGES = re.compile(
    r"(?!(?:fami|dai|week|month|year|hour)ly)\w{3,}ly"  # probably, hopefully: an adverb is no unit
    r"|(?:fif|six|seven|eigh|nin|ten|eleven|twelf|\w+teen|\w+tie|hundred|\w+illion)ths?"  # a denominator
    r"|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)\w+"
)
_INCOMPLETE = frozenset(["cubic", "square", "per", "a", "an", "of"])  # a word must follow
_LAST_LATIN = "\u024f"
_SPLIT = re.compile(r"[ /'’.-]+")
_POWER_OF_UNIT = re.compile(r"(?<=[A-Za-z]) ?\^[23](?![0-9])")


def read_suffix(rest: str) -> Suffix | Refused:
    """What may follow the digits: per cent, degrees, currency, a multiplier, words for a unit."""
    if not rest or rest.isspace():
        return _NO_SUFFIX
    attached = rest[0] not in " /"
    rest = rest.strip()
    money = ""
    factor: Fraction | int = 1
    if rest[0] == "%":
        factor, rest, attached = Fraction(1, 100), rest[1:].strip(), False
    elif rest[0] == "°":
        rest, attached = rest[1:].strip(), False
    elif rest[0] in MONEY:
        money, rest, attached = rest[0], rest[1:].strip(), False
    words = [word for word in _SPLIT.split(_POWER_OF_UNIT.sub("", rest)) if word]
    if attached and (not words or not rest.startswith(words[0]) or words[0] not in _ATTACHED):
        return Refused("not one number")
    if factor == 1 and words:
        first = words[0].lower()
        if first in ("percent", "pct") or (first == "per" and words[1:2] == ["cent"]):
            factor, words = Fraction(1, 100), words[1 + (first == "per") :]
        elif first in MULTIPLIERS:
            factor, words = MULTIPLIERS[first], words[1:]
    if (
        (words and words[-1].lower() in _INCOMPLETE)
        or len(words) > MAX_UNIT_WORDS
        or not all(is_unit_word(word) for word in words)
    ):
        return Refused("more than one number with its unit")
    return Suffix(factor, money, tuple(word.lower() for word in words))


def is_unit_word(word: str) -> bool:
    """True for a word that does not change, deny or hedge a number, and is none."""
    if len(word) == 1 and word.isascii():
        return word in _ATTACHED or word == "a"
    lower = word.lower()
    if lower in _REFUSED or lower.removesuffix("s") in MULTIPLIERS or _CHANGES.fullmatch(lower):
        return False
    return word.isalpha() and (max(word) <= _LAST_LATIN or word == "μm")
