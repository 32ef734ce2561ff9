"""One side of a comparison: a checkpoint's answers on an evaluation, found from what a user types.

    RUN           a run directory: its last trained model, on the evaluation that its verdict rests on
    RUN:MODEL     another model of that evaluation, `base` included
    FOLDER        the folder of one model in an evaluation, with sampled.jsonl or greedy.jsonl

It reads; whether two sides may be compared is versus.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earnest.errors import ConfigError, RunDirError, nearest
from earnest.evaluate.claim import final_stage, main_eval, model_of
from earnest.evaluate.load import ModelRecords, Row, load_run, model_records, read_object
from earnest.types import Problem, Record, Sampling


@dataclass(frozen=True, slots=True)
class Side:
    """Whose answers, to what, and how they were asked for. protocol {}: nobody wrote it down."""

    typed: str
    model: str
    folder: Path  # of the records
    protocol: Row
    records: ModelRecords
    run: Path | None
    caveats: tuple[str, ...]

    def of(self, metric: str) -> tuple[Record, ...]:
        """The records of `sampled` or `greedy`."""
        return self.records.sampled if metric == "sampled" else self.records.greedy

    @property
    def problems(self) -> Mapping[str, Problem]:
        return {r.problem.id: r.problem for r in (*self.records.sampled, *self.records.greedy)}

    @property
    def split(self) -> str:
        splits = {str(r.split) for r in (*self.records.sampled, *self.records.greedy)}
        return splits.pop() if len(splits) == 1 else "mixed"

    def sampling(self, metric: str) -> frozenset[Sampling]:
        return frozenset(r.sampling for r in self.of(metric))


def side(typed: str) -> Side:
    """The side that a user names. Raises RunDirError, or ConfigError with the nearest name, where there is none."""
    path, _, model = typed.rpartition(":")
    if (Path(typed) / "run.json").is_file():
        return _of_run(typed, Path(typed), None)
    if path and not Path(typed).exists():
        if not (Path(path) / "run.json").is_file():
            raise RunDirError("not a run directory", where=path, why="it has no run.json", remedy="earnest list runs")
        return _of_run(typed, Path(path), model)
    return _of_folder(typed, Path(typed))


def _of_run(typed: str, path: Path, model: str | None) -> Side:
    run = load_run(path)
    evaluation, final = main_eval(run), final_stage(run)
    if evaluation is None:
        raise RunDirError("nothing was evaluated in this run", where=str(path), why=f"it is {run.status}")
    if model is None and final is None:
        raise RunDirError(
            "no stage of this run trained a policy", where=str(path), remedy=_name_one(path, list(evaluation.models))
        )
    wanted = model_of(evaluation, model) if model is not None else final.id if final is not None else ""
    if wanted not in evaluation.models:
        raise ConfigError(
            f"no records of the model '{wanted}'", where=f"{path}, evaluation {evaluation.id}",
            remedy=nearest(wanted, evaluation.models),
        )  # fmt: skip
    caveats = [] if run.finished else [f"the run did not finish (status: {run.status})"]
    caveats += ["it is a control arm"] if wanted in {stage.id for stage in run.controls} else []
    return Side(
        typed, wanted, path / evaluation.id / wanted, evaluation.protocol, evaluation.models[wanted], path,
        tuple(caveats),
    )  # fmt: skip


def _of_folder(typed: str, folder: Path) -> Side:
    """A model's folder in an evaluation: its protocol lies in it, or in the evaluation's folder around it."""
    folder = folder.resolve()
    protocol = read_object(folder / "protocol.json") or read_object(folder.parent / "protocol.json")
    records = model_records(folder, protocol.get("drift") or [])
    if not records.sampled and not records.greedy:
        inside = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        raise RunDirError(
            "nothing to compare here", where=typed, why="no run.json, no sampled.jsonl and no greedy.jsonl",
            remedy=f"name one of its folders: {', '.join(inside)}" if inside else "earnest list runs",
        )  # fmt: skip
    run = folder.parent.parent
    return Side(
        typed, folder.name, folder, protocol, records, run if (run / "run.json").is_file() else None, caveats=()
    )


def _name_one(path: Path, models: Sequence[str]) -> str:
    return f"name a model: {path}:{models[0]}" if models else ""
