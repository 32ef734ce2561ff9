"""What a run comes to, exactly, in each of the ways it may be read. A helper of the verifier `steps`, no verifier.

There are several readings so that no claim is called wrong that is right in the way its writer meant it: `1 hour + 30 minutes =
90 minutes` after conversion, `33.33 * 3 = 100` with a third for what was rounded.
Limits (then there is no value): 256 tokens, brackets 32 deep, 4,096 bits, factorials to 200.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import factorial, isqrt

from earnest.verifiers.refused import Refused
from earnest.verifiers.steps.runs import Run
from earnest.verifiers.steps.tokens import BANG, CLOSE, NUMBER, OPEN, OPERATOR, PERCENT, PREFIX, WORD, Token
from earnest.verifiers.steps.words import SCALES, UNITS

MAX_TOKENS = 256
MAX_DEPTH = 32
MAX_BITS = 4096
MAX_FACTORIAL = 200
ROOT_DIGITS = 60
"""Digits of a square root that is not rational."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the words and marks beside numbers are taken."""

    scaled: bool = True  # `2 million` is 2,000,000
    converted: bool = False  # `2 hours` is 120 minutes
    percent: bool = True  # `5%` is 1/20
    repeating: bool = False  # 0.33 is 1/3
    tight: bool = False  # in `28 / 1/5` and `6 / 2 x 10^8` what follows the first `/` is one number


