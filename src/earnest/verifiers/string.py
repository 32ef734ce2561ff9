"""Grades an answer that must be a given text, exactly.

Two texts are the same after Unicode NFC and case folding, without outer white space and quotes, and whatever full stop,
comma, colon or mark ends the answer. Within, what no reader sees is the same (any white space, characters without width, the
shape of an apostrophe), and nothing else is touched: `C++` is not `C#`, `5` is not `-5`, and a text that contains
the gold is not the gold. The answer is the last box, tag, "Answer:" or "####" line or "the answer is" sentence, else the
whole text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers import commitment, latex
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Candidate, Uncommitted
from earnest.verifiers.entry import given
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import quoted, right, unanswered, wrong

MAX_CHARS = 4096

_QUOTES = " \t\r\n\"'`“”‘’«»„"
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]+")
_APOSTROPHES = {0x2018: "'", 0x2019: "'", 0x02BC: "'"}
_WRAPPERS = (*latex.TEXT, *latex.LETTERS, "textrm")  # the others are rare in texts, and are compared as they stand
_TEXT_MACRO = re.compile(latex.pattern(*_WRAPPERS) + r" ?\{([^{}]*)\}")
_LINE = re.compile(
    r"^[ *_]{0,4}(?:the )?(?:final )?answer(?: is)?[ *_]{0,4}[:：][ *_]{0,4}"
    r"|^ {0,3}####[ \t]++(?!#)"
    r"|(?:\bthe |^)(?:final |correct |right )?answer is\b[ *_]{0,4}:?[ *_]{0,4}",
    re.IGNORECASE | re.MULTILINE,
)
_AFTER_OR = re.compile(r"\bor[ \t$*(]*\Z", re.IGNORECASE)
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_BOLD = re.compile(r"(\*\*|__|[*_])([^*_]+)\1[.!]?")
_EMPHASIS = re.compile(r"[ *_]++(?=[.!?]?\Z)")
_SENTENCE = re.compile(r"(?<!\bst)(?<!\bdr)(?<!\bmr)(?<!\bmrs)(?<!\bms)(?<!\bmt)(?<!\b[a-z])[.!?](?=\s)", re.IGNORECASE)


class String(Verifier):
    """One text, exactly. Example: gold "Paris" is met by `paris.` and `<answer>Paris</answer>`, not by `Paris, London`."""

    version: ClassVar[str] = "3"

    case_sensitive: bool = False
    """Compare upper and lower case as written."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        return None if self._core(answer) else "the gold answer is empty"

    def _judge(self, item: Item) -> Verdict:
        found = given(item, lambda answer: self._core(answer or "") or Refused("empty"))
        if isinstance(found, Verdict):
            return found
        gold, candidate = found.gold, self._committed(found.text)
        if isinstance(candidate, Uncommitted):
            return unanswered(Status.NO_ANSWER, candidate.reason)
        if not candidate:
            return unanswered(Status.NO_ANSWER, "nothing there")
        if len(candidate) > MAX_CHARS + 4 * len(gold):
            return unanswered(Status.LIMIT, "too long", quoted(candidate))
        return right(candidate) if self._is_same(candidate, gold) else wrong(candidate, "another text")

    def _committed(self, text: str) -> str | Uncommitted:
        """The text of the answer, or why there is none."""
        found = commitment.find_marked(text) or _lines(text)
        if isinstance(found, Uncommitted):
            return found
        if not found:
            text = text.strip()
            bold = _BOLD.fullmatch(text)
            return bold[2] if bold else text
        if text[found[-1].start] == "\\" and text.count("{") != text.count("}"):
            return Uncommitted("a box among braces that do not pair")  # where it ends is a guess
        settled = commitment.settle(text, found, self._core)
        if isinstance(settled, Uncommitted):
            return settled
        if _AFTER_OR.search(text, max(0, settled.start - 20), settled.start):
            return Uncommitted("one of two answers")
        answer = _TEXT_MACRO.sub(r"\1", settled.text).strip()
        if commitment.retraction(text, settled).strip(_QUOTES + ".,;:!?") or self._has_rival(
            text[settled.end :], answer
        ):
            return Uncommitted("taken back, or followed by another answer")
        return answer

    def _has_rival(self, after: str, answer: str) -> bool:
        """True if an "or" follows on its line, or a later line is as short as the answer and says something else."""
        if not after.strip():
            return False
        if _OR.search(after[:MAX_CHARS].partition("\n")[0]):
            return True
        size = max(2, len(answer.split()))
        lines = [line for line in after[:MAX_CHARS].splitlines() if line.strip(_QUOTES + "*_.$)]\\,;:!")]
        return any(len(line.split()) <= size and not self._is_same(line, self._core(answer)) for line in lines)

    def _core(self, text: str) -> str:
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text)).translate(_APOSTROPHES)
        text = " ".join(text.split()).strip(_QUOTES)
        return text if self.case_sensitive else text.casefold()

    def _is_same(self, candidate: str, gold: str) -> bool:
        """An answer may end in punctuation that the gold lacks; the gold may end in a full stop that the answer lacks."""
        answer = self._core(candidate)
        target = gold.rstrip(".") or gold
        forms = (answer, answer.rstrip(".").rstrip(_QUOTES), answer.rstrip(".,;:!?").rstrip(_QUOTES))
        return any(form in (gold, target) for form in forms if form)


def _lines(text: str) -> list[Candidate]:
    """What follows each "Answer:" that begins a line, to its end or as the next line; and each "the answer is", to the end of
    the sentence, or to the next of these: no character is looked at twice."""
    found: list[Candidate] = []
    for mark in commitment.marks(text, _LINE, commitment.BLANKS):  # a text may begin with a star
        stop = mark.line_end(text)
        is_line = mark.said.rstrip(" \t*_").endswith((":", "：", "#"))
        sentence = None if is_line else _SENTENCE.search(text, mark.begin, stop)
        stop = sentence.end() if sentence else stop
        found.append(Candidate(_EMPHASIS.sub("", text[mark.begin : stop]), mark.start, stop))
    return found
