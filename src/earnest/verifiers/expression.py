"""Grades an expression that must make a number from given ones, each used exactly once: the game of 24 and countdown.

The gold is a JSON object, `{"numbers": [4, 9, 10, 13], "target": 24}`. Allowed are whole numbers, + - * / and brackets, in
plain text or LaTeX (`\\times`, `\\div`, `\\frac`); no sign before a number or bracket, no powers, no multiplication without its
sign, no joining of digits. `= 24` may follow, and further equal sides (`= 6 * 4 = 24`), if every one of them is true. It is
read by an own scanner and evaluated in exact fractions. Several expressions are no answer.

Limits: 1,000 characters, 64 numbers, 12 digits each, brackets 64 deep.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers import commitment, golds, literal
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Candidate, Uncommitted
from earnest.verifiers.entry import given
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import right, unanswered, wrong

MAX_CHARS = 1000
MAX_NUMBERS = 64
MAX_DIGITS = 12
MAX_DEPTH = 64
MAX_LINES = 200


class Expression(Verifier):
    """A number made from others. Example: 24 from 4, 9, 10, 13 is met by `(13 - 9) * (10 - 4) = 24`."""

    version: ClassVar[str] = "1"

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [_judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        gold = _gold(answer)
        return gold.reason if isinstance(gold, Refused) else None


@dataclass(frozen=True, slots=True)
class Goal:
    """Example: Goal(numbers=(4, 9, 10, 13), target=24), the numbers ascending."""

    numbers: tuple[int, ...]
    target: int


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equation, or the whole of an expression. Example: "2*3" is Side(Fraction(6), (2, 3), "2*3")."""

    value: Fraction | None  # None: divided by zero
    numbers: tuple[int, ...]  # ascending
    text: str  # its tokens


def _judge(item: Item) -> Verdict:
    found = given(item, _gold)
    if isinstance(found, Verdict):
        return found
    said = _committed(found.text, found.gold)
    if isinstance(said, Uncommitted):
        return unanswered(Status.NO_ANSWER, said.reason)
    sides = sides_of(said)
    if isinstance(sides, Refused):
        return unanswered(Status.LIMIT if sides.limit else Status.NO_ANSWER, sides.reason, said[:200])
    return _compare(said.strip(), sides, found.gold)


def _compare(said: str, sides: Sequence[Side], gold: Goal) -> Verdict:
    made = {side.text for side in sides if side.numbers == gold.numbers}
    if not made:
        return wrong(said, "it does not use each number exactly once")
    if len(made) > 1:
        return unanswered(Status.NO_ANSWER, "several expressions", said)
    if any(side.value != gold.target for side in sides):
        return wrong(said, "a division by zero" if any(s.value is None for s in sides) else "it makes another number")
    return right(said)


def _committed(text: str, gold: Goal) -> str | Uncommitted:
    """The text of the one expression that is put forward, or why there is none."""
    found = commitment.find(text)
    if isinstance(found, Uncommitted):
        return found
    if not found:
        return _last_line(text, gold)
    found = [_with_claim(text, candidate) for candidate in found]
    settled = commitment.settle(text, found, _key)
    if isinstance(settled, Uncommitted):
        return settled
    back = commitment.retraction(text, settled)
    if _OPERATION.search(back) or commitment.is_contradicted(text, settled, lambda line: _key_of_all(line, gold)):
        return Uncommitted("several expressions")
    return settled.text


def _last_line(text: str, gold: Goal) -> str | Uncommitted:
    """The last line of an unmarked text, if it is an expression and no earlier line is another one of all the numbers."""
    lines = [line for line in text.splitlines() if line.strip()][-MAX_LINES:]
    last = _LABEL.sub("", lines[-1]) if len(lines[-1]) <= 2 * MAX_CHARS else lines[-1]
    sides = sides_of(last)
    if isinstance(sides, Refused) and not sides.limit:
        return Uncommitted("no answer was marked, and the last line is not one expression")
    keys = {_key_of_all(_LABEL.sub("", line), gold) for line in lines if len(line) <= MAX_CHARS} - {None}
    return Uncommitted("several expressions") if len(keys) > 1 else last


def _key(text: str) -> str | None:
    """The first side of what is an expression and the values claimed for it, so that equal texts are equal answers."""
    sides = sides_of(text)
    if isinstance(sides, Refused):
        return None
    return f"{sides[0].text} {sorted({str(side.value) for side in sides})}"


def _key_of_all(text: str, gold: Goal) -> str | None:
    """The side that uses all the numbers, if one does."""
    sides = sides_of(text)
    return None if isinstance(sides, Refused) else next((s.text for s in sides if s.numbers == gold.numbers), None)


