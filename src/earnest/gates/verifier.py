"""The verifier gate: the grader pays for right solutions of this run's own problems, and for nothing else.

Right solutions must be graded right. The task's near misses and the attacks of `verifiers/attacks.py` must not: policies find
what is paid. How many were is printed beside every score.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field

from earnest.data.rollouts import judge
from earnest.data.select import subset
from earnest.gates.base import RUN, Form, Gate, GateResult, Grading
from earnest.types import Item, Json, Parsed, Problem, Solution, Verdict
from earnest.verifiers.attacks import Attack, attacks


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


def try_out(form: Form, problems: int, attacked: int) -> Tally:
    """Grade gold solutions and near misses of some problems of every split, and the attacks on a few of them."""
    tally = Tally()
    chosen = subset(form.task.problems("train"), problems)
    asked: list[tuple[str, Attack]] = []
    for number, problem in enumerate(chosen):
        gold = form.task.gold(problem)
        if gold is None or problem.answer is None:
            continue
        wrong = list(form.task.wrong(problem))
        asked.append(("gold", Attack("gold", _item(problem, gold))))
        asked += [("near", Attack(f"near miss {solution.answer!a}", _item(problem, solution))) for solution in wrong]
        if number < attacked and wrong:
            asked += [("attack", attack) for attack in attacks(problem, wrong[0].answer)]
    verdicts = judge(form.verifier, [attack.item for _, attack in asked])
    for (kind, attack), verdict in zip(asked, verdicts, strict=True):
        if kind == "gold":
            tally.golds += 1
            tally.golds_unpaid += [] if verdict.correct else [(attack, verdict)]
            continue
        tally.near_misses += kind == "near"
        tally.attacks += kind == "attack"
        tally.failed += verdict.correct is None
        tally.paid += [(attack, verdict)] if verdict.correct or (verdict.score or 0.0) > 0 else []
    return tally


class Verifier(Gate):
    """Are right answers paid, and nothing else?"""

    looks_at: ClassVar[type] = Grading

    problems: int = Field(100, gt=0)
    """Problems of each task whose right and nearly right answers are graded."""
    attacked: int = Field(10, gt=0)
    """Of these, problems on which the whole list of attacks is tried."""
    gold_floor: float = Field(0.98, ge=0, le=1)
    """Refuse if a smaller share of the right solutions is graded right; warn below all of them."""

    def check(self, evidence: Grading) -> GateResult:
        tallies = [(form, try_out(form, self.problems, self.attacked)) for form in evidence.forms]
        golds = sum(t.golds for _, t in tallies)
        unpaid = [found for _, t in tallies for found in t.golds_unpaid]
        paid = [(form, *found) for form, t in tallies for found in t.paid]
        shown, failed = sum(t.shown for _, t in tallies), sum(t.failed for _, t in tallies)
        numbers: dict[str, Json] = {
            "golds": golds, "golds_not_paid": len(unpaid), "near_misses": sum(t.near_misses for _, t in tallies),
            "attacks": sum(t.attacks for _, t in tallies), "false_passes": len(paid), "grader_failures": failed,
            "verifiers": sorted({f"{form.verifier.name} {form.verifier.version}" for form in evidence.forms}),
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
                RUN, "refused", f"{told}. Paid: {kinds}; first {_said(attack, verdict)}",
                f"a stricter verifier than {form.verifier.name}; `earnest audit` shows every attack", numbers,
            )  # fmt: skip
        if unpaid:
            reason = f"{told}; first {_said(*unpaid[0])}"
            refused = len(unpaid) > (1 - self.gold_floor) * golds
            remedy = "golds that the verifier can read, or another verifier"
            return self.result(RUN, "refused" if refused else "warned", reason, remedy, numbers)
        return self.result(RUN, "passed", told, "", numbers)


def _item(problem: Problem, solution: Solution) -> Item:
    text = f"<think>{solution.thought}</think>{solution.answer}"
    parsed = Parsed(text=text, thought=solution.thought, answer_text=solution.answer, well_formed=True)
    return Item(problem=problem, parsed=parsed, truncated=False)


def _said(attack: Attack, verdict: Verdict) -> str:
    item = attack.item
    answer = item.parsed.answer_text or ""
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{answer[:80]!a} for gold {(item.problem.answer or '')[:80]!a}{reason}"
