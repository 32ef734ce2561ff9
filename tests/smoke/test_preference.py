"""Learning from pairs on the embedded task: the pass rate rises, and a killed run ends byte for byte like one that was not."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from statistics import fmean

import pytest

from road_runs import left_behind, road, rows

RECIPE = """
name: pairs
threads: 1
model: {name: tiny, width: 48, layers: 2, heads: 4}
task: {name: chain, length: 3, dev_size: 100, test_size: 100}
stages:
  - {stage: sft, id: worked, batch_size: 64, steps: 800, lr: 3e-3, warmup: 40, until: {worked_accuracy: 0.85}, max_tokens: 20}
  - {stage: sft, id: sft, batch_size: 64, steps: 60, lr: 1e-3, worked_share: 0.25, schedule: linear}
  - {stage: preference, prompts_per_step: 16, steps: 14, lr: 5e-4, max_tokens: 20, minibatches: 2, renew_reference: 4,
     checkpoint_every: 5}
  - {stage: eval, problems: 100, k: 2, max_tokens: 20}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe and an uninterrupted run, whose fine-tuning the others take over."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "recipe.yaml").write_text(RECIPE)
    done = road("run", folder / "recipe.yaml", folder / "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_pass_rate_rises(runs: Path) -> None:
    found = rows(runs / "whole" / "preference" / "metrics.jsonl")
    assert found[0]["pass_rate"] < 0.5 and fmean(row["pass_rate"] for row in found[-4:]) > 0.7
    assert found[0]["rewards/accuracies"] > 0 and all(row["sampler/lag"] == 0 for row in found)
    assert json.loads((runs / "whole" / "run.json").read_text())["verdict"] == "learned"


def test_the_support_gate_was_asked(runs: Path) -> None:
    events = rows(runs / "whole" / "preference" / "events.jsonl")
    assert next((e["gate"], e["outcome"]) for e in events if e["event"] == "gate") == ("support", "passed")


@pytest.mark.parametrize(("moment", "count"), [("after_update", 19), ("generation", 12)])
def test_a_killed_run_ends_like_one_that_was_not(runs: Path, tmp_path: Path, moment: str, count: int) -> None:
    shutil.copytree(runs / "whole", tmp_path / "whole")
    for stage in ("preference", "eval"):  # fine-tuning is taken over, so that moments are counted from there
        shutil.rmtree(tmp_path / "whole" / stage)
    killed = road("run", runs / "recipe.yaml", tmp_path / "run", moment, count)
    assert killed.returncode == -signal.SIGKILL, f"{moment} never came:\n{killed.stdout}{killed.stderr}"
    assert (tmp_path / "run" / "preference" / "metrics.jsonl").is_file()
    done = road("resume", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_behind(tmp_path / "run" / "preference") == left_behind(runs / "whole" / "preference")
