"""An evaluation of tasks × columns as lines for a terminal. Nothing is computed here that grid.py has not."""

from __future__ import annotations

from earnest.evaluate import text
from earnest.evaluate.grid.cells import Cell, EvalResult
from earnest.evaluate.report.tables import counts_of
from earnest.functional.stats import Rate


def lines(result: EvalResult) -> list[str]:
    """A row for every task (below a mixture its parts) and column, then differences, how grading ended, what the columns were."""
    return [
        f"{text.one_line(result.model)} on the {result.split} split · sampled at temperature 1, {result.k} a problem, and "
        f"greedy · at most {result.max_tokens} tokens · rates in per cent with 95 % intervals",
        "",
        *_rates(result),
        *_differences(result),
        *_statuses(result),
        "",
        *_notes(result),
    ]


def _rates(result: EvalResult) -> list[str]:
    heads = ("task", "column", "sampled", "", "greedy", "", "format", "cut", "tokens", "n", "distinct")
    rows: list[tuple[str, ...]] = [heads]
    for cell in result.cells:
        s = cell.summary
        main = s.sampled or s.greedy
        rows.append((
            cell.task, cell.column, *_rate(s.sampled), *_rate(s.greedy), _rate(s.trace_format)[0],
            _rate(s.truncated)[0], text.NONE if s.tokens is None else f"{s.tokens.value:.1f}",
            f"{main.n:,}" if main else "0", f"{main.distinct:,}" if main else "0",
        ))  # fmt: skip
        rows += [
            (
                f"  {task}", cell.column, *_rate(part.sampled), *_rate(part.greedy), _rate(part.trace_format)[0], "", "",
                f"{part.trace_format.n:,}", f"{part.trace_format.distinct:,}",
            )
            for task, part in s.by_task.items()
        ]  # fmt: skip
    return text.aligned(rows, left=(0, 1))


def _rate(found: Rate | None) -> tuple[str, str]:
    return (text.NONE, text.NONE) if found is None else (text.points(found.value), text.interval(found.ci95))


def _differences(result: EvalResult) -> list[str]:
    rows: list[tuple[str, ...]] = [("task", "column", "rate", "difference", "95 %", "p", "problems", "rose", "fell")]
    rows += [
        (
            cell.task, f"{c.b} − {c.a}", c.metric, text.signed_points(c.diff), text.interval(c.ci95, signed=True),
            text.p_value(c.p_value), f"{c.n:,}", f"{c.flips.gained:,}", f"{c.flips.lost:,}",
        )
        for cell in result.cells
        for c in cell.versus_first
    ]  # fmt: skip
    return ["", "paired by problem, in points", *text.aligned(rows, left=(0, 1, 2))] if len(rows) > 1 else []


def _statuses(result: EvalResult) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("task", "column", "graded", "right", "wrong", "no answer", "truncated", "limit", "error")
    ]
    for cell in result.cells:
        for metric, counts in cell.summary.statuses.items():
            rows.append((cell.task, cell.column, metric, *(f"{n:,}" for n in counts_of(counts))))
    return ["", *text.aligned(rows, left=(0, 1, 2))]


def _notes(result: EvalResult) -> list[str]:
    by_task: dict[str, Cell] = {cell.task: cell for cell in reversed(result.cells)}
    looks = [
        f"{task}: look {cell.looks} at these {cell.problems:,} problems" for task, cell in reversed(by_task.items())
    ]
    shown = [
        f"{cell.task}, {cell.column}: {len(cell.examples)} examples of the train split: {', '.join(cell.examples)}"
        for cell in result.cells
        if cell.examples
    ]
    return [*looks, *map(text.one_line, shown)]
