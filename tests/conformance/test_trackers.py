"""What every tracker must keep to: take all a run has, ask nothing, print nothing, and be sent nothing twice.

Those whose package is installed, and one that only writes down what it gets.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from earnest.component import base_class, build, find, names
from earnest.data.store import to_json
from earnest.errors import MissingDependency
from earnest.follow.helper import Helper
from earnest.runlog import StageLog
from earnest.trackers.base import Tracker
from recorder import Recorder
from report_runs import RunOnDisk, record

HOSTILE = "\x1b[2J\ud800\u202e<script>\x00 \u2028" + "x" * 5000


def package_of(name: str) -> str | None:
    cls = find("tracker", name)
    assert issubclass(cls, Tracker)
    return cls.package


INSTALLED = [
    name for name in names("tracker") if (package := package_of(name)) is None or importlib.util.find_spec(package)
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    disk = RunOnDisk(tmp_path / "run")
    for stage in ("sft", "rl"):
        disk.stage(stage, stage)
    disk.finish("done", recipe=str(tmp_path / "recipe.yaml"))
    for stage in ("sft", "rl"):
        log = StageLog(disk.path / stage)
        for step in range(1, 23):
            made = [record("p", i, None if i else True, text=HOSTILE) for i in range(10)]
            log.rollouts.append([to_json(dataclasses.replace(one, stage=stage, step=step)) for one in made])
            log.metrics.append([{"step": step, "a/b c": 1.0, "none": float("nan"), "big": 1e300, "whole": 3}])
        for level in ("info", "warning", "error"):
            log.events.append(
                [
                    {
                        "event": "health",
                        "rule": "H1",
                        "level": level,
                        "step": 9,
                        "holds": True,
                        "message": HOSTILE + level,
                    }
                ]
            )
    return disk.path


def send(run: Path, tracker: Tracker) -> tuple[int | None, list[str]]:
    said: list[str] = []
    return Helper(run, [tracker], run.parent, said.append).finish(), said


@pytest.mark.parametrize("name", [*INSTALLED, "recorder"])
def test_it_takes_a_run_whole_and_once(
    name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for variable in ("WANDB_API_KEY", "WANDB_MODE", "TRACKIO_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    tracker: Any = build("tracker", name) if name != "recorder" else None
    if tracker is None:
        file = Path(__file__).parents[1] / "recorder.py"
        tracker = build("tracker", {"name": f"{file}:Recorder", "into": str(tmp_path / "sent.jsonl")})
    assert send(run, tracker) == (0, [f"[track] {tracker.name}: 44 steps sent"])
    (ledger,) = (run / "trackers").glob("*.json")
    found = json.loads(ledger.read_text())
    assert found["steps"] == {"sft": 22, "rl": 22} and len(found["alerts"]) == 6
    assert send(run, tracker) == (0, [f"[track] {tracker.name}: 0 steps sent"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", names("tracker"))
def test_it_names_the_extra_of_a_missing_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker: Tracker = build("tracker", name)
    if tracker.package is None:
        return tracker.check()
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(MissingDependency, match=rf'pip install "earnest\[{tracker.package}\]"'):
        tracker.check()


def test_the_one_of_the_tests_is_a_tracker() -> None:
    assert issubclass(Recorder, base_class("tracker"))
