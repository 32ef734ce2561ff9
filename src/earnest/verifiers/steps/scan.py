"""The sums in a piece of text that holds no relation: where each begins and ends, and what stands next to it.

A helper of the verifier `steps`, no verifier. A run is a longest stretch in which operands and operators take turns; words
after a number are its unit. What touches a run decides whether it may be judged: beside a variable it is part of something
larger (`unknown`), beside a word such as `than` it may be (`doubt`). One pass, linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from earnest.verifiers.steps.runs import Run
from earnest.verifiers.steps.tokens import (
    BANG,
    CLOSE,
    MODULO,
    NUMBER,
    OPEN,
    OPERAND,
    OPERATOR,
    PERCENT,
    PREFIX,
    UNKNOWN,
    WORD,
    Token,
)  # fmt: skip
from earnest.verifiers.steps.words import (
    ARTICLES,
    ATTACHED,
    BEFORE,
    CHANGING,
    CLAUSE,
    FILLERS,
    HEADS,
    ORDINALS,
    SCALES,
    UNIT_LETTERS,
)  # fmt: skip

MAX_UNIT_WORDS = 4


def runs(tokens: Sequence[Token], *, from_relation: bool, to_relation: bool) -> list[Run]:
    """All runs of a segment, in order. A relation before it decides what a `-` at its begin is, one after it what a final `!`."""
    return _Scan(tokens, from_relation, to_relation).result()


@dataclass(slots=True)
class _Scan:
    tokens: Sequence[Token]
    from_relation: bool
    to_relation: bool
    at: int = 0
    out: list[Token] = field(default_factory=list[Token])
    opened: list[int] = field(default_factory=list[int])  # places in `out` of brackets that are open
    closed: int = 0  # place in `out` where the bracket that closed last had opened
    operand: bool = False  # an operand came last
    began: int = 0  # token at which the run began
    units: int = 0
    marked: bool = False  # emphasis, or the mark of a list, stands before what comes
    unknown: bool = False
    doubt: bool = False
    modulus: Fraction | None = None
    found: list[Run] = field(default_factory=list[Run])

    def result(self) -> list[Run]:
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if self.operand:
                self._after_operand(token)
            else:
                self._before_operand(token)
        self._close()
        return self.found

    def _peek(self, ahead: int = 1) -> Token | None:
        place = self.at + ahead
        return self.tokens[place] if 0 <= place < len(self.tokens) else None

    def _push(self, token: Token, *, operand: bool) -> None:
        if not self.out:
            self._begin(token)
        self.out.append(token)
        self.operand = operand
        self.units = 0 if token.kind is not WORD else self.units + 1
        self.at += 1

    def _begin(self, token: Token) -> None:
        """Look at what stands before a run."""
        self.began = self.at
        before = None if self.marked else self._peek(-1)
        self.doubt |= token.odd
        if before is None:
            return
        if before.kind is OPERATOR:
            self.unknown = True
        elif before.kind is CLOSE or before.kind is NUMBER:
            self.doubt = True
        if before.kind is UNKNOWN or (token.glued and before.kind in (WORD, NUMBER)) or _is_letter(before):
            self.unknown = True
        elif before.kind is WORD:
            head = self._peek(-2)
            word = before.text.lower()
            if word == "of" and head is not None and (head.kind is not WORD or head.text.lower() in HEADS):
                self.unknown = True
            part = word == "and" and (following := self._peek(1)) is not None and following.text == "/"
            self.doubt |= word in BEFORE or part

    def _close(self, *, unknown: bool = False, doubt: bool = False) -> None:
        """End the run here. One that stops at an operator lacks an operand and is unknown."""
        out, began = self.out, self.began
        while out and out[-1].kind in (OPERATOR, PREFIX, OPEN):
            if out.pop().kind is not OPEN:
                unknown = True
        opened = [place for place in self.opened if place < len(out)]
        bracketed = bool(opened)
        if opened:
            out = out[opened[-1] + 1 :]
        if out:
            fillers = not self.found and all(t.kind is WORD and t.text.lower() in FILLERS for t in self.tokens[:began])
            self.found.append(
                Run(
                    tuple(out), first=fillers and not bracketed, last=self.at >= len(self.tokens),
                    before=_word_before(self.tokens, began), unknown=(self.unknown and not bracketed) or unknown,
                    doubt=self.doubt or doubt, modulus=self.modulus,
                )
            )  # fmt: skip
        self.out, self.opened, self.operand, self.units = [], [], False, 0
        self.unknown, self.doubt, self.marked, self.modulus = False, False, False, None

    def _stop(self, *, unknown: bool = False, doubt: bool = False) -> None:
        """End the run before a token that is no part of any."""
        self._close(unknown=unknown, doubt=doubt)
        self.at += 1

    def _before_operand(self, token: Token) -> None:
        text = token.text
        if token.kind is NUMBER or token.kind is PREFIX:
            self._push(token, operand=token.kind is NUMBER)
            self.doubt |= token.odd
        elif token.kind is OPEN and not (token.text == "[" and self.out and self.out[-1].text == "sqrt"):
            self._push(token, operand=False)
            self.opened.append(len(self.out) - 1)
        elif token.kind is OPERATOR and not self.out:
            self._leading(token)
        elif token.kind is OPERATOR and text in ("+", "-") and self.out[-1].kind is not PREFIX:
            self._push(token, operand=False)
        elif token.kind is WORD and self.out and self.out[-1].text == "of" and text.lower() in ARTICLES:
            self.at += 1
        else:
            self._stop(unknown=bool(self.out))

    def _leading(self, token: Token) -> None:
        """An operator where no operand stands before it: a sign, a bullet, emphasis, or the rest of something unread."""
        before, after = self._peek(-1), self._peek()
        if token.text == "-" and before is None and not self.from_relation and after is not None and not after.glued:
            self.at += 1  # the mark of a list
            self.doubt = self.marked = True
            return
        if token.text == "-" and (before is None or before.kind is WORD):
            doubt, unknown = before is not None, before is not None and _is_letter(before)
            self._push(token, operand=False)
            self.doubt |= doubt
            self.unknown |= unknown
            return
        emphasis = token.text in ("*", "**") and after is not None and after.glued and not token.glued
        if emphasis or (token.text in ("*", "**") and before is None):
            self.marked = True
        self.at += 1

    def _after_operand(self, token: Token) -> None:
        self.doubt |= token.odd
        if token.kind is NUMBER:
            self._number(token)
        elif token.kind is OPEN:
            self._open(token)
        elif token.kind is CLOSE and self.opened:
            self.closed = self.opened.pop()
            self._push(token, operand=True)
        elif token.kind is OPERATOR:
            self._operator(token)
        elif token.kind is PERCENT:
            self._push(token, operand=True)
        elif token.kind is BANG:
            self._bang(token)
        elif token.kind is PREFIX and token.text != "scale":
            self._implicit(token, "mixed" if token.text == "frac" and self.out[-1].kind is NUMBER else "*")
            self.doubt |= token.text == "frac"
            self._push(token, operand=False)
        elif token.kind is MODULO and (modulus := self._modulus()) is not None:
            self.modulus, self.at = modulus
        elif token.kind is WORD:
            self._word(token)
        else:
            self._stop(unknown=token.kind not in (CLOSE, PREFIX))

    def _implicit(self, token: Token, text: str) -> None:
        self.out.append(Token(OPERATOR, text, token.start, token.start))

    def _number(self, token: Token) -> None:
        """A number after a number: a mixed number, or the beginning of another run."""
        whole = self.out[-1]
        slash, under = self._peek(1), self._peek(2)
        is_whole = whole.kind is NUMBER and whole.value is not None and whole.value.denominator == 1 and not token.glued
        if is_whole and token.text.startswith("\\") and token.value is not None:
            self._mixed(token.value, token.end, 1)
        elif (
            is_whole and slash is not None and under is not None and slash.text == "/" and slash.glued and under.glued
            and token.value is not None and under.value is not None and 0 < token.value < under.value
        ):  # fmt: skip
            self._mixed(token.value / under.value, under.end, 3)
        else:
            self._close(unknown=token.glued)
            self._push(token, operand=True)

    def _mixed(self, part: Fraction, end: int, used: int) -> None:
        whole = self.out[-1]
        assert whole.value is not None
        self.out[-1] = replace(whole, value=whole.value + part, end=end)
        self.at += used
        self.doubt = True

    def _open(self, token: Token) -> None:
        modulus = self._modulus()
        if modulus is not None:
            self.modulus, self.at = modulus
            return
        ahead = 1
        while (inner := self._peek(ahead)) is not None and inner.kind is WORD and ahead <= MAX_UNIT_WORDS:
            ahead += 1
        if ahead > 1 and inner is not None and inner.kind is CLOSE:
            if token.text == "{":
                self.out += self.tokens[self.at + 1 : self.at + ahead]  # \\text{ km}
            elif token.glued:
                self._close(unknown=True)  # 0.4(number of minutes)
            self.at += ahead + 1
            return
        if not (self.out[-1].kind is CLOSE and self.closed and self.out[self.closed - 1].text == "frac"):
            if token.text == "{":
                return self._close_before(token)
            self.doubt |= not token.glued
            self._implicit(token, "*")
        self._push(token, operand=False)
        self.opened.append(len(self.out) - 1)

    def _close_before(self, token: Token) -> None:
        """A group that is no argument, as of `\\boxed{7}` after a number, begins another run."""
        self._close()
        self._push(token, operand=False)
        self.opened.append(len(self.out) - 1)

    def _modulus(self) -> tuple[Fraction, int] | None:
        """The number in `(mod 5)`, `\\pmod{5}` or `\\pmod 5`, and where reading goes on."""
        at = 1
        first = self._peek(at)
        if self.tokens[self.at].kind is OPEN:
            if first is None or first.text not in ("mod", "modulo"):
                return None
            at += 1
        elif first is not None and first.kind is OPEN:
            at += 1
        number, close = self._peek(at), self._peek(at + 1)
        if number is None or number.value is None:
            return None
        return number.value, self.at + at + 1 + (close is not None and close.kind is CLOSE)

    def _operator(self, token: Token) -> None:
        after = self._peek()
        unit = after if after is not None and after.kind is WORD else None
        if token.text == "-" and token.glued and unit is not None and unit.glued and len(unit.text) > 1:
            self.at += 2  # 5-year, or 60-losses
            self.doubt = True
            return None
        if token.text == "/" and unit is not None:
            opens = (beyond := self._peek(2)) is not None and beyond.kind is OPEN
            if opens or len(unit.text) < 3 or not unit.text.islower():
                return self._stop(unknown=True)  # 12/x, 1/Ctotal, 1/sin(30)
            self.at += 2  # 5 miles/hour
            return None
        if token.text == "^" and self.out[-1].kind is WORD:
            return self._unit_power()
        if token.text in ("*", "**"):
            if token.glued and (after is None or (self.marked and not after.glued)):
                self.at += 1  # the end of *emphasis*
                return None
            if token.text == "**":
                if not (token.glued and after is not None and after.glued and after.kind in OPERAND | {OPERATOR}):
                    self.at += 1
                    return None
                token = replace(token, text="^")
        return self._push(token, operand=False)

    def _unit_power(self) -> None:
        """`500 cm^3` and `500 cm^{3}` are no cubes of 500."""
        ahead = 1
        while (inner := self._peek(ahead)) is not None and (inner.kind in (OPEN, NUMBER, CLOSE) or inner.text == "-"):
            ahead += 1
            if inner.kind is CLOSE or ahead > 4 or (inner.kind is NUMBER and self.tokens[self.at + 1].kind is not OPEN):
                break
        self.at += ahead

    def _bang(self, token: Token) -> None:
        after = self._peek()
        if (
            token.text == "squared"
            or (after is None and self.to_relation)
            or (after is not None and after.kind in (OPERATOR, CLOSE))
        ):
            self._push(token, operand=True)
        else:
            self._stop(doubt=True)

    def _word(self, token: Token) -> None:
        """A unit, a scale, `of`, or the end of the run."""
        word = token.text.lower()
        last = self.out[-1]
        if token.glued and last.kind is NUMBER and word in ORDINALS:
            self.doubt |= len(self.out) < 2 or self.out[-2].text != "/"  # 1/5th is a fifth, 5th is a place
            self.at += 1
        elif token.glued and last.kind is CLOSE:
            self._stop(unknown=True)
        elif word in SCALES or word.removesuffix("s") in SCALES:
            self._push(token, operand=True)
        elif (
            token.glued
            and last.kind is NUMBER
            and not (word in ATTACHED or token.text in UNIT_LETTERS or len(word) > 3)
        ):
            self._stop(unknown=True)
        elif word == "of":
            self._of(token)
        elif word in CHANGING:
            self._stop(doubt=True)
        elif word in CLAUSE or self.units >= MAX_UNIT_WORDS:
            after = self._peek()
            part = word == "and" and after is not None and (after.kind in (OPEN, PREFIX) or self._is_fraction())
            self._close(doubt=part)  # 1 and 1/3
            self.at += 1
        elif _is_letter(token) and token.text not in UNIT_LETTERS:
            self._stop(unknown=True)
        else:
            self.doubt |= token.text in UNIT_LETTERS
            self._push(token, operand=True)

    def _is_fraction(self) -> bool:
        over, under = self._peek(2), self._peek(3)
        return over is not None and over.text == "/" and under is not None and under.kind is NUMBER

    def _of(self, token: Token) -> None:
        """`15% of 80` and `1/2 of 10` are products; `2 groups of 10` and `3 of 10` are not."""
        last = self.out[-1]
        share = last.kind is PERCENT or last.text.startswith("\\") or (last.kind is CLOSE and last.text == "}")
        share |= len(self.out) > 1 and last.kind is NUMBER and self.out[-2].text == "/"
        share |= last.value is not None and last.value.denominator > 1 and not last.places
        if share:
            self._push(replace(token, kind=OPERATOR, text="of", worded=True), operand=False)
        else:
            self._stop(doubt=True)


def _word_before(tokens: Sequence[Token], began: int) -> str:
    """The word before the token at `began`; before `of`, the word that it belongs to."""
    words = [t.text.lower() if t.kind is WORD else "?" for t in tokens[max(0, began - 2) : began]]
    return words[0] if len(words) == 2 and words[1] == "of" else words[-1] if words else ""


def _is_letter(token: Token) -> bool:
    """A single letter that stands for something, and no article."""
    return token.kind is WORD and len(token.text) == 1 and token.text not in ("a", "A", "I")
