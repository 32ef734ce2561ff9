"""Failures of the grader and of reward terms while rollouts are gathered: the first is told, too many end the stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earnest.errors import GateRefused
from earnest.types import Group, Status

Tell = Callable[[str, str], None]
"""(name of the event, sentence) -> nothing: what a stage wants its user to know at once."""

FAILED = "grading_failed"
"""The event of the first failure."""


@dataclass(slots=True)
class Watch:
    """ceiling: share of a step's rollouts that may fail. told: whether the first failure was, which a checkpoint keeps."""

    ceiling: float
    verifier: str
    terms: tuple[str, ...]
    tell: Tell
    told: bool = False

    def look(self, step: int, groups: Sequence[Group], term: str) -> None:
        """Look at all that was sampled in a step so far. term: why the first reward term that failed did.

        Raises GateRefused where there are too many failures.
        """
        rollouts = [r for group in groups for r in group.rollouts]
        failed = next((r.verdict.reason for r in rollouts if r.verdict.status is Status.ERROR), "")
        if (failed or term) and not self.told:
            self.told = True
            self.tell(FAILED, f"step {step + 1}: {failed or term}")
        errors = sum(r.verdict.status is Status.ERROR for r in rollouts) / len(rollouts)
        missing = sum(r.reward is None for r in rollouts) / len(rollouts)
        if errors > self.ceiling:
            raise GateRefused(
                f"the grader failed on {errors:.0%} of the rollouts of step {step + 1}",
                where=f"verifier {self.verifier}", why=failed,
                remedy="mend the verifier; a failure is never counted as a reward",
            )  # fmt: skip
        if missing > self.ceiling:
            raise GateRefused(
                f"{missing:.0%} of the rollouts of step {step + 1} have no reward",
                where=f"reward {', '.join(self.terms)}",
                why=term or failed or "no term applies to them",
                remedy="mend the reward; a failure is never counted as a reward of 0",
            )  # fmt: skip
