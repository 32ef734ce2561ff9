"""How the numbers were made: protocol, data, compute, and what it takes to make them again."""

from __future__ import annotations

from collections.abc import Mapping

from earnest.evaluate import text
from earnest.evaluate.load import GateRow, Row
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.page import Cell, Section, Table
from earnest.evaluate.report.spent import RESTS
from earnest.evaluate.report.tables import plain_value
from earnest.evaluate.report.views.results import problems
from earnest.evaluate.report.views.training import gates_table
from earnest.types import Json


def protocol(report: Report) -> Section | None:
    main = report.main
    if main is None:
        return None
    p, task = main.run.protocol, report.run.recipe.get("task")
    rows = [(Cell(key.replace("_", " ")), Cell(plain_value(value))) for key, value in p.items()]
    rows += [(Cell("task"), Cell(plain_value(task)))] if task and "task" not in p else []
    looks = p.get("looks")
    first = "This run was the first to evaluate on this set of problems."
    seen = (
        first if looks == 1 else f"{looks} runs have been evaluated on this set of problems so far, this one included."
    )
    return Section(
        "protocol",
        "How it was measured",
        paragraphs=(
            f"{problems(main)} {main.run.split} problems, the same for every model. The headline is the pass rate of "
            f"{p.get('k')} samples a problem at temperature {p.get('temperature')}, at most {p.get('max_tokens')} tokens, "
            f"graded by the verifier {p.get('verifier')} (version {p.get('verifier_version')}); one greedy completion "
            "stands beside it. No checkpoint was chosen by these numbers: the last one of every stage was evaluated.",
            *([seen] if isinstance(looks, int) else []),
        ),
        tables=(Table(("setting", "value"), tuple(rows), numeric=False, caption="All settings", folded=True),),
    )


def data(report: Report) -> Section | None:
    found = [g for g in report.run.gates if g.gate == "data"]
    if not report.run.sources and not found:
        return None
    overlap = (
        f"What was asked by an evaluation and trained on as well, as the data gate found it: {found[-1].reason}"
        if found
        else "No data gate reported in this run: overlap between the splits, and with evaluation sets, was not measured."
    )
    tables = (_sources(report.run.sources), *(_overlaps(g) for g in found))
    return Section("data", "Data", paragraphs=(overlap,), tables=tuple(t for t in tables if t.rows))


def _overlaps(gate: GateRow) -> Table:
    """One row per pair of question sets that the gate compared; if it has none, its numbers as they are."""
    pairs = {name: row for name, row in gate.numbers.items() if isinstance(row, Mapping)}
    if not pairs:
        return gates_table([gate])
    names = list(dict.fromkeys(key for row in pairs.values() for key in row))
    rows = tuple(
        (Cell(pair), *(Cell("not looked for" if row.get(n) is None else text.number(row[n])) for n in names))
        for pair, row in pairs.items()
    )
    return Table(("asked, in trained on", *(n.replace("_", " ") for n in names)), rows)


def _sources(sources: tuple[Row, ...]) -> Table:
    rows = []
    for source in sources:
        task, sizes = source.get("task"), source.get("problems")
        name = str(task.get("name") or "") if isinstance(task, Mapping) else plain_value(task)
        settings = {k: v for k, v in task.items() if k != "name"} if isinstance(task, Mapping) else {}
        files = source.get("files")
        rows.append((
            Cell(name, "\n".join(f"{key.replace('_', ' ')} {plain_value(value)}" for key, value in settings.items())),
            Cell("\n".join(f"{k} {text.number(v)}" for k, v in sizes.items()) if isinstance(sizes, Mapping) else text.NONE),
            Cell(str(source.get("licence") or "not stated")),
            Cell("\n".join(f"{k} {v}" for k, v in files.items()) if isinstance(files, Mapping) and files else "no file"),
            Cell(" ".join(map(str, source.get("notices") or ())) or "none"),
        ))  # fmt: skip
    return Table(("source", "problems", "licence", "files and hashes", "notices"), tuple(rows), numeric=False)


