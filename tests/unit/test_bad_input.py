"""Bad input through the command line: exit code, a message with what, where and what to do, no traceback, nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from earnest import api
from earnest.cli import main as cli
from earnest.component import build
from earnest.models.tiny import Tiny
from earnest.runlog import RunDir
from earnest.train import checkpoint
from earnest.train.demonstrations import Pool
from earnest.types import Machine

RECIPE = """\
name: small
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2, context: 64}
task: {name: chain, length: 3, dev_size: 20, test_size: 40}
stages:
  - {stage: sft, batch_size: 8, steps: 6, lr: 2e-3, checkpoint_every: 2}
  - {stage: rl, algorithm: dr_grpo, prompts_per_step: 2, group_size: 2, steps: 1, lr: 1e-3, max_tokens: 4, gates: []}
"""
TEXT_ONLY = '''
"""Text and nothing else."""
from earnest.engines.base import Engine, EngineSession

class Endpoint(Engine):
    """No ids, no log-probs."""
    provides = frozenset({"text"})

    def open(self, policy) -> EngineSession:
        raise AssertionError("opened")
'''
HALF_A_VERIFIER = """
from earnest.verifiers.base import Verifier

class Half(Verifier):
    pass
"""
A_GATE = """
from earnest.gates.base import Gate, Samples

class Mine(Gate):
    looks_at = Samples

    def check(self, evidence):
        raise AssertionError("checked")
"""
ROWS = [{"prompt": f"{word} {other}?", "answer": "1"} for word in ["bread", "chair", "tower"] for other in "abcdefghij"]
SECOND = """
import sys
from earnest.cli.main import outcome
sys.exit(outcome(["resume", sys.argv[1]]))
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Earnest = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def earnest(folder: Path, capsys: pytest.CaptureFixture[str]) -> Earnest:
    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        code = cli.outcome([str(argument) for argument in arguments])
        seen = capsys.readouterr()
        return Ended(code, seen.out, seen.err)

    return call


def assert_told(ended: Ended, code: int, *told: str, remedy: bool = True) -> None:
    """An error for a person: its code, its words, and at least where it is or what it is about."""
    assert ended.code == code, ended
    assert ended.err.startswith("error: ") and "Traceback" not in ended.out + ended.err, ended
    assert [part for part in told if part not in ended.err] == [], ended.err
    assert not remedy or "\n  do: " in ended.err, ended.err


def assert_no_run(folder: Path) -> None:
    """A mistake that can be seen before the start leaves no run directory behind."""
    assert not (folder / "runs").exists()


# ------------------------------------------------------------------------------------------------ the recipe


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("batch_size", "bacth_size"), ["unknown key 'bacth_size'", "recipe.yaml:6", "did you mean 'batch_size'?"]),
        (("stage: sft", "stage: stf"), ["unknown stage 'stf'", "recipe.yaml:6", "did you mean 'sft'?"]),
        (("name: chain", "name: chian"), ["unknown task 'chian'", "recipe.yaml:4", "did you mean 'chain'?"]),
        (("dr_grpo", "dr_gpro"), ["unknown algorithm 'dr_gpro'", "recipe.yaml:7", "did you mean 'dr_grpo'?"]),
        (("dr_grpo", "gone.py:Mine"), ["no such file", "gone.py", "recipe.yaml:7", "relative to the recipe"]),
        (("stage: rl,", "stage: rl, from: stf,"), ["starts from 'stf'", "rl.from", "did you mean 'sft'?"]),
        (("stage: sft,", "stage: sft, match_compute: rl,"), ["needs stage 'rl'", "sft", "put it after"]),
        (("stage: rl,", "stage: sft, id: more, match_compute: stf,"), ["unknown key 'algorithm'", "recipe.yaml:7"]),
    ],
)
def test_a_recipe_with_a_mistake(earnest: Earnest, folder: Path, change: tuple[str, str], told: list[str]) -> None:
    assert RECIPE.count(change[0]) == 1
    (folder / "recipe.yaml").write_text(RECIPE.replace(*change))
    assert_told(earnest("run", "recipe.yaml"), 2, *told)
    assert_no_run(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (RECIPE.encode().replace(b"chain", b"cha\xefn"), ["must be UTF-8", "recipe.yaml:4"]),
        (RECIPE.encode().replace(b"chain", b"cha\x07n"), ["not valid YAML", "recipe.yaml:4"]),
        (RECIPE.encode().replace(b"stage: sft", b"stage: sft, id: config"), ["the id 'config'", "recipe.yaml:6"]),
    ],
)
def test_a_recipe_that_cannot_be_read(earnest: Earnest, folder: Path, text: bytes, told: list[str]) -> None:
    (folder / "recipe.yaml").write_bytes(text)
    assert_told(earnest("run", "recipe.yaml"), 2, *told)
    assert_no_run(folder)


