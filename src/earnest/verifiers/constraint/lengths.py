"""Constraints on how much there is: words, sentences, paragraphs. A helper, no verifier."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from earnest.verifiers.constraint.response import Response, has_word, words
from earnest.verifiers.constraint.rule import Counted, Rule, Text


class WordCount(Counted):
    """So many words; isolated punctuation is none."""

    type: Literal["word_count"]

    def is_met(self, response: Response) -> bool:
        return self.holds(len(response.words))


class Sentences(Counted):
    """So many sentences, counted as `response.py` says."""

    type: Literal["sentences"]

    def is_met(self, response: Response) -> bool:
        return self.holds(response.sentences)


_RULE = re.compile(r"(?<!\S)\*\*\*(?!\S)")
_BLANK = re.compile(r"\n[ \t]*\n\s*")


class Paragraphs(Rule):
    """Exactly so many paragraphs, each with a word: with blank lines between them, or with the divider `***` alone."""

    type: Literal["paragraphs"]
    n: int = Field(ge=1, le=10_000)
    separator: Literal["blank line", "***"] = "blank line"

    def is_met(self, response: Response) -> bool:
        if self.separator == "blank line":
            return sum(has_word(part) for part in _BLANK.split(response.text)) == self.n
        parts = _RULE.split(response.text)
        inner = parts[1 if not parts[0].strip() else 0 : -1 if not parts[-1].strip() else None]
        return len(inner) == self.n and all(has_word(part) for part in inner)


class ParagraphStart(Rule):
    """Exactly `n` paragraphs with blank lines between them, of which number `paragraph` begins with a word."""

    type: Literal["paragraph_start"]
    n: int = Field(ge=1, le=10_000)
    paragraph: int = Field(ge=1, le=10_000)
    word: Text

    @model_validator(mode="after")
    def _is_there(self) -> ParagraphStart:
        if self.paragraph > self.n:
            raise ValueError(f"there is no paragraph {self.paragraph} of {self.n}")
        if not words(self.word):
            raise ValueError("`word` has no letter")
        return self

    def is_met(self, response: Response) -> bool:
        parts = [part for part in _BLANK.split(response.text) if has_word(part)]
        wanted = [word.casefold() for word in words(self.word)]
        return (
            len(parts) == self.n
            and [w.casefold() for w in words(parts[self.paragraph - 1][:1000])][: len(wanted)] == wanted
        )


RULES = (WordCount, Sentences, Paragraphs, ParagraphStart)
