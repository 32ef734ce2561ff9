"""Your own grader. `recipe.yaml` names it as `verifier.py:MyVerifier`; nothing has to be registered.

Three rules keep a reward honest. Whatever a model writes must not make a grader crash: it is `limit` or `no_answer`. A gold
answer that you cannot read is `error`, never a 0. And nothing but a right answer may pay: not two answers, not one inside
a sentence, not an answer that was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers.base import Verifier


class MyVerifier(Verifier):
    """One digit and nothing else, equal to the gold."""

    version: ClassVar[str] = "1"  # raise it whenever a verdict could change

    strip: bool = True
    """Spaces around the digit do not matter. A field like this one can be set in the recipe."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        return None if _is_digit(answer) else f"{answer!r} is not one digit"

    def _judge(self, item: Item) -> Verdict:
        gold = item.problem.answer
        if gold is None or not _is_digit(gold):
            return Verdict(status=Status.ERROR, correct=None, score=None, reason=f"gold {gold!r} is not one digit")
        if item.truncated:
            return _wrong(Status.TRUNCATED, "cut before the end")
        text = item.parsed.answer_text
        if text is None:
            return _wrong(Status.NO_ANSWER, "the thought never closed")
        answer = text.strip() if self.strip else text
        if not _is_digit(answer):
            return _wrong(Status.NO_ANSWER, "not one digit")
        if answer != gold:
            return _wrong(Status.OK, "another digit", extracted=answer)
        return Verdict(status=Status.OK, correct=True, score=1.0, extracted=answer)


def _is_digit(text: str) -> bool:
    return len(text) == 1 and text in "0123456789"


def _wrong(status: Status, reason: str, extracted: str | None = None) -> Verdict:
    return Verdict(status=status, correct=False, score=0.0, extracted=extracted, reason=reason)