@pytest.mark.parametrize(
    "change", [("steps: 6", "steps: many"), ("width: 16", "width: [16]"), ("threads: 1", "threads: 0")]
)
def test_a_value_of_the_wrong_type(earnest: Earnest, folder: Path, change: tuple[str, str]) -> None:
    (folder / "recipe.yaml").write_text(RECIPE.replace(*change))
    line = next(n for n, row in enumerate(RECIPE.splitlines(), start=1) if change[0] in row)
    assert_told(earnest("run", "recipe.yaml"), 2, f"recipe.yaml:{line}", change[0].partition(":")[0], remedy=False)
    assert_no_run(folder)


def test_match_compute_of_a_stage_that_is_not_there(earnest: Earnest, folder: Path) -> None:
    more = "  - {stage: sft, id: more, steps: 5, lr: 1e-3, match_compute: lr}\n"
    (folder / "recipe.yaml").write_text(RECIPE + more)
    assert_told(earnest("run", "recipe.yaml"), 2, "needs stage 'lr'", "more", "did you mean 'rl'?")
    assert_no_run(folder)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "none.yaml"], ["no such recipe", "none.yaml", "earnest init"]),
        (["rnu", "recipe.yaml"], ['Did you mean "run"?', "earnest --help"]),
        (["run", "recipe.yaml", "--set", "stages=3"], ["stages are overridden by their id", "command line"]),
        (["run", "recipe.yaml", "--set", "sft.stpes=3"], ["unknown key 'stpes'", "command line", "'steps'"]),
        (["run", "recipe.yaml", "--set", "sft.steps=["], ["not valid YAML", "command line", "'sft.steps=['"]),
        (["run", "recipe.yaml", "--allow", "suport"], ["unknown gate 'suport'", "--allow", "did you mean 'support'?"]),
        (["resume", "nothing"], ["not a run directory", "nothing", "no run.json"]),
        (["resume", "."], ["not a run directory", "no run.json"]),
        (["report", "nothing"], ["not a run directory", "nothing"]),
    ],
)
def test_a_command_with_a_mistake(earnest: Earnest, folder: Path, arguments: list[str], told: list[str]) -> None:
    assert_told(earnest(*arguments), 2, *told, remedy=arguments[0] != "report")
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.yaml"]


@pytest.mark.parametrize(
    ("file", "plugin", "told"),
    [
        (HALF_A_VERIFIER, "Half", ["Half in mine.py is not complete", "it lacks judge", "earnest.verifiers.base"]),
        (HALF_A_VERIFIER, "Haf", ["'Haf' in mine.py is not a verifier", "did you mean 'Half'?"]),
        ("import os\n\ndef judge(:\n", "Mine", ["cannot import", "mine.py:3", "SyntaxError"]),
        ("import os\n\nos.nothing\n", "Mine", ["cannot import", "mine.py:3", "AttributeError"]),
    ],
)
def test_a_file_of_ones_own_with_a_mistake(
    earnest: Earnest, folder: Path, file: str, plugin: str, told: list[str]
) -> None:
    (folder / "mine.py").write_text(file)
    ended = earnest("run", "recipe.yaml", "--set", f"verifier=mine.py:{plugin}")
    assert_told(ended, 2, "command line, verifier", *told)
    assert_no_run(folder)


def test_an_engine_of_text_only_cannot_serve_reinforcement_learning(earnest: Earnest, folder: Path) -> None:
    (folder / "endpoint.py").write_text(TEXT_ONLY)
    ended = earnest("run", "recipe.yaml", "--set", "engine=endpoint.py:Endpoint")
    assert_told(ended, 2, "stage 'rl' needs an engine that gives ids, logprobs", "where: engine", "gives text", "torch")
    assert_no_run(folder)


def test_a_gate_of_ones_own_may_be_allowed_by_its_name(earnest: Earnest, folder: Path) -> None:
    (folder / "mine.py").write_text(A_GATE)
    own = ["run", "recipe.yaml", "--set", "rl.gates=[mine.py:Mine]", "--allow", "mine.py:Mine"]
    assert_told(
        earnest(*own, "--allow", "mine.py:Min"), 2, "unknown gate 'mine.py:Min'", "did you mean 'mine.py:Mine'?"
    )
    assert_no_run(folder)


