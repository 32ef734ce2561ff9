"""Constraints on the shape of a response: lists, headings, marks, parts, quotation. A helper, no verifier.

Something counts only if it holds a word: an empty pair of brackets is no placeholder and `- ` is no bullet.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from earnest.verifiers.constraint.response import Response, has_word
from earnest.verifiers.constraint.rule import Counted, Rule, Text

_BULLET = re.compile(r"^[ \t>]*(?:[-*+–][ \t]+|[•‣◦][ \t]*)(\S[^\n]*)", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\[([^\[\]\n]{1,200})\](?!\()")
_HIGHLIGHT = re.compile(r"(?<![*\w\\])(\*{1,3})(?![\s*])([^*\n]{1,2000})(?<![\s\\])\1(?![*\w])")
_TITLE = re.compile(r"<<([^<>\n]{1,1000})>>")
_LETTER = re.compile(r"[^\W\d_]")


class Bullets(Counted):
    """So many lines that begin with `-`, `*` or another bullet, a space and a text; numbered lines are none."""

    type: Literal["bullets"]
    relation: Literal["at least", "at most", "exactly", "less than", "more than", "fewer than"] = "exactly"

    def is_met(self, response: Response) -> bool:
        return self.holds(sum(has_word(text) for text in _BULLET.findall(response.text)))


class Placeholders(Counted):
    """So many texts in square brackets with a letter in them (`[name]`); a Markdown link is none."""

    type: Literal["placeholders"]
    relation: Literal["at least", "at most", "exactly", "less than", "more than", "fewer than"] = "at least"

    def is_met(self, response: Response) -> bool:
        found = _PLACEHOLDER.findall(response.text)
        return self.holds(sum(_LETTER.search(text) is not None for text in found))


class Highlights(Counted):
    """So many texts between stars within a line: `*so*`, `**so**` or `***so***`."""

    type: Literal["highlights"]
    relation: Literal["at least", "at most", "exactly", "less than", "more than", "fewer than"] = "at least"

    def is_met(self, response: Response) -> bool:
        return self.holds(sum(has_word(text) for _, text in _HIGHLIGHT.findall(response.text)))


class Sections(Counted):
    """So many lines that begin with a mark and a number (`SECTION 1`), all numbers different, each with text after it."""

    type: Literal["sections"]
    mark: Text
    relation: Literal["at least", "at most", "exactly", "less than", "more than", "fewer than"] = "at least"

    def is_met(self, response: Response) -> bool:
        marks = list(_section(self.mark).finditer(response.text))
        ends = [*(mark.start() for mark in marks), len(response.text)][1:]
        numbers = [mark[1] for mark, end in zip(marks, ends, strict=True) if has_word(response.text[mark.end() : end])]
        return len(set(numbers)) == len(numbers) and self.holds(len(numbers))


class Title(Rule):
    """There is a title in double angular brackets: `<<like this>>`."""

    type: Literal["title"]

    def is_met(self, response: Response) -> bool:
        return any(has_word(title) for title in _TITLE.findall(response.text))


class Postscript(Rule):
    """After some text comes a postscript: its mark, as in `P.S.`, and what it says."""

    type: Literal["postscript"]
    mark: Literal["P.S.", "P.P.S", "P.P.S."] = "P.S."

    def is_met(self, response: Response) -> bool:
        found = _POSTSCRIPTS[self.mark.removesuffix(".")].search(response.text)
        return found is not None and has_word(response.text[: found.start()]) and has_word(response.text[found.end() :])


class TwoResponses(Rule):
    """Two different responses with six stars between them, `******`."""

    type: Literal["two_responses"]

    def is_met(self, response: Response) -> bool:
        parts = _SIX.split(response.text)
        inner = parts[1 if not parts[0].strip() else 0 : -1 if not parts[-1].strip() else None]
        flat = [" ".join(part.split()).casefold() for part in inner]
        return len(flat) == 2 and flat[0] != flat[1] and all(has_word(part) for part in flat)


class Quotation(Rule):
    """The whole response is wrapped in double quotation marks."""

    type: Literal["quotation"]

    def is_met(self, response: Response) -> bool:
        text = response.raw.strip("\u200b\ufeff \t\n")
        return text[:1] in ('"', "“") and text[-1:] in ('"', "”") and len(text) > 2 and has_word(text[1:-1])


_SIX = re.compile(r"(?<!\*)\*{6}(?!\*)")
_POSTSCRIPTS = {
    "P.S": re.compile(r"(?<!\S)[*_>\"“(]*p\.[ ]?s\b\.?[:*_]*", re.IGNORECASE),
    "P.P.S": re.compile(r"(?<!\S)[*_>\"“(]*p\.[ ]?p\.[ ]?s\b\.?[:*_]*", re.IGNORECASE),
}


@lru_cache(maxsize=256)
def _section(mark: str) -> re.Pattern[str]:
    words = r"[ \t]+".join(re.escape(part) for part in mark.split())
    return re.compile(rf"^[ \t#*_>\"“(\[<]*{words}[ \t]*([0-9]{{1,4}})\b", re.MULTILINE | re.IGNORECASE)


RULES = (Bullets, Placeholders, Highlights, Sections, Title, Postscript, TwoResponses, Quotation)
