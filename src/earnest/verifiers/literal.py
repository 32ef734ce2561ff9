"""One number as people write it, read exactly. A helper of the number verifier, no verifier.

A literal is: sign, currency, digits with correct groups of thousands, decimals, a repeating part, a fraction, a mixed number,
one small power, a power of ten, per cent, degrees, a multiplier (`million`), words for a unit, and `x =` before it; in plain
text, Markdown or LaTeX. Everything else is refused: operators, lists, ranges, sets, equations, relations, anything left over.
Nothing is evaluated, no number passes through a float, limits stand before the conversions, and every pattern is linear.

Unicode is folded by a table and not by NFKC, under which `4²` would be 42 and `3½` would be 31/2.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from earnest.verifiers.refused import Refused
from earnest.verifiers.units import MONEY, Suffix, read_suffix

MAX_CHARS = 4096
MAX_DIGITS = 256
MAX_NESTING = 64
MAX_BITS = 4096


@dataclass(frozen=True, slots=True)
class Literal:
    """Example: "$1,000.50" is Literal(Fraction(2001, 2), currency="$")."""

    value: Fraction
    currency: str = ""
    unit: tuple[str, ...] = ()  # the words after the number, lower case
    evaluated: bool = True  # False: a power, or a fraction that can still be reduced


def read(text: str, *, max_digits: int = MAX_DIGITS, max_chars: int = MAX_CHARS) -> Literal | Refused:
    """The number that this text is, whole. Linear in the text; never raises."""
    if len(text) <= 18 and text.isascii() and text.isdigit():
        return Literal(Fraction(int(text)))
    if len(text) > max_chars:
        return Refused("too long for a number", limit=True)
    plain = _plain(text)
    match = _LITERAL.fullmatch(plain)
    if match is None:
        return Refused("nothing there" if not plain else "not one number")
    part = match.groupdict(default="")
    if len(plain) > max_digits and sum(len(part[name]) for name in _DIGITS) > max_digits:
        return Refused("too many digits", limit=True)
    suffix = read_suffix(part["rest"])
    if isinstance(suffix, Refused):
        return suffix
    return _literal(part, suffix)


def fold(text: str) -> str:
    """Every character that people use for a digit, sign, separator or space, as the ASCII one; invisible ones removed."""
    if text.isascii():
        return text
    text = text.translate(_CHARS)
    return _SUPERSCRIPTS.sub(lambda m: "^" + m[0].translate(_RAISED) + " ", text)


_THIN = "\u2009"  # stands for every thin space: the only space that may group thousands

_CHARS: dict[int, str] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
_CHARS |= {code: str((code - 0x1D7CE) % 10) for code in range(0x1D7CE, 0x1D800)}  # mathematical digits
_CHARS |= dict.fromkeys((0x2212, 0xFE63, 0x2010, 0x2011, 0x2012, 0x2013), "-")
_CHARS |= dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD), "")
_CHARS |= dict.fromkeys((0x202F, 0x2006, 0x2007, 0x2008, 0x200A), _THIN)
_CHARS |= {0x00A0: " ", 0x3000: " ", 0x2044: "/", 0x2215: "/", 0xFE69: "$", 0xFE6A: "%", 0x00BA: "°"}
for _code in (*range(0xBC, 0xBF), *range(0x2150, 0x215F)):  # vulgar fractions: the blanks keep `3½` from being 31/2
    _top, _, _bottom = unicodedata.normalize("NFKC", chr(_code)).partition("\u2044")
    _CHARS[_code] = f" {_top}/{_bottom} "
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")

_WHOLE = rf"[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})++|[1-9][0-9]{{0,2}}(?:{_THIN}[0-9]{{3}})++|[0-9]++"
_LITERAL = re.compile(
    rf"""(?:(?:[A-Za-z](?:_[0-9A-Za-z])?|(?i:total|sum|answer|result|value|cost|price|age|profit))[ ]*+=[ ]*+)?+
    (?P<sign>[+-]?)[ ]*+(?P<money>[{MONEY}]?)[ ]*+(?P<inner>[+-]?)
    (?P<whole>{_WHOLE})?+
    (?:\.(?P<decimals>[0-9]*+)(?:\((?P<repeat>[0-9]++)\))?+)?+
    (?:[ ]?/[ ]?(?P<under>{_WHOLE})
      |[ ]++(?P<top>[0-9]++)/(?P<bottom>[0-9]++)
      |\^(?P<power>-?[0-9]++)
      |[ ]*+[×x*][ ]*+10\^(?P<ten>[+-]?[0-9]++)
      |[eE](?P<e>[+-]?[0-9]++)
    )?+
    (?P<rest>.*)""",
    re.VERBOSE,
)
_DIGITS = ("whole", "decimals", "repeat", "under", "top", "bottom", "power", "ten", "e")

_LATEX: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"(?<=[0-9])\\,(?=[0-9])", _THIN),
        (r"\\!", ""),
        (r"\\(?:[,;: ]|q?quad(?![A-Za-z]))|(?<=[0-9])~", " "),
        (r"\\([$%])", r"\1"),
        (r"\^ ?\{? ?\\circ(?![A-Za-z]) ?\}?|\\degree(?![A-Za-z])", "°"),
        (r"\\(?:times|cdot)(?![A-Za-z])", "×"),
        (r"\\(?:textcolor|color) ?\{[A-Za-z]{1,20}\}", " "),
        (r"\\(?:displaystyle|textstyle|large|Large|bf|it|rm)(?![A-Za-z])", " "),
        (
            r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:bf|it|rm|sf|tt|normal)|[mh]box|boldsymbol|bm|underline)(?= ?\{)",
            " ",
        ),
        (r"\\(?:boxed|fbox)(?= ?\{[^}])", " "),
        (r"\\overline ?\{([0-9]+)\}", r"(\1) "),
        (
            r"\\[dtc]?frac ?(?:\{ ?(-?[0-9][0-9,]*) ?\}|([0-9])) ?(?:\{ ?([0-9][0-9,]*) ?\}|([0-9]))",
            r" \1\2/\3\4 ",
        ),
    )
)
_RAISED_GROUP = re.compile(r"\^ ?\{ ?(-?[0-9]{1,9}) ?\}")
_ENDS = " \t\r\n*_`\"'“”‘’"


def _plain(text: str) -> str:
    """Markup taken off. Each replacement leaves a blank where it could otherwise join two numbers into one."""
    text = fold(text)
    if "{" in text or "\\" in text:
        text = _RAISED_GROUP.sub(r"^\1 ", text.replace("{,}", ","))
        if "\\" in text:
            text = _end(text)
            for left, right in (("\\(", "\\)"), ("\\[", "\\]")):
                if text.startswith(left) and text.endswith(right):
                    text = text[2:-2]
            for pattern, into in _LATEX:
                text = pattern.sub(into, text)
        if "\\" not in text and text.count("{") == text.count("}"):
            text = text.replace("{", " ").replace("}", " ")
    text = _end(text)
    for _ in range(2):
        if len(text) > 1 and text[0] == "$" == text[-1]:
            text = _end(text[1:-1])
    return text


def _end(text: str) -> str:
    """Without outer blanks, Markdown and quotes, and without one full stop; three of them are an ellipsis and stay."""
    text = text.strip(_ENDS)
    return text if text.endswith("..") else text.removesuffix(".").rstrip(_ENDS)


def _literal(part: dict[str, str], suffix: Suffix) -> Literal | Refused:
    whole, decimals, repeat = part["whole"].replace(",", "").replace(_THIN, ""), part["decimals"], part["repeat"]
    if not (whole or decimals or repeat) or (part["sign"] and part["inner"]) or (part["money"] and suffix.money):
        return Refused("not one number")
    is_integer = bool(whole) and not decimals and not repeat
    value = Fraction(_int(whole + decimals), 10 ** len(decimals)) if decimals else Fraction(_int(whole))
    if repeat:
        value += Fraction(_int(repeat), (10 ** len(repeat) - 1) * 10 ** len(decimals))
    combined = _combined(value, is_integer, part)
    if isinstance(combined, Refused):
        return combined
    value, evaluated = combined
    if "-" in (part["sign"], part["inner"]):
        value = -value
    if suffix.factor != 1:
        value *= suffix.factor
    return Literal(value, part["money"] or suffix.money, suffix.unit, evaluated)


def _combined(value: Fraction, is_integer: bool, part: dict[str, str]) -> tuple[Fraction, bool] | Refused:
    """The value with its fraction, power or exponent, and whether nothing is left to work out."""
    if part["under"]:
        under = _int(part["under"].replace(",", "").replace(_THIN, ""))
        if not is_integer or not under:
            return Refused("not one number")
        quotient = value / under
        if quotient.denominator == 1:
            return Refused("a division that was not carried out")
        return quotient, quotient.denominator == under
    if part["top"]:
        top, bottom = _int(part["top"]), _int(part["bottom"])
        if not is_integer or top >= bottom:
            return Refused("not one number")
        fraction = Fraction(top, bottom)
        return value + fraction, fraction.denominator == bottom
    if part["power"]:
        return _power(value, is_integer, part["power"])
    scale = part["ten"] or part["e"]
    if scale:
        if len(scale) > 5 or abs(int(scale)) > 1000:
            return Refused("too large an exponent", limit=True)
        if not 1 <= value < 10:
            return Refused("not one number")
        return value * Fraction(10) ** int(scale), True
    return value, True


def _power(value: Fraction, is_integer: bool, power: str) -> tuple[Fraction, bool] | Refused:
    if len(power) > 5 or value.numerator.bit_length() * abs(int(power)) > MAX_BITS:
        return Refused("too large a power", limit=True)
    if not is_integer or not value:
        return Refused("not one number")
    return value ** int(power), False


def _int(digits: str) -> int:
    """int() of any number of digits: by halves, since Python converts at most 4300 at once."""
    if len(digits) <= 4000:
        return int(digits or "0")
    half = len(digits) // 2
    return _int(digits[:half]) * 10 ** (len(digits) - half) + _int(digits[half:])