# ------------------------------------------------------------------------------------------------ data and models


def lines(*rows: str) -> str:
    return "".join(row + "\n" for row in rows)


GOOD = [json.dumps(row) for row in ROWS]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, ["no such data file", "data.jsonl"]),
        ("", ["the data file has no rows", "data.jsonl"]),
        (lines(*GOOD, '{"prompt": 3+4='), ["malformed JSON", f"data.jsonl:{len(GOOD) + 1}", "column 13"]),
        (lines(*GOOD[:2], "[1, 2]"), ["a row must be a JSON object", "data.jsonl:3", "it is a list"]),
        (lines(*GOOD[:4], '{"promt": "3+4=", "answer": 7}'), ["a row cannot be read", "data.jsonl:5", "'prompt'", "promt"]),
        (lines('{"prompt": "3+4="}'), ["a row cannot be read", "data.jsonl:1", "'answer'", "keys found: prompt"]),
    ],
)  # fmt: skip
def test_data_that_cannot_be_read(earnest: Earnest, folder: Path, text: str | None, told: list[str]) -> None:
    if text is not None:
        (folder / "data.jsonl").write_text(text)
    ended = earnest("run", "recipe.yaml", "--set", "task={name: jsonl, path: data.jsonl}")
    assert_told(ended, 2, *told, remedy=not any("must be" in part for part in told))
    assert_no_run(folder)
    assert (folder / "data.jsonl").exists() == (text is not None)


