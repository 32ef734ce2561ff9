"""The Python API: run a recipe, resume a run, evaluate a model, grade texts, read a run. Synchronous, one call each.

The command line is a thin layer over these functions.
"""

from __future__ import annotations

import json
import platform
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

from earnest.component import BuildContext, Component, Spec, build, digest, names, parts
from earnest.data.trl import trl_reward
from earnest.errors import ConfigError, EarnestError, GateRefused, Interrupted, RunDirError, TrackerFailed, nearest
from earnest.evaluate.grid.cells import EvalResult
from earnest.follow.helper import tracked
from earnest.recipe import LoadedRecipe, Recipe, load, read, resolved
from earnest.runlog import RunDir, now, read_json, write_bytes, write_json
from earnest.seeding import derive
from earnest.trackers.base import Tracker
from earnest.types import Json, Split, Verdict

if TYPE_CHECKING:
    from earnest.evaluate.audit import Audit
    from earnest.stages.inspection import Example, Inspection

Watch: TypeAlias = Callable[[Path], AbstractContextManager[object]]

PACKAGES = ("earnest", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "pydantic")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. exit_code follows the command line's convention: 3 for regressed, no signal or a refusal."""

    run_dir: Path
    status: str
    verdict: str | None
    sentence: str
    report: Path | None
    exit_code: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory, read. report is None where none was written yet."""

    path: Path
    info: Mapping[str, Any]
    recipe: Mapping[str, Any]
    report: Mapping[str, Any] | None


def run(
    recipe: str | Path,
    *,
    sets: Sequence[str] = (),
    seed: int | None = None,
    runs: Path | None = None,
    run_dir: Path | None = None,
    allow: Sequence[str] = (),
    command: str = "",
    echo: Callable[[str], None] = print,
    watch: Watch = nullcontext,
) -> RunResult:
    """Run a recipe from its first stage to its last, skipping what an earlier run in `runs` has done already.

    watch: called with the run directory once there is one; the run goes on inside the context it returns.

    Raises ConfigError, DataError and MissingDependency before anything is computed; a gate's refusal is a result.
    """
    from earnest.stages.road import check

    loaded = load(Path(recipe), sets, seed)
    check(loaded.recipe)
    trackers = _trackers(loaded.recipe)
    _check_allowed(loaded.recipe, allow)
    folder = RunDir.create_at(run_dir) if run_dir is not None else _new_run(loaded, runs or Path("runs"))
    try:
        _write_header(folder, loaded, allow, command)
        with watch(folder.path), tracked(folder.path, trackers, loaded.path.parent, echo):
            echo(f"run {folder.path}")
            return _travel(folder, loaded, frozenset(allow), echo)
    finally:
        folder.close()


def resume(
    run_dir: Path, *, command: str = "", echo: Callable[[str], None] = print, watch: Watch = nullcontext
) -> RunResult:
    """Continue a run where it stopped: finished stages are kept, the unfinished one goes on from its last checkpoint.

    Raises RunDirError if the directory is no run, or if another process holds it.
    """
    folder = RunDir.open(Path(run_dir))
    try:
        info = folder.info()
        launch = folder.path / "config" / "launch.yaml"
        if not launch.is_file():
            raise RunDirError(
                "not a whole run", where=str(launch), why="its recipe is gone", remedy="run the recipe again"
            )
        text = launch.read_text(encoding="utf-8")
        loaded = read(text, Path(info["recipe"]), info["sets"], info["seed"])
        trackers = _trackers(loaded.recipe)
        folder.update(status="running", resumed=[*info.get("resumed", []), {"time": now(), "command": command}])
        with watch(folder.path), tracked(folder.path, trackers, loaded.path.parent, echo):
            echo(f"resume {folder.path}")
            return _travel(folder, loaded, frozenset(info["allowed"]), echo)
    finally:
        folder.close()


def track(run_dir: str | Path, *, to: Sequence[Spec] = (), echo: Callable[[str], None] = print) -> tuple[str, ...]:
    """Send what a finished or killed run has measured to trackers that have not got it yet. Returns their names.

    to: trackers as in a recipe; one that the run's recipe names too has that recipe's settings, unless given some of
    its own. By default those of the recipe. Raises TrackerFailed, RunDirError, ConfigError, MissingDependency.
    """
    from earnest.follow.helper import Helper

    folder = RunDir.open(Path(run_dir))
    try:
        info, named = folder.info(), _recipe_trackers(folder)
        specs = [named.get(spec, spec) if isinstance(spec, str) else spec for spec in to] or list(named.values())
        if not specs:
            raise ConfigError("no tracker is named", where=str(run_dir), remedy="earnest track RUN --to wandb")
        base_dir = Path(info["recipe"]).parent if all(spec in named.values() for spec in specs) else Path.cwd()
        trackers: list[Tracker] = [build("tracker", spec, BuildContext(base_dir)) for spec in specs]
        for tracker in trackers:
            tracker.check()
        if Helper(folder.path, trackers, base_dir, echo).finish() != 0:
            raise TrackerFailed(
                "not everything was sent", where=str(folder.path / "logs" / "trackers.log"),
                why="a tracker failed; the log has its error in full", remedy="the same command sends the rest",
            )  # fmt: skip
    finally:
        folder.close()
    return tuple(tracker.name for tracker in trackers)


def _recipe_trackers(folder: RunDir) -> dict[str, Any]:
    """What the run's recipe says of trackers, by name."""
    file = folder.path / "config" / "resolved.json"
    return {spec["name"]: spec for spec in (read_json(file).get("track", []) if file.is_file() else [])}


