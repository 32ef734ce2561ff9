"""Health rules: each has rows that make it speak, rows close by that do not, and nothing else speaks meanwhile."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from earnest.functional.stats import welch
from earnest.train.health import RULES, Finding, Health, Monitor

Metrics: TypeAlias = dict[str, float | Callable[[int], float]]

STEPS = 60
HEALTHY: Metrics = {
    "reward": lambda s: 0.5 + 0.02 * math.sin(s), "pass_rate": lambda s: 0.5 + 0.02 * math.sin(s),
    "groups/live": 0.7, "groups/all_right": 0.1, "trace_format": lambda s: 0.9 + 0.01 * math.cos(s),
    "completions/clipped_ratio": 0.05, "completions/mean_length": 30.0,
    "sampler/entropy": 1.0, "sampler/ratio_error": 1e-6, "reward/missing": 0.0, "verdict/no_answer": 0.02,
    "grad_norm": lambda s: 1.0 + 0.3 * math.sin(s), "update/taken": 1.0, "sampler/lag": 0.0,
    "logps/chosen_change": lambda s: 0.1 * (-1) ** s,
}  # fmt: skip


def rising(low: float, high: float) -> Callable[[int], float]:
    return lambda s: low + (high - low) * s / STEPS + 0.01 * math.sin(s)


def at(step: int, value: float, otherwise: float) -> Callable[[int], float]:
    return lambda s: value if s == step else otherwise


BETTER: Metrics = {"pass_rate": rising(0.3, 0.8), "reward": rising(0.3, 0.8)}
CASES: dict[str, tuple[Metrics, Metrics]] = {
    "H1": ({"groups/live": 0.1, "groups/all_right": 0.4}, {"groups/live": 0.25}),
    "H2": ({"groups/live": 0.1, "groups/all_right": 0.85}, {"groups/live": 0.25, "groups/all_right": 0.75}),
    "H3": ({"completions/clipped_ratio": 0.35}, {"completions/clipped_ratio": 0.15}),
    "H4": ({"reward": rising(0.3, 0.9)}, BETTER),
    "H5": ({"trace_format": rising(0.3, 0.9)}, {"trace_format": rising(0.3, 0.9), **BETTER}),
    "H6": ({"sampler/entropy": rising(1.0, 0.2)}, {"sampler/entropy": rising(1.0, 0.2), **BETTER}),
    "H7": ({"sampler/ratio_error": 0.2}, {"sampler/ratio_error": 0.02}),
    "H8": (
        {"completions/mean_length": rising(30, 120)}, {"completions/mean_length": rising(30, 120), **BETTER},
    ),
    "H9": ({"reward/missing": 0.02}, {"reward/missing": at(30, 0.02, 0.0)}),
    "H10": ({"verdict/no_answer": 0.2}, {"verdict/no_answer": 0.08}),
    "H11": ({"grad_norm": at(40, math.nan, 1.0), "update/taken": at(40, 0.0, 1.0)}, {"update/taken": at(40, 0.0, 1.0)}),
    "H12": ({"data/held_out": at(40, 2.0, 0.0)}, {"data/held_out": 0.0}),
    "H13": (
        {"grad_norm": lambda s: 30.0 if s in (40, 43, 44) else 1.0}, {"grad_norm": lambda s: 30.0 if s in (40, 43) else 1.0},
    ),
    "H14": ({"sampler/lag": at(40, 3.0, 0.0)}, {"sampler/lag": 0.0}),
    "H15": ({"pass_rate": lambda s: 0.5 if s < 3 else 0.1}, {"pass_rate": lambda s: 0.5 if s < 3 else 0.4}),
    "H16": ({"logps/chosen_change": -0.2}, {"logps/chosen_change": -0.2, **BETTER}),
}  # fmt: skip


def watch(changes: Metrics, *, steps: int = STEPS, health: Health | None = None) -> list[Finding]:
    monitor = Monitor(health or Health(), steps)
    found: list[Finding] = []
    for step in range(1, steps + 1):
        row = {name: value(step) if callable(value) else value for name, value in {**HEALTHY, **changes}.items()}
        found += monitor.observe({"step": step, **row})
    return found


def test_every_rule_is_documented_with_its_name_and_what_to_do() -> None:
    text = (Path(__file__).parents[2] / "docs" / "is_it_learning.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (H\d+) (.+?) \|", text, flags=re.M) == [(rule.id, rule.name) for rule in RULES]
    assert re.findall(r"^\*\*(H\d+)\.\*\*", text, flags=re.M) == [rule.id for rule in RULES]
    assert set(re.findall(r"\| `(\w+)` \|", text)) == set(Health.model_fields) - {"window"}


def test_every_rule_has_its_case() -> None:
    assert [rule.id for rule in RULES] == list(CASES)
    assert watch({}) == []


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_speaks_where_it_should_and_only_there(rule: str) -> None:
    sick, well = CASES[rule]
    found = watch(sick)
    assert {f.rule for f in found} == {rule} and found[0].holds
    assert (found[0].level == "info") == (rule == "H2")  # which is good news
    assert len(found[0].message) > 40 and found[0].message.endswith((".", "?"))
    assert rule not in {f.rule for f in watch(well)}


def test_the_terms_of_a_reward_that_rises_alone_are_named() -> None:
    terms: Metrics = {
        "rewards/correct/mean": 0.3,
        "rewards/long/mean": rising(0.1, 0.9),
        "rewards/form/mean": rising(0, 1),
    }
    (found,) = watch({"reward": rising(0.3, 0.9), **terms})
    assert "The terms that rise: long, form. Look at" in found.message
    (alone,) = watch({"reward": rising(0.3, 0.9), "rewards/long/mean": rising(0.1, 0.9)})
    assert "terms" not in alone.message


def test_a_step_whose_gradient_is_not_finite_is_told_at_once() -> None:
    changes: Metrics = {"grad_norm": at(2, math.inf, 1.0), "update/taken": at(2, 0.0, 1.0)}
    assert [(f.rule, f.step, f.holds) for f in watch(changes)] == [("H11", 2, True), ("H11", 2, False)]


def test_of_several_updates_only_those_that_were_not_finite_were_not_made() -> None:
    (begins, _) = watch({"grad_norm": at(2, math.nan, 1.0), "update/taken": at(2, 0.75, 1.0)})
    assert (
        begins.rule == "H11" and "In 25% of this step's updates" in begins.message and "no update" not in begins.message
    )


def test_a_rule_is_told_when_it_begins_and_when_it_ends() -> None:
    found = watch({"completions/clipped_ratio": lambda s: 0.5 if 20 <= s < 40 else 0.0})
    assert [(f.rule, f.holds) for f in found] == [("H3", True), ("H3", False)]
    # five of ten steps that cut half of their completions are more than 20 %, four are not
    assert [f.step for f in found] == [24, 44] and found[1].level == "info"


def test_a_rule_that_comes_and_goes_is_one_spell() -> None:
    found = watch({"completions/clipped_ratio": lambda s: 0.5 if 20 <= s < 40 and s % 3 else 0.0})
    assert [(f.rule, f.holds) for f in found] == [("H3", True), ("H3", False)]


def test_thresholds_are_settings() -> None:
    assert watch({"completions/clipped_ratio": 0.35}, health=Health(truncated=0.4)) == []
    assert {f.rule for f in watch({"completions/clipped_ratio": 0.15}, health=Health(truncated=0.1))} == {"H3"}


def test_nearly_solved_is_not_without_signal() -> None:
    assert watch({"groups/live": 0.15, "groups/all_right": 0.78}) == []


def test_a_rate_without_room_to_rise_is_not_called_flat() -> None:
    sure: Metrics = {
        "pass_rate": rising(0.94, 0.96),
        "reward": rising(0.94, 0.96),
        "sampler/entropy": rising(0.3, 0.02),
    }
    assert watch(sure) == []


def test_probabilities_that_cannot_be_compared_are_a_mismatch_too() -> None:
    found = watch({"sampler/ratio_error": lambda s: math.inf if s % 2 else 0.0})
    assert {f.rule for f in found} == {"H7"} and "not finite" in found[0].message and "nan" not in found[0].message


def test_nothing_is_said_of_numbers_that_are_none() -> None:
    for metric in (
        "groups/live",
        "completions/clipped_ratio",
        "reward/missing",
        "verdict/no_answer",
        "groups/all_right",
    ):
        assert watch({metric: math.nan}) == []


def test_a_gradient_that_is_not_finite_is_told_also_among_spikes() -> None:
    norms: Metrics = {"grad_norm": lambda s: {40: 30.0, 43: 30.0, 44: 30.0, 46: math.nan}.get(s, 1.0)}
    assert [(f.rule, f.step) for f in watch(norms) if f.holds] == [("H13", 44), ("H11", 46)]


def test_a_finding_ends_where_it_held_last_though_it_was_not_always_asked() -> None:
    monitor = Monitor(Health(), 60)
    rows = [{"sampler/ratio_error": 0.2}] * 10 + [{"update/taken": 0.0}] * 20 + [{"sampler/ratio_error": 0.0}] * 25
    found = [f for step, row in enumerate(rows, start=1) for f in monitor.observe({"step": step, **row})]
    assert [(f.rule, f.holds) for f in found] == [("H7", True), ("H7", False)] and found[1].step < 42


def test_a_short_stage_has_a_short_window() -> None:
    assert [f.step for f in watch({"completions/clipped_ratio": 0.5}, steps=4)] == [2]
    assert [f.step for f in watch({"completions/clipped_ratio": 0.5}, steps=60)] == [10]


def test_what_is_not_measured_is_not_judged() -> None:
    monitor = Monitor(Health(), 60)
    assert not any(monitor.observe({"step": s, "loss": 0.0, "grad_norm": 1.0, "update/taken": 1.0}) for s in range(60))
    missing: Metrics = {"pass_rate": math.nan, "reward": rising(0, 1), "sampler/entropy": rising(1, 0.1)}
    assert watch(missing) == []


def test_a_step_without_an_update_leaves_a_finding_as_it_was() -> None:
    monitor = Monitor(Health(), 60)
    row = {"sampler/ratio_error": 0.2}
    first = [f for s in range(12) for f in monitor.observe({"step": s, **row})]
    assert [f.rule for f in first] == ["H7"]
    assert monitor.observe({"step": 13, "update/taken": 0.0}) == [] and monitor.observe({"step": 14, **row}) == []


def test_rows_that_were_read_back_say_the_same() -> None:
    monitor, again = Monitor(Health(), 30), Monitor(Health(), 30)
    for step in range(1, 31):
        row = {
            "step": float(step),
            "grad_norm": math.inf if step % 7 == 0 else 1.0,
            "update/taken": float(step % 7 > 0),
        }
        written = {k: v if math.isfinite(v) else None for k, v in row.items()}
        assert monitor.observe(row) == again.observe(json.loads(json.dumps(written)))


def test_welchs_interval() -> None:
    low, high = welch([1.0, 2.0, 3.0], [4.0, 6.0, 8.0])  # se = sqrt(1/3 + 4/3), t(2.94) = 3.219
    assert (low + high) / 2 == pytest.approx(4.0) and (high - low) / 2 == pytest.approx(4.155, abs=1e-3)
    assert welch([1.0, 1.0], [3.0, 3.0]) == (2.0, 2.0)
