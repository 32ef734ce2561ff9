"""A verifier grades text against a gold answer. It knows no model; it is deterministic, and safe to call from any thread.

Rules every verifier keeps: model output is the only untrusted input, and what it breaks is `limit` or `no_answer`, never an
exception; what breaks on our side (a gold that cannot be read) is `error`, never a 0.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from earnest.component import Component
from earnest.types import Item, Json, Verdict


class Verifier(Component):
    """How a completion is graded."""

    kind: ClassVar[str] = "verifier"
    version: ClassVar[str] = "1"
    """Changes whenever a verdict could; stands beside every reported number."""
    needs_gold: ClassVar[bool] = True
    """False: it judges the text by itself, and a problem without an answer is no error."""

    scores_steps: ClassVar[bool] = False
    """True: its verdicts have scores of single reasoning steps."""

    @property
    def label(self) -> str:
        """What reports call it."""
        return self.name

    @abstractmethod
    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order. An item that is truncated is TRUNCATED, one without an answer NO_ANSWER."""

    def check_gold(self, answer: str) -> str | None:
        """None if this verifier can grade against the gold answer, else the reason it cannot."""
        return None

    def conditions(self) -> Mapping[str, Json]:
        """What of this machine its verdicts depend on, for a run's record. Raises MissingDependency for what is not there."""
        return {}
