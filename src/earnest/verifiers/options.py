"""The options of a multiple-choice question, and where a text names one of them. A helper of the choice verifier, no verifier.

A text names an option by its label (`B`, `(b)`, `option B`), by its whole text (`London`), or by both. A capital A before a
word in small letters is an article and a capital I a pronoun; labels are ASCII, or their full-width and mathematical forms.
Small and capital letters of option texts are the same unless two options differ in nothing else (`Rr`, `rr`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from earnest.verifiers import golds, latex, literal
from earnest.verifiers.literal import Literal
from earnest.verifiers.refused import Refused

MAX_OPTIONS = 64
MAX_CHARS = 4096

_LABEL = re.compile(r"[A-Z]|[1-9]?[0-9]")
_WRAPPING = "()[]. "
_ENDS = " \t\r\n.,;:!*_`\"'“”‘’«»"


@dataclass(frozen=True, slots=True)
class Named:
    """An option that a text names, and where. The label may be none of the question's: "E" of A to D."""

    label: str
    start: int
    end: int
    by_label: bool


@dataclass(frozen=True)
class Options:
    """Example: Options(texts={"A": "Paris", "B": "London"}, answer="B")."""

    texts: Mapping[str, str]  # label -> text as `plain` leaves it
    answer: str

    @cached_property
    def numeric(self) -> bool:
        """True if labels are numbers, which prose is full of."""
        return any(label.isdigit() for label in self.texts)

    def exact(self, statement: str) -> str | None:
        """The one option that this text is and nothing more: label, text, or both; "" if label and text disagree, or if the
        text is that of several options. None if it is no option."""
        if len(statement) > MAX_CHARS:
            return None
        text = plain(statement).strip(_ENDS)
        bare = _BARE.fullmatch(text)
        if bare and bare["label"].upper() in self.texts:
            return self._by_label(text, bare)
        called = self._called(text)
        if called is not None:
            return called
        for pattern in (_LABEL_FIRST, _LABEL_LAST):
            both = pattern.fullmatch(text)
            if (
                both
                and both["label"].upper() in self.texts
                and (both["open"] or _separates(both["label"], both["gap"]))
            ):
                label, rest = both["label"].upper(), both["text"].strip(_ENDS)
                named = self._called(rest)
                if named is not None:
                    is_article = both["label"] == "A" and both["gap"] == " "
                    return label if self._is_text_of(rest, label) else named if is_article else ""
        return None

    def named(self, statement: str) -> list[Named]:
        """Every option that the text names, in order; the text as `plain` leaves it."""
        found = (
            [Named("", m.start(), m.end(), False) for m in self._pattern.finditer(statement)] if self._pattern else []
        )
        masked = list(statement)
        for text in found:
            masked[text.start : text.end] = "\0" * (text.end - text.start)
        labels = list(_labels("".join(masked), self.numeric))
        texts: list[Named] = []
        for text in found:
            called = self._called(statement[text.start : text.end].strip(_ENDS))
            beside = {
                label.label for label in labels if self._is_text_of(statement[text.start : text.end], label.label)
            }
            texts.append(Named(called or (beside.pop() if len(beside) == 1 else "?"), text.start, text.end, False))
        return sorted([*texts, *labels], key=lambda name: name.start)

    def _by_label(self, text: str, bare: re.Match[str]) -> str:
        """A bare label that is also the text of another option could mean either."""
        label = bare["label"].upper()
        other = self._called(text) if text == bare["label"] else None
        return label if other in (None, label) else ""

    def _called(self, text: str) -> str | None:
        """The option with this text, or with this number: "" if there are several, None if there is none."""
        if not text:
            return None
        key = self._key(text)
        found = self._by_text.get(key)
        if found is None:
            value = _value(text)
            same = [] if value is None else [o for o, theirs in self._values.items() if _is_same(value, theirs)]
            found = tuple(same)
        return None if not found else found[0] if len(found) == 1 else ""

    def _is_text_of(self, text: str, label: str) -> bool:
        theirs, value = self._values.get(label), _value(text)
        same = theirs is not None and value is not None and _is_same(value, theirs)
        return label in self.texts and (same or self._key(text.strip(_ENDS)) == self._key(self.texts[label]))

    def _key(self, text: str) -> str:
        return text if self._cased else text.casefold()

    @cached_property
    def _cased(self) -> bool:
        """True if two options differ in small and capital letters alone."""
        distinct = set(self.texts.values())
        return len({text.casefold() for text in distinct}) < len(distinct)

    @cached_property
    def _by_text(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for label, text in self.texts.items():
            if text:
                found[self._key(text)] = (*found.get(self._key(text), ()), label)
        return found

    @cached_property
    def _values(self) -> Mapping[str, Literal]:
        return {label: value for label, text in self.texts.items() if (value := _value(text)) is not None}

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        """All option texts as whole phrases, the longest first."""
        texts = sorted({text for text in self.texts.values() if text}, key=len, reverse=True)
        whole = "|".join(_whole(text) for text in texts)
        return re.compile(whole, 0 if self._cased else re.IGNORECASE) if texts else None


@lru_cache(maxsize=4096)
def read(answer: str | None) -> Options | Refused:
    """The options in a gold text, or why it cannot be graded against."""
    gold = golds.read(answer)
    if isinstance(gold, Refused):
        return gold
    choices, right = gold.get("choices"), gold.get("answer")
    if not isinstance(choices, dict) or not 2 <= len(choices) <= MAX_OPTIONS:
        return Refused(f"`choices` must be an object of 2 to {MAX_OPTIONS} labels and texts")
    if not all(isinstance(text, str) and len(text) <= MAX_CHARS for text in choices.values()):
        return Refused("an option that is no text, or too long a one")
    labels = [label.strip(_WRAPPING).upper() for label in choices]
    if not all(_LABEL.fullmatch(label) for label in labels):
        return Refused("a label that is neither one letter nor a number below 100")
    if len(set(labels)) < len(labels):
        return Refused("a label that is there twice")
    if not isinstance(right, str) or right.strip(_WRAPPING).upper() not in labels:
        return Refused(f"the answer {right!r:.40} is none of the labels")
    texts = {label: plain(text).strip(_ENDS) for label, text in zip(labels, choices.values(), strict=True)}
    return Options(texts, right.strip(_WRAPPING).upper())


_WRAPPERS = (*latex.TEXT, *latex.LETTERS, *latex.SELDOM, *latex.BOXES, "textsf", "texttt", "boldsymbol", "bm")
_MACRO = re.compile(latex.pattern(*_WRAPPERS) + r" ?\{([^{}]*)\}")
_MARKUP = re.compile(r"\*\*|\$|\\[()\[\]]|\\[,;:! ]|`")
_SPACES = re.compile(r"\s+")
_MATH_LETTERS = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x1D400, 0x1D6A4)}


