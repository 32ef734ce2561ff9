"""The controls: what must not work does not, and is named. A run is only evidence beside these.

Five seeds take about ten minutes of a CPU core; `python benchmarks/controls.py` is the same over seeds of one's own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark_scripts import benchmark
from earnest.recipe import load, resolved

controls = benchmark("controls")
SEEDS = (0, 1, 2, 3, 4)
RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    once = [control for control in controls.CONTROLS if control != "random-reward"]
    return controls.collect(controls.make(tmp_path_factory.mktemp("controls"), SEEDS, jobs=1, once=once), SEEDS)


def test_every_control_does_what_its_recipe_expects(found: Any) -> None:
    assert controls.failures(found) == [], found


def test_a_guesser_is_refused_although_most_of_its_groups_are_mixed(found: Any) -> None:
    assert found.untaught.gate == "support" and found.untaught.mixed > 0.4
    assert "not shown to be better than chance" in found.untaught.reason


def test_an_expectation_that_is_not_met_is_named(found: Any) -> None:
    def broken(**change: Any) -> list[str]:
        return controls.failures(replace(found, **change))

    shifted = [replace(a, gain=0.1 + 0.001 * a.seed) for a in found.random]
    assert any("does not contain 0" in text for text in broken(random=shifted))
    large = [replace(found.random[0], gain=-0.5), *found.random[1:]]
    assert any("a quarter of the true reward's" in text for text in broken(random=large))
    for name, change in (
        ("format", {"format_after": 0.1}), ("format", {"gain_ci95": (0.01, 0.02)}), ("format", {"rules": ()}),
        ("early", {"verdict": "learned"}), ("early", {"tokens_after": 1.0}),
    ):  # fmt: skip
        arms = getattr(found, name)
        assert len(broken(**{name: [replace(arms[0], **change), *arms[1:]]})) == len(broken()) + 1, (name, change)
    assert any("H3" in text for text in broken(truncated=replace(found.truncated, rules=())))
    assert any("support" in text for text in broken(untaught=replace(found.untaught, gate="data")))


def stages(recipe: str) -> dict[str, dict[str, Any]]:
    path = RECIPES / recipe
    assert yaml.safe_load(path.read_text())["name"] == path.stem
    return {stage["id"]: stage for stage in resolved(load(path).recipe)["stages"]}


@pytest.mark.parametrize(
    ("control", "other"),
    [
        ("random-reward", {"rl", "rl_random"}), ("no-worked-traces", {"sft"}), ("stopped-early", {"direct", "worked"}),
        ("truncation", {"rl"}), ("format-only", {"sft", "rl", "eval"}),
    ],
)  # fmt: skip
def test_a_control_differs_from_the_demo_in_what_it_names(control: str, other: set[str]) -> None:
    demo, mine = stages("chain.yaml"), stages(f"controls/{control}.yaml")
    assert {name for name in mine if mine[name] != demo.get(name)} == other


def test_the_random_arm_is_the_true_one_but_for_its_reward() -> None:
    mine = stages("controls/random-reward.yaml")
    differs = {key for key in mine["rl"] if mine["rl"][key] != mine["rl_random"][key]}
    assert differs == {"id", "from", "control", "reward"}
