"""Grades a response that must keep to constraints which a program can check: lengths, words, layout, JSON, language.

The gold is a JSON object, `{"constraints": [{"type": "word_count", "relation": "at least", "n": 20}, …]}`; the types and their
arguments are the classes of `wording.py`, `lengths.py`, `layout.py` and `data.py`, and IFEval's instructions are translated by
`ifeval.py`. A response is correct if it meets all of them; the score is the same, and `parts` holds each constraint's, with
their share as "met". The thought does not count. A response without a single letter or digit is no answer, however few are
asked for, and neither is the question itself.

An unknown type, an unknown or missing argument and an empty list are errors of the gold. It says nothing about whether a
response is any good: a list of words can meet a length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.constraint.gold import read
from earnest.verifiers.constraint.response import MAX_CHARS, Response
from earnest.verifiers.constraint.rule import Rule, TooMuch
from earnest.verifiers.entry import given
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import unanswered

EXTRACTED_CHARS = 200


class Constraint(Verifier):
    """All constraints of a list. Example: three bullets and no comma are met by "- a\\n- b\\n- c"."""

    version: ClassVar[str] = "1"

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [_judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        gold = read(answer)
        return gold.reason if isinstance(gold, Refused) else None


def _judge(item: Item) -> Verdict:
    found = given(item, read)
    if isinstance(found, Verdict):
        return found
    text = found.text
    if len(text) > MAX_CHARS:
        return unanswered(Status.LIMIT, "too long", text[:EXTRACTED_CHARS])
    response = Response(text)
    if not response.words:
        return unanswered(Status.NO_ANSWER, "no word is there")
    if _is_echo(response, item.problem.question):
        return unanswered(Status.NO_ANSWER, "the question again, and no answer", text[:EXTRACTED_CHARS])
    return _verdict(response, found.gold)


def _is_echo(response: Response, question: str) -> bool:
    """True if the response is the question and nothing else, which often keeps to its own constraints."""
    said, asked = (tuple(word.casefold() for word in text.words) for text in (response, Response(question)))
    return said == asked


def _verdict(response: Response, rules: Sequence[Rule]) -> Verdict:
    parts: dict[str, float] = {}
    past: str = ""
    for number, rule in enumerate(rules, start=1):
        try:
            met = rule.is_met(response)
        except TooMuch as limit:
            met, past = False, str(limit)
        parts[f"{number} {rule.type}"] = float(met)  # type: ignore[attr-defined]: every rule has its own
    missed = [name for name, met in parts.items() if not met]
    parts["met"] = 1 - len(missed) / len(rules)
    return Verdict(
        status=Status.LIMIT if past else Status.OK,
        correct=not missed,
        score=float(not missed),
        extracted=response.raw[:EXTRACTED_CHARS],
        reason=past or ("not met: " + ", ".join(missed) if missed else ""),
        parts=parts,
    )
