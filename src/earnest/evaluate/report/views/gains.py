"""Where the gain is: against more samples of the earlier models at the same cost, by difficulty, and in length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from earnest.evaluate import text
from earnest.evaluate.compare import Comparison
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.difficulty import Bucket, Difficulty
from earnest.evaluate.report.equal_cost import Spend
from earnest.evaluate.report.figures import Figure
from earnest.evaluate.report.page import Cell, Section, Table

WAYS = {"one": "1 sample", "vote": "the most frequent answer of {}", "any": "any of {}"}

LENGTHS = (
    "Thought tokens are those of the compared samples. Right and wrong completions are partly of different problems, so that "
    "a difference between them need not be an effect of thinking longer; one that was cut counts with the tokens it had."
)


def equal_cost(report: Report) -> Section | None:
    final, *others = report.spends or (None,)
    if final is None or not others:
        return None
    paragraphs = [
        "Training may only move to the first try what more tries would have found. The most frequent answer of k is what "
        "a user could have without training; any of k (pass@k) supposes that somebody picks the right one, so it is a "
        "bound. Cost is generated tokens per problem; prompts, and what training cost, are not counted. "
        f"The difference is {final.model} with one sample minus the row, paired, in points.",
    ]
    paragraphs += _cheaper(final, others)
    columns = ("model", "rate, %", "tokens per problem", f"{final.model} minus this")
    return Section(
        "equal-cost",
        "More samples instead of training",
        paragraphs=tuple(paragraphs),
        tables=(Table(columns, tuple(_spend_row(spend) for spend in report.spends)),),
    )


def _cheaper(final: Spend, others: Sequence[Spend]) -> Iterator[str]:
    """Where even all samples of another model cost less than one of the final model."""
    for name in dict.fromkeys(s.model for s in others):
        most = max((s for s in others if s.model == name), key=lambda s: s.samples)
        one = next(s for s in others if s.model == name)
        if most.tokens.value + one.tokens.value <= final.tokens.value:
            yield (
                f"All {most.samples} samples of {name} still cost less than one of {final.model}: at equal cost "
                f"{name} would have more tries than were drawn here."
            )


def _spend_row(spend: Spend) -> tuple[Cell, ...]:
    way = WAYS[spend.how].format(spend.samples)
    marks = ["the final model"] if spend.behind is None else ["at equal cost"] if spend.equal_cost else []
    behind = spend.behind
    return (
        Cell(spend.model, "\n".join([way, *marks]), strong=spend.equal_cost),
        Cell(text.points(spend.rate.value), f"{text.interval(spend.rate.ci95)}\n{spend.rate.distinct:,} problems"),
        Cell(f"{spend.tokens.value:,.1f}"),
        Cell(
            text.signed_points(behind.diff),
            f"{text.interval(behind.ci95, signed=True)}\np {text.p_value(behind.p_value)}",
        )
        if behind
        else Cell(text.NONE),
    )


def difficulty(report: Report, figures: Sequence[Figure]) -> Section | None:
    found = report.difficulty
    if found is None:
        return None
    rows = [_moved_row(bucket, moved) for bucket in found.buckets for moved in bucket.moved]
    columns = (
        "problems",
        "metric",
        f"{found.a} → {found.b}, %",
        "difference",
        "wrong → right",
        "right → wrong",
        "same",
    )
    return Section(
        "difficulty",
        "Which problems changed, and how long it thinks",
        paragraphs=(_how_sorted(found), *_left_out(found), LENGTHS),
        tables=(Table(columns, tuple(rows)),),
        figures=tuple(f for f in figures if f.group == "difficulty"),
        short="By difficulty",
    )


def _how_sorted(found: Difficulty) -> str:
    if found.sorted_by == "greedy":
        sorts = f"by the greedy completion of {found.a}, and compared on samples"
    else:
        sorts = (
            f"by {found.sorting} of {found.a}'s samples, and compared on the other {found.compared} of both models (and "
            "on the greedy completions)"
        )
    return (
        f"Problems are sorted by how hard they were for {found.a}: {sorts}. Sorted by the very samples that are compared, "
        "the hardest would seem to gain and the easiest to lose although nothing had changed (regression to the mean). "
        "Wrong → right counts the problems that the later model solves more often, right → wrong those that it solves "
        "less often; with several samples chance alone moves some, both ways."
    )


def _left_out(found: Difficulty) -> tuple[str, ...]:
    return (
        (f"{found.unsorted:,} problems had no graded completion to sort by and are left out.",)
        if found.unsorted
        else ()
    )


def _moved_row(bucket: Bucket, moved: Comparison) -> tuple[Cell, ...]:
    return (
        Cell(bucket.name, f"{moved.n:,} problems"),
        Cell(moved.metric),
        Cell(f"{text.points(moved.a_value)} → {text.points(moved.b_value)}"),
        Cell(text.signed_points(moved.diff), text.interval(moved.ci95, signed=True)),
        Cell(f"{moved.flips.gained:,}"),
        Cell(f"{moved.flips.lost:,}"),
        Cell(f"{moved.flips.same:,}"),
    )
