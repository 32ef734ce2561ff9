"""Reading a recipe: what an override reaches, where a value came from, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.errors import ConfigError
from earnest.recipe import LoadedRecipe, load, read, resolved
from earnest.stages.road import check

TEXT = """\
name: small
model: {name: tiny, width: 16}
task: chain
stages:
  - {stage: sft, steps: 10, lr: 1e-3}
  - stage: rl
    algorithm: {name: grpo, clip_high: 0.3}
    steps: 5
    lr: 3e-4
    epochs: 2
  - report
"""


def of(text: str = TEXT, *sets: str, seed: int | None = None) -> LoadedRecipe:
    return read(text, Path("recipe.yaml"), sets, seed)


def stage(loaded: LoadedRecipe, number: int) -> dict[str, object]:
    return resolved(loaded.recipe)["stages"][number]


def refused(text: str = TEXT, *sets: str) -> str:
    with pytest.raises(ConfigError) as caught:
        of(text, *sets)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_numbers_in_scientific_notation_are_numbers() -> None:
    assert stage(of(), 0)["lr"] == 1e-3


def test_an_override_reaches_inside_a_plug_in_and_keeps_its_other_fields() -> None:
    algorithm = stage(of(TEXT, "rl.algorithm.clip_low=0.1"), 1)["algorithm"]
    assert isinstance(algorithm, dict)
    assert (algorithm["name"], algorithm["clip_low"], algorithm["clip_high"]) == ("grpo", 0.1, 0.3)


def test_an_override_reaches_into_a_plug_in_given_by_its_name_alone() -> None:
    assert resolved(of(TEXT, "task.length=7").recipe)["task"]["length"] == 7


def test_the_seed_of_the_command_line_wins() -> None:
    assert of(TEXT, seed=7).recipe.seed == 7


def test_provenance_tells_recipe_line_command_line_and_default_apart() -> None:
    table = of(TEXT, "rl.steps=6").provenance
    assert table["stages[1].steps"] == "command line"
    assert table["stages[1].lr"] == "recipe.yaml:9"
    assert table["stages[1].algorithm.clip_high"] == "recipe.yaml:7"
    assert table["stages[1].algorithm.clip_low"] == "default"
    assert table["task.name"] == "recipe.yaml:3"
    assert table["task.length"] == "default"


def test_a_stage_is_named_after_its_kind_unless_it_has_an_id() -> None:
    assert [s.id for s in of().recipe.stages] == ["sft", "rl", "report"]


def test_defaults_are_the_field_s_and_the_algorithm_file_s_own() -> None:
    named = stage(of(TEXT.replace("{name: grpo, clip_high: 0.3}", "grpo")), 1)["algorithm"]
    unnamed = stage(of(TEXT.replace("    algorithm: {name: grpo, clip_high: 0.3}\n", "")), 1)["algorithm"]
    assert isinstance(named, dict) and isinstance(unnamed, dict)
    assert (named["clip_high"], named["aggregation"]) == (0.2, "sequence")
    assert (unnamed["name"], unnamed["clip_high"], unnamed["kl"]["in_loss"]) == ("dapo", 0.28, 0.0)  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("steps: 10", "stpes: 10"), ["unknown key 'stpes'", "recipe.yaml:5", "did you mean 'steps'"]),
        (("name: grpo", "name: grop"), ["unknown algorithm 'grop'", "recipe.yaml:7", "did you mean 'grpo'"]),
        (("clip_high: 0.3", "clip_hihg: 0.3"), ["unknown key 'clip_hihg'", "recipe.yaml:7", "clip_high"]),
        (("stage: sft", "stage: stf"), ["unknown stage 'stf'", "recipe.yaml:5", "did you mean 'sft'"]),
        (("steps: 5", "steps: many"), ["valid integer", "recipe.yaml:8", "'many'"]),
        (("lr: 3e-4", "lr: -1"), ["greater than 0", "recipe.yaml:9"]),
        (("steps: 5\n", "steps: 5\n    steps: 6\n"), ["'steps' is written twice", "recipe.yaml:9", "line 8"]),
        (("- report", "- sft"), ["two stages have the id 'sft'", "recipe.yaml:11", "id:"]),
        (("task: chain", "taks: chain"), ["unknown key 'taks'", "recipe.yaml:3", "did you mean 'task'"]),
        (("task: chain\n", ""), ["'task' is missing"]),
        (("name: small", "name: a/b"), ["recipe.yaml:1", "name"]),
        (("{stage: sft,", "[stage: sft,"), ["not valid YAML", "recipe.yaml:5"]),
        (("task: chain", "task: {name: jsonl, path: $NO_SUCH_PLACE/x}"), ["NO_SUCH_PLACE", "recipe.yaml:3", "export"]),
        (("chain", "ch\x07ain"), ["not valid YAML", "recipe.yaml:3", "#x0007", "delete"]),
        (("task: chain", "task: {name: chain, {a: 1}: 2}"), ["a key must be a word", "recipe.yaml:3"]),
        (("task: chain", "task: &x {name: chain, length: *x}"), ["anchor contains itself", "recipe.yaml:3", "length"]),
        (("task: chain", f"task: {'[' * 2000}{']' * 2000}"), ["nested too deeply", "recipe.yaml"]),
        (("task: chain", "task: 2026-13-45"), ["not valid YAML", "2026-13-45", "recipe.yaml:3"]),
        (("task: chain", "1: chain"), ["unknown key '1'", "recipe.yaml:3"]),
        (("stage: sft", "stage: [1]"), ["must be a name", "[1]", "recipe.yaml:5", "earnest list stage"]),
        (("stage: sft", "stage: sft, id: [5]"), ["id must be a name", "[5]", "recipe.yaml:5"]),
        (("stage: sft", "stage: sft, id: 5"), ["id must be a name", "got 5", "recipe.yaml:5"]),
        *(
            (("stage: sft", f"stage: sft, id: {name}"), [f"the id '{name}'", "recipe.yaml:5", "choose another"])
            for name in ("config", "data", "code", "logs", "report")
        ),
        (("- report", "- {stage: report, id: data}"), ["the id 'data'", "recipe.yaml:11", "choose another"]),
        (("lr: 3e-4", "lr: .inf"), ["finite", "recipe.yaml:9", "inf"]),
        (("lr: 3e-4", "lr: 3e-4\n    max_grad_norm: .inf"), ["finite", "recipe.yaml:10"]),
        (("lr: 3e-4", "lr: 3e-4\n    betas: [0.9, 1.0]"), ["less than 1", "recipe.yaml:10", "betas[1]"]),
        (
            ("lr: 3e-4", "lr: 3e-4\n    betas: [-0.1, 0.9]"),
            ["greater than or equal to 0", "recipe.yaml:10", "betas[0]"],
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(change: tuple[str, str], told: list[str]) -> None:
    message = refused(TEXT.replace(*change))
    assert [part for part in told if part not in message] == [], message


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("rl.stpes=3", ["unknown key 'stpes'", "command line", "did you mean 'steps'"]),
        ("lr.steps=3", ["unknown key 'lr'", "did you mean 'rl'"]),
        ("rl.steps", ["not key=value", "--set rl.steps=80"]),
        ("rl=3", ["whole stage"]),
        ("sft.steps=[", ["not valid YAML", "command line", "sft.steps=["]),
        ("sft.steps=&x [*x]", ["anchor contains itself", "command line"]),
        ("sft.steps=\udcff", ["not valid YAML", "command line"]),
        ("sft.id=rl", ["two stages have the id 'rl'", "recipe.yaml:6"]),
        ("sft.id=data", ["the id 'data'", "command line, stages[0].id", "choose another"]),
        ("rl.steps=x", ["valid integer", "command line, stages[1].steps"]),
    ],
)
def test_a_mistake_on_the_command_line_is_told_as_one(override: str, told: list[str]) -> None:
    message = refused(TEXT, override)
    assert [part for part in told if part not in message] == [], message


def test_a_recipe_that_is_no_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(TEXT.encode().replace(b"task: chain", b"task: cha\xefn"))
    with pytest.raises(ConfigError, match=r"UTF-8 text\n.*recipe.yaml:3\n"):
        load(tmp_path)


def test_betas_may_be_zero() -> None:
    assert stage(of(TEXT, "rl.betas=[0, 0]"), 1)["betas"] == [0.0, 0.0]


def test_what_is_resolved_reads_back_as_the_same_recipe(tmp_path: Path) -> None:
    import yaml

    first = of().recipe
    table = resolved(first)
    table["stages"] = [{"stage": s.pop("name"), **s} for s in table["stages"]]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(table))
    assert load(tmp_path).recipe == first


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("sft.probe_every=7",), "probe_every has no effect without `until`"),
        (("rl.critic.lr=1e-3",), "critic has no effect: grpo has none"),
        (("rl.minibatches=17",), "17 minibatches of 16 prompts"),
        (("rl.algorithm={name: dapo, kl: {in_loss: 0.1, reset_every: 50}}",), "kl.reset_every 50 has no effect"),
        (("rl.algorithm={name: dapo, std: none, eps: 1e-4}",), "eps has no effect with std none"),
        (("rl.epochs=1",), "clip_high of grpo has no effect with one update per rollout"),
        (("rl.algorithm={name: cispo, ratio_max: 2}", "rl.epochs=1"), "ratio_max of cispo has no effect"),
        (
            ("rl.algorithm={name: sapo, tau_neg: 2, tau_pos: 2}", "rl.epochs=1"),
            "tau_neg, tau_pos of sapo has no effect",
        ),
        (("rl.algorithm={name: gmpo, log_clip: 1}", "rl.epochs=1"), "log_clip of gmpo has no effect"),
        (("rl.algorithm={name: ppo, value_clip: null}", "rl.epochs=1"), "value_clip of ppo has no effect"),
        (("rl.few_live=0", "rl.on_few_live=skip"), "on_few_live has no effect with few_live 0"),
    ],
)
def test_an_option_without_effect_is_refused(overrides: tuple[str, ...], told: str) -> None:
    assert told in refused(TEXT, *overrides)


def test_a_clip_has_an_effect_with_several_updates_or_older_rollouts() -> None:
    of(TEXT, "rl.epochs=1", "rl.minibatches=2")
    of(TEXT, "rl.epochs=1", "rl.replay_groups={share: 0.5}")


@pytest.mark.parametrize("verifier", [None, "number", "{name: combine, of: [number, string]}"])
def test_scores_of_steps_need_a_verifier_that_gives_them(verifier: str | None) -> None:
    text = TEXT if verifier is None else TEXT.replace("task: chain", f"task: chain\nverifier: {verifier}")
    loaded = of(text, "rl.algorithm=process_grpo")
    with pytest.raises(
        ConfigError, match="learns from scores of reasoning steps, and the verifier gives none"
    ) as caught:
        check(loaded.recipe)
    assert caught.value.where == "rl.algorithm" and "verifier: steps" in str(caught.value)


@pytest.mark.parametrize("verifier", ["steps", "{name: combine, of: [number, steps]}"])
def test_a_verifier_of_steps_may_be_a_part_of_another(verifier: str) -> None:
    text = TEXT.replace("task: chain", f"task: chain\nverifier: {verifier}")
    check(of(text, "rl.algorithm=process_grpo").recipe)


@pytest.mark.parametrize("name", ["top_p", "top_k"])
def test_rollouts_come_from_the_whole_distribution(name: str) -> None:
    assert "drawn from the whole distribution" in refused(TEXT, f"rl.{name}=1")


def test_a_policy_that_would_never_learn_is_refused() -> None:
    assert "the policy would never learn" in refused(TEXT, "rl.algorithm=ppo", "rl.critic.warmup=50")


def test_no_token_of_a_completion_that_is_one_action_is_left_out() -> None:
    assert "no token can be left out" in refused(TEXT, "rl.algorithm=rloo", "rl.entropy.top_share=0.2")
    of(TEXT, "rl.algorithm=gspo", "rl.entropy.top_share=0.2")


def test_the_same_options_are_fine_where_they_have_one() -> None:
    of(TEXT, "sft.until.worked_accuracy=0.9", "sft.probe_every=7", "rl.algorithm=ppo", "rl.critic.lr=1e-3")
