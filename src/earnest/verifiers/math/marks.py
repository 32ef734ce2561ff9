"""What stands around an answer in a text: dollar signs, emphasis, sentences, boxes side by side. A helper of `math`, no verifier.

All of it looks for fixed strings from left to right, and is linear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from earnest.verifiers import latex
from earnest.verifiers.commitment import Candidate
from earnest.verifiers.math.folding import fold
from earnest.verifiers.math.measures import is_letter_unit, is_unit
from earnest.verifiers.units import is_unit_word

_ENDS = ' \t\r\n*`"“”'
_PAIRS = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$"))
_WRAPPERS = (*latex.TEXT, *latex.LETTERS, *latex.SELDOM, *latex.BOXES, "textnormal", "left", "right", "displaystyle")
_LAYOUT = re.compile(latex.pattern(*_WRAPPERS) + r"(?![A-Za-z])|\\[,;:!>\ ]|\$")
_BLANKS = re.compile(r"(?<=[^\w\s])[\s~]++|[\s~]++(?=[^\w\s])")
MAX_SENTENCE = 400
_CONCLUDES = re.compile(
    r"\b(?:is|are|equals|answer|solution|therefore|thus|hence|so|get|obtain|have|find that)\b|:\s*\Z", re.IGNORECASE
)
_ASKS = re.compile(
    r"\b(?:find(?! that)|what|which|who|how|when|where|why|simplify|evaluate|compute|calculate|determine|express|write"
    r"|solve|expand|factor|convert|give|enter|let|suppose|given|prove|show)\b",
    re.IGNORECASE,
)
UNSURE = re.compile(
    r"\b(?:not|never|maybe|perhaps|possibly|probably|might|may|could|would|or|either|wrong|incorrect|false|guess|unless|if"
    r"|between|about|around|approximately|roughly|least|most|than|possible|candidates?)\b|n['’]t\b|[?]",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"\b(?:or|either|not|never|maybe|perhaps|possibly|probably|might|guess|wrong|incorrect|false|unless)\b|n['’]t\b|[?]",
    re.IGNORECASE,
)
_IS = re.compile(r"\b(?:is|are|equals)\b[ \t]*:?")
_TWICE = re.compile(r"\\\\(?=[A-Za-z])")
_NAME = re.compile(r"\\?[A-Za-z](?:_\{?[A-Za-z0-9]{1,3}\}?)? ?=")
_UNIT = re.compile(  # a unit is set upright, so that no other wrapper stands around one
    r"[ $~]{0,4}(?:\\[,;: ])?[ ]?(?:\\(?:text|mathrm|mbox) ?\{[ ~]?([A-Za-z/]{1,14}) ?\}|([A-Za-z/]{2,14})(?![\w/]))"
    r"(?: ?\^ ?\{?([23])\}?)?"
)
_EQUAL = re.compile(
    r"[ $]{0,4}(=|≈|\\approx(?![A-Za-z]))[ $]{0,4}(-?[0-9]{1,40}(?:\.[0-9]{1,40})?)"
    r"(?![0-9]|\.[0-9])(?![ $]{0,4}[-+*/^=\\({A-Za-z%≈])"
)
_NO_UNITS = ("in", "un", "day", "people", "person")
"""Words that follow an answer more often than they are its unit."""
_FIRST_WORD = re.compile(r"[ ~*_]{0,4}(?:\\?%|([^\W\d_]+))")
_GOES_ON = frozenset(["is", "are", "was", "were", "and"])
"""Words after a number that `is_unit_word` does not know, and that leave it what it is."""
_OF_PARTS = re.compile(r"(?:[A-Za-z0-9\s{}(),:$~]|\\(?:text|mbox|q?quad)(?![A-Za-z])|\\[ ,;])*")
_TEXT = re.compile(r"\\(?:text|mbox|q?quad|[ ,;])")
_PUNCTUATION = str.maketrans("{}(),:~", " " * 7)
_LABELS = frozenset(
    ["for", "in", "part", "question", "problem", "item", "the", "first", "second", "third", "ii", "iii", "iv"]
)
_CONNECTING = re.compile(r"\\text ?\{ ?(?:,? ?and)? ?\}|\\q?quad(?![A-Za-z])|\\[()\[\],;: ]|\band\b|[\s$,;.*]++")


def bare(text: str) -> str:
    """The text without what is only around it: blanks, emphasis, quotes, dollar signs, one full stop or comma."""
    for _ in range(3):
        before = text
        text = text.strip(_ENDS)
        if text.endswith((".", ",", ";")) and not text.endswith(("..", "\\,", "\\;")):
            text = text[:-1].rstrip(_ENDS)
        for left, right in _PAIRS:
            if text.startswith(left) and text.endswith(right) and len(text) >= len(left) + len(right):
                inside = text[len(left) : len(text) - len(right)]
                if left not in inside and right not in inside.replace("\\$", ""):
                    text = inside.strip(_ENDS)
        if text == before:
            break
    return text


def unescaped(text: str) -> str:
    """The text with the backslash of a command once, where it was written twice and no matrix has its rows parted so."""
    return text if "\\\\" not in text or "\\begin" in text else _TWICE.sub(r"\\", text)


def normal(text: str) -> str:
    """The text as it is compared where neither side is of the grammar: without layout and needless blanks, case kept."""
    return _BLANKS.sub("", " ".join(_LAYOUT.sub(" ", fold(bare(text))).split()))


def joined(text: str, boxes: Sequence[Candidate]) -> str:
    """The last boxes as one list where they stand side by side with commas or "and" between them; "" if they do not."""
    start = len(boxes) - 1
    while start and _connects(text[boxes[start - 1].end : boxes[start].start]):
        start -= 1
    return ", ".join(box.text for box in boxes[start:]) if start < len(boxes) - 1 else ""


def parts(text: str, boxes: Sequence[Candidate], *, trusted: bool) -> str:
    """All boxes as one list, in their order, where "and" with the labels of parts stands between them: `\\boxed{3} for part (a)
    and \\boxed{5}`; "" otherwise. trusted (a gold): any few words may stand there."""
    gaps = [text[a.end : b.start] for a, b in pairwise(boxes)]
    if not gaps or not all(_connects(gap) or _is_and(gap, trusted=trusted) for gap in gaps):
        return ""
    return ", ".join(box.text for box in boxes)


def _is_and(gap: str, *, trusted: bool) -> bool:
    if len(gap) > 80 or UNSURE.search(gap) or not _OF_PARTS.fullmatch(gap):
        return False
    words = [word.lower() for word in _TEXT.sub("", gap).replace("$", " ").translate(_PUNCTUATION).split()]
    labels = [word for word in words if word != "and"]
    if words.count("and") != 1 or len(labels) > 6:
        return False
    return (trusted and len(labels) <= 3) or all(len(word) == 1 or word in _LABELS for word in labels)


def _connects(gap: str) -> bool:
    return len(gap) <= 80 and not _NAME.sub("", _CONNECTING.sub("", gap)).strip()


def with_equal(text: str, box: Candidate) -> Candidate:
    """The box with `= 0.25` or `\\approx 3.46` that stands right after it, so that the equation is checked as one."""
    found = _EQUAL.match(text, box.end) if text.startswith("\\", box.start) else None
    return box if found is None else Candidate(f"{box.text} {found[1]} {found[2]}", box.start, found.end(), box.depth)


def unit_after(text: str, end: int) -> str:
    """The unit that stands right after a box that ends there, as text; "" where none does."""
    found = _UNIT.match(text, end)
    word = "" if found is None else (found[1] or found[2] or "").strip()
    if (
        found is None
        or not (is_unit(word) or is_unit(word.removesuffix("s")) or (found[1] and is_letter_unit(word)))
        or word in _NO_UNITS
    ):
        return ""
    return f"\\text{{ {word}}}" + (f"^{found[3]}" if found[3] else "")


def only_formula(text: str) -> str:
    """The formula that a short text concludes with, which has no other number, no doubt and no question; "" otherwise."""
    if len(text) > MAX_SENTENCE or UNSURE.search(text) or _ASKS.search(text):
        return ""
    found, rest, at = "", "", 0
    while at < len(text):
        opening = next(((left, right) for left, right in _PAIRS if text.startswith(left, at)), None)
        if opening is None:
            rest += text[at]
            at += 1
            continue
        left, right = opening
        end = text.find(right, at + len(left))
        inside = text[at + len(left) : end]
        if end < 0 or found or (left in ("$", "\\(") and "\n" in inside):
            return ""
        found, at = inside, end + len(right)
        if changes_number(text[at:]):
            return ""
    if any(char.isdigit() for char in rest) or "\\" in rest or not _CONCLUDES.search(rest.rstrip()):
        return ""
    return found


def changes_number(after: str) -> bool:
    """True if the first word after a number makes it another one: squared, thousand, per cent."""
    word = _FIRST_WORD.match(after)
    if word is None:
        return False
    return word[0].endswith("%") or not (word[1].lower() in _GOES_ON or len(word[1]) == 1 or is_unit_word(word[1]))


def after_is(sentence: str) -> str:
    """What a sentence says that something is; "" if it says nothing of the kind, or is not sure of it."""
    marks = list(_IS.finditer(sentence[:MAX_SENTENCE]))
    if not marks or len(sentence) > MAX_SENTENCE or _HEDGES.search(sentence):
        return ""
    if UNSURE.search(sentence, max(0, marks[-1].start() - 10)):
        return ""
    return sentence[marks[-1].end() :]
