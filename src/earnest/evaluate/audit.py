"""An audit: what a verifier pays for, attack by attack, before anything is trained on its word.

The same trials as the verifier gate makes at the start of a run, with what each kind cost in time, and whether a second look
gives the same verdicts. Where no task is named, a few golds of common kinds are tried, those that the verifier can read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from earnest.data.rollouts import judge
from earnest.data.select import subset
from earnest.gates.verifier import Trial, is_paid, said, tally, trials
from earnest.tasks.base import Task
from earnest.tasks.near_misses import near_misses
from earnest.types import Item, Json, Parsed, Problem, Solution, Split, Verdict
from earnest.verifiers.base import Verifier

GOLDS = ("42", "-3", "0.5", "1234", "3/4", "Paris", "yes", "C++", "B", "2 apples")


class SomeGolds(Task):
    """A problem for each of GOLDS that a verifier grades as right."""

    golds: tuple[str, ...]
    """Answers."""

    @property
    def verifier_name(self) -> str:
        return "string"

    def problems(self, split: Split) -> list[Problem]:
        return [Problem(id=f"gold/{g}", task="some golds", prompt=f"What is asked for, {i}?", answer=g)
                for i, g in enumerate(self.golds)]  # fmt: skip

    def gold(self, problem: Problem) -> Solution:
        return Solution("", problem.answer or "")

    def wrong(self, problem: Problem) -> list[Solution]:
        return [Solution("", text) for text in near_misses(problem.answer or "")]


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of answer. Example: Line("hedge, gold first", shown=10, paid=0, failed=0, ms=0.4, example="")."""

    name: str
    shown: int
    paid: int
    failed: int
    ms: float  # each
    example: str  # the first that was graded otherwise than it should be


@dataclass(frozen=True, slots=True)
class Audit:
    """What came out. `false_passes` are near misses and attacks that were paid; `false_rejects` right answers that were not."""

    verifier: str
    version: str
    task: str
    golds: int
    false_rejects: int
    shown: int
    false_passes: int
    stable: bool  # graded twice, the same verdicts
    lines: tuple[Line, ...]

    @property
    def holds(self) -> bool:
        return self.golds > 0 and not self.false_passes and not self.false_rejects and self.stable

    def to_json(self) -> dict[str, Json]:
        rows: list[Json] = [{name: getattr(line, name) for name in Line.__slots__} for line in self.lines]
        plain = {name: getattr(self, name) for name in Audit.__slots__ if name != "lines"}
        return {**plain, "holds": self.holds, "lines": rows}


def audit(verifier: Verifier, task: Task | None, problems: int = 100) -> Audit:
    """Try a verifier out on the problems of a task's first split, every attack on each of at most twenty of them."""
    chosen = task or SomeGolds(golds=tuple(g for g in GOLDS if _grades(verifier, g)))
    shown = trials(chosen, subset(chosen.problems(chosen.splits[0]), problems), attacked=20)
    groups: dict[str, list[Trial]] = {}
    for trial in shown:
        groups.setdefault(trial.attack.name, []).append(trial)
    lines, verdicts, ordered = list[Line](), list[Verdict](), list[Trial]()
    for name, group in groups.items():
        items = [trial.attack.item for trial in group]
        begun = time.perf_counter()
        found = judge(verifier, items)
        ms = 1000 * (time.perf_counter() - begun) / len(items)
        lines.append(_line(name, group, found, ms))
        verdicts += found
        ordered += group
    again = judge(verifier, [trial.attack.item for trial in ordered])
    counted = tally(ordered, verdicts)
    return Audit(
        verifier=verifier.label, version=verifier.version, task=task.name if task else "a few golds", golds=counted.golds,
        false_rejects=len(counted.golds_unpaid), shown=counted.shown, false_passes=len(counted.paid),
        stable=[(v.status, v.correct, v.score) for v in verdicts] == [(v.status, v.correct, v.score) for v in again],
        lines=tuple(lines),
    )  # fmt: skip


def _line(name: str, group: Sequence[Trial], verdicts: Sequence[Verdict], ms: float) -> Line:
    is_gold = group[0].kind == "gold"
    faults = [said(t.attack, v) for t, v in zip(group, verdicts, strict=True) if is_paid(v) != is_gold]
    failed = sum(v.correct is None for v in verdicts)
    return Line(name, len(group), sum(map(is_paid, verdicts)), failed, ms, faults[0] if faults else "")


def _grades(verifier: Verifier, gold: str) -> bool:
    problem = Problem(id="gold", task="some golds", prompt="?", answer=gold)
    parsed = Parsed(text=gold, thought=None, answer_text=gold, well_formed=True)
    verdict = judge(verifier, [Item(problem=problem, parsed=parsed, truncated=False)])[0]
    return verifier.check_gold(gold) is None and bool(verdict.correct)
