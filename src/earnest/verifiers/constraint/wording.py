"""Constraints on which words, letters and capitals there are, and on how a response begins and ends. A helper, no verifier.

Keywords are whole words: `cat` is not in `concatenate`, and any white space is the space in a phrase. Small and capital letters
are alike. In scripts that write no spaces a keyword may stand within a run. A keyword that is forbidden is also found where it
is spelt with Cyrillic or Greek letters that look the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

import regex
from pydantic import AliasChoices, Field, field_validator, model_validator

from earnest.verifiers.constraint import language
from earnest.verifiers.constraint.response import Response, has_word, visible, words
from earnest.verifiers.constraint.rule import Counted, Rule, Text

Phrases: TypeAlias = Annotated[tuple[Text, ...], Field(min_length=1, max_length=500, strict=False)]


class Keywords(Rule):
    """All of these are there."""

    type: Literal["keywords"]
    keywords: Phrases

    def is_met(self, response: Response) -> bool:
        text = response.text.casefold()
        return all(_pattern(keyword).search(text) for keyword in self.keywords)


class ForbiddenKeywords(Rule):
    """None of these is there."""

    type: Literal["forbidden_keywords"]
    keywords: Phrases

    def is_met(self, response: Response) -> bool:
        text = response.text.casefold()
        texts = (
            {text, text.translate(_LOOK_ALIKES)} if len(_LATIN.findall(text)) > len(_ALIKE.findall(text)) else {text}
        )
        return not any(_pattern(keyword).search(text) for keyword in self.keywords for text in texts)


class KeywordFrequency(Counted):
    """A keyword is there so many times."""

    type: Literal["keyword_frequency"]
    keyword: Text

    def is_met(self, response: Response) -> bool:
        return self.holds(sum(1 for _ in _pattern(self.keyword).finditer(response.text.casefold())))


class LetterFrequency(Counted):
    """A character is there so many times, small and capital letters alike; it may be no letter (`#`)."""

    type: Literal["letter_frequency"]
    letter: str

    @field_validator("letter")
    @classmethod
    def _is_one(cls, letter: str) -> str:
        if len(unicodedata.normalize("NFC", letter)) != 1 or not visible(letter).strip():
            raise ValueError("one character is needed")
        return letter

    def is_met(self, response: Response) -> bool:
        letter = unicodedata.normalize("NFKC", self.letter).casefold()
        return self.holds(response.text.casefold().count(letter))


class NoCommas(Rule):
    """No comma, of whatever script."""

    type: Literal["no_commas"]

    def is_met(self, response: Response) -> bool:
        return not _COMMAS.search(response.text)


class _Cased(Rule):
    language: str | None = None
    """The language it must be in as well; None: any."""

    @field_validator("language")
    @classmethod
    def _is_known(cls, code: str | None) -> str | None:
        return code if code is None else _known(code)

    def _is_in_language(self, response: Response) -> bool:
        return self.language is None or language.detect(response.text) == self.language


class AllLowercase(_Cased):
    """There are letters with two cases, and all of them are small."""

    type: Literal["all_lowercase"]

    def is_met(self, response: Response) -> bool:
        text = response.text
        return bool(_SMALL.search(text)) and not _CAPITAL.search(text) and self._is_in_language(response)


class AllUppercase(_Cased):
    """There are letters with two cases, and all of them are capitals: `TITLE CASE`, not `Title Case`."""

    type: Literal["all_uppercase"]

    def is_met(self, response: Response) -> bool:
        text = response.text
        return bool(_CAPITAL.search(text)) and not _NO_CAPITAL.search(text) and self._is_in_language(response)


class CapitalWords(Counted):
    """So many words in capitals throughout (`NASA`, `I`, `B2B`)."""

    type: Literal["capital_words"]

    def is_met(self, response: Response) -> bool:
        return self.holds(sum(word.isupper() for word in response.words))


class Language(Rule):
    """In a language, by its ISO 639-1 code, as `language.py` tells it."""

    type: Literal["language"]
    language: str

    @field_validator("language")
    @classmethod
    def _is_known(cls, code: str) -> str:
        return _known(code)

    def is_met(self, response: Response) -> bool:
        return language.detect(response.text) == self.language


class StartWith(Rule):
    """The first words are these."""

    type: Literal["start_with"]
    text: Text = Field(validation_alias=AliasChoices("text", "phrase", "prefix", "start"))

    def is_met(self, response: Response) -> bool:
        said, phrase = _flat(response.text.lstrip(_QUOTES)), _flat(self.text)
        return said.startswith(phrase) and not _joins(phrase[-1:], said[len(phrase) :])


class EndWith(Rule):
    """The last words are these, and nothing but quotation marks and Markdown's stars follows them."""

    type: Literal["end_with"]
    text: Text = Field(validation_alias=AliasChoices("text", "phrase", "suffix", "end"))

    def is_met(self, response: Response) -> bool:
        phrase = _flat(self.text)
        for said in (_flat(response.text), _flat(response.text.rstrip(_QUOTES))):
            if said.endswith(phrase) and not _joins(phrase[:1], said[: len(said) - len(phrase)][::-1]):
                return True
        return False


