"""Free text cut into the pieces that a sum is written with. A helper of the verifier `steps`, no verifier.

Everything that is not part of a sum becomes a word, an unknown (a variable, an unread command) or a break; nothing is dropped
that could have changed a value. One pass, linear. Places are those of the text as it was given, whatever folding changed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction

from earnest.verifiers import latex
from earnest.verifiers.literal import fold

MAX_DIGITS = 256

NUMBER, OPERATOR, RELATION, OPEN, CLOSE, WORD, UNKNOWN, BREAK, PERCENT, PREFIX, BANG, MODULO = (
    "number", "operator", "relation", "open", "close", "word", "unknown", "break", "percent", "prefix", "bang", "modulo",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """Example: "$1,000.50" is Token(NUMBER, "1,000.50", 1, 9, Fraction(2001, 2), places=2, money=True)."""

    kind: str
    text: str
    start: int
    end: int
    value: Fraction | None = None
    places: int = 0  # digits after the point
    money: bool = False  # `$` before it
    glued: bool = False  # nothing between it and the token before
    cut: bool = False  # `0.333...`
    odd: bool = False  # may be a piece of a longer number, or a clock time: `18 000`, `0730`
    worded: bool = False  # an operator written as a word


@dataclass(frozen=True, slots=True)
class Plain:
    """A text folded to ASCII forms, and where each of its characters stood: place(i) is the start of plain[i] in the original."""

    text: str
    steps: tuple[
        tuple[int, int], ...
    ]  # (place in plain, place in the original), ascending; between them places run along

    def place(self, at: int) -> int:
        step = bisect_right(self.steps, (at, 1 << 60))
        plain, original = self.steps[step - 1]
        place = original + at - plain
        return place if step == len(self.steps) else min(place, self.steps[step][1] - 1)


_ODD = re.compile(r"[^\x00-\x7f]+|<<[^<>\n]{0,400}>>")


def plain(text: str, offset: int = 0) -> tuple[Plain, list[tuple[int, int]]]:
    """The folded text, and the spans of what calculator annotations `<<48/2=24>>` hold; those are left out of it."""
    pieces: list[str] = []
    steps = [(0, offset)]
    annotations: list[tuple[int, int]] = []
    at = size = 0
    for match in _ODD.finditer(text):
        start, end = match.span()
        pieces.append(text[at:start])
        size += start - at
        if text[start] == "<":
            annotations.append((start + 2, end - 2))
        else:
            folded = fold(match[0])
            pieces.append(folded)
            steps.append((size, offset + start))
            size += len(folded)
        steps.append((size, offset + end))
        at = end
    pieces.append(text[at:])
    return Plain("".join(pieces), tuple(steps)), annotations


_GROUP = r"(?:,\\!|\{,\}|\\,|\u2009|,)"
_TOKEN = re.compile(
    rf"""(?P<blank>(?:[ \t\u2009$&`]|\\[,;:! ()$])++)
    |(?P<line>(?:\\\\|\n|\r)(?:[ \t\r\n&]|\\\\)*+)
    |(?P<number>(?:[0-9]{{1,3}}(?:{_GROUP}[0-9]{{3}}(?![0-9]))++|[0-9]++)(?:\.[0-9]++(?:\.\.\.|…|\\[l]?dots)?+)?+|\.[0-9]++)
    |\\[dtc]?frac[ ]?(?P<top>[0-9])(?P<bottom>[0-9])
    |\\(?P<command>[A-Za-z]++)
    |(?P<word>[^\W\d_]++(?:['’][^\W\d_]++)*+)
    |(?P<sign>\.\.\.|\*\*|\\[^A-Za-z]|//|==|=>|->|<=|>=|!=|=~|~=|:=|.)""",
    re.VERBOSE | re.DOTALL,
)
_DOLLAR = re.compile(r"\\?\$[ ]?\Z")
_SEPARATOR = re.compile(_GROUP)
_DOTS = re.compile(r"(?:\.\.\.|…|\\l?dots)\Z")
_CONTINUES = re.compile(r",? [0-9]{3}(?![0-9.])")  # thousands apart by a blank
_CONTINUED = re.compile(r"(?<![0-9.])[0-9]{1,3},? \Z")
_SIGNS: dict[str, tuple[str, str]] = {
    **{sign: (BREAK, sign) for sign in (*".,;:?|<>→⇒—#\"“”", "=>", "->", "<=", ">=", "!=", "\\[", "\\]")},
    **{sign: (OPERATOR, sign) for sign in "+-/^"},
    **{sign: (OPERATOR, "*") for sign in "*×·∙⋅∗"},
    **{sign: (OPERATOR, "/") for sign in "÷∕"},
    **{sign: (RELATION, "~") for sign in ("≈", "≃", "≅", "~", "=~", "~=")},
    **{sign: (RELATION, "=") for sign in ("=", "==")},
    **{sign: (OPEN, sign) for sign in "([{"},
    **{sign: (CLOSE, sign) for sign in ")]}"},
    "**": (OPERATOR, "**"), "≡": (RELATION, "mod"), "%": (PERCENT, "%"), "\\%": (PERCENT, "%"), "!": (BANG, "!"),
    "√": (PREFIX, "sqrt"),
}  # fmt: skip
_COMMANDS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("times", "cdot", "ast"), (OPERATOR, "*")), "div": (OPERATOR, "/"),
    **dict.fromkeys(("approx", "simeq", "cong"), (RELATION, "~")), "equiv": (RELATION, "mod"),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), (PREFIX, "frac")), "sqrt": (PREFIX, "sqrt"),
    **dict.fromkeys(("bmod", "mod"), (OPERATOR, "mod")), "pmod": (MODULO, "mod"),
    **dict.fromkeys(("quad", "qquad", "implies", "Rightarrow", "rightarrow", "to", "newline", "item"), (BREAK, "")),
    **dict.fromkeys(("ldots", "dots", "cdots"), (UNKNOWN, "...")),
}  # fmt: skip
_LAYOUT = frozenset(["left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "rm", "bf", "hbox"])
_TRANSPARENT = _LAYOUT | latex.TEXT | latex.LETTERS | latex.BOXES  # what is rare makes a claim not checkable
_WORD_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "x": "*", "X": "*", "mod": "mod", "modulo": "mod"}
_TWO_WORDS = {("multiplied", "by"): "*", ("divided", "by"): "/"}
_WORD_PREFIXES = {"twice": 2, "double": 2, "thrice": 3, "triple": 3}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_NUMERALS = _TENS | dict(
    zip(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], range(2, 13),
        strict=True)
)  # fmt: skip
_ONES = {word: number for word, number in _NUMERALS.items() if number < 10} | {"one": 1}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10,
}  # fmt: skip


def read(source: Plain) -> list[Token]:
    """The tokens in order."""
    tokens: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(source.text):
        kind = match.lastgroup
        if kind == "blank":
            continue
        token = _token(source, match, glued=match.start() == end and bool(tokens))
        end = match.end()
        if token is not None:
            tokens.append(token)
    return _words(tokens)


def _token(source: Plain, match: re.Match[str], *, glued: bool) -> Token | None:
    start, end = source.place(match.start()), source.place(match.end() - 1) + 1
    text = match[0]
    if match["number"] is not None:
        return _number(source.text, match, Token(NUMBER, text, start, end, glued=glued))
    if match["top"] is not None:
        bottom = int(match["bottom"])
        if not bottom:
            return Token(UNKNOWN, text, start, end, glued=glued)
        return Token(NUMBER, text, start, end, Fraction(int(match["top"]), bottom), glued=glued)
    if match["line"] is not None:
        return Token(BREAK, "\n\n" if text.count("\n") > 1 else "\n", start, end)
    if (command := match["command"]) is not None:
        if command in _TRANSPARENT:
            return None
        kind, meaning = _COMMANDS.get(command, (UNKNOWN, ""))
        return Token(kind, meaning, start, end, glued=glued)
    if match["word"] is not None:
        return Token(WORD, text, start, end, glued=glued)
    if text == "~" and glued:
        return None  # a blank in LaTeX
    kind, meaning = _SIGNS.get(text, (UNKNOWN, text))
    return Token(kind, meaning, start, end, glued=glued)


def _number(text: str, match: re.Match[str], token: Token) -> Token:
    """A `$` before it is money; digits beyond the limit, or a comma that groups nothing, make it unknown."""
    if match.end() - match.start() > 2 * MAX_DIGITS:
        return replace(token, kind=UNKNOWN)
    if text.startswith(("\\overline", ".\\overline", "\\bar", ".\\bar"), match.end()):
        return replace(token, kind=UNKNOWN)
    cut = match[0].endswith(("...", "…", "dots"))
    digits = _SEPARATOR.sub("", _DOTS.sub("", match[0]))
    places = len(digits.partition(".")[2])
    money = _DOLLAR.search(text, max(0, match.start() - 3), match.start()) is not None
    after = text[match.end() : match.end() + 3]
    before = text[max(0, match.start() - 2) : match.start()]
    if (after[:1] in (",", ":") and after[1:2].isdigit()) or (before[1:] in (",", ":") and before[:1].isdigit()):
        return replace(token, kind=UNKNOWN)  # 3,4 and 3:30 and 1,2345
    odd = (digits[0] == "0" and digits[1:].isdigit()) or _CONTINUES.match(text, match.end()) is not None
    odd |= len(digits) == 3 and _CONTINUED.search(text, max(0, match.start() - 5), match.start()) is not None
    return replace(token, value=Fraction(digits), places=places, money=money, cut=cut, odd=odd)


def _words(tokens: list[Token]) -> list[Token]:
    """Words that mean an operator, a relation, a number or per cent where they stand, as those."""
    found: list[Token] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind is WORD:
            token, used = _word(tokens, at, found[-1] if found else None)
            at += used
        else:
            at += 1
            if token.kind is PERCENT and not token.glued and at < len(tokens) and tokens[at].kind in OPERAND:
                token = replace(token, kind=OPERATOR, text="mod", worded=True)  # 17 % 5
        found.append(token)
    return found


OPERAND = frozenset([NUMBER, OPEN, PREFIX])
_EQUALS = frozenset(["is", "are", "was", "were", "equals", "equal", "makes", "gives"])
ABOUT = frozenset(["approximately", "about", "around", "roughly", "nearly", "almost", "approx"])


def _word(tokens: list[Token], at: int, before: Token | None) -> tuple[Token, int]:
    """The token that the words from `at` on are, and how many tokens it took."""
    token = tokens[at]
    word = token.text.lower()
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    following = after.text.lower() if after is not None and after.kind is WORD else ""
    operand = after is not None and (after.kind in OPERAND or following in _NUMERALS)
    if word in _WORD_OPERATORS and operand:
        return replace(token, kind=OPERATOR, text=_WORD_OPERATORS[word], worded=word != "x"), 1
    if (word, following) in _TWO_WORDS and at + 2 < len(tokens) and tokens[at + 2].kind in OPERAND:
        assert after is not None
        return replace(token, kind=OPERATOR, text=_TWO_WORDS[word, following], end=after.end, worded=True), 2
    if word in _WORD_PREFIXES and operand:
        return replace(token, kind=PREFIX, text="scale", value=Fraction(_WORD_PREFIXES[word])), 1
    if word == "sqrt" and operand:
        return replace(token, kind=PREFIX, text="sqrt"), 1
    if word in ("percent", "pct"):
        return replace(token, kind=PERCENT, text="%"), 1
    if word == "per" and following == "cent" and after is not None:
        return replace(token, kind=PERCENT, text="%", end=after.end), 2
    if word == "squared" and before is not None:
        return replace(token, kind=BANG, text="squared"), 1
    if word.removesuffix("s") in _PARTS and following == "of" and after is not None and not token.glued:
        part = Fraction(1, _PARTS[word.removesuffix("s")])
        return replace(token, kind=PREFIX, text="part", value=part, end=after.end), 2
    if word in _TENS and at + 2 < len(tokens) and tokens[at + 1].text == "-" and tokens[at + 2].glued:
        ones = _ONES.get(tokens[at + 2].text.lower())
        if ones is not None:
            return replace(token, kind=NUMBER, value=Fraction(_TENS[word] + ones), end=tokens[at + 2].end), 3
    if word in _NUMERALS:
        return replace(token, kind=NUMBER, value=Fraction(_NUMERALS[word])), 1
    if word in _EQUALS:
        return _equals(tokens, at)
    return token, 1


def _equals(tokens: list[Token], at: int) -> tuple[Token, int]:
    """`is`, `equals`, `is equal to`, `is about`, as far as the words go."""
    token, used = tokens[at], 1
    meaning = "is"
    while at + used < len(tokens) and tokens[at + used].kind is WORD and used < 4:
        word = tokens[at + used].text.lower()
        if word not in ("equal", "to") and word not in ABOUT:
            break
        meaning = "is~" if word in ABOUT else meaning
        used += 1
    return replace(token, kind=RELATION, text=meaning, end=tokens[at + used - 1].end), used
