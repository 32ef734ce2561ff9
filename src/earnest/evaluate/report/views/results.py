"""What every model did, and the paired differences between them."""

from __future__ import annotations

from collections.abc import Sequence

from earnest.evaluate.report.build import Evaluated, Report
from earnest.evaluate.report.figures import Figure
from earnest.evaluate.report.page import Cell, Section, Table
from earnest.evaluate.report.tables import compared_table, counts_of, drift_table, models_table, tasks_table

MIXED = (
    "The problems are of several tasks. The verdict is about all of them together; what each came to stands beside it."
)


def models(report: Report, figures: Sequence[Figure]) -> Section:
    main = report.main
    if main is None:
        return Section("models", "Models", paragraphs=("Nothing was evaluated.",))
    by_task = tasks_table(report, main)
    return Section(
        "models",
        f"Models on the {main.run.split} split",
        paragraphs=(how(main), tried(report), *((MIXED,) if by_task.rows else ())),
        tables=tuple(t for t in (models_table(report, main), by_task) if t.rows),
        figures=tuple(f for f in figures if f.group == "rates"),
    )


def how(evaluated: Evaluated) -> str:
    p = evaluated.run.protocol
    return (
        f"Evaluation {evaluated.run.id}: {problems(evaluated)} problems; sampled at temperature {p.get('temperature')}, "
        f"{p.get('k')} per problem; at most {p.get('max_tokens')} tokens. Rates in per cent with 95 % intervals "
        "clustered by problem; n counts completions that could be graded."
    )


def tried(report: Report) -> str:
    """What the grader paid for when it was tried out: beside every score, because no score is better than its grader."""
    gate = next((g for g in report.run.gates if g.gate == "verifier"), None)
    n = {} if gate is None else gate.numbers
    if not n.get("golds"):
        return "The grader was not tried out on right and wrong answers in this run."
    wrong, right = int(n["near_misses"]) + int(n["attacks"]), int(n["golds"])
    return (
        f"Tried out before the run, the grader paid {int(n['false_passes']):,} of {wrong:,} wrong answers (near misses and "
        f"attacks) and {right - int(n['golds_not_paid']):,} of {right:,} right ones."
    )


def problems(evaluated: Evaluated) -> str:
    """How many problems the evaluation rests on."""
    rates = [r for m in evaluated.models.values() for r in (m.sampled, m.greedy) if r is not None]
    return f"{max((r.distinct for r in rates), default=0):,}"


def comparisons(report: Report, figures: Sequence[Figure]) -> Section | None:
    if report.main is None or not report.main.compared:
        return None
    return Section(
        "comparisons",
        "Paired comparisons",
        paragraphs=(
            "Each row compares two checkpoints on the same problems. The claim is the last training stage against its own "
            "input. The difference is b minus a in points, with a paired 95 % interval and a sign-flip p-value "
            "(McNemar's exact test where there is one completion per problem). Gained and lost count the problems that "
            "moved.",
        ),
        tables=(compared_table(report.main.compared),),
        figures=tuple(f for f in figures if f.group == "differences"),
    )


def other_evaluations(report: Report) -> list[Section]:
    return [
        Section(
            f"evaluation-{other.run.id}",
            f"Also evaluated: {other.run.id}",
            paragraphs=("Not what the verdict rests on. " + how(other),),
            tables=tuple(
                t
                for t in (
                    models_table(report, other), tasks_table(report, other), compared_table(other.compared),
                    drift_table(other.drift),
                )
                if t.rows
            ),
        )
        for other in report.others
    ]  # fmt: skip


def statuses(report: Report) -> Section | None:
    if report.main is None:
        return None
    columns = ("model", "right", "wrong", "no answer", "truncated", "limit", "error", "total")
    rows = [
        (Cell(name, mode), *(Cell(f"{n:,}") for n in counts_of(counts)), Cell(f"{counts.total:,}"))
        for name, found in report.main.models.items()
        for mode, counts in found.statuses.items()
    ]
    return Section(
        "statuses",
        "How grading ended",
        paragraphs=(
            "No answer, truncated and limit (the response ran past a limit of the grader) count as wrong. Error means "
            "that our side failed: such completions are in no rate and are never a reward.",
        ),
        tables=(Table(columns, tuple(rows)),),
    )


def drift(report: Report) -> Section:
    rows = report.main.drift if report.main else ()
    if not rows:
        return Section("drift", "Substrate drift", paragraphs=("No drift benchmark was run.",))
    return Section(
        "drift",
        "Substrate drift",
        paragraphs=(
            "Skills that were not trained, against the base model on the same items. A loss beyond 2 points (2 % of bits "
            "per byte, where lower is better) and two standard errors is flagged.",
        ),
        tables=(drift_table(rows),),
    )
