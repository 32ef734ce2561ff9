"""The verifier gate: the grader pays for right solutions of this run's own problems, and for nothing else.

Right solutions must be graded right. The task's near misses and the attacks of `verifiers/attacks.py` must not: policies find
what is paid. How many were is printed beside every score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from earnest.data.rollouts import judge
from earnest.data.select import subset
from earnest.gates.base import RUN, Form, Gate, GateResult, Grading
from earnest.tasks.base import Task
from earnest.types import Item, Json, Parsed, Problem, Solution, Verdict
from earnest.verifiers.attacks import Attack, attacks


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer to grade. Only `gold` must be paid. Example: Trial("attack", Attack("hedge, gold first", ...))."""

    kind: Literal["gold", "near miss", "attack"]
    attack: Attack


@dataclass(slots=True)
class Tally:
    """What a verifier was shown and what it paid for."""

    golds: int = 0
    golds_unpaid: list[tuple[Attack, Verdict]] = field(default_factory=list)
    near_misses: int = 0
    attacks: int = 0
    paid: list[tuple[Attack, Verdict]] = field(default_factory=list)  # near misses and attacks
    failed: int = 0  # of them, those on which the grader itself failed

    @property
    def shown(self) -> int:
        return self.near_misses + self.attacks


def trials(task: Task, problems: Sequence[Problem], attacked: int) -> list[Trial]:
    """Gold solutions and near misses of the problems, and the whole list of attacks on the first `attacked` of them."""
    found: list[Trial] = []
    for number, problem in enumerate(problems):
        gold = task.gold(problem)
        if gold is None or problem.answer is None:
            continue
        wrong = list(task.wrong(problem))
        found.append(Trial("gold", Attack("gold", _item(problem, gold))))
        found += [Trial("near miss", Attack("near miss", _item(problem, solution))) for solution in wrong]
        if number < attacked and wrong:
            found += [Trial("attack", attack) for attack in attacks(problem, wrong[0].answer, gold.answer)]
    return found


def is_paid(verdict: Verdict) -> bool:
    """Right, or given anything at all."""
    return bool(verdict.correct) or (verdict.score or 0.0) > 0


def tally(shown: Sequence[Trial], verdicts: Sequence[Verdict]) -> Tally:
    """The verdicts on the trials, counted."""
    found = Tally()
    for trial, verdict in zip(shown, verdicts, strict=True):
        if trial.kind == "gold":
            found.golds += 1
            found.golds_unpaid += [] if verdict.correct else [(trial.attack, verdict)]
            continue
        found.near_misses += trial.kind == "near miss"
        found.attacks += trial.kind == "attack"
        found.failed += verdict.correct is None
        found.paid += [(trial.attack, verdict)] if is_paid(verdict) else []
    return found


class Verifier(Gate):
    """Are right answers paid, and nothing else?"""

    looks_at: ClassVar[type] = Grading

    problems: int = Field(100, gt=0)
    """Problems of each split of each task whose right and nearly right answers are graded."""
    attacked: int = Field(10, gt=0)
    """Of these, problems on which the whole list of attacks is tried."""
    gold_floor: float = Field(0.98, ge=0, le=1)
    """Refuse if a smaller share of the right solutions is graded right; warn below all of them."""

    def check(self, evidence: Grading) -> GateResult:
        tallies = [(form, self._tried(form)) for form in evidence.forms]
        golds = sum(t.golds for _, t in tallies)
        unpaid = [found for _, t in tallies for found in t.golds_unpaid]
        paid = [(form, *found) for form, t in tallies for found in t.paid]
        shown, failed = sum(t.shown for _, t in tallies), sum(t.failed for _, t in tallies)
        numbers: dict[str, Json] = {
            "golds": golds, "golds_not_paid": len(unpaid), "near_misses": sum(t.near_misses for _, t in tallies),
            "attacks": sum(t.attacks for _, t in tallies), "false_passes": len(paid), "grader_failures": failed,
            "verifiers": sorted({f"{form.verifier.label} {form.verifier.version}" for form in evidence.forms}),
        }  # fmt: skip
        told = (
            f"{golds - len(unpaid)} of {golds} right solutions paid, {len(paid)} of {shown:,} near misses and attacks"
        )
        if not golds:
            return self.result(
                RUN, "warned", "no task of this run knows a right answer, so the verifier was not tried",
                "a task with answers, or a verifiable claim will not be possible", numbers,
            )  # fmt: skip
        if paid:
            kinds = ", ".join(f"{name} ({n})" for name, n in Counter(a.name for _, a, _ in paid).most_common(3))
            form, attack, verdict = paid[0]
            return self.result(
                RUN, "refused", f"{told}. Paid: {kinds}; first {said(attack, verdict)}",
                f"a stricter verifier than {form.verifier.label}; `earnest audit` shows every attack", numbers,
            )  # fmt: skip
        if unpaid:
            reason = f"{told}; first {said(*unpaid[0])}"
            refused = len(unpaid) > (1 - self.gold_floor) * golds
            remedy = "golds that the verifier can read, or another verifier"
            return self.result(RUN, "refused" if refused else "warned", reason, remedy, numbers)
        return self.result(RUN, "passed", told, "", numbers)

    def _tried(self, form: Form) -> Tally:
        shown = trials(form.task, subset(form.task.problems(form.split), self.problems), self.attacked)
        return tally(shown, judge(form.verifier, [trial.attack.item for trial in shown]))


def _item(problem: Problem, solution: Solution) -> Item:
    text = f"<think>{solution.thought}</think>{solution.answer}"
    parsed = Parsed(text=text, thought=solution.thought, answer_text=solution.answer, well_formed=True)
    return Item(problem=problem, parsed=parsed, truncated=False)


def said(attack: Attack, verdict: Verdict) -> str:
    """One paid or unpaid answer, quoted."""
    item = attack.item
    answer = item.parsed.answer_text or ""
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{answer[:80]!a} for gold {(item.problem.answer or '')[:80]!a}{reason}"