def verify(verifier: Spec, rows: Sequence[tuple[str, str]]) -> list[Verdict]:
    """Grade (response, gold) pairs. Example: verify("number", [("<think>6*7</think>The answer is 42.", "42")]).

    A thought, where there is one, must be closed; only what follows it counts.
    """
    from earnest.evaluate.grading import grade

    return grade(build("verifier", verifier), rows)


def audit(
    verifier: Spec,
    *,
    task: Spec | None = None,
    problems: int = 100,
    cases: Path | None = None,
    ceiling: float = 0.0,
) -> Audit:
    """What a verifier pays for: right answers, near misses, attacks; on a task's problems or a few golds of common kinds."""
    from earnest.evaluate.audit import audit as try_out

    tried_on = None if task is None else build("task", task, BuildContext(Path.cwd(), ("task",)))
    return try_out(
        build("verifier", verifier, BuildContext(Path.cwd(), ("verifier",))), tried_on, problems, cases, ceiling
    )


def check_data(source: Path, *, model: str | None = None, prompt: str = "chat") -> Inspection:
    """Sizes, lengths and overlap of what a recipe, or a file of JSON rows, would train on. Raises ConfigError, DataError."""
    from earnest.stages.inspection import inspect, recipe_of

    return inspect(recipe_of(source, model, prompt))


def show_data(
    source: Path, *, stage: str | None = None, count: int = 3, model: str | None = None, prompt: str = "chat"
) -> list[Example]:
    """Training examples token by token, with what the loss is on."""
    from earnest.stages.inspection import examples, recipe_of

    return examples(recipe_of(source, model, prompt), stage, count)


def load_run(path: str | Path) -> Run:
    """What a run directory says, without touching it."""
    folder = Path(path)
    if not (folder / "run.json").is_file():
        raise RunDirError("not a run directory", where=str(folder), why="it has no run.json")
    report = folder / "report" / "report.json"
    return Run(
        folder,
        json.loads((folder / "run.json").read_text()),
        json.loads((folder / "config" / "resolved.json").read_text()),
        json.loads(report.read_text()) if report.is_file() else None,
    )


