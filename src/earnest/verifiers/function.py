"""A function of your own as the verifier: 1.0 is correct, every other score up to that is not.

The same functions as for a reward, in TRL's signature (`sandbox/function.py`), but what they say becomes the number that is
reported. So a score outside [0, 1] or a None is an error here, and a completion that was cut, whose thought never closed, or
that is empty is graded without asking. Try yours on wrong and on odd answers first: `earnest verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PrivateAttr

from earnest.component import FunctionName, function_file
from earnest.sandbox.function import Case, Failure, scores
from earnest.sandbox.worker import Callee
from earnest.types import Item, Status, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.entry import given
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import ungradable

EXTRACTED_CHARS = 200


class Function(Verifier):
    """Grades with a function of your own. `verifier: rewards.py:exact` is short for this with `path`."""

    version: ClassVar[str] = "1"

    path: FunctionName
    """`file.py:name`, relative to the recipe, or `package.module:name`."""
    timeout_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds that a call for at most 64 completions may take."""

    _callee: Callee = PrivateAttr()

    @property
    def label(self) -> str:
        return self._callee.label

    def model_post_init(self, context: object, /) -> None:
        self._callee = Callee.read(self.path)

    def code(self) -> tuple[Path, ...]:
        return function_file(self.path)

    def check_gold(self, answer: str) -> str | None:
        return None if answer else "the gold answer is empty"

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        found = [given(item, _gold) for item in items]
        asked = [item for item, case in zip(items, found, strict=True) if not isinstance(case, Verdict)]
        scored = iter(scores(self._callee, [Case(item.problem, item.parsed) for item in asked], self.timeout_s))
        return [
            case if isinstance(case, Verdict) else _verdict(item, next(scored))
            for item, case in zip(items, found, strict=True)
        ]


def _gold(answer: str | None) -> str | Refused:
    return answer or Refused("empty")


def _verdict(item: Item, score: float | None | Failure) -> Verdict:
    if isinstance(score, Failure):
        return ungradable(score.text)
    if score is None:
        return ungradable("the function returned None; a verifier must decide")
    if not 0 <= score <= 1:
        return ungradable(f"the function returned {score:g}; a verifier's scores are between 0 and 1")
    extracted = (item.parsed.answer_text or "")[:EXTRACTED_CHARS]
    reason = "" if score == 1 else f"the function gave {score:g}"
    return Verdict(status=Status.OK, correct=score == 1, score=score, extracted=extracted, reason=reason)
