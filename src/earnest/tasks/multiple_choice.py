"""What benchmarks have in common whose answers are one of several options. A helper, no task.

The options follow the question, "(A) …" on a line each; the gold holds them with the right label, as the verifier `choice` wants
it. Nothing tells the model how to answer: that is the prompt format's.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from earnest.tasks.benchmark import Benchmark
from earnest.tasks.rows import Row, unreadable
from earnest.types import Problem, Solution
from earnest.verifiers import golds

LETTERS = string.ascii_uppercase


class MultipleChoice(Benchmark):
    """Test problems with options. A subclass says what a row means."""

    @property
    def verifier_name(self) -> str:
        return "choice"

    def gold(self, problem: Problem) -> Solution:
        """The label; in brackets where, without them, it is the text of an option too."""
        trace = problem.meta.get("trace", "")
        assert isinstance(trace, str), problem
        right, texts = _options(problem)
        return Solution(trace, f"({right})" if right in texts.values() else right)

    def wrong(self, problem: Problem) -> list[Solution]:
        """Every other option by label and by text, the right label with another's text, two labels, all labels, a denial."""
        right, texts = _options(problem)
        others = [label for label in texts if label != right]
        answers = others + [f"({label}) {texts[label]}" for label in others]
        answers += [f"({right}) {texts[label]}" for label in others if texts[label] != texts[right]][:1]
        answers += [f"{right} or {others[0]}", f"{others[-1]}, {right}", " ".join(texts), f"not {right}"]
        return [Solution("", answer) for answer in answers]


def asked(question: str, texts: Sequence[str]) -> str:
    """The question with its options below it. Example: ("Which?", ["red", "blue"]) -> "Which?\\n(A) red\\n(B) blue"."""
    return "\n".join([question, *(f"({label}) {text}" for label, text in zip(LETTERS, texts, strict=False))])


def answer(texts: Sequence[str], right: str, row: Row, form: str) -> str:
    """The gold of options whose labels are A, B, C, …. Raises DataError if `right` is no label of one. form: of rows."""
    labels = LETTERS[: len(texts)]
    if len(texts) < 2 or right not in [*labels]:
        why = f"the answer must be the label of an option, one of {', '.join(labels) or 'none'}, it is {right!r:.40}"
        raise unreadable(row, why, form)
    return golds.write({"answer": right, "choices": dict(zip(labels, texts, strict=True))})


def _options(problem: Problem) -> tuple[str, Mapping[str, str]]:
    """The right label, and all labels with their texts."""
    gold = golds.read(problem.answer)
    assert isinstance(gold, Mapping), problem
    return gold["answer"], gold["choices"]