def evaluate(
    model: str,
    *,
    task: Spec | Sequence[Spec],
    columns: Sequence[str] = ("trained",),
    prompt: Spec = "chat",
    verifier: Spec | None = None,
    k: int = 4,
    limit: int = 200,
    max_tokens: int = 256,
    seed: int = 0,
    split: Split = "test",
    shots: int | None = None,
    out: Path | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> EvalResult:
    """Sample and grade a model folder (or hub id) on tasks: k samples a problem at T = 1, one greedy completion.

    columns: ways to ask (`evaluate/grid/columns.py`). shots: worked examples of the column few_shot, by default 4.
    """
    from earnest.evaluate.grid import asking as grid
    from earnest.stages.machine import machine

    if shots is not None and "few_shot" not in columns:
        raise ConfigError("shots has no effect: no column shows examples", where="--shots", remedy="--column few_shot")
    tasks = [task] if isinstance(task, str | Mapping) else task
    plan = grid.Plan(
        model=model, tasks=tuple(build("task", each) for each in tasks), columns=tuple(columns),
        prompt=build("prompt", prompt), verifier=None if verifier is None else build("verifier", verifier), k=k,
        limit=limit, max_tokens=max_tokens, seed=seed, split=split, shots=4 if shots is None else shots,
    )  # fmt: skip
    plan.check()
    policy = build("model", {"name": "hf", "path": model}).open(
        machine("auto", "auto", None), seed=derive(seed, "model")
    )
    strategy = build("strategy", "plain")
    with build("engine", "torch").open(policy) as engine:
        return grid.evaluate(plan, policy, engine, strategy, runs=Path("runs"), out=out, echo=echo)


def _trackers(recipe: Recipe) -> list[Tracker]:
    """The recipe's trackers. Raises MissingDependency if one cannot work here."""
    found = [part for part in recipe.track if isinstance(part, Tracker)]
    for tracker in found:
        tracker.check()
    return found


def _check_allowed(recipe: Recipe, allow: Sequence[str]) -> None:
    """Refuse the name of a gate that is neither shipped nor the recipe's own: it would override nothing."""
    own = {part.name for stage in (*recipe.gates, *recipe.stages) for part in parts(stage) if part.kind == "gate"}
    known = {*names("gate"), *own}
    for name in allow:
        if name not in known:
            raise ConfigError(f"unknown gate '{name}'", where=f"--allow {name}", remedy=nearest(name, known))


def _new_run(loaded: LoadedRecipe, runs: Path) -> RunDir:
    return RunDir.create(runs, loaded.recipe.name, f"{derive(time.time_ns(), loaded.recipe.seed) & 0xFFFF:04x}")


def _write_header(folder: RunDir, loaded: LoadedRecipe, allow: Sequence[str], command: str) -> None:
    recipe = loaded.recipe
    write_bytes(folder.path / "config" / "launch.yaml", loaded.text.encode())
    write_json(folder.path / "config" / "resolved.json", resolved(recipe))
    write_json(folder.path / "config" / "provenance.json", dict(loaded.provenance))
    shared = (recipe.model, recipe.task, recipe.prompt, recipe.engine, recipe.strategy)
    for component in (*shared, *recipe.gates, *recipe.stages, *recipe.track):
        _copy_user_code(folder, component)
    if recipe.verifier is not None:
        _copy_user_code(folder, recipe.verifier)
    folder.update(
        id=folder.path.name, name=recipe.name, status="running", command=command, recipe=str(loaded.path),
        sets=list(loaded.sets), seed=recipe.seed, started=now(), ended=None, wall_s=0.0, host=socket.gethostname(),
        platform=platform.platform(), versions=_versions(), stages=[stage.id for stage in recipe.stages],
        allowed=list(allow), machine=None,
    )  # fmt: skip


def _copy_user_code(folder: RunDir, component: Component) -> None:
    for part in parts(component):
        for file in part.code():
            copy = folder.path / "code" / digest(str(file))[:8] / file.name  # two of the same name may differ
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


def _travel(folder: RunDir, loaded: LoadedRecipe, allow: frozenset[str], echo: Callable[[str], None]) -> RunResult:
    from earnest.stages.road import Road

    begun, before = time.monotonic(), _spent(folder)
    status = "failed"
    try:
        with stop_on_signal(echo) as stop:
            road = Road(loaded, folder, stop, allow, echo)
            folder.update(machine=road.where())
            road.travel()
        status = "done"
    except GateRefused as error:
        status = "refused"
        echo(str(error))
    except Interrupted as error:
        status = "interrupted"
        raise Interrupted(error.what, remedy=f"earnest resume {folder.path}") from None
    finally:
        folder.update(status=status, ended=now(), wall_s=before + time.monotonic() - begun)
    return _result(folder, loaded.recipe, status, allow)


def _spent(folder: RunDir) -> float:
    """Seconds of earlier attempts; a killed one could not write them down, but its stages say."""
    stages = [float(read_json(file).get("wall_s") or 0.0) for file in folder.path.glob("*/stage.json")]
    return max(float(folder.info().get("wall_s") or 0.0), sum(stages))


def _result(folder: RunDir, recipe: Recipe, status: str, allow: frozenset[str]) -> RunResult:
    from earnest.evaluate.report.write import write_report

    unproven = _ask_about_the_claim(folder, recipe, allow)
    page = write_report(folder.path)
    report = read_json(page.with_name("report.json"))
    verdict = report["verdict"]
    folder.update(verdict=verdict)
    worse = verdict == "regressed" and "claim" not in allow
    failed = status == "refused" or worse or unproven or verdict == "no signal"
    return RunResult(folder.path, status, verdict, report["verdict_sentence"], page, 3 if failed else 0)


def _ask_about_the_claim(folder: RunDir, recipe: Recipe, allow: frozenset[str]) -> bool:
    """Show the deciding comparison to the recipe's gates, and keep what they say; what is printed is the verdict's sentence.

    True if one of them refused and was not allowed.
    """
    from earnest.evaluate.report.build import build_report
    from earnest.gates.asking import ask
    from earnest.gates.base import Paired, looking_at

    found, refused = build_report(folder.path).paired, False
    for gate in looking_at(recipe.gates, Paired) if found is not None else []:
        try:
            ask([gate], found, folder, allow, lambda line: None)
        except GateRefused:
            refused = True
    return refused


@contextmanager
def stop_on_signal(echo: Callable[[str], None]) -> Iterator[Any]:
    """The first Ctrl-C (or SIGTERM) asks for a checkpoint and a clean end; the second ends at once."""
    from earnest.train.loop import StopRequest

    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        echo("stopping after this step, with a checkpoint; once more to stop at once")

    old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


__all__ = [
    "EarnestError", "EvalResult", "Run", "RunResult", "audit", "check_data", "evaluate", "load_run", "resume", "run",
    "show_data", "trl_reward", "verify",
]  # fmt: skip
