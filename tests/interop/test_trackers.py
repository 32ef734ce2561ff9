"""The real trackers, offline: what lies in their own files afterwards is what the run directory has."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from earnest.data.store import to_json
from earnest.runlog import StageLog
from report_runs import RunOnDisk, record

pytestmark = pytest.mark.slow

RULE = {"event": "health", "rule": "H3", "level": "warning", "message": "Cut.", "step": 3, "holds": True}
EARNEST = "from earnest.cli.main import main; main()"
BLOCK, HEADER = 32768, 7


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Twelve steps of RL, completions and one alert."""
    disk = RunOnDisk(tmp_path / "run")
    disk.stage("rl", "rl")
    disk.finish("done", recipe=str(tmp_path / "recipe.yaml"))
    log = StageLog(disk.path / "rl")
    for step in range(1, 13):
        made = [record("p1", index, index > 0, text=f"{step}/{index}</think>7") for index in range(3)]
        log.rollouts.append([to_json(dataclasses.replace(one, stage="rl", step=step)) for one in made])
        log.metrics.append([{"step": step, "reward": step / 10, "none": None}])
    log.events.append([RULE])
    return disk.path


def track(run: Path, spec: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`earnest track`, by somebody who is not logged in anywhere and has no terminal to be asked at."""
    home = run.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "TRACKIO_", "NETRC"))}
    return subprocess.run(
        [sys.executable, "-c", EARNEST, "track", str(run), "--to", spec], env={**kept, "HOME": str(home), **env},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


def wandb_records(file: Path) -> Iterator[Any]:
    """The records of an offline run: the log format of LevelDB, in blocks of 32 KiB, behind a header of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = file.read_bytes(), HEADER, b""
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # whole, or its last part
            found = wandb_internal_pb2.Record()  # pyright: ignore[reportAttributeAccessIssue]
            found.ParseFromString(whole)
            whole = b""
            yield found


def test_wandb_offline_has_every_step_on_its_stages_own_axis(run: Path) -> None:
    done = track(run, "{name: wandb, rollouts_every: 5}")
    assert done.returncode == 0 and done.stdout == "[track] wandb: 12 steps sent\n", done.stdout + done.stderr
    folders = list((run / "trackers" / "wandb" / "wandb").glob("offline-run-*"))
    assert [folder.name.split("-", 3)[-1] for folder in folders] == ["run"], "the run's own id"
    (file,) = folders[0].glob("*.wandb")
    history: list[dict[str, Any]] = []
    metrics: dict[str, str] = {}
    config: dict[str, Any] = {}
    for found in wandb_records(file):
        kind = found.WhichOneof("record_type")
        if kind == "history":
            items = found.history.item
            history.append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items})
        elif kind == "metric":
            metrics[found.metric.name or found.metric.glob_name] = found.metric.step_metric
        elif kind == "run":
            config = {item.key: json.loads(item.value_json) for item in found.run.config.update}
            assert (found.run.run_id, found.run.display_name, found.run.project) == ("run", "run", "fixture")
    assert [(h["rl/step"], h["rl/reward"]) for h in history if "rl/reward" in h] == [(s, s / 10) for s in range(1, 13)]
    tabled = [h["rl/step"] for h in history if any(name.startswith("rl/rollouts") for name in h)]
    assert tabled == [5, 10]
    assert metrics["rl/*"] == "rl/step" and config["task"] == {"name": "chain"}
    tables = [json.loads(path.read_text()) for path in sorted(folders[0].rglob("*.table.json"))]
    assert sorted(row[3] for table in tables for row in table["data"]) == [
        f"{step}/{index}</think>7" for step in (10, 5) for index in range(3)
    ]


def test_wandb_never_asks_and_sends_what_it_could_not_later(run: Path) -> None:
    refused = track(run, "{name: wandb, mode: online}")
    assert refused.returncode == 4 and refused.stdout.count("not logged in") == 1, refused.stdout + refused.stderr
    key = "0" * 40
    auto = track(run, "wandb", WANDB_API_KEY=key, WANDB_MODE="offline")
    assert auto.returncode == 0 and "12 steps sent" in auto.stdout, auto.stdout + auto.stderr


def test_trackio_has_every_step_in_the_runs_own_folder(run: Path) -> None:
    done = track(run, "{name: trackio, rollouts_every: 5}")
    assert done.returncode == 0 and done.stdout == "[track] trackio: 12 steps sent\n", done.stdout + done.stderr
    assert not (run.parent / "home" / ".cache" / "huggingface" / "trackio").exists()
    database = sqlite3.connect(run / "trackers" / "trackio" / "fixture.db")
    rows = [
        (step, json.loads(text)) for step, text in database.execute("select step, metrics from metrics order by id")
    ]
    assert [(step, row["rl/reward"]) for step, row in rows if "rl/reward" in row] == [(s, s / 10) for s in range(1, 13)]
    assert database.execute("select title, text, level, step from alerts").fetchall() == [("rl", "Cut.", "warn", 3)]
    traces = database.execute("select step, messages from traces order by step, id").fetchall()
    assert [step for step, _ in traces] == [5, 5, 5, 10, 10, 10]
    assert json.loads(traces[0][1])[-1]["content"] == "5/0</think>7"
    assert database.execute("select distinct run_name from metrics").fetchall() == [("run",)]
    again = track(run, "{name: trackio, rollouts_every: 5}")
    assert again.stdout == "[track] trackio: 0 steps sent\n"
