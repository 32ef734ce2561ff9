"""The road: runs a recipe's stages in order, skips what is there already, and leaves a record of each.

A stage's key is a hash of everything its result depends on: its own settings, the parts of the recipe that all stages share, the
policy it starts from, the content of data files and of the user's own code, and the package's source. A finished stage with
the same key, in this run or in another of the same folder, is not run again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import torch

from earnest.component import Component, digest, parts
from earnest.engines.base import Engine
from earnest.errors import ConfigError, DataError, GateRefused, Interrupted, RunDirError, nearest
from earnest.gates.asking import ask
from earnest.gates.base import Form, Gate, Samples, Steps, looking_at
from earnest.models.base import Model
from earnest.prompts.base import Prompt
from earnest.recipe import LoadedRecipe, Recipe
from earnest.runlog import RunDir, read_json, replaced_folder, write_json
from earnest.sampling.base import Strategy
from earnest.seeding import derive
from earnest.stages.base import BASE, Artefact, Context, Outcome, Stage
from earnest.stages.evidence import RUN_EVIDENCE, check_gates, gathered, held_out_questions
from earnest.stages.machine import machine
from earnest.stages.training import TrainingStage
from earnest.tasks.base import Task
from earnest.train.loop import StopRequest
from earnest.types import Json, Split
from earnest.verifiers.base import Verifier

C = TypeVar("C")
_WITHOUT = shutil.ignore_patterns("checkpoints", ".*")


@dataclass(slots=True)
class Travelled:
    """What the stages so far have left."""

    policies: dict[str, Artefact] = field(default_factory=dict)
    totals: dict[str, dict[str, Json]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    controls: set[str] = field(default_factory=set)
    trained: str | None = None


class Road:
    """One pass over a recipe's stages in one run directory."""

    def __init__(
        self, loaded: LoadedRecipe, run: RunDir, stop: StopRequest, allow: frozenset[str], echo: Callable[[str], None]
    ) -> None:
        self.loaded, self.run, self.stop, self.allow, self.echo = loaded, run, stop, allow, echo
        self.recipe = recipe = loaded.recipe
        self.stages = [_expect(Stage, stage) for stage in recipe.stages]
        self.model, self.task = _expect(Model, recipe.model), _expect(Task, recipe.task)
        self.prompt, self.engine = _expect(Prompt, recipe.prompt), _expect(Engine, recipe.engine)
        self.strategy = _expect(Strategy, recipe.strategy)
        self.verifier = verifier_of(recipe)
        check_plan(self.stages, self.engine, self.verifier)
        self.machine = machine(self.recipe.device, self.recipe.precision, self.recipe.threads)
        self.own = Form(self.task, "train", self.prompt, self.verifier)
        self.held_out = held_out_questions(self.stages, self.own)
        self.travelled = Travelled()

    def travel(self) -> None:
        """Run every stage. Raises what a stage raises; what was finished before stays finished."""
        write_json(self.run.path / "data" / "manifest.json", manifest(self.loaded.recipe))
        for task in dict.fromkeys((self.task, *self.task.leaves())):
            for line in task.notices():
                self.echo(f"[{task.name}] {line}")
        self._pass_gates()
        for stage in self.stages:
            if self.stop.requested:
                raise Interrupted(f"stopped before stage '{stage.id}'")
            self._stage(stage)

    def _pass_gates(self) -> None:
        """Ask the recipe's gates about its words and its data, before anything is spent. Raises GateRefused."""
        gates = self.recipe.gates
        for evidence in gathered(self.stages, gates, self.model, self.own):
            ask(looking_at(gates, type(evidence)), evidence, self.run, self.allow, self.echo)

    def _stage(self, stage: Stage) -> None:
        start = stage.from_ or self.travelled.trained or BASE
        depends_on = self._depends_on(stage, start)
        key = digest(json.dumps(depends_on, sort_keys=True))
        self.travelled.keys[stage.id] = key
        folder = self.run.path / stage.id
        note = self._find(stage, key)
        if note is None:
            note = self._run(stage, start, key, depends_on)
        elif note["folder"] != str(folder):
            note["cached_from"] = note["cached_from"] or Path(note["folder"]).parent.name
            with replaced_folder(folder) as temporary:
                shutil.copytree(note["folder"], temporary, copy_function=_link, dirs_exist_ok=True, ignore=_WITHOUT)
                write_json(temporary / "stage.json", {k: v for k, v in note.items() if k != "folder"})
            self.echo(f"[{stage.id}] unchanged since {note['cached_from']}, taken from there")
        else:
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
            self.echo(f"[{stage.id}] done already")
        self._note(stage, note)

    def _run(self, stage: Stage, start: str, key: str, depends_on: Mapping[str, str]) -> dict[str, Any]:
        log = self.run.stage(stage.id)
        begun = time.perf_counter()
        note: dict[str, Json] = {
            "id": stage.id, "stage": stage.name, "status": "running", "key": key, "control": stage.control,
            "depends_on": dict(depends_on),
            "input": {"policy": start}, "config": stage.model_dump(mode="json", by_alias=True), "cached_from": None,
        }  # fmt: skip
        spent = self._spent_before(stage, depends_on)
        write_json(log.folder / "stage.json", {**note, "wall_s": spent})
        seed_everything(derive(self.recipe.seed, stage.id))
        status = "failed"
        outcome = Outcome()
        try:
            outcome = stage.run(self._context(stage), start)
            status = "done"
        except GateRefused as error:
            log.event("refused", str(error), level="error")
            status = "refused"
            raise
        except Interrupted:
            status = "interrupted"
            raise
        finally:
            done = {
                "status": status, "wall_s": spent + time.perf_counter() - begun, **outcome.totals.to_json(),
                "output": {} if outcome.policy is None else {"policy": str(outcome.policy.relative_to(self.run.path))},
            }  # fmt: skip
            write_json(log.folder / "stage.json", {**note, **done})
        shutil.rmtree(log.checkpoints, ignore_errors=True)  # the stage is done, and its policy is in model/
        return {**note, **done}

    def _spent_before(self, stage: Stage, depends_on: Mapping[str, str]) -> float:
        """Seconds of an earlier attempt at the same stage in this run. Raises RunDirError if it was not the same stage."""
        file = self.run.path / stage.id / "stage.json"
        if not file.is_file():
            return 0.0
        old = read_json(file)
        changed = [name for name, value in depends_on.items() if old["depends_on"].get(name) != value]
        if changed and not stage.always_runs:
            raise RunDirError(
                f"stage '{stage.id}' cannot be continued: {', '.join(changed)} changed since it was begun",
                where=str(file.parent), why="what it would end in is not what it set out for",
                remedy="put it back as it was; or begin a new run, which takes over the stages that are unchanged",
            )  # fmt: skip
        metrics = file.with_name("metrics.jsonl")  # a killed attempt could not write down what it spent
        lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.is_file() else []
        stepped = sum(json.loads(line).get("time/step") or 0.0 for line in lines if line.endswith("}"))
        return max(float(old.get("wall_s", 0.0)), stepped)

    def where(self) -> dict[str, Json]:
        """What of this machine the run's numbers depend on, for its record. Raises MissingDependency for what it lacks."""
        self.model.require()
        here = {"device": self.machine.device, "dtype": self.machine.dtype, "threads": self.machine.threads}
        return {**here, **self.verifier.conditions()}

    def _context(self, stage: Stage) -> Context:
        travelled = self.travelled
        return Context(
            model=self.model, task=self.task, prompt=self.prompt, verifier=self.verifier, engine=self.engine,
            strategy=self.strategy, machine=self.machine, seed=self.recipe.seed, run=self.run.path,
            log=self.run.stage(stage.id), policies=_base_first(travelled.policies), totals=travelled.totals,
            controls=frozenset(travelled.controls), held_out=self.held_out, trained=travelled.trained,
            stop=self.stop, allow=self.allow, echo=self.echo,
        )  # fmt: skip

    def _note(self, stage: Stage, note: dict[str, Any]) -> None:
        travelled = self.travelled
        travelled.totals[stage.id] = note
        if stage.control:
            travelled.controls.add(stage.id)
        if "policy" in note["output"]:
            folder = self.run.path / stage.id / "model"
            travelled.policies[stage.id] = Artefact(stage.id, folder, _folder_digest(folder))
            if not stage.control:
                travelled.trained = stage.id

    def _depends_on(self, stage: Stage, start: str) -> dict[str, str]:
        """What the stage's result depends on, each part as a hash."""
        shared = [self.model, self.task, self.prompt, self.verifier, self.engine, self.strategy]
        artefact = self.travelled.policies.get(start)
        before = self.travelled.keys
        depends_on: dict[str, Any] = {
            "stage": stage.model_dump(mode="json", by_alias=True),
            "shared": [part.model_dump(mode="json") for part in shared],
            "seed": self.recipe.seed,
            "machine": [self.machine.device, self.machine.dtype, self.machine.threads],
            "start": artefact.digest if artefact is not None else BASE,
            "needs": [before[name] for name in stage.needs()],
            "all": dict(before) if stage.reads_all else None,
            "allow": sorted(self.allow & {part.name for part in parts(stage) if isinstance(part, Gate)}),
            "files": {str(f): digest(f.read_bytes()) for c in [*shared, stage] for f in _files_of(c)},
            "package": [_source_digest(), torch.__version__, version("transformers")],
        }
        return {name: digest(json.dumps(value, sort_keys=True)) for name, value in depends_on.items()}

    def _find(self, stage: Stage, key: str) -> dict[str, Any] | None:
        """The note of a finished stage with this key, with its folder; this run's own first."""
        if stage.always_runs:
            return None
        here = self.run.path / stage.id / "stage.json"
        elsewhere = sorted(self.run.path.parent.glob(f"*/{stage.id}/stage.json"), reverse=True)
        for file in [here, *elsewhere]:
            if file.is_file():
                note = read_json(file)
                if note.get("key") == key and note.get("status") == "done":
                    return {**note, "folder": str(file.parent)}
        return None


