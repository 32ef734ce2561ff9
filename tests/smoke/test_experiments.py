"""The recipes of experiments stay runnable, their arms differ in what they name, and a run is read to the last sentence.

`make experiments` runs them at their size; here the cheapest one takes two steps an arm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark_scripts import benchmark
from earnest import api
from earnest.recipe import load, resolved

experiments: Any = benchmark("experiments")
BY_NAME = {e.name: e for e in experiments.EXPERIMENTS}
RECIPES = Path(__file__).parents[2] / "recipes"


def stages(path: Path) -> dict[str, dict[str, Any]]:
    return {stage["id"]: stage for stage in resolved(load(path).recipe)["stages"]}


@pytest.mark.parametrize("path", sorted((RECIPES / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_has_a_reader_and_says_what_it_expects(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["name"] == path.stem
    assert path.samefile(RECIPES.parent / BY_NAME[path.stem].recipe)
    comment = path.read_text().partition("\nname:")[0]
    assert "Predicted" in comment and "Tries, seed 100" in comment
    assert stages(path)


@pytest.mark.parametrize("name", ["ppo", "clips", "kl", "dpo", "too-early", "r1-zero"])
def test_the_start_is_that_of_the_demo(name: str) -> None:
    demo, mine = stages(RECIPES / "chain.yaml"), stages(RECIPES / "experiments" / f"{name}.yaml")
    assert [mine[stage] for stage in ("base", "worked", "sft")] == [demo[stage] for stage in ("base", "worked", "sft")]


@pytest.mark.parametrize(
    ("name", "arms", "differ"),
    [
        ("length-bias", ("grpo", "dr_grpo", "dapo"), {"algorithm"}),
        ("dead-zone", ("none", "drop", "curriculum", "hard", "replay", "hints"),
         {"algorithm", "curriculum", "hard", "replay_groups", "hints"}),
        ("dead-zone", ("none", "refill"), {"refill", "steps"}), ("ppo", ("ppo_shared", "ppo_separate"), {"critic"}),
        ("ppo", ("grpo", "ppo_shared"), {"algorithm", "critic", "steps"}),
        ("clips", ("dapo_4", "grpo_4", "gspo_4", "cispo_4", "reinforce_4"), {"algorithm"}),
        ("kl", ("loss_1", "loss_3", "loss_10", "reward_1", "reward_3", "reward_10"), {"algorithm"}),
        ("dpo", ("dpo", "dpo_plain"), {"preference"}), ("pass-at-k", ("dapo", "pass_at_4"), {"algorithm"}),
        ("r1-zero", ("zero", "zero_format"), {"reward"}), ("too-early", ("rl_100", "rl_fifth"), set()),
        ("too-early", ("rl", "rl_fifth"), {"gates"}),
    ],
)  # fmt: skip
def test_arms_differ_in_what_they_name(name: str, arms: tuple[str, ...], differ: set[str]) -> None:
    own = stages(RECIPES / "experiments" / f"{name}.yaml")
    first, *others = (own[arm] for arm in arms)
    found = {key for other in others for key in first if first[key] != other[key]}
    assert found - {"id", "from", "control"} == differ


def test_a_short_run_is_read_to_the_last_sentence(tmp_path: Path) -> None:
    experiment = BY_NAME["length-bias"]
    arms = ("grpo", "dr_grpo", "dapo")
    short = [f"{arm}.{what}" for arm in arms for what in ("steps=2", "max_tokens=16")]
    run = tmp_path / "run"
    api.run(RECIPES.parent / experiment.recipe, sets=("sft.steps=2", "sft.warmup=1", *short), run_dir=run)
    text = "\n".join(experiments.told(experiment, [experiment.read(run)], [0]))
    assert text.count("- Predicted: ") == 4 and "1 seed (0), direction only" in text
