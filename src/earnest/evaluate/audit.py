"""An audit: what a verifier pays for, case by case, before anything is trained on its word.

The same trials as the verifier gate makes at the start of a run, graded one by one, with what each cost in time, and whether a
second look at all of them at once gives the same verdicts. Where no task is named, golds of common kinds are tried, those that
the verifier can read and grades as right, written in the first way (bare, boxed, …; asked as text or as a message) that it reads.
Where there is none, it is said what the verifier made of the first one: most often a function that fails.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earnest.data.rollouts import judge
from earnest.data.select import subset
from earnest.gates.cases import Case, Example, examples, load, shipped, solved
from earnest.gates.trials import Trial, is_paid, own_trials, said, tally, trials
from earnest.sandbox.function import inline
from earnest.tasks.base import Task
from earnest.tasks.near_misses import near_misses
from earnest.types import Item, Json, Message, Problem, Solution, Split, Status, Verdict
from earnest.verifiers.base import Verifier

ATTACKED = 20
"""Problems of a task on which all cases are tried."""
STUCK_S = 5.0
"""A verifier that fails on its first gold for so long hangs, and is asked no further."""
OWN_GOLDS = "name problems that it is for: --task NAME (`earnest list task`), or --task '{name: jsonl, path: FILE}'"
OTHER_GOLDS = "name another task, or answers with golds of their own: --cases FILE"
WAYS = ("{gold}", "\\boxed{{gold}}", "#### {gold}", "<answer>{gold}</answer>", "The answer is {gold}.")


class SomeGolds(Task):
    """A problem for each of some golds, for verifiers that are tried without a task."""

    golds: tuple[str, ...]
    """Answers, of the shipped examples."""
    way: str = "{gold}"
    """How an answer is written."""
    message: bool = False
    """The question is a message and no text."""

    @property
    def verifier_name(self) -> str:
        return "string"

    def problems(self, split: Split) -> list[Problem]:
        asked = [f"What is asked for, {i}?" for i in range(len(self.golds))]
        prompts = [(Message("user", text),) if self.message else text for text in asked]
        return [Problem(id=f"gold/{i}", task="some golds", prompt=prompt, answer=gold)
                for i, (prompt, gold) in enumerate(zip(prompts, self.golds, strict=True))]  # fmt: skip

    def gold(self, problem: Problem) -> Solution:
        return Solution("", self._written(self._example(problem).response))

    def wrong(self, problem: Problem) -> list[Solution]:
        example = self._example(problem)
        return [Solution("", self._written(text)) for text in example.wrong or near_misses(example.gold)]

    def _written(self, answer: str) -> str:
        return self.way.replace("{gold}", answer)

    def _example(self, problem: Problem) -> Example:
        return next(example for example in examples() if example.gold == problem.answer)


@dataclass(frozen=True, slots=True)
class Line:
    """One class of answers, or one case of it. Times are of one answer.

    Example: Line("hedge, gold first", tag="hedges", must_pay=False, shown=10, paid=0, failed=0, …, example="", why="two answers")
    """

    name: str
    tag: str
    must_pay: bool
    shown: int
    paid: int
    failed: int  # no verdict: neither paid nor refused
    ms: float  # mean
    ms_p99: float
    example: str = ""  # the first that was graded otherwise than it should be
    why: str = ""

    @property
    def faults(self) -> int:
        """False passes or false rejects; an answer without a verdict that should have been paid is one of these."""
        return self.shown - self.paid if self.must_pay else self.paid


@dataclass(frozen=True, slots=True)
class Audit:
    """What came out. False passes are near misses and attacks that were paid; false rejects right answers that were not."""

    verifier: str
    version: str
    task: str
    ceiling: float
    golds: int
    false_rejects: int  # of the golds
    formats: int
    formats_rejected: int  # other ways of writing a right answer: a strict verifier may refuse some
    shown: int
    false_passes: int
    failed: int  # of all answers, right ones among them: no verdict
    ms_p99: float
    statuses: Mapping[str, int]
    stable: bool  # graded one by one and all at once, the same verdicts
    classes: tuple[Line, ...]
    lines: tuple[Line, ...]
    untried: str = ""  # why there was no right answer to try

    @property
    def false_pass_rate(self) -> float:
        return self.false_passes / self.shown if self.shown else 0.0

    @property
    def holds(self) -> bool:
        return self.golds > 0 and self.false_pass_rate <= self.ceiling and not self.false_rejects and self.stable

    def to_json(self) -> dict[str, Json]:
        plain: dict[str, Json] = {
            name: getattr(self, name) for name in Audit.__slots__ if name not in ("classes", "lines")
        }
        plain |= {"false_pass_rate": self.false_pass_rate, "holds": self.holds}
        return {**plain, "classes": [_row(line) for line in self.classes], "lines": [_row(line) for line in self.lines]}


def audit(
    verifier: Verifier, task: Task | None, problems: int = 100, cases: Path | None = None, ceiling: float = 0.0
) -> Audit:
    """Try a verifier out on the problems of a task's first split, every case on each of at most ATTACKED of them.

    cases: a file of further cases. ceiling: the share of wrong answers that may be paid. Raises DataError.
    """
    if task is None:
        chosen, untried = _some_golds(verifier)
    else:
        chosen, untried = task, f"no problem of {task.name} has a known right answer; {OTHER_GOLDS}"
    tried: list[Case] = [*shipped(), *(load(cases) if cases is not None else ())]
    shown = trials(verifier, chosen, subset(chosen.problems(chosen.splits[0]), problems), ATTACKED, tried)
    shown += own_trials(verifier, tried)
    verdicts, times = list[Verdict](), list[float]()
    for trial in shown:
        begun = time.perf_counter()
        verdicts += judge(verifier, [trial.item])
        times.append(1000 * (time.perf_counter() - begun))
    again = judge(verifier, [trial.item for trial in shown]) if shown else []
    counted = tally(shown, verdicts)
    graded = list(zip(shown, verdicts, times, strict=True))
    by_class, by_case = dict[str, list[_Graded]](), dict[tuple[str, str], list[_Graded]]()
    for each in graded:
        by_class.setdefault(each[0].tag, []).append(each)
        by_case.setdefault((each[0].tag, each[0].name), []).append(each)
    return Audit(
        verifier=verifier.label, version=verifier.version, task=task.name if task else "a few golds", ceiling=ceiling,
        golds=counted.golds, false_rejects=len(counted.golds_unpaid), formats=counted.formats,
        formats_rejected=len(counted.formats_unpaid), shown=counted.shown, false_passes=len(counted.paid),
        failed=sum(v.status is Status.ERROR for v in verdicts), ms_p99=_p99(times),
        statuses=dict(Counter(str(v.status) for v in verdicts)),
        stable=list(map(_said_by, verdicts)) == list(map(_said_by, again)),
        classes=tuple(_line(tag, group) for tag, group in by_class.items()),
        lines=tuple(_line(name, group) for (_, name), group in by_case.items()),
        untried="" if counted.golds else untried,
    )  # fmt: skip


_Graded = tuple[Trial, Verdict, float]


def _line(name: str, group: Sequence[_Graded]) -> Line:
    trials = [trial for trial, _, _ in group]
    must_pay = trials[0].must_pay
    faults = [said(t, v) for t, v, _ in group if (is_paid(v) if not t.must_pay else not v.correct)]
    times = [ms for _, _, ms in group]
    return Line(
        name, trials[0].tag, must_pay, len(group), sum(is_paid(v) for _, v, _ in group),
        sum(v.correct is None for _, v, _ in group), sum(times) / len(times), _p99(times), faults[0] if faults else "",
        trials[0].why,
    )  # fmt: skip


def _said_by(verdict: Verdict) -> tuple[Status, bool | None, float | None]:
    return verdict.status, verdict.correct, verdict.score


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] if ordered else 0.0


def _row(line: Line) -> dict[str, Json]:
    return {**{name: getattr(line, name) for name in Line.__slots__}, "faults": line.faults}


def _some_golds(verifier: Verifier) -> tuple[SomeGolds, str]:
    """Those golds that the verifier grades as right, in the first way of writing them in which there are any; else why not."""
    readable = tuple(example.gold for example in examples() if verifier.check_gold(example.gold) is None)
    if not readable:
        return SomeGolds(golds=()), f"the verifier reads none of the golds that are tried without a task; {OWN_GOLDS}"
    stuck = _stuck(verifier, SomeGolds(golds=readable[:1]))
    if stuck:
        return SomeGolds(golds=()), stuck
    why = ""
    for message in (False, True):
        for way in WAYS:
            golds = SomeGolds(golds=readable, way=way, message=message)
            problems = golds.problems("train")
            items = [solved(problem, golds.gold(problem)) for problem in problems]
            verdicts = judge(verifier, items)
            right = tuple(p.answer or "" for p, verdict in zip(problems, verdicts, strict=True) if verdict.correct)
            if right:
                return SomeGolds(golds=right, way=way, message=message), ""
            why = why or _first(items[0], verdicts[0])
    return SomeGolds(golds=()), why


def _stuck(verifier: Verifier, golds: SomeGolds) -> str:
    """What the verifier says of the first gold if it fails on it, and takes its time to; else nothing."""
    (problem,) = golds.problems("train")
    item = solved(problem, golds.gold(problem))
    begun = time.perf_counter()
    (verdict,) = judge(verifier, [item])
    hangs = verdict.status is Status.ERROR and time.perf_counter() - begun >= STUCK_S
    return _first(item, verdict) if hangs else ""


def _first(item: Item, verdict: Verdict) -> str:
    """What became of the first gold, with the completion as a function is given it."""
    return (
        "the verifier grades none of the golds as right; of the first it says\n"
        f"  gold        {(item.problem.answer or '')[:80]!a}\n"
        f"  completion  {inline(item.parsed)[:80]!a}\n"
        f"  verdict     {verdict.status}: {verdict.reason}\n"
        f"if it is not to be mended, {OWN_GOLDS}"
    )