@dataclass(frozen=True, slots=True)
class Value:
    """exact: no irrational root was taken. doubt: the notation has a second meaning."""

    number: Fraction
    exact: bool = True
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A side that is one number, and what its last digit counts. Example: 66.7% has number 667/1000 and unit 1/1000."""

    number: Fraction
    unit: Fraction
    places: int
    money: bool
    cut: bool


class _Unreadable(Exception):
    """Raised and caught in this module alone."""


def value(run: Run, reading: Reading) -> Value | Refused:
    """The value of a run, or why it has none."""
    if len(run.tokens) > MAX_TOKENS:
        return Refused("too long a sum", limit=True)
    parser = _Parser(run.tokens, reading)
    try:
        number = parser.sum()
        if parser.at < len(run.tokens):
            return Refused("not a sum")
    except _Unreadable as error:
        return Refused(str(error))
    return Value(number, parser.exact, parser.doubt)


def shown(run: Run, reading: Reading, *, coarse: bool) -> Shown | None:
    """The run as one number that may have been rounded; coarse: zeros at the end of an integer may have been, too."""
    tokens = run.tokens
    negative = tokens[0].text == "-" and len(tokens) > 1
    token = tokens[int(negative)]
    rest = tokens[1 + negative :]
    if token.kind is not NUMBER or token.value is None or any(t.kind not in (PERCENT, WORD) for t in rest):
        return None
    number = value(run, reading)
    if isinstance(number, Refused) or not token.value:
        return None
    factor = abs(number.number / token.value)
    percent = any(t.kind is PERCENT for t in rest)
    unit, whole = Fraction(1, 10**token.places), abs(token.value)
    if coarse and not token.places and whole.denominator == 1:
        while (whole / unit / 10).denominator == 1:
            unit *= 10
    return Shown(number.number, unit * factor, token.places + 2 * percent, token.money, token.cut)


class _Parser:
    """Recursive descent: sum, product, factor, power, operand."""

    def __init__(self, tokens: Sequence[Token], reading: Reading) -> None:
        self.tokens, self.reading = tokens, reading
        self.at = self.depth = 0
        self.exact, self.doubt = True, False

    def sum(self) -> Fraction:
        total = self._product()
        while self._is(OPERATOR, "+", "-"):
            sign = -1 if self._take().text == "-" else 1
            at = self.at
            total = _checked(total + sign * self._product())
            # "80 - 20%" may mean 20 % of the 80
            self.doubt |= (
                self.tokens[self.at - 1].kind is PERCENT and at > 1 and self.tokens[at - 2].kind is not PERCENT
            )
        return total

    def _product(self) -> Fraction:
        total = self._factor()
        divided = False
        while self._is(OPERATOR, "*", "/", "of", "mod"):
            token = self._take()
            implicit = token.start == token.end
            factor = self._factor()
            self.doubt |= implicit and divided
            divided |= token.text == "/"
            if token.text in ("/", "mod"):
                if not factor:
                    raise _Unreadable("a division by zero")
                total = total / factor if token.text == "/" else total % factor
            else:
                total *= factor
            total = _checked(total)
        return total

    def _factor(self) -> Fraction:
        sign = 1
        while self._is(OPERATOR, "+", "-"):
            sign = -sign if self._take().text == "-" else sign
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unreadable("nested too deeply")
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is not None and token.kind is PREFIX:
            self.at += 1
            found = self._prefix(token)
        else:
            found = self._power()
        self.depth -= 1
        return sign * found

    def _prefix(self, token: Token) -> Fraction:
        if token.text == "frac":
            top, bottom = self._group(), self._group()
            if not bottom:
                raise _Unreadable("a division by zero")
            return self._raised(_checked(top / bottom))
        if token.text == "sqrt":
            return self._raised(self._root(self._group() if self._is(OPEN) else self._operand()))
        assert token.value is not None
        return _checked(token.value * self._factor())

    def _power(self) -> Fraction:
        return self._raised(self._operand())

    def _raised(self, base: Fraction) -> Fraction:
        """The base with what is written behind it: powers, `squared`, `!`, per cent, units."""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind is PERCENT:
                base = base / 100 if self.reading.percent else base
            elif token.kind is BANG:
                base = _power(base, Fraction(2)) if token.text == "squared" else _factorial(base)
            elif token.kind is WORD:
                base = self._worded(base, token)
            elif token.kind is OPERATOR and token.text == "mixed":
                self.at += 2
                return base + self._prefix(replace(token, text="frac"))
            elif token.kind is OPERATOR and token.text == "^":
                self.at += 1
                return _power(base, self._group() if self._is(OPEN, "{") else self._factor())
            else:
                break
            self.at += 1
        return base

    def _worded(self, base: Fraction, token: Token) -> Fraction:
        """A scale, or a unit: the first word after a number is one."""
        word = token.text.lower()
        scale = SCALES.get(word) or SCALES.get(word.removesuffix("s"))
        if scale is not None:
            return _checked(base * scale) if self.reading.scaled else base
        before = self.tokens[self.at - 1]
        if self.reading.converted and before.kind is not WORD and not before.money:
            return _checked(base * UNITS[word][1]) if word in UNITS else base
        return base

    def _operand(self) -> Fraction:
        if self._is(OPEN):
            return self._group()
        if not self._is(NUMBER):
            raise _Unreadable("not a sum")
        token = self._take()
        if token.value is None:
            raise _Unreadable("not a number")
        number = _repeating(token) if self.reading.repeating else token.value
        if self.reading.tight and self._is(OPERATOR, "/") and self.tokens[self.at].glued:
            under = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
            if under is not None and under.glued and under.value:
                self.at += 2
                number = number / under.value
        if (
            self.reading.tight
            and self._is(OPERATOR, "*")
            and [t.text for t in self.tokens[self.at + 1 : self.at + 3]] == ["10", "^"]
        ):
            self.at += 1
            number = _checked(number * self._power())
        return number * 100 if token.money and self.reading.converted else number

    def _group(self) -> Fraction:
        if not self._is(OPEN):
            raise _Unreadable("not a sum")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unreadable("nested too deeply")
        self.at += 1
        found = self.sum()
        if not self._is(CLOSE):
            raise _Unreadable("not a sum")
        self.at += 1
        self.depth -= 1
        return found

    def _root(self, number: Fraction) -> Fraction:
        if number < 0:
            raise _Unreadable("the root of a negative number")
        product = number.numerator * number.denominator
        root = isqrt(product)
        if root * root == product:
            return Fraction(root, number.denominator)
        self.exact = False
        scale = 10**ROOT_DIGITS
        return Fraction(isqrt(product * scale * scale), number.denominator * scale)

    def _is(self, kind: str, *texts: str) -> bool:
        if self.at >= len(self.tokens) or self.tokens[self.at].kind is not kind:
            return False
        return not texts or self.tokens[self.at].text in texts

    def _take(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]


def _checked(number: Fraction) -> Fraction:
    if number.numerator.bit_length() > MAX_BITS or number.denominator.bit_length() > MAX_BITS:
        raise _Unreadable("too large a number")
    return number


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or (not base and exponent <= 0):
        raise _Unreadable("a power that is not worked out here")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) > MAX_BITS or (size - 1) * abs(int(exponent)) > MAX_BITS:
        raise _Unreadable("too large a power")
    return _checked(base ** int(exponent))


def _factorial(base: Fraction) -> Fraction:
    if base.denominator != 1 or not 0 <= base <= MAX_FACTORIAL:
        raise _Unreadable("a factorial that is not worked out here")
    return Fraction(factorial(int(base)))


def _repeating(token: Token) -> Fraction:
    """The fraction with a small denominator that the digits are the rounded or cut beginning of, if there is one."""
    assert token.value is not None
    if token.places < 2 or token.money:
        return token.value
    unit = Fraction(1, 10**token.places)
    for under in (3, 6, 7, 9, 11, 12):
        near = Fraction(round(token.value * under), under)
        if near.denominator == under and abs(near - token.value) < unit:
            return near
    return token.value