def plain(text: str) -> str:
    """Without Markdown and LaTeX markup, invisible characters and double spaces; nothing else is touched."""
    text = literal.fold(unicodedata.normalize("NFC", text)).translate(_MATH_LETTERS)
    if "\\" in text:
        text = _MACRO.sub(r"\1", _MACRO.sub(r"\1", text))
    return _SPACES.sub(" ", _MARKUP.sub("", text)).strip()


_BARE = re.compile(r"(?:(?i:the )?(?i:option|choice|letter) )?[(\[{]?(?P<label>[A-Za-z]|[0-9]{1,2})[)\]}]?[.):]?")
_LABEL_FIRST = re.compile(
    r"(?:(?i:option|choice) )?(?P<open>[(\[]?)(?P<label>[A-Za-z]|[0-9]{1,2})"
    r"(?P<gap>[)\]]?[.:,)]?(?: [-–—=](?= ))? ?)(?P<text>\S.*)"
)
_LABEL_LAST = re.compile(r"(?P<text>[^(\[]*\S) ?(?P<open>[(\[])(?P<label>[A-Za-z]|[0-9]{1,2})[)\]](?P<gap>)")

_SPOKEN = re.compile(r"\b(?i:option|choice|letter|answer)s? [(\[]?(?P<label>[A-Z]|[0-9]{1,2})[)\]]?(?![\w'’])")
_BRACKETED = re.compile(r"(?<!\w)[(\[{] ?(?P<label>[A-Za-z]|[0-9]{1,2}) ?[)\]}](?!\w)")
_LISTED = re.compile(r"(?<![\w.,'’-])(?P<label>[0-9]{1,2})[).:](?= |\Z)")
_LETTER = re.compile(r"(?<![\w'’°.+-])(?<!\w[(\[{])(?P<label>[A-Z])(?![\w'’°+#^]|[-.]\w|[)\]}]\w)")
_NO_NOUN = """
    is was are were has had does did can could will would shall should might may must seems looks appears fits works
    and or nor but yet so because since as than then though although while whereas if unless until when where which that
    of in on at to from by for with without into onto over under after before between among through during against about
    above below beside besides near via per vs versus plus minus times not rather instead too also either neither
"""
"""Words that an article never stands before: a capital A before one of them is a label."""
_IS_LABEL_A = re.compile(
    rf" ?(?:[^\w ]|\Z)| (?:{'|'.join(_NO_NOUN.split())}|[A-Z][0-9]?)\b"
    r"| [a-z]{1,20} [(\[]?[A-Z][)\]]?(?:[^\w'’]|\Z)"  # "A next B": what names a label right after one word is no noun phrase
)
_IS_LABEL_I = re.compile(
    r" ?(?:[^\w ,'’]|\Z)| ?,? (?:is|or|because|[A-Z])\b| ?,? (?:and|nor|then|vs|versus|plus|with) [(\[]?[A-Z](?![\w'’])"
)


