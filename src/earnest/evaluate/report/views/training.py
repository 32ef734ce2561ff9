"""What happened while stages trained: curves, gates, health rules, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from earnest.evaluate.claim import final_stage
from earnest.evaluate.load import GateRow
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.figures import Figure
from earnest.evaluate.report.page import Cell, Section, Table
from earnest.evaluate.report.tables import algorithm_of, plain_value

SHOWN_EVENTS = 50
OUTCOMES = {"passed": "✓ passed", "warned": "⚠ warned", "refused": "✗ refused"}
LEVELS = {"error": "✗", "warning": "⚠", "info": "✓"}


def curves(report: Report, figures: Sequence[Figure]) -> list[Section]:
    """The last training stage's are open, the others' closed."""
    found, final = [], final_stage(report.run)
    for stage in report.run.stages:
        mine = tuple(f for f in figures if f.group == f"stage:{stage.id}")
        if mine:
            arm = ", a control arm" if stage.control else ""
            title = f"Learning curves: {stage.id} ({algorithm_of(stage)}{arm})"
            note = "Measured on training rollouts, not on held-out problems: each point is about the problems of its steps."
            paragraphs = (note,) if stage.kind in ("rl", "preference") else ()
            short = f"Curves of {stage.id}"
            closed = stage is not final
            found.append(Section(f"curves-{stage.id}", title, paragraphs, figures=mine, short=short, closed=closed))
    return found


def gates(report: Report) -> Section:
    if not report.run.gates:
        return Section("gates", "Gates", paragraphs=("No gate reported in this run.",))
    return Section("gates", "Gates", tables=(gates_table(report.run.gates),))


def gates_table(rows: Sequence[GateRow]) -> Table:
    cells = tuple(
        (
            Cell(g.gate, g.stage),
            Cell(
                OUTCOMES.get(g.outcome, g.outcome), "overridden by name" if g.allowed else "",
                strong=g.outcome != "passed",
            ),
            Cell(g.reason, g.remedy),
            Cell("", "\n".join(_numbers(g))),
        )
        for g in rows
    )  # fmt: skip
    return Table(("gate", "outcome", "reason", "numbers"), cells, numeric=False)


def _numbers(gate: GateRow) -> Iterator[str]:
    """Numbers of a gate that are one value each; a table of them has its place in another chapter."""
    for key, value in gate.numbers.items():
        if not isinstance(value, Mapping):
            yield f"{key.replace('_', ' ')} {plain_value(value)}"


def health(report: Report) -> Section | None:
    watched = [s for s in report.run.stages if s.trained and s.metrics and "health" in (s.info.get("config") or {})]
    if not report.run.health and not watched:
        return None
    if not report.run.health:
        quiet = f"No health rule held in any step of {', '.join(stage.id for stage in watched)}."
        return Section("health", "Health while training", paragraphs=(quiet,))
    rows = tuple(
        (
            Cell(f"{LEVELS.get(spell.level, '?')} {spell.rule} {spell.name}", spell.stage, strong=True),
            Cell(f"{spell.first:,} to {'the end' if spell.last is None else f'{spell.last:,}'}"),
            Cell(spell.message),
        )
        for spell in report.run.health
    )
    table = Table(("rule", "steps", "as it was said when it began"), rows, numeric=False)
    return Section("health", "Health while training", tables=(table,))


def events(report: Report) -> Section | None:
    rows = [
        (Cell(stage.id), Cell(str(event.get("level"))), Cell(str(event.get("message") or event.get("event") or "")))
        for stage in report.run.stages
        for event in stage.events
        if event.get("level") in ("warning", "error") and event.get("event") not in ("gate", "health")
    ]
    if not rows:
        return None
    shown = tuple(rows[:SHOWN_EVENTS])
    note = f"The first {len(shown)} of {len(rows):,}; the rest is in events.jsonl."
    table = Table(("stage", "level", "message"), shown, numeric=False)
    return Section("events", "Warnings and errors", (note,) if len(rows) > SHOWN_EVENTS else (), tables=(table,))
