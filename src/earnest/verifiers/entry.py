"""What every verifier looks at before it reads an answer. A helper of the verifiers, no verifier.

In this order: what was cut is TRUNCATED, a gold that cannot be read is ERROR, and a thought that never closed or an answer
of white space alone is NO_ANSWER. Only then is there something to grade.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import unanswered, ungradable

G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Given(Generic[G]):
    """An answer to grade, without outer white space, and the gold as the verifier reads it."""

    text: str
    gold: G


def given(item: Item, read: Callable[[str | None], G | Refused], *, blank: bool = False) -> Given[G] | Verdict:
    """The answer and its gold, or the verdict where there is none to grade. blank: an answer of white space is one to look at."""
    if item.truncated:
        return unanswered(Status.TRUNCATED, "cut before its end")
    gold = read(item.problem.answer)
    if isinstance(gold, Refused):
        return ungradable(f"gold answer: {gold.reason}")
    text = item.parsed.answer_text
    if text is None:
        return unanswered(Status.NO_ANSWER, "the thought never closed")
    text = text.strip()
    return Given(text, gold) if text or blank else unanswered(Status.NO_ANSWER, "nothing there")


def no_gold(answer: str | None) -> None:
    """The gold of a verifier that reads none."""
