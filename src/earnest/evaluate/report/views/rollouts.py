"""Completions as they are: what reinforcement learning paid for, and a few drawn at random. Hostile text throughout."""

from __future__ import annotations

from collections.abc import Iterator

from earnest.evaluate import text
from earnest.evaluate.load import StageRun
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.earned import Reason, Seen, StageRollouts
from earnest.evaluate.report.page import Cell, Section, Shown, Table
from earnest.evaluate.report.tables import algorithm_of
from earnest.types import Record

ROLLOUT_CHARACTERS = 2_000
SHORT_CHARACTERS = 300


def audit(report: Report) -> Iterator[Section]:
    """One section per stage that was paid by a reward."""
    for stage in report.run.stages:
        found = report.training.get(stage.id)
        if found is not None:
            yield _audit(stage, found)


def _audit(stage: StageRun, found: StageRollouts) -> Section:
    arm = ", a control arm" if stage.control else ""
    answered = "" if found.reasons else " Every completion was read as an answer."
    paragraphs = [
        f"All {found.rollouts:,} training rollouts of {stage.id}: what the policy was paid, beside what the verifier said."
        + answered,
        _paid(found),
    ]
    shown = [_seen(s) for s in found.wrong] or [_seen(r.last) for r in found.reasons if r.last]
    kind = "Wrong rollouts with the highest rewards" if found.wrong else "Examples, the last of each reason"
    return Section(
        f"audit-{stage.id}",
        f"Reward audit: {stage.id} ({algorithm_of(stage)}{arm})",
        paragraphs=tuple(paragraphs),
        tables=(_agreement(found), *([_reasons(found.reasons, found.rollouts)] if found.reasons else [])),
        rollouts=tuple(shown),
        folded=f"{kind} ({len(shown)})" if shown else "",
        short=f"Audit of {stage.id}",
    )


def _paid(found: StageRollouts) -> str:
    wrong = found.earned["wrong"]
    if found.verdict_alone:
        return (
            "The reward is the verifier's verdict and nothing else, so by construction no wrong rollout can have been paid. "
            "Whether the verifier itself pays for wrong answers is not to be seen here."
        )
    if not wrong.paid:
        return "The reward is not the verdict alone, yet no wrong rollout got a reward above 0."
    return (
        f"{wrong.paid:,} of {wrong.rollouts:,} wrong rollouts got a reward above 0. Those with the highest rewards are shown, "
        "the latest first among equals, each text once."
    )


def _agreement(found: StageRollouts) -> Table:
    rows = []
    for outcome, earned in found.earned.items():
        some = earned.rewarded > 0
        rows.append((
            Cell(outcome),
            Cell(f"{earned.rollouts:,}"),
            Cell(f"{earned.paid:,}", text.whole_per_cent(earned.paid / earned.rewarded) if some else ""),
            Cell(text.number(earned.mean)),
            Cell(text.number(earned.lowest) if some else text.NONE),
            Cell(text.number(earned.highest) if some else text.NONE),
        ))  # fmt: skip
    return Table(("verdict", "rollouts", "reward above 0", "mean reward", "lowest", "highest"), tuple(rows))


def _reasons(reasons: tuple[Reason, ...], total: int) -> Table:
    rows = tuple(
        (Cell(r.status.replace("_", " ")), Cell(r.reason), Cell(f"{r.count:,}", text.whole_per_cent(r.count / total)))
        for r in reasons
    )
    return Table(("not an answer", "reason", "rollouts"), rows, numeric=False, caption="Why no answer was read")


def _seen(seen: Seen) -> Shown:
    again = f" · this text {seen.times:,} times" if seen.times > 1 else ""
    states = {"ok": "✗ wrong", "error": "not graded"}
    status = states.get(seen.status, f"✗ {seen.status.replace('_', ' ')}")
    paid = "" if seen.reward is None else f" · reward {text.number(seen.reward)}"
    if len(seen.parts) > 1:
        paid += " (" + ", ".join(f"{name} {text.number(value)}" for name, value in seen.parts.items()) + ")"
    body, left_out = text.cut(seen.text, ROLLOUT_CHARACTERS)
    return Shown(
        title=f"{status}{paid} · step {seen.step:,} · {seen.problem}{again}", right=False,
        question=text.cut(seen.question, ROLLOUT_CHARACTERS)[0], gold=text.cut(seen.gold, SHORT_CHARACTERS)[0],
        read=text.cut(seen.read, SHORT_CHARACTERS)[0], reason=text.cut(seen.reason, SHORT_CHARACTERS)[0], text=body,
        left_out=left_out,
    )  # fmt: skip


def drawn(report: Report) -> Section | None:
    if not report.rollouts:
        return None
    return Section(
        "rollouts",
        "Random rollouts",
        paragraphs=(
            f"{len(report.rollouts)} completions of {report.final}, drawn at random with the run's seed, not chosen. "
            "Characters that would not show are written out.",
        ),
        rollouts=tuple(_shown(record) for record in report.rollouts),
    )


def _shown(record: Record) -> Shown:
    verdict = record.verdict
    right = verdict.correct is True
    state = "✓ right" if right else "not graded" if verdict.correct is None else "✗ wrong"
    status = "" if verdict.status.value == "ok" else f", {verdict.status.value.replace('_', ' ')}"
    body, left_out = text.cut(record.text, ROLLOUT_CHARACTERS)
    return Shown(
        title=f"{state}{status} · {record.problem.id} · sample {record.index} · {record.tokens:,} tokens",
        right=right,
        question=text.cut(record.problem.question, ROLLOUT_CHARACTERS)[0],
        gold=text.cut(record.problem.answer or "", SHORT_CHARACTERS)[0],
        read=text.cut(verdict.extracted or "", SHORT_CHARACTERS)[0],
        reason=text.cut(verdict.reason, SHORT_CHARACTERS)[0],
        text=body,
        left_out=left_out,
    )