def test_examples_longer_than_the_context(earnest: Earnest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, looks = Pool._pair, 0

    def pair(*args: Any, **named: Any) -> Any:
        nonlocal looks
        looks += 1
        assert looks <= 2 * len(ROWS), "it looks at the same rows for ever"
        return original(*args, **named)

    monkeypatch.setattr(Pool, "_pair", pair)
    (folder / "data.jsonl").write_text(lines(*(json.dumps({**row, "prompt": row["prompt"] * 40}) for row in ROWS)))
    ended = earnest("run", "recipe.yaml", "--set", "task={name: jsonl, path: data.jsonl}")
    assert_told(ended, 2, "no training example is usable", "task jsonl", "64 tokens", "examples that fit")


def test_a_prompt_longer_than_the_context_is_named(earnest: Earnest, folder: Path) -> None:
    rows = [{**row, "prompt": row["prompt"] * 40} for row in ROWS]
    (folder / "data.jsonl").write_text(lines(*map(json.dumps, rows)))
    (folder / "recipe.yaml").write_text("\n".join(row for row in RECIPE.splitlines() if "stage: sft" not in row))
    ended = earnest("run", "recipe.yaml", "--set", "task={name: jsonl, path: data.jsonl}")
    assert_told(ended, 2, "the prompt leaves no room", "a context of 64", "shorten or drop the problem")
    task = build("task", {"name": "jsonl", "path": str(folder / "data.jsonl")})
    ids = [problem.id for split in ("train", "dev", "test") for problem in task.problems(split)]
    assert len([i for i in ids if f":{i}'" in ended.err]) == 1, f"the problem itself is named: {ended.err}"


@pytest.fixture
def model(folder: Path) -> Path:
    """A model folder as another program may have left it."""
    tiny = Tiny(width=16, layers=1, heads=2, context=64)
    tiny.open(Machine(device="cpu", dtype="float32", threads=1), seed=0).save(folder / "model")
    return folder / "model"


def test_a_model_that_is_not_there(earnest: Earnest) -> None:
    ended = earnest("run", "recipe.yaml", "--set", "model={name: hf, path: ./gone}")
    assert_told(ended, 2, "no model in", "gone", "config.json", "hub id")


def test_a_tokenizer_without_an_end(earnest: Earnest, model: Path) -> None:
    file = model / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["eos_token"]
    file.write_text(json.dumps(config))
    ended = earnest("run", "recipe.yaml", "--set", "model={name: hf, path: ./model}")
    assert_told(ended, 2, "has no end token", str(model), "tokenizer_config.json")


def test_a_tokenizer_without_a_chat_template(earnest: Earnest, model: Path) -> None:
    (model / "chat_template.jinja").unlink()
    ended = earnest("run", "recipe.yaml", "--set", "model={name: hf, path: ./model}")
    assert_told(ended, 2, "the tokenizer has no chat template", "prompt chat", "prompt: plain")


# ------------------------------------------------------------------------------------------------ the run directory


def no_space() -> Exception:
    return OSError(errno.ENOSPC, "No space left on device")


def no_space_in_the_words_of_safetensors() -> Exception:
    return SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("error", [no_space, no_space_in_the_words_of_safetensors])
def test_a_disk_that_fills_up_during_a_checkpoint(
    earnest: Earnest, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]
) -> None:
    saved: dict[str, bytes] = {}
    original, calls = checkpoint.save_file, 0

    def save_file(tensors: Any, file: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # the second file of the second checkpoint
            saved.update(content(folder / "run" / "sft" / "checkpoints" / "step_000002"))
            file.write_bytes(b"half of it")
            raise error()
        original(tensors, file)

    monkeypatch.setattr(checkpoint, "save_file", save_file)
    ended = earnest("run", "recipe.yaml", "--run-dir", "run")
    assert_told(ended, 4, "no space left", "step_000004", "everything saved earlier is intact", "earnest resume")
    checkpoints = folder / "run" / "sft" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["step_000002"]
    assert len(saved) == 3 and content(checkpoints / "step_000002") == saved
    assert json.loads((folder / "run" / "run.json").read_text())["status"] == "failed"

    monkeypatch.setattr(checkpoint, "save_file", original)
    ended = earnest("resume", "run")
    assert ended.code in (0, 3) and "continued from step 2" in ended.out, ended
    steps = [json.loads(row)["step"] for row in (folder / "run" / "sft" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_disk_that_fills_up_while_the_model_is_saved(
    earnest: Earnest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earnest.models.base import Policy

    original = Policy.save

    def save(self: Policy, target: Path) -> None:
        original(self, target)
        raise no_space_in_the_words_of_safetensors()

    monkeypatch.setattr(Policy, "save", save)
    assert_told(earnest("run", "recipe.yaml", "--run-dir", "run"), 4, "no space left", "model", "earnest resume")
    assert not (folder / "run" / "sft" / "model").exists(), "half a model looks like a whole one"
    monkeypatch.setattr(Policy, "save", original)
    assert earnest("resume", "run").code in (0, 3)
    assert (folder / "run" / "sft" / "model" / "model.safetensors").is_file()


def test_a_second_process_on_the_same_run(folder: Path) -> None:
    run = RunDir.create_at(folder / "run")
    run.update(status="running")
    before = content(folder / "run")
    command = [sys.executable, "-c", SECOND, str(folder / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder)
    assert_told(
        Ended(done.returncode, done.stdout, done.stderr), 2,
        "this run is in use", str(folder / "run"), f"held by process {os.getpid()}", "wait for it",
    )  # fmt: skip
    assert content(folder / "run") == before
    run.close()


@pytest.mark.parametrize("holds", ["run.json", "thesis.tex"])
def test_a_run_directory_that_holds_something(earnest: Earnest, folder: Path, holds: str) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / holds).write_text("years of work")
    ended = earnest("run", "recipe.yaml", "--run-dir", "mine")
    what = "a run" if holds == "run.json" else "other files"
    assert_told(
        ended, 2, "exists already", f"it holds {what}", "earnest resume mine", "--run-dir", "delete it yourself"
    )
    assert content(folder / "mine") == {holds: b"years of work"}


def test_a_mistake_does_not_use_up_the_run_directory(earnest: Earnest, folder: Path) -> None:
    """After the mistake is mended the same command works."""
    (folder / "recipe.yaml").write_text(
        RECIPE.replace("chain, length: 3, dev_size: 20, test_size: 40", "jsonl, path: x")
    )
    assert_told(earnest("run", "recipe.yaml", "--run-dir", "mine"), 2, "cannot read x", remedy=False)
    assert not (folder / "mine").exists()


def test_a_run_without_its_recipe_cannot_be_resumed(earnest: Earnest, folder: Path) -> None:
    run = RunDir.create_at(folder / "run")
    run.update(status="interrupted", recipe=str(folder / "recipe.yaml"), sets=[], seed=0, allowed=[])
    run.close()
    assert_told(earnest("resume", "run"), 2, "not a whole run", "launch.yaml", "run")


def test_the_api_raises_what_the_command_line_prints(folder: Path) -> None:
    from earnest.errors import ConfigError

    shutil.copy("recipe.yaml", "other.yaml")
    with pytest.raises(ConfigError, match="did you mean 'steps'"):
        api.run("other.yaml", sets=["sft.stpes=3"])