def check(recipe: Recipe) -> None:
    """Refuse a recipe that cannot be run before there is a run directory.

    Raises ConfigError for a road that cannot be travelled, DataError for data that cannot be read.
    """
    stages = [_expect(Stage, stage) for stage in recipe.stages]
    check_plan(stages, _expect(Engine, recipe.engine), verifier_of(recipe))
    check_gates(recipe.gates, RUN_EVIDENCE, "recipe")
    for component in (recipe.task, *stages):
        for part in parts(component):
            if isinstance(part, Task):
                part.notices()
    for stage in stages:
        for reading in stage.reads(_expect(Task, recipe.task)):
            reading.task.problems(reading.split)


def verifier_of(recipe: Recipe) -> Verifier:
    """The one that a recipe names, else its task's."""
    return _expect(Verifier, recipe.verifier or _expect(Task, recipe.task).own_verifier())


def manifest(recipe: Recipe) -> Json:
    """Every source of problems that a recipe names: its files with their hashes, its splits, and what reading it changed."""
    found: list[Json] = []
    tasks = [p for c in (recipe.task, *recipe.stages) for p in parts(c) if isinstance(p, Task)]
    for task in dict.fromkeys(tasks):
        sizes: dict[str, Json] = {split: _size(task, split) for split in get_args(Split)}
        files: dict[str, Json] = {file.name: digest(file.read_bytes()) for file in task.files()}
        found.append(
            {"task": task.model_dump(mode="json"), "files": files, "problems": sizes, "notices": list(task.notices())}
        )
    return {"sources": found}