class RepeatPrompt(Rule):
    """The prompt comes first, word for word, and an answer follows it."""

    type: Literal["repeat_prompt"]
    prompt: Text

    def is_met(self, response: Response) -> bool:
        phrase = _flat(self.prompt)
        for said in (_flat(response.text), _flat(response.text.lstrip(_QUOTES))):
            rest = said[len(phrase) :]
            if said.startswith(phrase) and not _joins(phrase[-1:], rest) and has_word(rest):
                return True
        return False


class OneOf(Rule):
    """Exactly one of these phrases is there, as a whole."""

    type: Literal["one_of"]
    options: Annotated[tuple[Text, ...], Field(min_length=2, max_length=100, strict=False)]

    @model_validator(mode="after")
    def _differ(self) -> OneOf:
        if len({_flat(option) for option in self.options}) < len(self.options) or not all(map(words, self.options)):
            raise ValueError("options must be different, and each have a word")
        return self

    def is_met(self, response: Response) -> bool:
        text = response.text.casefold()
        return sum(_pattern(option).search(text) is not None for option in self.options) == 1


_COMMAS = re.compile("[,‚،⹁、〃՝߸᠂᠈꓾꘍꛵﹐﹑，､𑑍]")
_CAPITAL = regex.compile(r"[\p{Lu}\p{Lt}]")
_SMALL = regex.compile(r"\p{Ll}")
_NO_CAPITAL = regex.compile(r"[\p{Ll}\p{Lt}]")
_QUOTES = " \t\n\"'“”‘’*_`"
_NO_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_INNER = regex.compile(rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_NO_SPACES}]]", regex.V1)
_LOOK_ALIKES = str.maketrans("асеорхуіјѕһԁԛԝкмтвнονικατυρ", "aceopxyijshdqwkmtbhovikatup")
_LATIN, _ALIKE = regex.compile(r"\p{Latin}"), regex.compile(r"[\p{Cyrillic}\p{Greek}]")


def _known(code: str) -> str:
    found = language.known(code)
    if found is None:
        raise ValueError(f"cannot tell the language {code!r}; known: {' '.join(sorted(language.LANGUAGES))}")
    return found


@lru_cache(maxsize=4096)
def _pattern(keyword: str) -> regex.Pattern[str]:
    """A keyword as whole words in casefolded text; white space matches any white space."""
    plain = unicodedata.normalize("NFKC", visible(keyword)).casefold()
    before = r"(?<![\p{L}\p{M}\p{N}])" if _INNER.match(plain.strip()[:1]) else ""
    after = r"(?![\p{L}\p{M}\p{N}])" if _INNER.match(plain.strip()[-1:]) else ""
    return regex.compile(before + r"\s+".join(regex.escape(part) for part in plain.split()) + after)


def _flat(text: str) -> str:
    """For comparing phrases: NFKC, one space for all white space, straight quotation marks, no capitals."""
    text = unicodedata.normalize("NFKC", visible(text)).translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
    return " ".join(text.split()).casefold()


def _joins(edge: str, rest: str) -> bool:
    """True if a phrase's edge is a letter that the rest goes on with: `Yes` in `Yesterday`."""
    return bool(rest) and _INNER.match(edge) is not None and _INNER.match(rest[0]) is not None


RULES = (
    Keywords,
    ForbiddenKeywords,
    KeywordFrequency,
    LetterFrequency,
    NoCommas,
    AllLowercase,
    AllUppercase,
    CapitalWords,
    Language,
    StartWith,
    EndWith,
    RepeatPrompt,
    OneOf,
)