def _separates(label: str, gap: str) -> bool:
    """True if what stands after an unbracketed label sets it off: `B.London`, `B London`, `b) London`, but neither
    `1.5` nor `b London`."""
    return (
        gap != ""
        and (not label.isdigit() or (gap != "." and gap.strip() != ""))
        and (label.isupper() or label.isdigit() or gap.strip() != "")
    )


def _labels(text: str, numeric: bool) -> Iterator[Named]:
    """The labels in a text whose option texts are masked; each place once."""
    taken: set[int] = set()
    for pattern in (_SPOKEN, _BRACKETED, _LISTED, _LETTER):
        for found in pattern.finditer(text):
            label, at = found["label"], found.start("label")
            if at in taken or (label.isdigit() and not numeric):
                continue
            after = {"A": _IS_LABEL_A, "I": _IS_LABEL_I}.get(label) if pattern is _LETTER else None
            if after is None or after.match(text, at + 1):
                taken.add(at)
                yield Named(label.upper(), at, at + len(label), True)


def _whole(text: str) -> str:
    """A pattern for a text that is no part of a longer word or number."""
    before = r"(?<!\w)(?<![0-9][.,])(?<!-)" if text[0].isdigit() else r"(?<!\w)" if text[0].isalnum() else ""
    after = r"(?!\w|[.,/]?[0-9]| ?\\?%)" if text[-1].isdigit() else r"(?!\w)" if text[-1].isalnum() else ""
    return before + re.escape(text) + after


@lru_cache(maxsize=4096)
def _value(text: str) -> Literal | None:
    """The number that a text is, if it is one."""
    value = literal.read(text) if len(text) <= MAX_CHARS and any(c.isdigit() for c in text) else None
    return value if isinstance(value, Literal) else None


def _is_same(one: Literal, other: Literal) -> bool:
    """Equal numbers whose units, where both state one, are the same words."""
    units = not (one.unit and other.unit) or one.unit == other.unit
    return (
        one.value == other.value and units and (not (one.currency and other.currency) or one.currency == other.currency)
    )
