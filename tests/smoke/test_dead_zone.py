"""All remedies against groups without a signal in one run: what it leaves behind, and that a killed one ends alike."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from road_runs import left_behind, road, rows

RECIPE = """
name: small
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task: {name: chain, length: 3, train_size: 40, dev_size: 20, test_size: 40}
stages:
  - {stage: sft, batch_size: 16, steps: 140, lr: 1e-2}
  - {stage: rl, prompts_per_step: 6, group_size: 4, steps: 12, lr: 2e-3, max_tokens: 20, checkpoint_every: 4, gates: [],
     refill: {attempts: 1, patience: 12}, curriculum: {half_life: 10}, hard: {below: 0.3, group_size: 6},
     replay_groups: {share: 0.5}, hints: {below: 0.3, start: 0.5}}
"""
HOPELESS = (
    RECIPE.partition("  - {stage: sft")[0]
    + """
  - {stage: rl, prompts_per_step: 6, group_size: 4, steps: 9, lr: 2e-3, max_tokens: 20, gates: [],
     refill: {attempts: 1, patience: 2}}
"""
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe and an uninterrupted run, whose fine-tuning the others take over."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "recipe.yaml").write_text(RECIPE)
    done = road("run", folder / "recipe.yaml", folder / "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_remedy_had_its_say_and_the_records_agree_with_the_metrics(runs: Path) -> None:
    metrics, records = (
        rows(runs / "whole" / "rl" / "metrics.jsonl"),
        rows(runs / "whole" / "rl" / "rollouts" / "rollouts.jsonl"),
    )
    for name in ("hard/groups", "replay/groups", "hints/groups", "refill/short", "curriculum/known"):
        assert sum(row[name] for row in metrics) > 0, name
    assert any(row["refill/prompts"] > 6 for row in metrics)
    for row in metrics:
        own = [r for r in records if r["step"] == row["step"]]
        plain = [r for r in own if "given" not in r]
        by_group: list[list[bool]] = []
        for record in plain:
            by_group += [[]] if record["index"] == 0 else []
            by_group[-1].append(record["verdict"]["correct"])
        assert row["pass_rate"] == pytest.approx(sum(sum(g) / len(g) for g in by_group) / len(by_group))
        assert len(by_group) == row["refill/prompts"]
        assert sum(r["index"] == 0 for r in own) == len(by_group) + row["hints/groups"]
        learned = sum(r["index"] == 0 and r["advantage"] is not None for r in own)
        assert learned == 6 - row["replay/groups"]
    events = [e for e in rows(runs / "whole" / "rl" / "events.jsonl") if e["event"] == "refill_spent"]
    assert len(events) == 2 and "carry a signal after" in events[0]["message"] and "on average" in events[1]["message"]


@pytest.mark.parametrize(("moment", "count"), [("generation", 9), ("after_checkpoint", 2)])
def test_a_killed_run_ends_like_one_that_was_not(runs: Path, tmp_path: Path, moment: str, count: int) -> None:
    shutil.copytree(runs / "whole", tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole" / "rl")  # fine-tuning is taken over, so that moments are counted from there
    killed = road("run", runs / "recipe.yaml", tmp_path / "run", moment, count)
    assert killed.returncode == -signal.SIGKILL, f"{moment} never came:\n{killed.stdout}{killed.stderr}"
    assert (tmp_path / "run" / "rl" / "metrics.jsonl").is_file()
    done = road("resume", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_behind(tmp_path / "run" / "rl") == left_behind(runs / "whole" / "rl")


def test_prompts_that_nobody_can_solve_end_the_stage_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(HOPELESS)
    done = road("run", tmp_path / "recipe.yaml", tmp_path / "run")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not one group carried a signal in the last 2 steps (up to step 2)" in done.stdout
    assert "of 24 groups 24 were all wrong" in done.stdout
    assert json.loads((tmp_path / "run" / "rl" / "stage.json").read_text())["status"] == "refused"
