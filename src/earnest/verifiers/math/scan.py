"""The text of an answer as tokens: numbers, letters, names, words, operators, brackets, commands. A helper of `math`.

One pass from left to right over one pattern whose alternatives are linear; what none of them matches is refused. The
limits on characters, digits, commands, operators and nesting are met here, before anything is parsed. Layout (\\left,
\\quad, colours, fonts) is dropped; every other command must be known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from earnest.verifiers.math.folding import GREEK, fold
from earnest.verifiers.math.measures import is_letter_unit
from earnest.verifiers.math.nodes import (
    MAX_CHARS,
    MAX_COMMANDS,
    MAX_DIGITS,
    MAX_NESTING,
    MAX_OPERATORS,
    MAX_RUN,
    Based,
    Num,
    Unreadable,
)  # fmt: skip
from earnest.verifiers.math.vocabulary import (
    AROUND_FORMULAS,
    CAPITALS,
    CLOSING,
    FONTS,
    FUNCTIONS,
    LAYOUT,
    NAMED,
    OPENING,
    OPERATORS,
    PLAIN,
    RELATIONS,
    SPELT_OUT,
    STRUCTURES,
    TEXT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """kind: num based letter name word text op open close cmd sep money unit end. spaced: a blank stands before it."""

    kind: str
    text: str
    spaced: bool = False
    value: Num | Based | None = None
    width: int = 0  # digits of a number


_SEPARATOR = r"(?:,?\\!\ ?|\ ?\{\ ?,\ ?\}|\\,|\u2009)"
_DECIMALS = (
    r"(?:\.(?P<decimals>[0-9]*+)(?:\\(?:overline|bar|dot)\ ?\{?(?P<bar>[0-9]++)\}?+|\((?P<paren>[0-9]++)\))?+)?+"
)
_NUMBER = re.compile(
    rf"(?P<whole>[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})++(?![0-9])|[0-9]++|(?=\.[0-9]|\.\\overline)){_DECIMALS}"
    r"(?:[eE](?P<e>[+-]?[0-9]++)(?![\^_]))?+"
)
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})++")
_APART = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:(?: |~|\\[;: ])[0-9]{3})++(?:\.[0-9]++)?")
_GAP = re.compile(r"[ ~]|\\[;: ]")
_BASED = re.compile(
    r"(?=[A-Z]*+[0-9]|[A-Z]{2})([0-9A-Z]{1,256}+)_(?:\{ ?([0-9]{1,2}) ?\}|([0-9])"
    r"|\{? ?\\(?:text|mathrm) ?\{([a-z]{3,11})\} ?\}?)"
)
_BASES = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TOKEN = re.compile(
    r"(?P<blank>[\s~]++|\\[,;:!>\ ]|\$)|(?P<set>\\[{}])|(?P<money>\\\$|[€£¥₹])|(?P<percent>\\?%)|(?P<row>\\\\)|(?P<amp>&)"
    r"|\\(?P<cmd>[A-Za-z]++\*?+|\|)|(?P<run>[A-Za-z]++)|(?P<dots>\.\.+)"
    r"|(?P<rel><=|>=|!=|=<|=>|==|[=<>])|(?P<power>\*\*)|(?P<op>[-+*/^_!',;:|])|(?P<open>[(\[{])|(?P<close>[)\]}])"
)
_COLOR = re.compile(r"\ ?\{[A-Za-z0-9!]{1,24}\}")
_SPACE = re.compile(r"\ ?\{[-0-9.a-z ]{1,12}\}")
_MATHS = re.compile(r"[-+0-9.,/ ^*()=]++(?:\\?%)?")
_OPTION = re.compile(r"\(?([A-Za-z])\)?\.?")
_SPLIT_WORD = re.compile(r"(?:q?quad)(?=[a-zA-Z])")


def scan(text: str, *, grouping: bool = True) -> list[Token]:
    """The tokens, the last of kind `end`. grouping: `1,234` is one number. Raises Unreadable."""
    if len(text) > MAX_CHARS:
        raise Unreadable("too long", limit=True)
    text = fold(text)
    if _APART.fullmatch(text):
        text = _GAP.sub("", text)
    return _Scanner(text, grouping).run()


class _Scanner:
    """One pass over a text; the counters are those of the limits."""

    def __init__(self, text: str, grouping: bool) -> None:
        self.text, self.at, self.tokens = text, 0, list[Token]()
        self.grouping, self.ungrouped = grouping, 0  # commas before `ungrouped` are known to group nothing
        self.depth = self.commands = self.operators = self.digits = self.brackets = 0
        self.spaced = False

    def run(self) -> list[Token]:
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char.isascii() and (char.isdigit() or char == "." or char.isupper()) and self._number():
                continue
            match = _TOKEN.match(text, self.at)
            if match is None:
                if char == "." and not text[self.at + 1 :].strip(" $}])"):
                    self.at += 1  # the full stop of the sentence
                    continue
                raise Unreadable("a character that means nothing here")
            self.at = match.end()
            self._token(str(match.lastgroup), match[str(match.lastgroup)])
        self._add("end", "")
        return self.tokens

    def _add(self, kind: str, text: str, value: Num | Based | None = None, width: int = 0) -> None:
        self.tokens.append(Token(kind, text, self.spaced, value, width))
        self.spaced = False

    def _token(self, group: str, found: str) -> None:
        match group:
            case "blank":
                self.spaced = True
            case "cmd":
                self.commands += 1
                if self.commands > MAX_COMMANDS:
                    raise Unreadable("too many commands", limit=True)
                self._command(found)
            case "run":
                self._run(found)
            case "set":
                self._bracket("open" if found == "\\{" else "close", found)
            case "open" | "close":
                self._bracket(group, found)
            case "money":
                self._add("money", found.removeprefix("\\"))
            case "percent":
                self._add("op", "%")
            case "row" | "amp":
                self._add("op", "row" if group == "row" else "&")
            case "dots":
                raise Unreadable("an ellipsis")
            case _:
                renamed = {"**": "^", "=<": "<=", "=>": "equiv", "==": "="}.get(found, found)
                self._operator(renamed)

    def _operator(self, name: str) -> None:
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            raise Unreadable("too many operators", limit=True)
        if name in (",", ";", "and", "or"):
            self._add("sep", name)
        else:
            self._add("rel" if name in RELATIONS else "op", name)

    def _bracket(self, kind: str, name: str) -> None:
        self.depth += 1 if kind == "open" else -1
        self.brackets += (name in "([<\\{") if kind == "open" else -(name in ")]>\\}")
        if self.depth > MAX_NESTING:
            raise Unreadable("nested too deeply", limit=True)
        self._add(kind, name)

    def _number(self) -> bool:
        based = _BASED.match(self.text, self.at)
        if based and self._based(based):
            return True
        if self.text[self.at].isupper():
            return False
        start = self.at
        match = _NUMBER.match(self.text, start)
        if match is None:
            return False
        whole = match["whole"]
        if self.grouping and not self.brackets and start >= self.ungrouped:
            grouped = _GROUPED.match(self.text, start)
            if grouped:
                self.ungrouped = grouped.end()
                if not self.text[grouped.end() : grouped.end() + 1].isdigit() and whole == whole.lstrip("0"):
                    whole, match = grouped[0], _TAIL.match(self.text, grouped.end())
                    assert match is not None
        digits = re.sub("[^0-9]", "", whole)
        self.at = match.end()
        self._add("num", "", _number(digits, match), len(digits))
        self._count(len(digits) + len(match["decimals"] or ""))
        return True

    def _count(self, digits: int) -> None:
        self.digits += digits
        if digits > MAX_RUN or self.digits > MAX_DIGITS:
            raise Unreadable("too many digits", limit=True)

    def _based(self, match: re.Match[str]) -> bool:
        digits, base = match[1].lstrip("0") or "0", int(match[2] or match[3] or 0)
        if match[4] in _BASES:
            base = _BASES.index(match[4]) + 2
        if not 2 <= base <= 36 or any(int(char, 36) >= base for char in digits):
            return False
        if not digits.isdigit() and base <= 10:
            return False
        self.at = match.end()
        self._count(len(digits))
        self._add(
            "num" if base == 10 else "based", "", Num(Fraction(int(digits))) if base == 10 else Based(digits, base)
        )
        return True

    def _run(self, word: str) -> None:
        lower = word.lower()
        if lower in ("and", "or", "to"):
            self._operator(":" if lower == "to" else lower)  # a ratio: 3 to 2
        elif len(word) == 1:
            self._add("letter", word)
        elif word in FUNCTIONS and not (word in ("min", "max") and self.text[self.at : self.at + 1] not in ("(", "{")):
            self._add("name", word)
        elif word in PLAIN:
            self._add("cmd" if PLAIN[word] == "surd" else "name", PLAIN[word])
        elif word in NAMED or word in GREEK:
            self._add("letter", NAMED.get(word, word))
        elif lower in ("percent", "pct", "percentage"):
            self._add("op", "%")
        else:
            self._add("word", word)

    def _command(self, name: str) -> None:
        split = _SPLIT_WORD.match(name)
        if split:  # \quadx, as some data sets have it
            self.spaced = True
            return self._run(name[split.end() :])
        if name in LAYOUT:
            self.spaced = self.spaced or name.startswith(("q", "h"))
            skipped = _SPACE.match(self.text, self.at) if name == "hspace*" else None
            self.at = skipped.end() if skipped else self.at
            if name in ("left", "right") and self.text[self.at : self.at + 1] == ".":
                raise Unreadable("an open bracket")
        elif name in ("color", "textcolor", "colorbox", "hspace", "phantom"):
            skipped = (_SPACE if name == "hspace" else _COLOR).match(self.text, self.at)
            if skipped is None or name == "phantom":
                raise Unreadable(f"unknown command \\{name}")
            self.at = skipped.end()
        elif name in TEXT:
            self._text(name)
        elif name in OPERATORS:
            self._operator(OPERATORS[name])
        elif name == "|":
            self._operator("|")
        elif name in OPENING or name in CLOSING:
            is_open = name in OPENING
            self._bracket("open" if is_open else "close", OPENING[name] if is_open else CLOSING[name])
        elif name in FUNCTIONS:
            self._add("name", name)
        elif name in ("varnothing", "emptyset", "O"):
            self._add("letter", "empty")
        elif name in NAMED or name in GREEK or name in CAPITALS:
            self._add("letter", {"varphi": "phi", "varepsilon": "epsilon"}.get(name, NAMED.get(name, name)))
        elif name in STRUCTURES:
            self._add("cmd", {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom"}.get(name, name))
        elif name in ("mathbb", "R") or (name == "Bbb"):
            self._blackboard(name)
        elif name in FONTS:
            pass  # its braces stay and group
        else:
            raise Unreadable(f"unknown command \\{name}"[:60])

    def _blackboard(self, name: str) -> None:
        match = re.compile(r"\ ?\{?\ ?R\ ?\}?").match(self.text, self.at) if name != "R" else None
        if name != "R" and match is None:
            raise Unreadable("a set that is not the reals")
        self.at = match.end() if match else self.at
        self._add("letter", "reals")

    def _text(self, command: str) -> None:
        """The words of \\text{…}: mathematics where they are that, a separator, one letter, or text."""
        start = self.text.find("{", self.at, self.at + 3)
        end = self.text.find("}", start)
        if start < 0 or end < 0 or self.text[self.at : start].strip():
            raise Unreadable(f"\\{command} of nothing")
        words = " ".join(self.text[start + 1 : end].replace("$", " ").replace("~", " ").split())
        lower, option = words.lower().strip(" ,"), _OPTION.fullmatch(words)
        if letters_of(words):
            self.at = end + 1
            for letter in letters_of(words):
                self._add("letter", letter)
                self._operator(",")
            self.tokens.pop()
            return
        if (
            not words
            or lower in ("and", "or", "to", "")
            or option
            or _MATHS.fullmatch(words.replace(" and ", ", ").replace(" or ", ", "))
            or lower in SPELT_OUT
        ):
            self.at = end + 1
            self.spaced = True
            if lower in ("and", "or", "to"):
                self._run(lower)
            elif option:
                follows = (
                    self.tokens and self.tokens[-1].kind in ("num", "close", "letter") and is_letter_unit(option[1])
                )
                self._add("text" if follows else "letter", option[1])
            elif lower in SPELT_OUT:
                self._run(lower)
            elif words:
                inner = _Scanner(words, self.grouping)
                inner.brackets = self.brackets
                self.tokens += inner.run()[:-1]
                self.digits += inner.digits
            return
        if "{" in words or "\\" in words.replace("\\ ", " ").replace("\\%", "%"):
            if command in AROUND_FORMULAS:
                return
            raise Unreadable("mathematics inside of text")
        self.at = end + 1
        self._add("text", words.replace("\\ ", " ").replace("\\%", "%"))


_TAIL = re.compile(rf"{_DECIMALS}(?P<e>(?!))?")


def letters_of(words: str) -> list[str]:
    """The options of "(A), (C) and (D)"; empty for anything else."""
    parts = [part.strip(" ()") for part in words.replace(" and ", ",").split(",") if part.strip()]
    return (
        parts if len(parts) > 1 and all(len(part) == 1 and part.isascii() and part.isupper() for part in parts) else []
    )


def _number(digits: str, match: re.Match[str]) -> Num:
    decimals, repeat, exponent = match["decimals"] or "", match["bar"] or match["paren"] or "", match["e"] or ""
    if len(digits) > MAX_RUN or len(decimals) + len(repeat) > MAX_RUN or len(exponent) > 5:
        raise Unreadable("too many digits", limit=True)
    value = Fraction(int(digits + decimals or "0"), 10 ** len(decimals))
    if repeat:
        value += Fraction(int(repeat), (10 ** len(repeat) - 1) * 10 ** len(decimals))
    if exponent:
        if abs(int(exponent)) > 1000:
            raise Unreadable("too large an exponent", limit=True)
        value *= Fraction(10) ** int(exponent)
    return Num(value, len(decimals) if decimals and not repeat and not exponent else None, mixed=bool(exponent))
