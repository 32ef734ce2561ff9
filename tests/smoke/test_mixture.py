"""A mixture on the road: two parts with verifiers of their own, replay beside RL, numbers of each, and an exact resume."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

from report_runs import assert_equal, recount
from road_runs import road, rows

RECIPE = """
name: mixture
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task:
  name: mix
  of:
    - {use: {name: chain, length: 3, dev_size: 20, test_size: 40}, weight: 3}
    - {use: {name: jsonl, path: algebra.jsonl}, verifier: math, name: algebra}
stages:
  - {stage: pretrain, id: base, steps: 8, batch_size: 8, lr: 2e-3}
  - {stage: sft, batch_size: 8, steps: 8, lr: 2e-3, worked_share: 0.5, checkpoint_every: 3}
  - {stage: rl, prompts_per_step: 4, group_size: 4, steps: 6, lr: 1e-3, max_tokens: 16, checkpoint_every: 2, gates: [],
     reward: [correct, {use: random, weight: 0.5}], replay: {task: skills, prompt: plain, examples: 4, weight: 0.2}}
  - {stage: eval, problems: 20, k: 2, max_tokens: 16}
  - report
"""


def recipe(folder: Path) -> Path:
    words = ["ship", "tower", "violet", "engine", "harbour", "needle", "pepper", "quartz", "saddle", "tunnel"]
    draw = random.Random(0)
    problems = [
        {"question": " ".join(draw.choices(words, k=4)), "trace": "so", "answer": f"x+{i}"} for i in range(1, 90)
    ]
    (folder / "algebra.jsonl").write_text("\n".join(map(json.dumps, problems)), encoding="utf-8")
    file = folder / "recipe.yaml"
    file.write_text(RECIPE, encoding="utf-8")
    return file


def without_times(file: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows(file)]


def test_a_mixture_is_trained_measured_and_resumed_part_by_part(tmp_path: Path) -> None:
    file = recipe(tmp_path)
    run = tmp_path / "whole" / "run"
    done = road("run", file, run)
    assert done.returncode in (0, 3), done.stdout + done.stderr

    gates = {e["gate"]: e for e in rows(run / "events.jsonl") if e["event"] == "gate"}
    assert gates["verifier"]["outcome"] == "passed", gates["verifier"]["reason"]
    assert set(gates["verifier"]["numbers"]["tasks"]) >= {"chain", "algebra"}

    rollouts = [row for part in sorted((run / "rl" / "rollouts").iterdir()) for row in rows(part)]
    metrics = without_times(run / "rl" / "metrics.jsonl")
    for row in metrics:
        own = [r for r in rollouts if r["step"] == row["step"]]
        tasks = [r["problem"]["task"] for r in own]
        assert (tasks.count("chain"), tasks.count("algebra")) == (12, 4)
        for task in ("chain", "algebra"):
            mine = [r for r in own if r["problem"]["task"] == task]
            assert abs(row[f"reward/{task}"] - sum(r["reward"] for r in mine) / len(mine)) < 1e-6
            assert row[f"pass_rate/{task}"] == sum(r["verdict"]["correct"] for r in mine) / len(mine)
    assert any("loss/replay" in row for row in metrics)
    assert all(("loss/replay" in row) == (row["update/taken"] == 1.0) for row in metrics)

    protocol = json.loads((run / "eval" / "protocol.json").read_text())
    assert protocol["tasks"] == ["chain", "algebra"] and "algebra: math" in protocol["verifier"]
    report = json.loads((run / "report" / "report.json").read_text())
    parts = report["models"]["rl"]["by_task"]
    asked = rows(run / "eval" / "rl" / "sampled.jsonl")
    for task, share in (("chain", 15), ("algebra", 5)):
        mine = [r for r in asked if r["problem"]["task"] == task]
        assert parts[task]["verifier_pass"]["sampled"]["n"] == len(mine) == 2 * share
        assert parts[task]["verifier_pass"]["sampled"]["value"] == sum(r["verdict"]["correct"] for r in mine) / len(
            mine
        )
    counted = recount(run)
    assert set(counted["models"]["rl"]["by_task"]) == {"chain", "algebra"}
    assert_equal(report["models"], counted["models"])
    again = tmp_path / "killed" / "run"
    assert road("run", file, again, "after_update", 8 + 8 + 5).returncode == -signal.SIGKILL
    resumed = road("resume", again)
    assert resumed.returncode in (0, 3) and "continued from step 4" in resumed.stdout, resumed.stdout + resumed.stderr
    assert without_times(again / "rl" / "metrics.jsonl") == metrics
    assert (again / "rl" / "model" / "model.safetensors").read_bytes() == (
        run / "rl" / "model" / "model.safetensors"
    ).read_bytes()
