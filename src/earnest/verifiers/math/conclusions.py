"""The answer of a sentence that says it in words: "Therefore, there are 12 such sequences." A helper of `math`, no verifier.

A conclusion is a sentence that begins with Therefore, Thus, Hence, So or Consequently, is sure of itself and has exactly one
number or formula, where names like $x$ are none. It commits to it in one of four places: "… is X", "there are X …", "… increases
by X", or by being nothing but $x = X$. X ends the sentence, its unit apart. Only what ends the text is the text's conclusion.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from earnest.verifiers import commitment
from earnest.verifiers.commitment import Candidate, Uncommitted
from earnest.verifiers.math.marks import UNSURE
from earnest.verifiers.number import NUMBER_WORD
from earnest.verifiers.units import is_unit_word

MAX_SENTENCE = 400
_MOST = 64
_TAIL = 80
_BEGINS = re.compile(r"(?:\A|(?<=[\s*_]))(?:Therefore|Thus|Hence|So|Consequently)\b,?")
_ENDS = re.compile(r"[.!?](?=[\s*_]|\Z)|\n")
_REMNANT = re.compile(r"(?:</s>|<\|[a-z_]{1,20}\|>(?:\s?(?:user|assistant|system))?)\Z")
_COURTESY = re.compile(r"I hope (?:this|it|that)\b[A-Za-z ']{0,40}[.!]?")
_FORMULA = re.compile(r"\$\$([^$]{1,300})\$\$|\$([^$\n]{1,300})\$|\\\(((?:[^\\\n]|\\(?!\))){1,300}+)\\\)")
_NUMBER = re.compile(
    r"(?<![\w.,/^=*+%-])(?<![*/+^=<>] )-?(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]{1,40}+)(?:\.[0-9]{1,40}+)?+"
    r"(?:/[0-9]{1,40}+)?+(?![\w^]|[,./][0-9])%?+"
)
_NAME = re.compile(r"[A-Za-z\s{}()_',|\\]*")
_OPERATES = re.compile(r"[-+*/^=<>~≤≥≠≈±×·|\\\"“”«»?{}\[\]#$]|(?<![A-Za-z])'")
_DOUBT = re.compile(
    r"\b(?:cannot|can|no|none|nothing|nobody|neither|nor|but|however|though|although|except|excluding|impossible|(?:un)?likely"
    r"|probable|hopefully|seem\w*|appear\w*|estimat\w*|nearly|almost|close|exceed\w*|below|above|up to|more|less|fewer|times"
    r"|twice|half|double|triple|assum\w*|suppos\w*|when\w*|provided|case|cases|should|claim\w*|say|says|said|think\w*|thought|believ\w*"
    r"|hope|ask\w*|question|fail\w*|violat\w*|invalid|mistaken|mistake|suggest\w*|check\w*|verif\w*|try|trying|one of|some"
    r"|any|every|each|first|second|next|then|another|other|also|or|and|while|whereas|instead|rather|were it|let|consider"
    r"|choices?|options?)\b",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(r"\b(?:the|these|those|all|both)\s+\Z", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are|was|were|equals|(?:is|are) equal to|(?:must|will) be|has to be)\s*:?\s*\Z")
_THERE = re.compile(r"\bthere (?:is|are|were|must be|will be)\s+\Z", re.IGNORECASE)
_BY = re.compile(r"\b(?:increas|decreas|chang|reduc|grow|ris|drop|fall|shrink|differ)[a-z]{0,3} by\s+\Z")
_CLAUSE = re.compile(r"\b(?:that|which|who|for|on|with|in|from)\b")
_WORDS_BEFORE = """
    of by than to from with over under below above until till before after past near beyond into except without minus plus
    times not first last next another every each at per like versus between and step case part option line page