def _with_claim(text: str, candidate: Candidate) -> Candidate:
    """`\\boxed{4 * 6} = 24` claims 24 as much as `\\boxed{4 * 6 = 24}` does."""
    claim = _CLAIM.match(text, candidate.end)
    return Candidate(candidate.text + claim[0], candidate.start, claim.end()) if claim else candidate


_CLAIM = re.compile(r"[ \t$*]{0,8}=[ \t]{0,8}[0-9]{1,12}(?![\w.,])")
_OPERATION = re.compile(r"[0-9)] {0,4}[-+*/×÷−] {0,4}[(0-9]")
_LABEL = re.compile(r"^[ *_]*[A-Za-z][A-Za-z ]{0,40}[ *_]*:[ *_]*")
_MARKUP = re.compile(r"\\\(|\\\)|\\\[|\\\]|\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\[,;:! ]|[$`]")
_SIGNS = (
    (re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])|[×·∙⋅∗✕✖]|(?<=[0-9)\s])[xX](?=[0-9(\s])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|[÷:∕]"), "/"),
    (re.compile(r"\\[dt]?frac(?![A-Za-z])"), "#"),
)
_TOKEN = re.compile(r"\s*([0-9]+|[-+*/()\[\]{}=#])")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@lru_cache(maxsize=1024)
def sides_of(text: str) -> tuple[Side, ...] | Refused:
    """The sides of an equation, or the one expression that a text is; whatever else stands in it refuses it."""
    if len(text) > MAX_CHARS:
        return Refused("too long for an expression", limit=True)
    text = _MARKUP.sub("", literal.fold(text)).strip(" \t\r\n*_\"'“”‘’").removesuffix(".").rstrip(" *_")
    for pattern, into in _SIGNS:
        text = pattern.sub(into, text)
    tokens: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return Refused("not one expression")
        tokens.append(token[1])
        at = token.end()
    if any(len(token) > MAX_DIGITS for token in tokens) or sum(token.isdigit() for token in tokens) > MAX_NUMBERS:
        return Refused("too many digits or numbers", limit=True)
    try:
        return tuple(_Reader(side).whole() for side in _split(tokens))
    except _NoExpression as error:
        return Refused(str(error), limit=error.limit)


def _split(tokens: Sequence[str]) -> list[list[str]]:
    sides: list[list[str]] = [[]]
    for token in tokens:
        if token == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


class _NoExpression(Exception):
    def __init__(self, reason: str, *, limit: bool = False) -> None:
        super().__init__(reason)
        self.limit = limit


class _Reader:
    """Reads tokens from left to right: sums of products of numbers, brackets and fractions."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = [*tokens, ""]
        self.at = 0
        self.depth = 0
        self.numbers: list[int] = []

    def whole(self) -> Side:
        value = self._sum()
        if self.tokens[self.at]:
            raise _NoExpression("not one expression")
        return Side(value, tuple(sorted(self.numbers)), "".join(self.tokens))

    def _sum(self) -> Fraction | None:
        value = self._product()
        while self.tokens[self.at] in ("+", "-"):
            sign = self._next()
            other = self._product()
            value = None if value is None or other is None else value + other if sign == "+" else value - other
        return value

    def _product(self) -> Fraction | None:
        value = self._single()
        while self.tokens[self.at] in ("*", "/"):
            sign = self._next()
            other = self._single()
            value = _times(value, other) if sign == "*" else _over(value, other)
        return value

    def _single(self) -> Fraction | None:
        token = self._next()
        if token.isdigit():
            self.numbers.append(int(token))
            return Fraction(int(token))
        if token == "#":
            return _over(self._group("{"), self._group("{"))
        if token in ("(", "["):
            self.at -= 1
            return self._group(token)
        raise _NoExpression("not one expression")

    def _group(self, opening: str) -> Fraction | None:
        if self._next() != opening:
            raise _NoExpression("not one expression")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _NoExpression("nested too deeply", limit=True)
        value = self._sum()
        if self._next() != _CLOSING[opening]:
            raise _NoExpression("a bracket that does not close")
        self.depth -= 1
        return value

    def _next(self) -> str:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token


def _times(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return None if one is None or other is None else one * other


def _over(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return None if one is None or not other else one / other


@lru_cache(maxsize=4096)
def _gold(answer: str | None) -> Goal | Refused:
    gold = golds.read(answer)
    if isinstance(gold, Refused):
        return gold
    numbers, target = gold.get("numbers"), gold.get("target")
    if not isinstance(numbers, list) or not 2 <= len(numbers) <= MAX_NUMBERS:
        return Refused(f"`numbers` must be a list of 2 to {MAX_NUMBERS}")
    if not all(type(n) is int and 0 <= n < 10**MAX_DIGITS for n in (*numbers, target)) or target is None:
        return Refused("numbers and target must be whole, not negative, and of at most 12 digits")
    return Goal(tuple(sorted(numbers)), int(target))