def compute(report: Report) -> Section:
    columns = ("stage", "status", "steps", "trained tokens", "generated tokens", "FLOPs", "time")
    rows = []
    for stage in report.run.stages:
        cached = stage.info.get("cached_from")
        written = sum(a.tokens for a in report.asked if a.evaluation == stage.id) or stage.info.get("generated_tokens")
        rows.append((
            Cell(stage.id, "control arm" if stage.control else stage.kind if stage.kind != stage.id else ""),
            Cell(stage.status, f"taken from {cached}" if cached else ""),
            *(Cell(text.number(n)) for n in (stage.info.get("steps"), stage.info.get("trained_tokens"), written)),
            Cell(text.flops(stage.info.get("flops"))),
            Cell(text.seconds(stage.info.get("wall_s"))),
        ))  # fmt: skip
    paragraphs = (
        f"{machine(report.run.info)}. FLOPs are an estimate: 6 per parameter and token read in training, 2 per "
        "parameter and generated token. Energy was not measured.",
    )
    tables = (Table(columns, tuple(rows)), _phases(report), _asked(report))
    return Section("compute", "Compute", paragraphs=paragraphs, tables=tuple(t for t in tables if t.rows))


def _phases(report: Report) -> Table:
    named = dict.fromkeys(name for found in report.phases for name in found.seconds)
    names = [*(name for name in named if name not in RESTS), *RESTS]
    rows = tuple(
        (
            Cell(found.stage),
            *(
                Cell(text.whole_per_cent(s / found.total) if s else text.NONE)
                for s in (found.seconds.get(n, 0.0) for n in names)
            ),
        )
        for found in report.phases
        if found.total
    )
    return Table(("stage", *names), rows, caption="Shares of a training stage's time")


def _asked(report: Report) -> Table:
    rows = tuple(
        (
            Cell(a.model, a.evaluation),
            Cell(f"{a.completions:,}"),
            Cell(f"{a.tokens:,}"),
            Cell(f"{a.tokens / a.completions:,.1f}" if a.completions else text.NONE),
        )
        for a in report.asked
    )
    columns = ("model", "completions", "generated tokens", "tokens per completion")
    return Table(
        columns,
        rows,
        caption="Cost of the evaluations, greedy and drift included",
        folded=True,
    )


def reproduce(report: Report) -> Section:
    info = report.run.info
    versions = info.get("versions") or {}
    rows = [
        ("seed", str(info.get("seed"))),
        ("recipe", str(info.get("recipe") or text.NONE)),
        ("gates overridden", ", ".join(map(str, info.get("allowed") or [])) or "none"),
        ("started", str(info.get("started") or text.NONE)),
        ("ended", str(info.get("ended") or text.NONE)),
        ("host", str(info.get("host") or text.NONE)),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items() if number)),
    ]
    keys = tuple((Cell(s.id), Cell(str(s.info["key"]))) for s in report.run.stages if s.info.get("key"))
    tables = [Table(("", ""), tuple((Cell(a), Cell(b)) for a, b in rows), numeric=False)]
    caption = "Hashes of what each stage depends on: settings, data, code, versions, input"
    tables += [Table(("stage", "hash"), keys, numeric=False, caption=caption, folded=True)] if keys else []
    recipe = plain_value(report.run.recipe, indent=1) if report.run.recipe else ""
    return Section(
        "reproduce",
        "Reproduce",
        paragraphs=(
            "The recipe as it was resolved, defaults included, is in config/resolved.json; the recipe as it was written in "
            "config/launch.yaml; every completion in the folder of its stage.",
        ),
        tables=tuple(tables),
        code=str(info.get("command") or ""),
        appendix=recipe,
    )


def model_name(model: Json) -> str:
    if isinstance(model, Mapping):
        return str(model.get("path") or model.get("name") or "")
    return str(model or "")


def machine(info: Row) -> str:
    found = info.get("machine")
    if not isinstance(found, Mapping):
        return "The machine was not noted"
    threads = found.get("threads")
    level = found.get("sandbox")
    held = "" if not level else ", programs not held at all" if level == "unsafe" else f", programs held by {level}"
    return f"{found.get('device')}, {found.get('dtype')}, {threads} CPU thread{'' if threads == 1 else 's'}{held}"
