"""Units in one spelling, so that `15 cm^2` and `15 square centimeters` agree. A helper of `math`, no verifier.

Nothing is converted: 100 cm are not 1 m here. Words that change a number, deny or hedge it are refused, by the rule of
the number verifier; any other few words are a unit.
"""

from __future__ import annotations

import re

from earnest.verifiers.math.nodes import Unreadable
from earnest.verifiers.refused import Refused
from earnest.verifiers.units import MAX_UNIT_WORDS, read_suffix

_SPELLINGS = """
mm millimeter millimetre; cm centimeter centimetre; m meter metre; km kilometer kilometre; in inch inches; ft foot feet; yd
yard; mi mile; g gram gramme; kg kilogram; mg milligram; lb lbs pound; oz ounce; s sec second; ms millisecond; min minute; h hr
hour; l liter litre; ml milliliter millilitre; degree deg degrees; rad radian; $ dollar usd buck; € euro eur; £ gbp; cent ¢;
mph mi/h; km/h kmh kph; unit un; day; week; month; year yr; person people; child children; j joule; n newton; w watt; v volt
"""
_NAMES = {name: row.split()[0] for row in _SPELLINGS.split(";") for name in row.split()}
_POWERS = {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cubed": "^3"}
_WORD = re.compile(r"([^\W\d_]+|[$€£¥₹¢])(\^[23])?")


def is_unit(word: str) -> bool:
    """True for the name or the abbreviation of a common unit."""
    return word.lower() in _NAMES and len(word) > 1


def is_letter_unit(letter: str) -> bool:
    """True for a letter that is a unit when it stands as text after a value."""
    return letter.lower() in _NAMES


def canonical_letter(letter: str) -> str:
    """The unit that a letter stands for; the letter itself if it is none."""
    return _NAMES.get(letter.lower(), letter)


def canonical(text: str) -> str:
    """A unit in words or letters, in one spelling. Example: "square inches" -> "in^2". Raises Unreadable for other words."""
    words = text.replace("{", "").replace("}", "").replace(" per ", "/").replace("/", " / ").split()
    if not words or len(words) > 2 * MAX_UNIT_WORDS:
        raise Unreadable("too many words after a value")
    found: list[str] = []
    power = ""
    for place, word in enumerate(words):
        lower = word.lower().strip(".,")
        if lower in _POWERS:
            if lower in ("squared", "cubed"):
                if not found or found[-1] == "/":
                    raise Unreadable("words after a value")
                found[-1] += _POWERS[lower]
            else:
                power = _POWERS[lower]
        elif lower == "/" and found and place + 1 < len(words):
            found.append("/")
        else:
            found.append(_one(word.strip(".,")) + power)
            power = ""
    if power or not found:
        raise Unreadable("words after a value")
    joined = " ".join(found).replace(" / ", "/")
    return _NAMES.get(joined, joined)


def _one(word: str) -> str:
    match = _WORD.fullmatch(word)
    if match is None:
        raise Unreadable("words after a value")
    lower = match[1].lower()
    power = match[2] or ""
    for name in (lower, lower.removesuffix("s"), lower.removesuffix("es")):
        if name in _NAMES:
            return _NAMES[name] + power
    if len(lower) > 1 and isinstance(read_suffix(f" {lower}"), Refused):
        raise Unreadable("words after a value")
    return lower.removesuffix("s") + power
