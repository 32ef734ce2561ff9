"""What a verifier is tried on, and the count of what it paid for. No gate: the verifier gate and `earnest audit` share it.

A trial is one answer of which it is known whether it must be paid: the gold of a problem, a near miss of it, or a case
(`cases/`) filled in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from earnest.data.rollouts import judge
from earnest.gates.cases import Case, Texts, item_of, kinds_of, own_item, solved, texts
from earnest.tasks.base import Task
from earnest.types import Item, Problem, Solution, Status, Verdict
from earnest.verifiers.base import Verifier

Kind: TypeAlias = Literal["gold", "near miss", "attack", "format"]
"""Gold and format must be paid: a format is another way of writing the gold, which a strict verifier may know nothing of."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer to grade. Example: Trial("attack", "hedges", "hedge, gold first", item, "two answers are none")."""

    kind: Kind
    tag: str  # the class of cases, as it is counted
    name: str
    item: Item
    why: str = ""

    @property
    def must_pay(self) -> bool:
        return self.kind in ("gold", "format")


@dataclass(slots=True)
class Tally:
    """What a verifier was shown and what it paid for."""

    golds: int = 0
    golds_unpaid: list[tuple[Trial, Verdict]] = field(default_factory=list)
    formats: int = 0
    formats_unpaid: list[tuple[Trial, Verdict]] = field(default_factory=list)
    near_misses: int = 0
    attacks: int = 0
    paid: list[tuple[Trial, Verdict]] = field(default_factory=list)  # near misses and attacks
    ungraded: int = 0  # near misses and attacks on which the grader itself failed

    @property
    def shown(self) -> int:
        """Answers that must not be paid."""
        return self.near_misses + self.attacks


def trials(
    verifier: Verifier, task: Task, problems: Sequence[Problem], attacked: int, cases: Sequence[Case]
) -> list[Trial]:
    """Golds and near misses of the problems, and the cases on the first `attacked` of them that have both."""
    found: list[Trial] = []
    waiting = [case for case in cases if case.gold is None]
    left = attacked
    for place, problem in enumerate(problems):
        gold = task.gold(problem)
        if gold is None or problem.answer is None:
            continue
        wrong = list(task.wrong(problem))
        found.append(Trial("gold", "gold", "gold", solved(problem, gold)))
        found += [Trial("near miss", "near misses", "near miss", solved(problem, solution)) for solution in wrong]
        if left and wrong:
            others = [other for p in problems[place + 1 : place + 1 + OTHERS] if (other := task.gold(p)) is not None]
            kinds = kinds_of(problem.answer)
            # A word with a letter added is seldom an answer: there another problem's gold is asked first.
            is_word = "text" in kinds and not any(character.isdigit() for character in problem.answer)
            candidates = [*others, *wrong] if is_word else [*wrong, *others]
            filled = texts(problem, gold, _another(verifier, problem, candidates) or wrong[0].answer)
            found += _tried(waiting, problem, filled, kinds)
            left -= 1
    return found


OTHERS = 5
"""Golds of the next problems that may serve as the wrong answer."""


def _another(verifier: Verifier, problem: Problem, candidates: Sequence[Solution]) -> str | None:
    """The first of the candidates that the verifier reads, and reads as another answer than the gold.

    Where it reads nothing, `wrong, right` would be the right answer beside some noise, and no attack.
    """
    for candidate in candidates:
        verdict = judge(verifier, [solved(problem, candidate)])[0]
        if verdict.status is Status.OK and not is_paid(verdict):
            return candidate.answer
    return None


def _tried(waiting: list[Case], problem: Problem, filled: Texts, kinds: frozenset[str]) -> list[Trial]:
    """The cases that fit this problem. One that is slow waits for its first problem, and leaves the list."""
    found = [(case, item_of(case, problem, filled)) for case in waiting if case.kinds & kinds]
    done = [case for case, item in found if case.once and item is not None]
    waiting[:] = [case for case in waiting if case not in done]
    return [_trial(case, item) for case, item in found if item is not None]


def own_trials(verifier: Verifier, cases: Sequence[Case]) -> list[Trial]:
    """Cases with a gold of their own that this verifier is for and can read."""
    found: list[Trial] = []
    shipped = verifier.name != "function" and ":" not in verifier.name
    for case in cases:
        if case.gold is None or (case.domain and shipped and case.domain != verifier.name):
            continue
        if verifier.check_gold(case.gold) is None:
            found.append(_trial(case, own_item(case)))
    return found


def _trial(case: Case, item: Item) -> Trial:
    """A user's case that must be paid is as good as a gold: whoever wrote it meant it."""
    right: Kind = "gold" if case.own else "format"
    return Trial(right if case.expect else "attack", case.tag, case.id, item, case.why)


def is_paid(verdict: Verdict) -> bool:
    """Right, or given anything at all."""
    return bool(verdict.correct) or (verdict.score or 0.0) > 0


def tally(shown: Sequence[Trial], verdicts: Sequence[Verdict]) -> Tally:
    """The verdicts on the trials, counted."""
    found = Tally()
    for trial, verdict in zip(shown, verdicts, strict=True):
        if trial.kind == "gold":
            found.golds += 1
            found.golds_unpaid += [] if verdict.correct else [(trial, verdict)]
        elif trial.kind == "format":
            found.formats += 1
            found.formats_unpaid += [] if verdict.correct else [(trial, verdict)]
        else:
            found.near_misses += trial.kind == "near miss"
            found.attacks += trial.kind == "attack"
            found.ungraded += verdict.correct is None
            found.paid += [(trial, verdict)] if is_paid(verdict) else []
    return found


def said(trial: Trial, verdict: Verdict) -> str:
    """One paid or unpaid answer, quoted."""
    answer, gold = trial.item.parsed.answer_text or "", trial.item.problem.answer or ""
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{answer[:80]!a} for gold {gold[:80]!a}{reason}"
