"""The support gate: reinforcement learning can only re-weight what a model already does, so it must do it sometimes.

Two questions about k samples a prompt of a dev slice. Is the model right more often than the same samples would be if the
golds were dealt out at random (a model that guesses passes no such test, however often it hits)? And do enough prompts
have both right and wrong samples, the only ones that carry a gradient? Both are asked of each part of a mixture by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from earnest.functional.stats import paired_difference, rate
from earnest.gates.base import Gate, GateResult, Samples
from earnest.types import Finish, Json, Verdict


class Support(Gate):
    """Is there anything for reinforcement learning to strengthen?"""

    looks_at: ClassVar[type] = Samples

    floor: float = Field(0.05, ge=0, le=1)
    """Refuse if the 95 % lower bound of the share of prompts with mixed outcomes is below this."""
    warn_below: float = Field(0.20, ge=0, le=1)
    """Warn if that bound is below this."""

    cut_ceiling: float = Field(0.20, ge=0, le=1)
    """Warn if a larger share of the samples is cut at the token limit; a refusal then names it first."""

    error_ceiling: float = Field(0.05, ge=0, le=1)
    """Refuse if the grader fails on a larger share of the samples."""

    def check(self, evidence: Samples) -> GateResult:
        parts = by_task(evidence)
        if len(parts) == 1:
            return self._judged(evidence)
        return self._together(evidence.stage, {task: self._judged(part) for task, part in parts.items()})

    def _together(self, stage: str, found: Mapping[str, GateResult]) -> GateResult:
        """The worst of the parts' answers, and whose it is: a part without support wastes its share of every step."""
        outcomes = {result.outcome for result in found.values()}
        outcome = "refused" if "refused" in outcomes else "warned" if "warned" in outcomes else "passed"
        worst = {task: result for task, result in found.items() if result.outcome == outcome}
        reason = "; ".join(f"{task}: {result.reason}" for task, result in worst.items())
        remedy = "; ".join(f"{task}: {result.remedy}" for task, result in worst.items() if result.remedy)
        numbers: dict[str, Json] = {task: dict(result.numbers) for task, result in found.items()}
        return self.result(stage, outcome, reason, remedy, numbers)

    def _judged(self, evidence: Samples) -> GateResult:
        verdicts = [[r.verdict for r in group.rollouts] for group in evidence.groups]
        errors = [v for row in verdicts for v in row if v.correct is None]
        if len(errors) > self.error_ceiling * sum(map(len, verdicts)):
            return self.result(
                evidence.stage, "refused", f"the grader failed on {len(errors)} samples, first: {errors[0].reason}",
                "mend the verifier; this says nothing about the model", {"errors": len(errors)},
            )  # fmt: skip
        pairs = zip(verdicts, evidence.permuted, strict=True)
        rows = [row for row in (_graded(real, chance) for real, chance in pairs) if row]
        passed, by_chance = [[a for a, _ in row] for row in rows], [[b for _, b in row] for row in rows]
        skill = paired_difference(by_chance, passed)
        real, chance = rate(passed), rate(by_chance)
        mixed = rate([[any(row) and not all(row)] for row in passed])
        solved = rate([[all(row)] for row in passed])
        if mixed.ci95 is None or skill.ci95 is None:
            return self.result(
                evidence.stage, "refused", "too few dev problems to judge support", "more dev problems", {}
            )
        finishes = [r.completion.finish for group in evidence.groups for r in group.rollouts]
        cut = sum(finish is Finish.LENGTH for finish in finishes) / len(finishes)
        numbers: dict[str, Json] = {
            "pass_at_1": real.value, "permuted": chance.value, "difference": skill.diff,
            "difference_ci95": list(skill.ci95), "mixed": mixed.value, "mixed_ci95": list(mixed.ci95),
            "all_right": solved.value, "cut": cut, "problems": len(passed), "k": len(passed[0]),
        }  # fmt: skip
        told = (
            f"pass@1 {real.value:.3f} against {chance.value:.3f} with permuted golds "
            f"(difference [{skill.ci95[0]:+.3f}, {skill.ci95[1]:+.3f}]); "
            f"mixed outcomes in {mixed.value:.0%} of prompts [{mixed.ci95[0]:.0%}, {mixed.ci95[1]:.0%}]"
        )
        longer = ""
        if cut > self.cut_ceiling:
            told += f"; {cut:.0%} of the samples were cut at the token limit"
            longer = "a higher max_tokens first; then "
        if skill.ci95[0] <= 0:
            return self.result(
                evidence.stage, "refused", f"the model is not shown to be better than chance: {told}",
                f"{longer}more or better SFT on worked traces, or easier problems", numbers,
            )  # fmt: skip
        if mixed.ci95[0] < self.floor:
            remedy = (
                "harder problems: nearly all are solved already" if solved.value > 0.5
                else "easier problems, more SFT, or a larger group"
            )  # fmt: skip
            reason = f"too few prompts carry a signal: {told}"
            return self.result(evidence.stage, "refused", reason, longer + remedy, numbers)
        if mixed.ci95[0] < self.warn_below:
            reason = f"few prompts carry a signal: {told}"
            return self.result(evidence.stage, "warned", reason, f"{longer}a larger group", numbers)
        if longer:
            return self.result(
                evidence.stage, "warned", f"many samples are cut: {told}", "a higher max_tokens", numbers
            )
        return self.result(evidence.stage, "passed", told, "", numbers)


def by_task(evidence: Samples) -> dict[str, Samples]:
    """The samples of each task by its name; of all that are shown to a gate there may be several in a mixture."""
    pairs = list(zip(evidence.groups, evidence.permuted, strict=True))
    found: dict[str, Samples] = {}
    for task in dict.fromkeys(group.problem.task for group in evidence.groups):
        own = [(group, chance) for group, chance in pairs if group.problem.task == task]
        found[task] = replace(evidence, groups=[group for group, _ in own], permuted=[chance for _, chance in own])
    return found


def _graded(real: Sequence[Verdict], chance: Sequence[Verdict]) -> list[tuple[bool, bool]]:
    """(right, right for another problem) of the samples that could be graded both times."""
    pairs = ((a.correct, b.correct) for a, b in zip(real, chance, strict=True))
    return [(a, b) for a, b in pairs if a is not None and b is not None]
