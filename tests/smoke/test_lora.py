"""Adapters along a road: each stage starts from the folder of the one before, and so does the reference of its KL."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from earnest.models.tiny import Tiny
from policies import CPU
from road_runs import left_behind, road, rows

RECIPE = """
name: adapters
threads: 1
model: {name: hf, path: ./base, lora: {rank: 8}}
task: {name: chain, length: 3, dev_size: 20, test_size: 40}
stages:
  - {stage: sft, worked_share: 0.5, batch_size: 32, steps: 60, lr: 1e-2}
  - {stage: rl, algorithm: {name: grpo, kl: {in_loss: 0.04, reset_every: 4}}, reward: "paid.py:digits",
     prompts_per_step: 4, group_size: 4, steps: 10, lr: 5e-3, max_tokens: 20, checkpoint_every: 3, gates: []}
  - {stage: eval, problems: 20, k: 2, max_tokens: 20}
"""


PAID = """
def digits(prompts, completions, completion_ids, **kwargs):
    return [sum(character.isdigit() for character in text) / 20 for text in completions]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base checkpoint, the recipe and an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs")
    Tiny(width=32, layers=2, heads=4, context=64).open(CPU, seed=1).save(folder / "base")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "paid.py").write_text(PAID)
    done = road("run", folder / "recipe.yaml", folder / "whole")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_stage_leaves_a_plain_folder_that_differs_where_there_are_adapters(runs: Path) -> None:
    base, sft, rl = (weights(f) for f in (runs / "base", runs / "whole/sft/model", runs / "whole/rl/model"))
    assert base.keys() == sft.keys() == rl.keys()
    for before, after in ((base, sft), (sft, rl)):
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {name for name in before if name.endswith("_proj.weight")}
    assert not list((runs / "whole").rglob("adapter_*"))


def test_the_reference_is_the_stages_input_and_is_renewed(runs: Path) -> None:
    found = [row["kl"] for row in rows(runs / "whole" / "rl" / "metrics.jsonl")]
    assert any(row["update/taken"] for row in rows(runs / "whole" / "rl" / "metrics.jsonl")[:3])
    assert found[0] == pytest.approx(0, abs=1e-6), "the policy begins as the fine-tuned one, and so does the reference"
    assert max(found[1:4]) > 1e-5
    assert found[4] == pytest.approx(0, abs=1e-6) and found[8] == pytest.approx(0, abs=1e-6)


def test_what_is_spent_counts_frozen_weights_too(runs: Path) -> None:
    size = sum(x.numel() for x in weights(runs / "base").values())
    spent = json.loads((runs / "whole" / "rl" / "stage.json").read_text())
    assert spent["flops"] > 2 * size * spent["generated_tokens"] + 4 * size * spent["trained_tokens"]


@pytest.mark.parametrize(("moment", "count"), [("after_update", 7), ("generation", 6), ("between_checkpoint_files", 2)])
def test_a_killed_run_ends_like_one_that_was_not(runs: Path, tmp_path: Path, moment: str, count: int) -> None:
    shutil.copytree(runs / "whole", tmp_path / "whole")
    for stage in ("rl", "eval"):
        shutil.rmtree(tmp_path / "whole" / stage)
    killed = road("run", runs / "recipe.yaml", tmp_path / "run", moment, count)
    assert killed.returncode == -signal.SIGKILL, f"{moment} never came:\n{killed.stdout}{killed.stderr}"
    done = road("resume", tmp_path / "run")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert left_behind(tmp_path / "run" / "rl") == left_behind(runs / "whole" / "rl")
