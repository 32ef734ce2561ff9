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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from earnest.component import Component, build, digest, names, parts, user_file
from earnest.errors import ConfigError, EarnestError, GateRefused, Interrupted, RunDirError, nearest
from earnest.recipe import LoadedRecipe, Recipe, load, read, resolved
from earnest.runlog import RunDir, now, read_json, write_bytes, write_json
from earnest.seeding import derive
from earnest.types import Item, Json, Parsed, Problem, Split, Verdict

if TYPE_CHECKING:
    from earnest.evaluate.audit import Audit
    from earnest.stages.inspection import Example, Inspection

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
) -> RunResult:
    """Run a recipe from its first stage to its last, skipping what an earlier run in `runs` has done already.

    Raises ConfigError, DataError and MissingDependency before anything is computed; a gate's refusal is a result.
    """
    from earnest.stages.road import check

    loaded = load(Path(recipe), sets, seed)
    check(loaded.recipe)
    _check_allowed(loaded.recipe, allow)
    folder = RunDir.create_at(run_dir) if run_dir is not None else _new_run(loaded, runs or Path("runs"))
    try:
        _write_header(folder, loaded, allow, command)
        echo(f"run {folder.path}")
        return _travel(folder, loaded, frozenset(allow), echo)
    finally:
        folder.close()


def resume(run_dir: Path, *, command: str = "", echo: Callable[[str], None] = print) -> RunResult:
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
        folder.update(status="running", resumed=[*info.get("resumed", []), {"time": now(), "command": command}])
        echo(f"resume {folder.path}")
        return _travel(folder, loaded, frozenset(info["allowed"]), echo)
    finally:
        folder.close()


def verify(verifier: str | Mapping[str, Any], rows: Sequence[tuple[str, str]]) -> list[Verdict]:
    """Grade (response, gold) pairs. Example: verify("number", [("<think>6*7</think>The answer is 42.", "42")]).

    A thought, where there is one, must be closed; only what follows it counts.
    """
    from earnest.data.rollouts import judge
    from earnest.prompts.parse import split_thought

    items: list[Item] = []
    for place, (response, gold) in enumerate(rows):
        parsed: Parsed = split_thought(response, opened=False, required=False)
        problem = Problem(id=str(place), task="verify", prompt="", answer=gold)
        items.append(Item(problem=problem, parsed=parsed, truncated=False))
    return judge(build("verifier", verifier), items)


def audit(
    verifier: str | Mapping[str, Any], *, task: str | Mapping[str, Any] | None = None, problems: int = 100
) -> Audit:
    """What a verifier pays for: right answers, near misses, attacks; on a task's problems or a few golds of common kinds."""
    from earnest.evaluate.audit import audit as try_out

    return try_out(build("verifier", verifier), None if task is None else build("task", task), problems)


def check_data(source: Path, *, model: str | None = None, prompt: str = "chat") -> Inspection:
    """Sizes, lengths and overlap of what a recipe, or a file of JSON rows, would train on. Raises ConfigError, DataError."""
    from earnest.stages.inspection import inspect

    return inspect(_recipe_of(source, model, prompt))


def show_data(
    source: Path, *, stage: str | None = None, count: int = 3, model: str | None = None, prompt: str = "chat"
) -> list[Example]:
    """Training examples token by token, with what the loss is on."""
    from earnest.stages.inspection import examples

    return examples(_recipe_of(source, model, prompt), stage, count)


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


@dataclass(frozen=True, slots=True)
class EvalResult:
    """A model's rates on a task, each with n, distinct problems and a 95 % interval. looks: runs that saw these problems."""

    model: str
    task: str
    split: str
    looks: int
    rates: Mapping[str, Any]
    statuses: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def lines(self) -> list[str]:
        rows = [f"{self.model} on {self.task}, split {self.split} (look {self.looks} at these problems)"]
        for name, rate in self.rates.items():
            interval = "no interval" if rate["ci95"] is None else "[{:.3f}, {:.3f}]".format(*rate["ci95"])
            rows.append(f"  {name:<13} {rate['value']:.3f} {interval}  n {rate['n']}, distinct {rate['distinct']}")
        for mode, counts in self.statuses.items():
            rows.append(f"  {mode:<13} " + ", ".join(f"{k} {v}" for k, v in counts.items() if v))
        return rows