"""
_BEFORE_NUMBER = frozenset(_WORDS_BEFORE.split())
"""Words that take a number for something else than what the sentence says: 3 hours before 9, step 4."""


@dataclass(frozen=True, slots=True)
class _Item:
    """The one number or formula of a sentence, and where it stands there."""

    text: str
    start: int
    end: int
    is_formula: bool


def concluded(text: str, key: Callable[[str], Hashable | None]) -> Candidate | Uncommitted | None:
    """What a text concludes with; None if its end is no conclusion. `key`: as for `commitment.settle`."""
    text = _ended(text)
    marks = deque(_BEGINS.finditer(text), maxlen=_MOST)
    if not marks or len(text) - marks[-1].end() > MAX_SENTENCE + _TAIL:
        return None
    found = [_conclusion(text, mark.end()) for mark in marks]
    if found[-1] is None:
        return None
    sentence_end = _ENDS.search(text, found[-1].end)
    rest = text[sentence_end.end() :].strip() if sentence_end else ""
    if rest and (not _COURTESY.fullmatch(rest) or UNSURE.search(rest)):
        return None
    return commitment.settle(text, [one for one in found if one is not None], key)


def only_number(sentence: str) -> str:
    """The number of a sentence that is marked as the answer, with its unit; "" if it has another one, or is not sure of it."""
    found = _item(sentence) if len(sentence) <= MAX_SENTENCE else None
    if found is None or found.is_formula or UNSURE.search(sentence) or _DOUBT.search(sentence):
        return ""
    before = re.findall(r"[^\W\d_]+", sentence[: found.start])
    if not before or before[-1].lower() in _BEFORE_NUMBER or not all(map(is_unit_word, before)):
        return ""
    return _with_unit(found, sentence[found.end :])


def _ended(text: str) -> str:
    """The text without the marks of a chat template at its end."""
    for _ in range(4):
        text = text.rstrip()
        found = _REMNANT.search(text, max(0, len(text) - _TAIL))
        if found is None:
            break
        text = text[: found.start()]
    return text


def _conclusion(text: str, start: int) -> Candidate | None:
    """What the sentence that starts there commits to, and where it stands."""
    end = _ENDS.search(text, start, start + MAX_SENTENCE + 1)
    if end is None and len(text) - start > MAX_SENTENCE:
        return None
    sentence = text[start : end.start() if end else len(text)].rstrip("*_ ")
    if (end is not None and end[0] == "?") or UNSURE.search(sentence) or _DOUBT.search(sentence):
        return None
    found = _item(sentence)
    said = "" if found is None else _placed(sentence, found)
    return Candidate(said, start + found.start, start + found.end) if found is not None and said else None


def _item(sentence: str) -> _Item | None:
    """The one number or formula; None if there are two, or anything else that can be one."""
    found: list[_Item] = []
    plain = list(sentence)
    for match in _FORMULA.finditer(sentence):
        inside = next(group for group in match.groups() if group is not None)
        plain[match.start() : match.end()] = " " * len(match[0])
        if not _NAME.fullmatch(inside) or "\\pi" in inside:
            found.append(_Item(inside, match.start(), match.end(), True))
    rest = "".join(plain)
    for match in _NUMBER.finditer(rest):
        found.append(_Item(match[0], match.start(), match.end(), False))
        plain[match.start() : match.end()] = " " * len(match[0])
    rest = "".join(plain)
    if len(found) != 1 or any(char.isdigit() for char in rest) or _OPERATES.search(rest):
        return None
    if any(not _NAMED_BEFORE.search(rest[: word.start()]) for word in NUMBER_WORD.finditer(rest)):
        return None
    return found[0]


def _placed(sentence: str, item: _Item) -> str:
    """The item with its unit, if it stands where a sentence commits to it; "" otherwise."""
    before, after = sentence[: item.start], sentence[item.end :]
    if _THERE.search(before):
        clause = _CLAUSE.search(after)
        return "" if "," in after else _with_unit(item, after[: clause.start()] if clause else after)
    if _IS.search(before) or _BY.search(before):
        return _with_unit(item, after)
    is_equation = item.is_formula and "=" in item.text and not before.strip() and not after.strip()
    return item.text if is_equation else ""


def _with_unit(item: _Item, after: str) -> str:
    """Words that change a number are for the reader of the answer to refuse."""
    unit = after.strip(" .*_")
    if not unit:
        return item.text
    return f"{item.text} \\text{{ {unit}}}" if item.is_formula else f"{item.text} {unit}"
