"""What one model did in one evaluation: rates with their intervals, lengths, and how grading ended.

A record whose grading failed (`error`) is in no pass rate; it is counted among the statuses. Lengths, the trace format
and truncation need no grader and are over all records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from earnest.errors import DataError
from earnest.functional.stats import Rate, mean_interval, pass_at_k, rate, rate_of_means
from earnest.types import Finish, Json, Record, Status

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class PassAtK:
    """Chance that one of k samples is right, over the problems with k graded samples."""

    k: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class Statuses:
    """How grading ended, in records: `ok` is right + wrong, the rest are the other statuses by name."""

    right: int
    wrong: int
    other: Mapping[str, int]  # no_answer, truncated, limit, error; always all four

    @property
    def total(self) -> int:
        return self.right + self.wrong + sum(self.other.values())

    def to_json(self) -> dict[str, Json]:
        """Example: {"correct": 57, "ok": 90, "no_answer": 8, "truncated": 2, "limit": 0, "error": 0}; ok includes correct."""
        return {"correct": self.right, "ok": self.right + self.wrong, **self.other}


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What a model did on the problems of one task among several. The whole is judged; this stands beside it."""

    sampled: Rate | None
    greedy: Rate | None
    trace_format: Rate

    def to_json(self) -> dict[str, Json]:
        return {
            "verifier_pass": {"sampled": rate_json(self.sampled), "greedy": rate_json(self.greedy)},
            "trace_format": rate_json(self.trace_format),
        }


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One row of the report. None: nothing was measured. Lengths are in sampled tokens per completion."""

    sampled: Rate | None
    greedy: Rate | None
    pass_at_k: PassAtK | None
    trace_format: Rate | None  # these four over the sampled records, or the greedy ones where there are no others
    tokens: Rate | None
    thought_tokens: Rate | None
    truncated: Rate | None
    statuses: Mapping[str, Statuses]  # "sampled", "greedy" -> counts
    by_task: Mapping[str, TaskSummary]  # in a mixture: its parts, by name; else empty

    def rates(self) -> dict[str, Json]:
        """Every rate that was measured, by name, as {"value", "n", "distinct", "ci95"}; pass@k under its k: "pass@4"."""
        named = {
            "sampled": self.sampled,
            "greedy": self.greedy,
            **({f"pass@{self.pass_at_k.k}": self.pass_at_k.rate} if self.pass_at_k else {}),
            "trace_format": self.trace_format,
        }
        return {name: rate_json(found) for name, found in named.items() if found is not None}

    def to_json(self) -> dict[str, Json]:
        """The model's entry in report.json."""
        at_k = {"k": self.pass_at_k.k, **_object(self.pass_at_k.rate)} if self.pass_at_k else None
        return {
            "verifier_pass": {
                "sampled": rate_json(self.sampled),
                "greedy": rate_json(self.greedy),
                "pass_at_k": at_k,
            },
            "trace_format": rate_json(self.trace_format),
            "tokens_mean": rate_json(self.tokens),
            "thought_tokens_mean": rate_json(self.thought_tokens),
            "truncated": rate_json(self.truncated),
            "statuses": {mode: counts.to_json() for mode, counts in self.statuses.items()},
            **({"by_task": {task: found.to_json() for task, found in self.by_task.items()}} if self.by_task else {}),
        }


def rate_json(found: Rate | None) -> Json:
    """Example: {"value": 0.57, "n": 900, "distinct": 300, "ci95": [0.53, 0.6]}."""
    return None if found is None else _object(found)


def _object(found: Rate) -> dict[str, Json]:
    ci95 = None if found.ci95 is None else list(found.ci95)
    return {"value": found.value, "n": found.n, "distinct": found.distinct, "ci95": ci95}


def summarize(sampled: Sequence[Record], greedy: Sequence[Record], k: int | None = None) -> ModelSummary:
    """The summary of a model's records. k of pass@k: by default the number of samples per problem (the largest)."""
    groups = list(by_problem(sampled or greedy).values())
    k = k or max((len(rows) for rows in by_problem(sampled).values()), default=1)
    return ModelSummary(
        sampled=pass_rate(sampled),
        greedy=pass_rate(greedy),
        pass_at_k=_pass_at_k(sampled, k) if k > 1 else None,
        trace_format=rate([[r.well_formed for r in rows] for rows in groups]) if groups else None,
        tokens=mean_interval(_each(groups, lambda r: r.tokens)) if groups else None,
        thought_tokens=mean_interval(_each(groups, lambda r: r.thought_tokens)) if groups else None,
        truncated=rate(_each(groups, lambda r: r.finish is not Finish.STOP)) if groups else None,
        statuses={mode: count(rows) for mode, rows in (("sampled", sampled), ("greedy", greedy)) if rows},
        by_task=_by_task(sampled, greedy),
    )


def tasks_of(records: Sequence[Record]) -> tuple[str, ...]:
    """The tasks of some records' problems, in order of appearance."""
    return tuple(dict.fromkeys(record.problem.task for record in records))


def _by_task(sampled: Sequence[Record], greedy: Sequence[Record]) -> dict[str, TaskSummary]:
    """Task by task; nothing where there is only one."""
    tasks = tasks_of([*sampled, *greedy])
    found: dict[str, TaskSummary] = {}
    for task in tasks if len(tasks) > 1 else ():
        own, beside = ([r for r in records if r.problem.task == task] for records in (sampled, greedy))
        groups = list(by_problem(own or beside).values())
        found[task] = TaskSummary(pass_rate(own), pass_rate(beside), rate([[r.well_formed for r in g] for g in groups]))
    return found


def by_problem(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by problem id, both in order of appearance. Raises DataError if a sample is there twice."""
    groups: dict[str, dict[int, Record]] = {}
    for record in records:
        group = groups.setdefault(record.problem.id, {})
        if record.index in group:
            raise DataError(
                f"sample {record.index} of problem '{record.problem.id}' is recorded twice",
                why="every rate would count it twice",
            )
        group[record.index] = record
    return {problem: list(group.values()) for problem, group in groups.items()}


def graded(records: Sequence[Record]) -> dict[str, list[bool]]:
    """Right or wrong by problem id, in order of appearance; failed gradings left out, problems without any too."""
    marks = {
        problem: [r.verdict.correct for r in rows if r.verdict.correct is not None]
        for problem, rows in by_problem(records).items()
    }
    return {problem: row for problem, row in marks.items() if row}


def pass_rate(records: Sequence[Record]) -> Rate | None:
    """The share of graded records that are right; None if there is none."""
    marks = graded(records)
    return rate(list(marks.values())) if marks else None


def count(records: Sequence[Record]) -> Statuses:
    """How grading ended."""
    ended = [r.verdict.status for r in records]
    right = sum(r.verdict.correct is True for r in records)
    other = {status.value: ended.count(status) for status in Status if status is not Status.OK}
    return Statuses(right, ended.count(Status.OK) - right, other)


def _pass_at_k(records: Sequence[Record], k: int) -> PassAtK | None:
    rows = list(graded(records).values())
    each = [(value, len(row)) for row in rows if (value := pass_at_k(len(row), sum(row), k)) is not None]
    if not each:
        return None
    return PassAtK(k, rate_of_means([value for value, _ in each], sum(n for _, n in each)))


def _each(groups: Sequence[Sequence[Record]], value: Callable[[Record], V]) -> list[list[V]]:
    return [[value(record) for record in rows] for rows in groups]