def evaluate(
    model: str,
    *,
    task: str | Mapping[str, Any],
    prompt: str | Mapping[str, Any] = "chat",
    verifier: str | Mapping[str, Any] | None = None,
    k: int = 4,
    limit: int = 200,
    max_tokens: int = 256,
    seed: int = 0,
    split: Split = "test",
    out: Path | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> EvalResult:
    """Sample and grade a model folder (or hub id) on a task: k samples a problem at T = 1, one greedy completion."""
    from earnest.data.rollouts import Roller
    from earnest.data.select import subset
    from earnest.evaluate import run as asking
    from earnest.evaluate.summary import summarize
    from earnest.stages.machine import machine

    chosen = build("task", task)
    problems = subset(chosen.problems(split), limit)
    policy = build("model", {"name": "hf", "path": model}).open(
        machine("auto", "auto", None), seed=derive(seed, "model")
    )
    roller = Roller(
        build("prompt", prompt), build("verifier", verifier or chosen.verifier_name), build("strategy", "plain"),
        policy.tokenizer,
    )  # fmt: skip
    protocol = asking.Protocol(stage="eval", split=split, k=k, temperature=1.0, max_tokens=max_tokens, seed=seed)
    with build("engine", "torch").open(policy) as engine:
        echo(f"{len(problems)} problems, {k} samples each and one greedy")
        sampled = asking.sampled(problems, roller, engine, protocol)
        greedy = asking.greedy(problems, roller, engine, protocol)
    if out is not None:
        asking.write_records(out / "sampled.jsonl", sampled)
        asking.write_records(out / "greedy.jsonl", greedy)
    _, looks = asking.count_look(Path("runs"), problems, f"eval {model}")
    summary = summarize(sampled, greedy)
    statuses = {mode: counts.to_json() for mode, counts in summary.statuses.items()}
    return EvalResult(model, chosen.name, split, looks, summary.rates(), statuses)


def _recipe_of(source: Path, model: str | None, prompt: str) -> Recipe:
    """A recipe's file or folder; a file of rows becomes the recipe that would imitate it."""
    from earnest.stages.road import check

    if source.is_dir() or source.suffix in (".yaml", ".yml"):
        if model is not None:
            raise ConfigError("--model has no effect: the recipe names one", where=str(source))
        recipe = load(source).recipe
    else:
        rows: dict[str, Json] = {
            "name": "data", "model": "tiny" if model is None else {"name": "hf", "path": str(Path(model).resolve()) if
            Path(model).is_dir() else model}, "task": {"name": "jsonl", "path": str(source.resolve())}, "prompt": prompt,
            "stages": [{"stage": "sft", "steps": 1, "lr": 1e-3}, {"stage": "eval"}],
        }  # fmt: skip
        recipe = read(json.dumps(rows), source, ()).recipe
    check(recipe)
    return recipe


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
    for component in (recipe.model, recipe.task, recipe.prompt, recipe.engine, recipe.strategy, *recipe.stages):
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
        file = user_file(type(part))
        if file is not None:
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
            folder.update(
                machine={"device": road.machine.device, "dtype": road.machine.dtype, "threads": road.machine.threads}
            )
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
    from earnest.evaluate.write import write_report

    _ask_about_the_claim(folder, recipe, allow)
    page = write_report(folder.path)
    report = read_json(page.with_name("report.json"))
    verdict = report["verdict"]
    folder.update(verdict=verdict)
    worse = verdict == "regressed" and "claim" not in allow
    failed = status == "refused" or worse or verdict == "no signal"
    return RunResult(folder.path, status, verdict, report["verdict_sentence"], page, 3 if failed else 0)


def _ask_about_the_claim(folder: RunDir, recipe: Recipe, allow: frozenset[str]) -> None:
    """Show the deciding comparison to the recipe's gates. What they say is kept; what is printed is the verdict's sentence."""
    from earnest.evaluate.report import build_report
    from earnest.gates.asking import ask
    from earnest.gates.base import Paired, looking_at

    found = build_report(folder.path).paired
    if found is not None:
        with suppress(GateRefused):
            ask(looking_at(recipe.gates, Paired), found, folder, allow, lambda line: None)


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
    "show_data", "verify",
]  # fmt: skip
