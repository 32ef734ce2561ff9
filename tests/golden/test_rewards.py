"""Worked numbers of the papers' length and repetition rewards, against the formulas and against the terms of a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import make_rollout
from earnest.algorithms.grpo import GRPO
from earnest.component import build
from earnest.data.rewarding import reward
from earnest.data.samples import to_step
from earnest.functional.reward import cosine, kimi_length, repeated, soft_overlong, target_miss
from earnest.rewards.base import Weighted
from earnest.types import Group, Parsed, Rollout

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
CHECKS: dict[str, Callable[[Any, Any], None]] = {}


def checks(name: str) -> Callable[[Callable[[Any, Any], None]], Callable[[Any, Any], None]]:
    def keep(check: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        CHECKS[name] = check
        return check

    return keep


def near(expected: Any) -> Any:
    return pytest.approx(expected, rel=0, abs=1e-12)


def rollouts(lengths: Sequence[int], rights: Sequence[int] | None = None) -> list[Rollout]:
    rights = [1] * len(lengths) if rights is None else rights
    return [make_rollout(0, i, float(r), n) for i, (n, r) in enumerate(zip(lengths, rights, strict=True))]


def scores(name: str, given: Sequence[Rollout], **settings: Any) -> Any:
    return build("reward", {"name": name, **settings}).score(given, 0)


def paid(given: Sequence[Rollout], *terms: Weighted) -> Group:
    return reward([Group(given[0].problem, tuple(given))], terms, 0, 0).groups[0]


@checks("length.soft_overlong")
def soft(i: Any, e: Any) -> None:
    assert [soft_overlong(n, i["limit"], i["cache"]) for n in i["lengths"]] == near(e["score"])
    given = rollouts(i["lengths"])
    assert scores("overlong", given, max_length=i["limit"], cache=i["cache"]) == near(e["score"])
    assert build("reward", "overlong").with_max_tokens(i["limit"]).score(given, 0) == near(e["score"])


@checks("length.cosine")
def by_cosine(i: Any, e: Any) -> None:
    for name, right in (("right", 1), ("wrong", 0)):
        assert [cosine(n, i["limit"], *i[name]) for n in i["lengths"]] == near(e[name])
        given = rollouts(i["lengths"], [right] * 3)
        assert build("reward", "cosine").with_max_tokens(i["limit"]).score(given, 0) == near(e[name])


@checks("length.kimi")
def kimi(i: Any, e: Any) -> None:
    assert kimi_length(i["lengths"], i["right"]) == near(e["score"])
    assert scores("kimi_length", rollouts(i["lengths"], i["right"])) == near(e["score"])


@checks("length.l1")
def l1(i: Any, e: Any) -> None:
    misses = [target_miss(n, i["target"], i["alpha"]) for n in i["lengths"]]
    assert [right + miss for right, miss in zip(i["right"], misses, strict=True)] == near(e["reward"])
    term = Weighted(use=build("reward", {"name": "l1_length", "target": i["target"]}), alone=True)
    group = paid(rollouts(i["lengths"], i["right"]), Weighted(use=build("reward", "correct")), term)
    assert [r.reward for r in group.rollouts] == near(e["reward"])


@checks("reward.repetition")
def repetition(i: Any, e: Any) -> None:
    assert [0 - repeated([ids], i["n"]) for ids in i["ids"]] == near(e["score"])
    given = [
        replace(r, completion=replace(r.completion, token_ids=tuple(ids)))
        for r, ids in zip(rollouts([len(ids) for ids in i["ids"]]), i["ids"], strict=True)
    ]
    assert scores("repetition", given, ngram_size=i["n"]) == near(e["score"])


@checks("reward.sum_then_normalise")
def sum_then_normalise(i: Any, e: Any) -> None:
    given = [
        replace(r, parsed=Parsed(text="", thought="", answer_text="", well_formed=bool(formed)))
        for r, formed in zip(rollouts([1] * 4, i["correct"]), i["format"], strict=True)
    ]
    group = paid(given, *(Weighted(use=build("reward", name)) for name in ("correct", "format")))
    found = GRPO().credit(to_step([group])).advantage_T
    assert found.tolist() == pytest.approx(e["advantage"], abs=1e-6)


@pytest.mark.parametrize("name", CHECKS)
def test_case(name: str) -> None:
    CHECKS[name](CASES[name]["inputs"], CASES[name]["expected"])


def test_every_case_has_its_source_and_its_check() -> None:
    ours = [name for name in CASES if name.split(".")[0] in ("length", "reward")]
    assert set(ours) == set(CHECKS)
    assert all(CASES[name]["citation"] for name in ours)
