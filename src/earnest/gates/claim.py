"""The claim gate: a run ends green only if its checkpoint beats the one it was trained from, on held-out problems, paired."""

from __future__ import annotations

from typing import ClassVar, Literal

from earnest.functional.stats import Interval
from earnest.gates.base import Gate, GateResult, Outcome, Paired


def decide(ci95: Interval) -> Literal["learned", "not shown", "regressed"]:
    """The rule. Example: decide((0.01, 0.2)) is "learned"; an end at exactly 0 is "not shown"."""
    if ci95[0] > 0:
        return "learned"
    return "regressed" if ci95[1] < 0 else "not shown"


class Claim(Gate):
    """Is the gain's interval above 0?"""

    looks_at: ClassVar[type] = Paired

    def check(self, evidence: Paired) -> GateResult:
        verdict = decide(evidence.ci95)
        outcome: dict[str, Outcome] = {"learned": "passed", "not shown": "warned", "regressed": "refused"}
        low, high = evidence.ci95
        told = (
            f"{verdict}: {evidence.stage} against {evidence.before}, {evidence.metric}, {100 * evidence.diff:+.1f} points "
            f"[{100 * low:+.1f}, {100 * high:+.1f}] on {evidence.problems:,} {evidence.split} problems"
        )
        remedy = {
            "learned": "",
            "not shown": "more problems in the evaluation narrow the interval; more steps or another recipe may move it",
            "regressed": f"keep {evidence.before}; a smaller lr, or a KL term to the start",
        }[verdict]
        numbers = {"difference": evidence.diff, "difference_ci95": list(evidence.ci95), "problems": evidence.problems}
        return self.result(evidence.stage, outcome[verdict], told, remedy, numbers)
