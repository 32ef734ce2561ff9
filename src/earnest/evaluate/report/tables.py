"""The report's tables, as text cells: models, comparisons, drift. Nothing is computed here that report.py has not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from earnest.evaluate import text
from earnest.evaluate.claim import Compared, differences_of
from earnest.evaluate.drift import Drift
from earnest.evaluate.load import StageRun
from earnest.evaluate.report.build import Evaluated, Report
from earnest.evaluate.report.page import Cell, Table
from earnest.evaluate.summary import Statuses
from earnest.functional.stats import Rate
from earnest.types import Json

ROLES = {
    "claim": "the claim",
    "overall": "the whole road",
    "stage": "an earlier stage",
    "earlier": "a is an earlier stage",
    "control": "a is a control arm",
}


def models_table(report: Report, evaluated: Evaluated) -> Table:
    k = next((found.pass_at_k.k for found in evaluated.models.values() if found.pass_at_k), None)
    columns = ("model", "sampled", "greedy", f"pass@{k}" if k else "pass@k", "trace format", "thought tokens", "cut")
    rows = []
    for name, found in evaluated.models.items():
        rows.append((
            Cell(name, _what(report, evaluated, name), strong=name == report.final),
            _rate(found.sampled, strong=name == report.final),
            _rate(found.greedy),
            _rate(found.pass_at_k.rate if found.pass_at_k else None),
            _rate(found.trace_format),
            _rate(found.thought_tokens, scale=1),
            _rate(found.truncated),
        ))  # fmt: skip
    return Table(columns, tuple(rows))


def tasks_table(report: Report, evaluated: Evaluated) -> Table:
    """A row for each part of a mixture under each model."""
    rows = [
        (
            Cell(task),
            Cell(name, _what(report, evaluated, name), strong=name == report.final),
            _rate(part.sampled, strong=name == report.final),
            _rate(part.greedy),
            _rate(part.trace_format),
        )
        for task in dict.fromkeys(task for found in evaluated.models.values() for task in found.by_task)
        for name, found in evaluated.models.items()
        if (part := found.by_task.get(task)) is not None
    ]
    columns = ("task", "model", "sampled", "greedy", "trace format")
    return Table(columns, tuple(rows), caption="Task by task")


def _what(report: Report, evaluated: Evaluated, name: str) -> str:
    stage = next((s for s in report.run.stages if s.id == name), None)
    if name == evaluated.run.base:
        return "before training"
    if stage is None:
        return ""
    final = next((s for s in report.run.stages if s.id == report.final), None)
    words = [algorithm_of(stage)]
    words += ["control arm"] if stage.control else []
    words += [differences_of(stage, final)] if stage.control and final and stage.kind == final.kind else []
    words += ["final"] if name == report.final else []
    return ", ".join(word for word in words if word and word != name)


def algorithm_of(stage: StageRun) -> str:
    config = stage.info.get("config") or {}
    algorithm = config.get("algorithm") or config.get("preference")
    algorithm = algorithm.get("name") if isinstance(algorithm, Mapping) else algorithm
    return str(algorithm or stage.kind)


def compared_table(rows: Sequence[Compared]) -> Table:
    found = []
    for row in rows:
        c = row.comparison
        left_out = [f"{c.errors:,} not graded"] if c.errors else []
        left_out += [f"{c.unmatched:,} not in both"] if c.unmatched else []
        found.append((
            Cell(f"{c.a} → {c.b}", ROLES[row.role], strong=row.role == "claim"),
            Cell(c.metric),
            Cell(f"{text.points(c.a_value)} → {text.points(c.b_value)}"),
            Cell(text.signed_points(c.diff), text.interval(c.ci95, signed=True), strong=row.role == "claim"),
            Cell(text.p_value(c.p_value)),
            Cell(f"{c.n:,}", "\n".join(left_out)),
            Cell(f"{c.flips.gained:,} / {c.flips.lost:,}"),
        ))  # fmt: skip
    columns = ("a → b", "metric", "rates, %", "difference", "p", "problems", "gained / lost")
    return Table(columns, tuple(found))


def counts_of(counts: Statuses) -> tuple[int, ...]:
    return (counts.right, counts.wrong, *(counts.other[k] for k in ("no_answer", "truncated", "limit", "error")))


def drift_table(rows: Sequence[Drift]) -> Table:
    columns = ("benchmark", "model", "base → model", "change", "p", "n", "reading")
    return Table(columns, tuple(
        (
            Cell(d.name, _metric(d)),
            Cell(d.model),
            Cell(f"{drift_value(d, d.base)} → {drift_value(d, d.value)}"),
            Cell(text.signed_points(d.diff) + (" %" if d.is_bytes else ""), text.interval(d.ci95, signed=True)),
            Cell(text.p_value(d.p_value)),
            Cell(f"{d.n:,}", f"{d.cut:,} without the beginning of their context" if d.cut else ""),
            Cell(reading(d), strong=d.flagged),
        )
        for d in rows
    ))  # fmt: skip


def _metric(d: Drift) -> str:
    if d.is_bytes:
        return "bits per byte"
    return f"{d.metric}, % (chance {text.points(d.chance or 0)})" if d.is_choice else f"{d.metric} pass rate, %"


def drift_value(d: Drift, value: float) -> str:
    return f"{value:.3f}" if d.is_bytes else text.points(value)


def reading(d: Drift) -> str:
    if not d.can_show:
        return "cannot show drift"
    if d.flagged:
        return "⚠ lost"
    if d.ci95 is not None and d.ci95[0] <= 0 <= d.ci95[1]:
        return "no change shown"
    return "lost a little" if d.loss > 0 else "improved"


def _rate(found: Rate | None, *, scale: float = 100, strong: bool = False) -> Cell:
    if found is None:
        return Cell(text.NONE)
    value = text.points(found.value * scale / 100)
    return Cell(value, f"{text.interval(found.ci95, scale=scale)}\nn {found.n:,}", strong)


def plain_value(value: Json, indent: int | None = None) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, float):
        return text.number(value)
    if isinstance(value, list | tuple) and value and all(isinstance(x, int | float) for x in value):
        return f"[{', '.join(map(plain_value, value))}]"
    return json.dumps(value, ensure_ascii=False, indent=indent)
