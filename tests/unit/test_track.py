"""Trackers beside real runs: a process of their own, which no run notices, whatever happens in it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from earnest import api
from earnest.component import names
from earnest.errors import ConfigError, MissingDependency, TrackerFailed
from earnest.follow import helper
from recorder import Recorder, recorded

RECORDER = Path(__file__).parents[1] / "recorder.py"
RECIPE = """
name: small
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task: {name: chain, length: 3, dev_size: 20, test_size: 40}
stages:
  - {stage: pretrain, id: base, steps: 6, batch_size: 4, lr: 2e-3}
  - {stage: rl, prompts_per_step: 2, group_size: 2, steps: STEPS, lr: 1e-3, max_tokens: 4, gates: [], checkpoint_every: 5}
  - {stage: eval, problems: 10, k: 2, max_tokens: 4}
  - report
"""


def write(folder: Path, track: str, *, steps: int = 3) -> Path:
    shutil.copy(RECORDER, folder)
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.replace("STEPS", str(steps)) + f"track: [{track}]\n")
    return recipe


def ours(folder: Path, **fields: object) -> str:
    spec = {"name": "recorder.py:Recorder", "into": str(folder / "sent.jsonl"), "rollouts_every": 1, **fields}
    return json.dumps(spec)


def go(recipe: Path, name: str = "run") -> tuple[api.RunResult, list[str]]:
    said: list[str] = []
    result = api.run(recipe, run_dir=recipe.parent / "runs" / name, command="earnest run", echo=said.append)
    return result, said


def metrics(run: Path, *stages: str) -> list[list[object]]:
    rows = [(stage, row) for stage in stages for row in (run / stage / "metrics.jsonl").read_text().splitlines()]
    found = [(stage, json.loads(row)) for stage, row in rows]
    kept = [
        (stage, row["step"], {k: v for k, v in row.items() if v is not None and k != "step"}) for stage, row in found
    ]
    return [["log", stage, step, row] for stage, step, row in kept]


def test_a_run_is_sent_while_it_goes_and_the_same_again_afterwards(tmp_path: Path) -> None:
    result, said = go(write(tmp_path, ours(tmp_path)))
    sent = recorded(tmp_path / "sent.jsonl", "open", "log", "rollouts", "alert", "finish")
    assert sent[0] == [
        "open",
        "run",
        "small",
        sorted(json.loads((result.run_dir / "config/resolved.json").read_text())),
    ]
    assert [what for what in sent if what[0] == "log"] == metrics(result.run_dir, "base", "rl")
    assert [what[2] for what in sent if what[0] == "rollouts"] == [1, 2, 3]
    assert sent[-1][:2] == ["finish", "done"] and {"verdict", "rl/sampled", "base/greedy"} <= set(sent[-1][2])  # type: ignore[arg-type]
    assert said[-1] == "[track] recorder.py:Recorder: 9 steps sent"
    assert [p.name for p in (result.run_dir / "code").glob("*/*")] == ["recorder.py"]

    assert api.track(result.run_dir, echo=said.append) == ("recorder.py:Recorder",)
    assert said[-1] == "[track] recorder.py:Recorder: 0 steps sent"
    again = {"name": f"{RECORDER}:Recorder", "into": str(tmp_path / "again.jsonl"), "rollouts_every": 1}
    api.track(result.run_dir, to=[again], echo=said.append)
    assert recorded(tmp_path / "again.jsonl", "open", "log", "rollouts", "alert", "finish") == sent


def test_what_is_tracked_changes_no_result_and_runs_nothing_again(tmp_path: Path) -> None:
    first, _ = go(write(tmp_path, ""), "one")
    second, said = go(write(tmp_path, ours(tmp_path)), "two")
    notes = [json.loads((second.run_dir / s / "stage.json").read_text()) for s in ("base", "rl", "eval")]
    assert [note["cached_from"] for note in notes] == ["one", "one", "one"], said
    assert recorded(tmp_path / "sent.jsonl", "log", "rollouts", "alert") == [], "another run's steps"
    third, _ = go(write(tmp_path, ours(tmp_path), steps=4), "three")
    assert {what[1] for what in recorded(tmp_path / "sent.jsonl", "log")} == {"rl"}
    assert (first.verdict, third.status) == (second.verdict, "done")


def test_a_tracker_that_fails_is_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    result, said = go(write(tmp_path, ours(tmp_path, fail_at=2)))
    assert result.status == "done" and result.exit_code in (0, 3)
    told = [line for line in said if "gets nothing more" in line]
    assert len(told) == 1 and "no space left" in told[0]
    assert "[track] 1 warnings of trackers" in said[-1]
    log = (result.run_dir / "logs" / "trackers.log").read_text()
    assert "Traceback" in log and "for this tracker" in log and "this will not end well" in log
    with pytest.raises(TrackerFailed, match="not everything was sent"):
        api.track(result.run_dir, echo=said.append)


def test_a_tracker_that_hangs_does_not_keep_a_run_from_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper, "PATIENCE", 2.0)
    result, said = go(write(tmp_path, ours(tmp_path, hang=True)))
    assert result.status == "done" and "given up after 2 s" in said[-1]


@pytest.mark.parametrize(("starts", "told"), [(True, "ended early, see"), (False, "nothing is sent: no process today")])
def test_a_helper_that_cannot_work_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: bool, told: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no process today")

    if starts:
        monkeypatch.setattr(helper, "__name__", "no.such.module")
    else:
        monkeypatch.setattr(helper.subprocess, "Popen", fail)
    said: list[str] = []
    with helper.tracked(tmp_path, [Recorder(into="x")], tmp_path, said.append):
        said.append("the run")
    assert len(said) == 2 and any(told in line for line in said), said


def test_a_killed_run_is_finished_at_the_tracker_and_goes_on_there(tmp_path: Path) -> None:
    recipe, run = write(tmp_path, ours(tmp_path), steps=250), tmp_path / "run"
    code = f"from earnest import api; from pathlib import Path; api.run({str(recipe)!r}, run_dir=Path({str(run)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(recorded(tmp_path / "sent.jsonl", "log")) > 20, "no step was sent")
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: recorded(tmp_path / "sent.jsonl", "finish") == [["finish", "killed", []]], "it was not finished")
    api.resume(run, echo=lambda line: None)
    steps = [tuple(what[1:3]) for what in recorded(tmp_path / "sent.jsonl", "log")]
    assert steps == [*(("base", s) for s in range(1, 7)), *(("rl", s) for s in range(1, 251))]
    assert [what[1] for what in recorded(tmp_path / "sent.jsonl", "finish")] == ["killed", "done"]


def until(holds: object, otherwise: str) -> None:
    assert callable(holds)
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(otherwise)


@pytest.mark.parametrize("name", names("tracker"))
def test_a_missing_package_is_refused_before_there_is_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *more: None if n == name else found(n, *more))
    with pytest.raises(MissingDependency, match=rf'pip install "earnest\[{name}\]"') as caught:
        go(write(tmp_path, name))
    assert caught.value.exit_code == 4 and not (tmp_path / "runs").exists()


def test_what_cannot_be_tracked_is_an_error(tmp_path: Path) -> None:
    result, _ = go(write(tmp_path, ""))
    with pytest.raises(ConfigError, match="no tracker is named"):
        api.track(result.run_dir)
    with pytest.raises(ConfigError, match="did you mean 'wandb'"):
        api.track(result.run_dir, to=["wandbb"])
    with pytest.raises(ConfigError, match="unknown key 'projct'"):
        go(write(tmp_path, "{name: trackio, projct: x}"), "other")
    assert not (tmp_path / "runs" / "other").exists()
