"""The report as sections of paragraphs and tables: what index.html and report.md both show, said once.

Nothing is computed here that report.py has not; tables.py makes the larger tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from earnest.evaluate import text
from earnest.evaluate.figures import Figure
from earnest.evaluate.load import Row
from earnest.evaluate.page import Cell, Headline, Page, Section, Shown, Table
from earnest.evaluate.report import Evaluated, Report
from earnest.evaluate.tables import (
    algorithm_of,
    compared_table,
    counts_of,
    drift_table,
    drift_value,
    models_table,
    plain_value,
    reading,
)
from earnest.functional.stats import Rate
from earnest.types import Json, Record

ROLLOUT_CHARACTERS = 2_000


def page(report: Report, figures: Sequence[Figure]) -> Page:
    """The whole report."""
    info = report.run.info
    model = report.run.recipe.get("model")
    name = str(info.get("name") or report.run.path.name)
    facts = [str(info.get("id") or ""), _model_name(model), _machine(info), text.seconds(report.wall_s or None)]
    sections = (
        _models(report, figures),
        _comparisons(report, figures),
        *_other_evaluations(report),
        *_curves(report, figures),
        _statuses(report),
        _drift(report),
        _gates(report),
        _health(report),
        _events(report),
        _rollouts(report),
        _protocol(report),
        _compute(report),
        _reproduce(report),
        Section("limits", "What this does not show", bullets=tuple(not_shown(report))),
    )
    return Page(
        title=name,
        verdict=report.verdict,
        sentence=report.verdict_sentence,
        facts=" · ".join(fact for fact in facts if fact),
        caveats=report.claim.caveats,
        headlines=_headlines(report),
        sections=tuple(s for s in sections if s is not None),
    )


def not_shown(report: Report) -> Iterable[str]:
    """What a reader might take from the page and must not."""
    main = report.main
    if main is None:
        yield "Anything about what was learned: there is no finished evaluation in this run."
        return
    yield (
        "That the recipe works. The intervals are over problems, for this checkpoint; another seed is another "
        "checkpoint. A claim about the recipe needs several seeds (--seeds) and the spread over them."
    )
    if not report.run.controls:
        yield "That the reward taught it. There is no control arm here, such as the same training with a random reward."
    yield (
        f"Other problems, prompts or sampling settings than the {_count(main)} {main.run.split} problems and the "
        "protocol above. The base model may have seen them before this run began."
    )
    drift = [d for d in main.drift if d.model == report.final]
    if not drift:
        yield "What happened to the model's other skills: no drift benchmark was run."
    for row in drift:
        if not row.can_show:
            yield f"Drift on {row.name}: the base model is within its interval of chance there, so it has nothing to lose."
    looks = main.run.protocol.get("looks")
    if isinstance(looks, int) and looks > 1:
        yield (
            f"A first look. These {main.run.split} problems have been looked at by {looks} runs; the more looks, the "
            "better the best of them seems."
        )
    if main.run.split != "test":
        yield f"Held-out performance: the {main.run.split} split may have guided choices made during the run."
    yield "That the written thought is why an answer is right. The trace-format rate is about form alone."


def _headlines(report: Report) -> tuple[Headline, ...]:
    final, base = report.final_summary, report.base_summary
    if final is None or report.final is None:
        return ()
    sampled = _headline("Verifier pass", "sampled pass rate", final.sampled, base and base.sampled)
    form = _headline("Trace format", "thought closed, then an answer", final.trace_format, base and base.trace_format)
    worst = report.worst_drift
    if worst is None:
        return sampled, Headline("Substrate drift", "not measured", "", "no drift benchmark was run", ""), form
    count = len([d for d in report.main.drift if d.model == report.final]) if report.main else 0
    which = worst.name if count == 1 else f"{worst.name}, the clearest loss of {count} benchmarks"
    if not worst.can_show:
        drift = Headline("Substrate drift", "cannot show drift", "", which, "the base is within its interval of chance")
    else:
        value, unit = text.signed_points(worst.diff), "% bits per byte" if worst.is_bytes else "points"
        detail = f"{text.interval(worst.ci95, signed=True)} · n {worst.n:,} · {which}"
        beside = f"{reading(worst)} · base {drift_value(worst, worst.base)}{'' if worst.is_bytes else ' %'}"
        drift = Headline("Substrate drift", value, unit, detail, beside)
    return sampled, drift, form


def _headline(title: str, what: str, final: Rate | None, base: Rate | None) -> Headline:
    if final is None:
        return Headline(title, "not measured", "", "", "")
    beside = "not measured" if base is None else f"{text.points(base.value)} % {text.interval(base.ci95)}"
    detail = f"{text.interval(final.ci95)} · n {final.n:,} · {final.distinct:,} problems · {what}"
    return Headline(title, text.points(final.value), "%", detail, f"base {beside}")


def _models(report: Report, figures: Sequence[Figure]) -> Section:
    main = report.main
    if main is None:
        return Section("models", "Models", paragraphs=("Nothing was evaluated.",))
    return Section(
        "models",
        f"Models on the {main.run.split} split",
        paragraphs=(_how(main),),
        tables=(models_table(report, main),),
        figures=tuple(f for f in figures if f.group == "rates"),
    )


def _how(evaluated: Evaluated) -> str:
    p = evaluated.run.protocol
    return (
        f"Evaluation {evaluated.run.id}: {_count(evaluated)} problems; sampled at temperature {p.get('temperature')}, "
        f"{p.get('k')} per problem; at most {p.get('max_tokens')} tokens. Rates in per cent with 95 % intervals "
        "clustered by problem; n counts completions that could be graded."
    )


def _comparisons(report: Report, figures: Sequence[Figure]) -> Section | None:
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


def _other_evaluations(report: Report) -> list[Section]:
    return [
        Section(
            f"evaluation-{other.run.id}",
            f"Also evaluated: {other.run.id}",
            paragraphs=("Not what the verdict rests on. " + _how(other),),
            tables=tuple(
                t for t in (models_table(report, other), compared_table(other.compared), drift_table(other.drift))
                if t.rows
            ),
        )
        for other in report.others
    ]  # fmt: skip


def _curves(report: Report, figures: Sequence[Figure]) -> list[Section]:
    found = []
    for stage in report.run.stages:
        mine = tuple(f for f in figures if f.group == stage.id)
        if mine:
            arm = ", a control arm" if stage.control else ""
            title = f"Learning curves: {stage.id} ({algorithm_of(stage)}{arm})"
            note = "Measured on training rollouts, not on held-out problems." if stage.kind == "rl" else ""
            paragraphs = (note,) if note else ()
            found.append(Section(f"curves-{stage.id}", title, paragraphs, figures=mine, short=f"Curves of {stage.id}"))
    return found


def _statuses(report: Report) -> Section | None:
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


def _drift(report: Report) -> Section:
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


def _gates(report: Report) -> Section:
    if not report.run.gates:
        return Section("gates", "Gates", paragraphs=("No gate reported in this run.",))
    marks = {"passed": "✓ passed", "warned": "⚠ warned", "refused": "✗ refused"}
    rows = tuple(
        (
            Cell(g.gate, g.stage),
            Cell(
                marks.get(g.outcome, g.outcome), "overridden by name" if g.allowed else "", strong=g.outcome != "passed"
            ),
            Cell(g.reason, g.remedy),
            Cell(", ".join(f"{key} {plain_value(value)}" for key, value in g.numbers.items())),
        )
        for g in report.run.gates
    )
    return Section("gates", "Gates", tables=(Table(("gate", "outcome", "reason", "numbers"), rows, numeric=False),))


def _health(report: Report) -> Section | None:
    watched = [s for s in report.run.stages if s.trained and s.metrics and "health" in (s.info.get("config") or {})]
    if not report.run.health and not watched:
        return None
    if not report.run.health:
        quiet = f"No health rule held in any step of {', '.join(stage.id for stage in watched)}."
        return Section("health", "Health while training", paragraphs=(quiet,))
    marks = {"error": "✗", "warning": "⚠", "info": "✓"}
    rows = tuple(
        (
            Cell(f"{marks.get(spell.level, '?')} {spell.rule} {spell.name}", spell.stage, strong=True),
            Cell(f"{spell.first:,} to {'the end' if spell.last is None else f'{spell.last:,}'}"),
            Cell(spell.message),
        )
        for spell in report.run.health
    )
    table = Table(("rule", "steps", "as it was said when it began"), rows, numeric=False)
    return Section("health", "Health while training", tables=(table,))


def _events(report: Report) -> Section | None:
    rows = [
        (Cell(stage.id), Cell(str(event.get("level"))), Cell(str(event.get("message") or event.get("event") or "")))
        for stage in report.run.stages
        for event in stage.events
        if event.get("level") in ("warning", "error") and event.get("event") not in ("gate", "health")
    ]
    if not rows:
        return None
    shown = tuple(rows[:50])
    note = (f"The first {len(shown)} of {len(rows):,}; the rest is in events.jsonl.",) if len(rows) > 50 else ()
    table = Table(("stage", "level", "message"), shown, numeric=False)
    return Section("events", "Warnings and errors", paragraphs=note, tables=(table,))


def _rollouts(report: Report) -> Section | None:
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
        gold=text.cut(record.problem.answer or "", 300)[0],
        read=text.cut(verdict.extracted or "", 300)[0],
        reason=text.cut(verdict.reason, 300)[0],
        text=body,
        left_out=left_out,
    )


def _protocol(report: Report) -> Section | None:
    if report.main is None:
        return None
    task = report.run.recipe.get("task")
    rows = [(Cell(key.replace("_", " ")), Cell(plain_value(value))) for key, value in report.main.run.protocol.items()]
    rows += [(Cell("task"), Cell(plain_value(task)))] if task and "task" not in report.main.run.protocol else []
    return Section(
        "protocol",
        "Protocol and data",
        paragraphs=("Looks: by how many runs this set of problems has been evaluated so far, this one included.",),
        tables=(Table(("setting", "value"), tuple(rows), numeric=False), *_sources(report)),
    )


def _sources(report: Report) -> tuple[Table, ...]:
    rows = tuple(
        (
            Cell(plain_value(source.get("task"))),
            Cell(plain_value(source.get("problems"))),
            Cell(plain_value(source["files"]) if source.get("files") else text.NONE),
            Cell(" ".join(map(str, source.get("notices") or ())) or text.NONE),
        )
        for source in report.run.sources
    )
    return (Table(("source", "problems", "files (hash)", "notices"), rows, numeric=False),) if rows else ()


def _compute(report: Report) -> Section:
    columns = ("stage", "status", "steps", "trained tokens", "generated tokens", "FLOPs", "time")
    rows = []
    for stage in report.run.stages:
        cached = stage.info.get("cached_from")
        rows.append((
            Cell(stage.id, "control arm" if stage.control else stage.kind if stage.kind != stage.id else ""),
            Cell(stage.status, f"taken from {cached}" if cached else ""),
            *(Cell(text.number(stage.info.get(key))) for key in ("steps", "trained_tokens", "generated_tokens")),
            Cell(text.flops(stage.info.get("flops"))),
            Cell(text.seconds(stage.info.get("wall_s"))),
        ))  # fmt: skip
    return Section("compute", "Compute", paragraphs=(_machine(report.run.info),), tables=(Table(columns, tuple(rows)),))


def _reproduce(report: Report) -> Section:
    info = report.run.info
    versions = info.get("versions") or {}
    rows = [
        ("seed", str(info.get("seed"))),
        ("gates overridden", ", ".join(map(str, info.get("allowed") or [])) or "none"),
        ("started", str(info.get("started") or text.NONE)),
        ("ended", str(info.get("ended") or text.NONE)),
        ("host", str(info.get("host") or text.NONE)),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items() if number)),
    ]
    return Section(
        "reproduce",
        "Reproduce",
        paragraphs=("The resolved recipe is in config/resolved.json, every record in the folder of its evaluation.",),
        tables=(Table(("", ""), tuple((Cell(a), Cell(b)) for a, b in rows), numeric=False),),
        code=str(info.get("command") or ""),
    )


def _count(evaluated: Evaluated) -> str:
    rates = [r for m in evaluated.models.values() for r in (m.sampled, m.greedy) if r is not None]
    return f"{max((r.distinct for r in rates), default=0):,}"


def _model_name(model: Json) -> str:
    if isinstance(model, Mapping):
        return str(model.get("path") or model.get("name") or "")
    return str(model or "")


def _machine(info: Row) -> str:
    machine = info.get("machine")
    if not isinstance(machine, Mapping):
        return ""
    return f"{machine.get('device')}, {machine.get('dtype')}, {machine.get('threads')} CPU threads"
