"""A run directory as values. A run that was killed, refused or is still going reads as far as it got.

What is read here: run.json, config/resolved.json, and per stage stage.json, metrics.jsonl, events.jsonl; per evaluation
stage protocol.json and, per model, the records of sampled.jsonl, greedy.jsonl, drift_<name>.jsonl and the rows of
drift_<name>.bytes.jsonl and drift_<name>.choices.jsonl. The rollouts of a training stage, which may be many, are streamed by
earned.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from earnest.data.store import read_records, read_rows
from earnest.errors import DataError, RunDirError
from earnest.evaluate.items import Answered, Document
from earnest.runlog import is_held
from earnest.types import Record

Row: TypeAlias = Mapping[str, Any]
Item = TypeVar("Item", Document, Answered)
BASE = "base"
"""How a stage names the policy that no stage of the run has trained."""


@dataclass(frozen=True, slots=True)
class ModelRecords:
    """What one model wrote in one evaluation."""

    sampled: tuple[Record, ...]
    greedy: tuple[Record, ...]
    drift: Mapping[str, tuple[Record, ...]]  # benchmark -> records
    drift_bytes: Mapping[str, tuple[Document, ...]]  # benchmark -> documents
    drift_choices: Mapping[str, tuple[Answered, ...]]  # benchmark -> multiple-choice items


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One test of the substrate. chance None: not known. Example: Benchmark("winogrande", 0.5, "greedy")."""

    name: str
    chance: float | None
    metric: str  # greedy | sampled | bits_per_byte | acc | acc_norm


@dataclass(frozen=True, slots=True)
class EvalRun:
    """One evaluation stage."""

    id: str
    control: bool
    protocol: Row
    models: Mapping[str, ModelRecords]  # in the protocol's order; only those that have records

    @property
    def base(self) -> str:
        """The id under which the base model was evaluated."""
        return str(self.protocol.get("base") or BASE)

    @property
    def split(self) -> str:
        return str(self.protocol.get("split") or "unknown")

    @property
    def benchmarks(self) -> tuple[Benchmark, ...]:
        rows = self.protocol.get("drift") or []
        return tuple(Benchmark(r["name"], r.get("chance"), r.get("metric") or "greedy") for r in rows)


@dataclass(frozen=True, slots=True)
class GateRow:
    """What a gate said, as the run's events keep it."""

    gate: str
    stage: str
    outcome: str  # passed | warned | refused
    reason: str
    remedy: str
    numbers: Row
    allowed: bool  # overridden by name; the report says so


@dataclass(frozen=True, slots=True)
class Spell:
    """The steps of a stage over which a health rule held."""

    stage: str
    rule: str  # H1, H2, …
    name: str
    level: str
    first: int
    last: int | None  # None: to the end
    message: str  # as it was said when it began


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage, as far as it got."""

    id: str
    kind: str  # pretrain | sft | rl | eval | report | ...; "" if it never started
    status: str  # done | running | killed | refused | failed | interrupted | not started
    control: bool
    input: str | None  # stage id (or "base") of the policy it began from
    trained: bool  # it gives out a policy, or would have
    folder: Path
    info: Row  # stage.json
    metrics: tuple[Row, ...]
    events: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory."""

    path: Path
    info: Row  # run.json
    recipe: Row  # config/resolved.json
    stages: tuple[StageRun, ...]
    evals: tuple[EvalRun, ...]
    gates: tuple[GateRow, ...]
    health: tuple[Spell, ...]
    sources: tuple[Row, ...]  # data/manifest.json
    killed: bool  # it says that it is running, and no process holds it

    @property
    def status(self) -> str:
        """running | done | refused | failed | interrupted, as the run wrote it; killed where it could not write any more."""
        return "killed" if self.killed else str(self.info.get("status") or "unknown")

    @property
    def finished(self) -> bool:
        """Everything but the report itself is done (a run writes its report while it is still running)."""
        waiting = [s for s in self.stages if s.status != "done" and s.kind != "report"]
        return self.status == "done" or (self.status == "running" and not waiting)

    @property
    def trained(self) -> tuple[StageRun, ...]:
        """Stages that train a policy, control arms left out, in order."""
        return tuple(s for s in self.stages if s.trained and not s.control)

    @property
    def controls(self) -> tuple[StageRun, ...]:
        return tuple(s for s in self.stages if s.trained and s.control)


def load_run(path: Path) -> Run:
    """Read a run directory. Raises RunDirError if it is none, DataError for a damaged file."""
    if not (path / "run.json").is_file():
        raise RunDirError("not a run directory", where=str(path), why="it has no run.json")
    info = read_object(path / "run.json")
    names = [str(name) for name in info.get("stages") or []]
    names += sorted(p.parent.name for p in path.glob("*/stage.json") if p.parent.name not in names)
    killed = info.get("status") == "running" and (path / ".lock").exists() and not is_held(path)
    stages = tuple(_stage(path / name, killed) for name in names)
    allowed = {str(gate) for gate in info.get("allowed") or []}
    return Run(
        path=path,
        info=info,
        recipe=read_object(path / "config" / "resolved.json"),
        stages=stages,
        evals=tuple(_eval(path / s.id, s) for s in stages if (path / s.id / "protocol.json").is_file()),
        gates=_gates([*_rows(path / "events.jsonl"), *(event for s in stages for event in s.events)], allowed),
        health=tuple(spell for stage in stages for spell in _spells(stage)),
        sources=tuple(read_object(path / "data" / "manifest.json").get("sources") or ()),
        killed=killed,
    )


