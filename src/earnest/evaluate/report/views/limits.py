"""What a reader might take from the page and must not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from earnest.evaluate.claim import final_stage
from earnest.evaluate.report.build import Evaluated, Report
from earnest.evaluate.report.page import Section
from earnest.evaluate.report.views.results import problems


def limits(report: Report) -> Section:
    return Section("limits", "What this does not show", bullets=tuple(not_shown(report)))


def not_shown(report: Report) -> Iterator[str]:
    """Each as the end of "It does not show …"."""
    main = report.main
    if main is None:
        yield "Anything about what was learned: there is no finished evaluation in this run."
        return
    yield (
        "That the recipe works. The intervals are over problems, for this checkpoint; another seed is another "
        "checkpoint. A claim about the recipe needs runs with several seeds and the spread over them."
    )
    yield from _whose_doing(report)
    yield (
        f"Other problems, prompts or sampling settings than the {problems(main)} {main.run.split} problems and the "
        "protocol above. The base model may have seen them before this run began."
    )
    yield from _drift(report, main)
    looks = main.run.protocol.get("looks")
    if isinstance(looks, int) and looks > 1:
        yield (
            f"A first look. These {main.run.split} problems have been looked at by {looks} runs; the more looks, the "
            "better the best of them seems."
        )
    if main.run.split != "test":
        yield f"Held-out performance: the {main.run.split} split may have guided choices made during the run."
    yield from _overlap(report)
    yield "That the written thought is why an answer is right. The trace-format rate is about form alone."


def _whose_doing(report: Report) -> Iterator[str]:
    """What a control arm would have told about the last stage, if there was none of its kind."""
    final = final_stage(report.run)
    if final is None or final.kind != "rl" or any(c.kind == "rl" for c in report.run.controls):
        return
    others = ", ".join(c.id for c in report.run.controls)
    beside = f" ({others} is no such arm: it has no reward)" if others else ""
    yield (
        "That the reward taught it. No control arm here was trained in the same way with another reward, such as a random "
        f"one{beside}."
    )


def _overlap(report: Report) -> Iterator[str]:
    start = "That no test problem resembles a training problem: "
    gates = [g for g in report.run.gates if g.gate == "data"]
    pairs = [row for g in gates for row in g.numbers.values() if isinstance(row, Mapping)]
    if not gates:
        yield start + "overlap beyond what the split rules out was not measured."
    elif any((row.get("looked_at") or 0) < (row.get("trained_on") or 0) for row in pairs):
        yield start + "the data gate compared a part of the training problems."


def _drift(report: Report, main: Evaluated) -> Iterator[str]:
    rows = [d for d in main.drift if d.model == report.final]
    if not rows:
        yield "What happened to the model's other skills: no drift benchmark was run."
    for row in rows:
        if not row.can_show:
            yield f"Drift on {row.name}: the base model is within its interval of chance there, so it has nothing to lose."
    if rows:
        asked = f"{len(rows)} benchmark{'s' if len(rows) > 1 else ''} ({', '.join(d.name for d in rows)})"
        yield f"What happened to any other skill: drift was measured on {asked}."