def _size(task: Task, split: Split) -> int:
    try:
        return len(task.problems(split))
    except DataError:  # an empty split is no fault of a source that is only trained on
        return 0


def check_plan(stages: Sequence[Stage], engine: Engine, verifier: Verifier) -> None:
    """Refuse a road that cannot be travelled before its first step. Raises ConfigError with the nearest name."""
    before: set[str] = set()
    policies = {BASE}
    for stage in stages:
        if stage.from_ is not None and stage.from_ not in policies:
            raise ConfigError(
                f"stage '{stage.id}' starts from '{stage.from_}', which makes no policy before it",
                where=f"{stage.id}.from", remedy=nearest(stage.from_, policies),
            )  # fmt: skip
        for needed in stage.needs():
            if needed not in before:
                raise ConfigError(
                    f"stage '{stage.id}' needs stage '{needed}', which does not stand before it", where=stage.id,
                    remedy=nearest(needed, before) or "put it after that stage",
                )  # fmt: skip
        if missing := stage.requires - engine.provides:
            raise ConfigError(
                f"stage '{stage.id}' needs an engine that gives {', '.join(sorted(missing))}", where="engine",
                why=f"{engine.name} gives {', '.join(sorted(engine.provides))}", remedy="engine: torch",
            )  # fmt: skip
        stage.check(frozenset(policies), verifier)
        check_gates(stage.gates if isinstance(stage, TrainingStage) else (), (Samples, Steps), stage.id)
        before.add(stage.id)
        policies |= {stage.id} if stage.makes_policy else set()


def seed_everything(seed: int) -> None:
    """The global generators too, although nothing of ours draws from them: a plug-in might."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _expect(kind: type[C], component: object) -> C:
    assert isinstance(component, kind), component
    return component


def _base_first(policies: Mapping[str, Artefact]) -> Mapping[str, Artefact | None]:
    return {BASE: policies.get(BASE), **policies}


def _files_of(component: Component) -> Iterator[Path]:
    """Data files and user code that a component, or one inside it, depends on."""
    for part in parts(component):
        yield from part.code()
        yield from part.files()


def _source_digest() -> str:
    """A hash of the package itself: another version, or a mended bug, is another result."""
    root = Path(__file__).parents[1]
    return digest(*(p.read_bytes() for p in sorted(root.rglob("*.py"))))


def _folder_digest(folder: Path) -> str:
    files = sorted(p for p in folder.iterdir() if p.is_file())
    return digest(*(part for p in files for part in (p.name, p.read_bytes())))


def _link(source: str, target: str) -> str:
    """A hard link where the file system can, else a copy: finished stages are never written to again."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