def _stage(folder: Path, killed: bool) -> StageRun:
    info = read_object(folder / "stage.json")
    begun = (folder / "events.jsonl").exists()  # its folder alone may be another's: a report is written to `report/`
    status = str(info.get("status") or ("running" if begun else "not started"))
    output, source = info.get("output") or {}, info.get("input") or {}
    kind = str(info.get("stage") or "")
    done = info.get("status") == "done"
    return StageRun(
        id=folder.name,
        kind=kind,
        status="killed" if killed and status == "running" else status,
        control=bool(info.get("control")),
        input=source.get("policy"),
        trained="policy" in output if done else kind not in ("", "eval", "report"),
        folder=folder,
        info=info,
        metrics=_rows(folder / "metrics.jsonl"),
        events=_rows(folder / "events.jsonl"),
    )


def _eval(folder: Path, stage: StageRun) -> EvalRun:
    protocol = read_object(folder / "protocol.json")
    names = [str(name) for name in protocol.get("models") or []]
    drift = protocol.get("drift") or []
    models = {name: model_records(folder / name, drift) for name in names if (folder / name).is_dir()}
    return EvalRun(stage.id, stage.control, protocol, models)


def model_records(folder: Path, drift: Sequence[Row]) -> ModelRecords:
    """What one model wrote: the records of its folder. drift: the protocol's rows of benchmarks."""
    names = [str(row["name"]) for row in drift]
    return ModelRecords(
        sampled=_records(folder / "sampled.jsonl"),
        greedy=_records(folder / "greedy.jsonl"),
        drift={name: records for name in names if (records := _records(folder / f"drift_{name}.jsonl"))},
        drift_bytes={name: rows for name in names if (rows := _items(folder / f"drift_{name}.bytes.jsonl", Document))},
        drift_choices={
            name: rows for name in names if (rows := _items(folder / f"drift_{name}.choices.jsonl", Answered))
        },
    )


def _items(path: Path, kind: type[Item]) -> tuple[Item, ...]:
    found: list[Item] = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            found.append(kind.from_json(row))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"not the row of a drift benchmark ({kind.__name__})", where=f"{path}:{number}", why=str(error)
            ) from None
    return tuple(found)


def _gates(events: Sequence[Row], allowed: set[str]) -> tuple[GateRow, ...]:
    """Gate results in order; a gate asked again (after a resume) counts by its last answer."""
    last: dict[tuple[str, str], GateRow] = {}
    for event in events:
        if event.get("event") != "gate":
            continue
        row = GateRow(
            gate=str(event.get("gate")), stage=str(event.get("stage")), outcome=str(event.get("outcome")),
            reason=str(event.get("reason") or event.get("message") or ""), remedy=str(event.get("remedy") or ""),
            numbers=event.get("numbers") or {}, allowed=str(event.get("gate")) in allowed,
        )  # fmt: skip
        last[row.stage, row.gate] = row
    return tuple(last.values())


def _spells(stage: StageRun) -> Iterator[Spell]:
    """In the order in which they began. Steps that were taken again after a crash said the same again; once is enough."""
    begun: dict[str, Row] = {}
    found: dict[tuple[str, int], Spell] = {}
    for event in [e for e in stage.events if e.get("event") == "health"]:
        rule, step = str(event.get("rule")), int(event.get("step") or 0)
        if event.get("holds"):
            start = begun.setdefault(rule, event)
            found.setdefault((rule, int(start.get("step") or 0)), _spell(stage, start, None))
        elif rule in begun and int(begun[rule].get("step") or 0) <= step:
            start = begun.pop(rule)
            found[rule, int(start.get("step") or 0)] = _spell(stage, start, step)
    yield from sorted(found.values(), key=lambda spell: spell.first)


def _spell(stage: StageRun, start: Row, last: int | None) -> Spell:
    return Spell(
        stage=stage.id, rule=str(start.get("rule")), name=str(start.get("name")), level=str(start.get("level")),
        first=int(start.get("step") or 0), last=last, message=str(start.get("message") or ""),
    )  # fmt: skip


def _records(path: Path) -> tuple[Record, ...]:
    for file in (path, path.with_name(path.name + ".gz")):
        if file.is_file():
            return tuple(read_records(file))
    return ()


def _rows(path: Path) -> tuple[Row, ...]:
    return tuple(read_rows(path)) if path.is_file() else ()


def read_object(path: Path) -> dict[str, Any]:
    """A file's JSON object; {} where there is no file. Raises DataError for anything else."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError("not a JSON file", where=str(path), why=str(error)) from None
    if not isinstance(value, dict):
        raise DataError("not a JSON object", where=str(path))
    return value
