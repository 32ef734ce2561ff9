"""Answers that a well-known regular expression and a benchmark's official string comparison get wrong, read as a person would.

Sources: the answer extraction of grade-school-math (openai/grade-school-math, GSM8K) and the pattern `answer is ([0-9,]*)`.
"""

from __future__ import annotations

import pytest

from earnest.types import Status
from earnest.verifiers.number import Number
from grading import make_item


@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("**The answer is $19.**", "19"),
        ("The answer is 12.5", "12.5"),
        ("The answer is 3. No wait, the answer is 4.", "4"),
        ("The answer is 1,234", "1234"),
        ("The answer is -7", "-7"),
        ("#### 1,000", "1000"),
        ("#### 18.", "18"),
        ("####18", "18"),
    ],
)
def test_what_a_person_reads_is_what_is_graded(text: str, gold: str) -> None:
    right, wrong = Number().judge([make_item(text, gold), make_item(text, gold + "1")])
    assert right.correct is True, right
    assert wrong.correct is False and wrong.status is Status.OK, wrong


@pytest.mark.parametrize("gold", ["0", "3", "12"])
def test_a_sentence_without_a_number_answers_nothing(gold: str) -> None:
    (verdict,) = Number().judge([make_item("the answer is , so", gold)])
    assert verdict.status is Status.NO_ANSWER
