"""The verifier gate: the grader pays for right solutions of this run's own problems, and for nothing else.

Right solutions must be graded right. The task's near misses and the attacks among the cases (`cases/`) must not: policies find
what is paid. How many were is printed beside every score. Other ways of writing a right answer are counted alone: a verifier may
be strict about the form that its prompt asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from earnest.component import DataPath
from earnest.data.rollouts import judge
from earnest.data.select import subset
from earnest.gates.base import RUN, Form, Gate, GateResult, Grading
from earnest.gates.cases import load, shipped
from earnest.gates.trials import Tally, Trial, own_trials, said, tally, trials
from earnest.types import Json, Verdict


class Verifier(Gate):
    """Are right answers paid, and nothing else?"""

    looks_at: ClassVar[type] = Grading

    problems: int = Field(100, gt=0)
    """Problems of each split of each task whose right and nearly right answers are graded."""
    attacked: int = Field(10, gt=0)
    """Of these, problems on which all cases are tried; those that are slow, on one of them."""
    cases: DataPath | None = None
    """A file of further cases, in the form of the shipped ones (`gates/cases/`); those to be paid count as right solutions."""
    gold_floor: float = Field(0.98, ge=0, le=1)
    """Refuse if a smaller share of a task's right solutions is graded right; warn below all of them."""

    def files(self) -> tuple[Path, ...]:
        return () if self.cases is None else (Path(self.cases),)

    def check(self, evidence: Grading) -> GateResult:
        tallies = [(form, self._tried(form)) for form in evidence.forms]
        golds = sum(t.golds for _, t in tallies)
        unpaid = [(form, *found) for form, t in tallies for found in t.golds_unpaid]
        paid = [(form, *found) for form, t in tallies for found in t.paid]
        shown, ungraded = sum(t.shown for _, t in tallies), sum(t.ungraded for _, t in tallies)
        numbers: dict[str, Json] = {
            "golds": golds, "golds_not_paid": len(unpaid), "near_misses": sum(t.near_misses for _, t in tallies),
            "attacks": sum(t.attacks for _, t in tallies), "false_passes": len(paid), "grader_failures": ungraded,
            "formats": sum(t.formats for _, t in tallies), "formats_not_paid": sum(len(t.formats_unpaid) for _, t in tallies),
            "verifiers": sorted({f"{form.verifier.label} {form.verifier.version}" for form in evidence.forms}),
        }  # fmt: skip
        if len(tasks := dict.fromkeys(form.task.name for form in evidence.forms)) > 1:
            numbers["tasks"] = {task: _counts(tallies, task) for task in tasks}
        told = (
            f"{golds - len(unpaid)} of {golds} right solutions paid, {len(paid)} of {shown:,} near misses and attacks"
        )
        if not golds:
            return self.result(
                RUN, "warned", "no task of this run knows a right answer, so the verifier was not tried",
                "a task with answers, or a verifiable claim will not be possible", numbers,
            )  # fmt: skip
        if paid:
            kinds = ", ".join(f"{name} ({n})" for name, n in Counter(trial.name for _, trial, _ in paid).most_common(3))
            form, trial, verdict = paid[0]
            return self.result(
                RUN, "refused", f"{told}{_whose(paid, numbers)}. Paid: {kinds}; first {said(trial, verdict)}",
                f"a stricter verifier than {form.verifier.label}; `earnest audit` shows every attack", numbers,
            )  # fmt: skip
        if unpaid:
            _, trial, verdict = unpaid[0]
            reason = f"{told}{_whose(unpaid, numbers)}; first {said(trial, verdict)}"
            refused = any(self._is_below(tallies, task) for task in {form.task.name for form, _, _ in unpaid})
            remedy = "golds that the verifier can read, or another verifier"
            return self.result(RUN, "refused" if refused else "warned", reason, remedy, numbers)
        return self.result(RUN, "passed", told, "", numbers)

    def _is_below(self, tallies: Sequence[tuple[Form, Tally]], task: str) -> bool:
        """Whether too few of a task's right solutions are paid; others' cannot make up for them."""
        counts = _counts(tallies, task)
        return counts["golds_not_paid"] > (1 - self.gold_floor) * counts["golds"]

    def _tried(self, form: Form) -> Tally:
        cases = [*shipped(), *(load(Path(self.cases)) if self.cases is not None else ())]
        problems = subset(form.task.problems(form.split), self.problems)
        shown = trials(form.verifier, form.task, problems, self.attacked, cases)
        shown += own_trials(form.verifier, cases)
        return tally(shown, judge(form.verifier, [trial.item for trial in shown]))


def _counts(tallies: Sequence[tuple[Form, Tally]], task: str) -> dict[str, int]:
    """What was paid for on one task's problems."""
    own = [t for form, t in tallies if form.task.name == task]
    return {
        "golds": sum(t.golds for t in own), "golds_not_paid": sum(len(t.golds_unpaid) for t in own),
        "false_passes": sum(len(t.paid) for t in own),
    }  # fmt: skip


def _whose(found: Sequence[tuple[Form, Trial, Verdict]], numbers: Mapping[str, Json]) -> str:
    """The tasks that it happened on, where there are others."""
    return f" ({', '.join(dict.fromkeys(form.task.name for form, _, _ in found))})" if "tasks" in numbers else ""
