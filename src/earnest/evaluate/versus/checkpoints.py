"""Two checkpoints on the same problems, from the records of each: who is right more often, where they part, at what cost.

It speaks of two checkpoints, whatever made them. Sides that cannot be compared are refused; what makes a comparison
doubtful stands beside it. Only problems that both sides have are counted, in every number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from earnest.errors import DataError
from earnest.evaluate.claim import METRICS, decide
from earnest.evaluate.compare import Comparison, compare
from earnest.evaluate.drift import Drift, measure
from earnest.evaluate.load import Benchmark
from earnest.evaluate.summary import Statuses, by_problem, count, graded
from earnest.evaluate.text import difference, points
from earnest.evaluate.versus.settings import Differing, differing, flattened, run_settings
from earnest.evaluate.versus.sides import Side
from earnest.functional.stats import Interval, mean_interval, paired_difference
from earnest.types import Finish, Record, Sampling

Outcome: TypeAlias = Literal["B beats A", "B is worse than A", "not shown", "too few problems"]
OUTCOMES: Mapping[str, Outcome] = {
    "learned": "B beats A", "regressed": "B is worse than A", "not shown": "not shown",
}  # fmt: skip
BANDS = ("never", "less than half", "half or more", "always")


@dataclass(frozen=True, slots=True)
class Mean:
    """A number per completion, over problems. Example: Mean("tokens", 24.1, 27.0, 2.9, (2.7, 3.1), share=False)."""

    name: str
    a: float
    b: float
    diff: float  # b - a
    ci95: Interval | None
    share: bool  # of completions, in 0 .. 1; else tokens


@dataclass(frozen=True, slots=True)
class Band:
    """The problems that one half of A's samples got right this often; a is what the other half got there."""

    name: str
    problems: int
    a: float
    b: float
    diff: float
    ci95: Interval | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A problem that one side gets right more often. a_right of a_n graded completions."""

    problem: str
    question: str
    gold: str
    a_right: int
    a_n: int
    b_right: int
    b_n: int
    a_read: str  # what was read in the first completion
    b_read: str

    @property
    def change(self) -> float:
        return self.b_right / self.b_n - self.a_right / self.a_n


@dataclass(frozen=True, slots=True)
class Versus:
    """Everything that is said about two checkpoints."""

    a: Side
    b: Side
    outcome: Outcome
    sentence: str
    warnings: tuple[str, ...]
    comparisons: tuple[Comparison, ...]  # sampled, greedy
    moved: tuple[Moved, ...]  # of the deciding metric, the largest change first
    bands: tuple[Band, ...]
    means: tuple[Mean, ...]
    statuses: Mapping[str, tuple[Statuses, Statuses]]  # metric -> (a, b)
    drift: tuple[Drift, ...]
    settings: tuple[Differing, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome, "sentence": self.sentence, "warnings": list(self.warnings),
            "a": _side_json(self.a), "b": _side_json(self.b),
            "comparisons": [asdict(row) for row in self.comparisons],
            "moved": [{**asdict(row), "change": row.change} for row in self.moved],
            "bands": [asdict(row) for row in self.bands], "means": [asdict(row) for row in self.means],
            "statuses": {name: {"a": a.to_json(), "b": b.to_json()} for name, (a, b) in self.statuses.items()},
            "drift": [{**asdict(row), "flagged": row.flagged} for row in self.drift],
            "settings": [row.to_json() for row in self.settings],
        }  # fmt: skip


def versus(a: Side, b: Side) -> Versus:
    """B against A. Raises DataError where they share no problem, or were not graded alike."""
    shared = _shared(a, b)
    warnings = _warnings(a, b, len(shared))
    a, b = _only(a, shared), _only(b, shared)
    found = [compare("A", a.of(metric), "B", b.of(metric), metric) for metric in METRICS]
    comparisons = tuple(row for row in found if row is not None)
    if not comparisons:
        raise DataError("no problem was graded in the same way on both sides", where=f"{a.typed}, {b.typed}",
                        why="sampled answers are compared with sampled ones, greedy with greedy ones")  # fmt: skip
    main = comparisons[0]
    outcome = OUTCOMES[decide(main.ci95)] if main.ci95 is not None else "too few problems"
    return Versus(
        a=a, b=b, outcome=outcome, sentence=_sentence(outcome, main, a), warnings=warnings, comparisons=comparisons,
        moved=_moved(a.of(main.metric), b.of(main.metric)), bands=_bands(a.records.sampled, b.records.sampled),
        means=_means(a.of(main.metric), b.of(main.metric)),
        statuses={c.metric: (count(a.of(c.metric)), count(b.of(c.metric))) for c in comparisons},
        drift=_drift(a, b), settings=_settings(a, b),
    )  # fmt: skip


def _shared(a: Side, b: Side) -> frozenset[str]:
    """Ids of the problems that both sides answered."""
    for key in ("verifier", "verifier_version"):
        if a.protocol and b.protocol and a.protocol.get(key) != b.protocol.get(key):
            raise DataError(
                "the two were not graded alike", where=f"{a.typed}, {b.typed}",
                why=f"{key.replace('_', ' ')} {a.protocol.get(key)} against {b.protocol.get(key)}",
                remedy="evaluate one of them again: earnest eval MODEL --task … --out …",
            )  # fmt: skip
    problems_a, problems_b = a.problems, b.problems
    shared = frozenset(problems_a.keys() & problems_b.keys())
    if not shared:
        what = [f"{len(s.problems):,} {s.split} problems of {_tasks(s)}" for s in (a, b)]
        raise DataError("they share no problem", where=f"{a.typed}, {b.typed}", why=f"{what[0]} against {what[1]}",
                        remedy="evaluate both on the same task and split")  # fmt: skip
    for key in sorted(shared):
        mine, other = problems_a[key], problems_b[key]
        if (mine.question, mine.answer) != (other.question, other.answer):
            raise DataError(f"the problem '{key}' is not the same on both sides", where=f"{a.typed}, {b.typed}",
                            why="its question or its right answer differs")  # fmt: skip
    return shared


def _warnings(a: Side, b: Side, shared: int) -> tuple[str, ...]:
    found = [f"{name}: {caveat}." for name, s in (("A", a), ("B", b)) for caveat in s.caveats]
    sizes = len(a.problems), len(b.problems)
    if max(sizes) > shared:
        found.append(f"They share {shared:,} problems of A's {sizes[0]:,} and B's {sizes[1]:,}; only those count.")
    for metric in METRICS:
        if a.of(metric) and b.of(metric) and a.sampling(metric) != b.sampling(metric):
            told = [" and ".join(sorted(map(_sampling, s.sampling(metric)))) for s in (a, b)]
            found.append(f"They were not sampled alike ({metric}): {told[0]} against {told[1]}.")
    if not a.protocol or not b.protocol:
        found.append("No protocol.json beside the records: whether both were asked and graded alike is not known.")
    else:
        rows = [r for r in _protocol(a, b) if r.key.startswith(("protocol.prompt.", "protocol.template_hash"))]
        if rows:
            found.append(f"They were not asked alike: {', '.join(row.key.removeprefix('protocol.') for row in rows)}.")
    if a.split == "train" or b.split == "train":
        found.append("These are training problems: nothing is said about others.")
    return tuple(found)


def _sentence(outcome: Outcome, main: Comparison, a: Side) -> str:
    verb = {"not shown": "B is not shown to beat A", "too few problems": "Nothing is claimed"}.get(outcome, outcome)
    why = " (too few problems for an interval)" if main.ci95 is None else ""
    return (
        f"{verb}{why}: {main.metric} pass rate {points(main.b_value)} % against {points(main.a_value)} % on the same "
        f"{main.n:,} {a.split} problems, a paired difference of {difference(main.diff, main.ci95)} points. It speaks of "
        "these two checkpoints, not of the recipes that made them."
    )


def _moved(a: Sequence[Record], b: Sequence[Record]) -> tuple[Moved, ...]:
    marks_a, marks_b = graded(a), graded(b)
    first_a, first_b = _first(a), _first(b)
    rows = [
        Moved(
            key, first_a[key].problem.question, first_a[key].problem.answer or "", sum(marks_a[key]),
            len(marks_a[key]), sum(marks_b[key]), len(marks_b[key]), first_a[key].verdict.extracted or "",
            first_b[key].verdict.extracted or "",
        )
        for key in marks_a
        if key in marks_b
    ]  # fmt: skip
    return tuple(sorted((r for r in rows if r.change), key=lambda r: (-abs(r.change), r.problem)))


def _bands(a: Sequence[Record], b: Sequence[Record]) -> tuple[Band, ...]:
    """By A's difficulty. A's samples are dealt in two: one half says into which band a problem falls, the other what A gets
    there. With the same samples for both, the hardest problems would rise and the easiest fall by chance alone."""
    marks_a, marks_b = graded(a), graded(b)
    shared = [key for key in marks_a if key in marks_b and len(marks_a[key]) > 1]
    bands: dict[str, list[str]] = {name: [] for name in BANDS}
    for key in shared:
        bands[_band(marks_a[key][::2])].append(key)
    found: list[Band] = []
    for name, inside in bands.items():
        if inside:
            rows_a, rows_b = [marks_a[key][1::2] for key in inside], [marks_b[key] for key in inside]
            d = paired_difference(rows_a, rows_b)
            a_rate = sum(sum(row) / len(row) for row in rows_a) / len(inside)
            found.append(Band(name, len(inside), a_rate, a_rate + d.diff, d.diff, d.ci95))
    return tuple(found)


def _band(marks: Sequence[bool]) -> str:
    """Example: [True, False] -> "half or more"."""
    right = sum(marks)
    if right in (0, len(marks)):
        return BANDS[0] if right == 0 else BANDS[3]
    return BANDS[1] if 2 * right < len(marks) else BANDS[2]


def _means(a: Sequence[Record], b: Sequence[Record]) -> tuple[Mean, ...]:
    """Over all completions, also those that could not be graded."""
    rows_a, rows_b = by_problem(a), by_problem(b)
    shared = [key for key in rows_a if key in rows_b]

    def mean(name: str, value: Callable[[Record], float], *, share: bool) -> Mean:
        a_P = [sum(map(value, rows_a[key])) / len(rows_a[key]) for key in shared]
        b_P = [sum(map(value, rows_b[key])) / len(rows_b[key]) for key in shared]
        if share:
            d = paired_difference(*([[bool(value(r)) for r in rows[k]] for k in shared] for rows in (rows_a, rows_b)))
            diff, ci95 = d.diff, d.ci95
        else:
            found = mean_interval([[y - x] for x, y in zip(a_P, b_P, strict=True)])
            diff, ci95 = found.value, found.ci95
        return Mean(name, sum(a_P) / len(a_P), sum(b_P) / len(b_P), diff, ci95, share)

    return (
        mean("trace format", lambda r: r.well_formed, share=True),
        mean("cut", lambda r: r.finish is not Finish.STOP, share=True),
        mean("tokens", lambda r: r.tokens, share=False),
        mean("thought tokens", lambda r: r.thought_tokens, share=False),
    )


def _drift(a: Side, b: Side) -> tuple[Drift, ...]:
    """Benchmarks that both were measured on; what the page calls the base is A."""
    other = {row["name"]: row for row in b.protocol.get("drift") or ()}
    rows = [
        row for row in a.protocol.get("drift") or () if row.get("metric") == other.get(row["name"], {}).get("metric")
    ]
    benchmarks = [Benchmark(row["name"], row.get("chance"), row.get("metric") or "greedy") for row in rows]
    found = [measure(benchmark, "B", a.records, b.records) for benchmark in benchmarks]
    return tuple(row for row in found if row is not None)


def _settings(a: Side, b: Side) -> tuple[Differing, ...]:
    runs = run_settings(a.run, b.run) if a.run is not None and b.run is not None else ()
    return (*runs, *_protocol(a, b))


def _protocol(a: Side, b: Side) -> tuple[Differing, ...]:
    """In what the two protocols differ: how models were asked."""
    skipped = ("models", "base", "looks", "drift", "prompt_hash", "problems", "split_hash", "column", "model")
    flat = [
        flattened({key: value for key, value in s.protocol.items() if key not in skipped}, "protocol.")
        for s in (a, b)
    ]  # fmt: skip
    return differing(*flat) if all(flat) else ()


def _only(s: Side, shared: frozenset[str]) -> Side:
    sampled, greedy = (tuple(r for r in s.of(metric) if r.problem.id in shared) for metric in ("sampled", "greedy"))
    return replace(s, records=replace(s.records, sampled=sampled, greedy=greedy))


def _first(records: Sequence[Record]) -> dict[str, Record]:
    return {key: rows[0] for key, rows in by_problem(records).items()}


def _tasks(s: Side) -> str:
    return ", ".join(sorted({problem.task for problem in s.problems.values()}))


def _sampling(s: Sampling) -> str:
    return f"temperature {s.temperature:g}, top-p {s.top_p:g}, top-k {s.top_k}, {s.max_tokens} tokens at most"


def _side_json(s: Side) -> dict[str, Any]:
    return {"named": s.typed, "model": s.model, "folder": str(s.folder), "split": s.split, "problems": len(s.problems)}
