"""Resume is exact: a run that was killed, at whatever moment and however often, ends byte for byte like one that was not."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent

RECIPE = """
name: small
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task: {name: chain, length: 3, dev_size: 20, test_size: 40}
stages:
  - {stage: pretrain, id: base, steps: 12, batch_size: 8, lr: 2e-3, checkpoint_every: 5}
  - {stage: sft, worked_share: 0.5, batch_size: 8, steps: 14, lr: 2e-3, checkpoint_every: 5, probe_every: 4,
     probe_problems: 10, max_tokens: 20, until: {worked_accuracy: 1.0}, replay: {task: skills, share: 0.25}}
  - {stage: rl, algorithm: ppo, prompts_per_step: 4, group_size: 4, steps: 12, lr: 1e-3, max_tokens: 20,
     checkpoint_every: 5, gates: [],
     reward: [correct, {use: overlong, weight: 0.1}, {use: kimi_length, weight: 0.1, after: 4}]}
  - {stage: eval, problems: 20, k: 2, max_tokens: 20}
  - report
"""


def road(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "small_road.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def uninterrupted(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    done = road("run", recipe, run)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return fingerprint(run)


def fingerprint(run: Path) -> dict[str, bytes]:
    """All weights, rollouts, evaluation records and metrics of a run; metrics without what the clock says."""
    found: dict[str, bytes] = {}
    for file in sorted(run.rglob("*")):
        name = str(file.relative_to(run))
        if file.suffix == ".safetensors" or (file.suffix == ".jsonl" and file.name not in ("events.jsonl",)):
            data = file.read_bytes()
            if file.name == "metrics.jsonl":
                rows = [json.loads(line) for line in data.splitlines()]
                kept = [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]
                data = json.dumps(kept).encode()
            found[name] = data
    assert any(name.endswith("rl/metrics.jsonl") for name in found) and len(found) > 10, sorted(found)
    return found


def assert_same(run: Path, expected: dict[str, bytes]) -> None:
    found = fingerprint(run)
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    assert not list(run.rglob(".*tmp*")), "a killed writer's temporary files are left behind"


def resume_to_the_end(run: Path) -> None:
    done = road("resume", run)
    assert done.returncode in (0, 3), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        ("before_update", 3),  # before the first checkpoint there is
        ("after_update", 20),  # in SFT, between two checkpoints
        ("before_update", 33),  # in RL
        ("generation", 12),  # in RL, with half of a step's completions there
        ("between_checkpoint_files", 4),
        ("before_checkpoint_is_named", 8),
        ("after_checkpoint", 2),
    ],
)
def test_a_killed_run_ends_like_one_that_was_not(
    recipe: Path, uninterrupted: dict[str, bytes], tmp_path: Path, moment: str, count: int
) -> None:
    killed = road("run", recipe, tmp_path / "run", moment, count)
    assert killed.returncode == -signal.SIGKILL, f"{moment} {count} never came:\n{killed.stdout}{killed.stderr}"
    resume_to_the_end(tmp_path / "run")
    assert_same(tmp_path / "run", uninterrupted)


def test_a_run_killed_at_random_times_ends_the_same(
    recipe: Path, uninterrupted: dict[str, bytes], tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    clock = random.Random(seed)
    run = tmp_path / "run"
    arguments: list[str] = ["run", str(recipe), str(run)]
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, str(HERE / "small_road.py"), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not (run / "run.json").is_file():
            time.sleep(0.05)
        time.sleep(clock.uniform(0.3, 4.0))
        process.kill()
        process.wait()
        arguments = ["resume", str(run)]
    resume_to_the_end(run)
    assert fingerprint(run) == uninterrupted, f"the clock's seed was {seed}"


def test_the_first_interrupt_leaves_a_checkpoint_and_says_how_to_go_on(
    recipe: Path, uninterrupted: dict[str, bytes], tmp_path: Path
) -> None:
    stopped = road("run", recipe, tmp_path / "run", "interrupt", 16)
    assert stopped.returncode == 130, stopped.stdout + stopped.stderr
    assert f"earnest resume {tmp_path / 'run'}" in stopped.stderr
    assert (tmp_path / "run" / "sft" / "checkpoints" / "step_000004" / "state.json").is_file()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    resume_to_the_end(tmp_path / "run")
    assert_same(tmp_path / "run", uninterrupted)
