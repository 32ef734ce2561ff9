"""How often a group is dead, and what a live one costs: the closed forms against what the gatherer takes for a signal."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path
from typing import Any

import pytest

from builders import make_step
from earnest.data.gathering.groups import has_signal
from earnest.data.gathering.refill import Refill
from earnest.models.base import Policy
from lottery import gatherer, pool, session

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))


def dead(p: float, size: int) -> float:
    """The chance that a group carries no signal, over every number of right tries that it can have."""
    groups = [make_step([[1.0] * right + [0.0] * (size - right)]).groups[0] for right in range(size + 1)]
    return sum(
        comb(size, right) * p**right * (1 - p) ** (size - right)
        for right, group in enumerate(groups)
        if not has_signal(group)
    )


def test_probability() -> None:
    inputs, expected = CASES["deadzone.probability"]["inputs"], CASES["deadzone.probability"]["expected"]["dead"]
    found = [[dead(p, size) for size in inputs["group_size"]] for p in inputs["p"]]
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-12)


def test_refill_cost(tiny_policy: Policy) -> None:
    inputs, expected = CASES["deadzone.refill_cost"]["inputs"], CASES["deadzone.refill_cost"]["expected"]["prompts"]
    size = inputs["group_size"]
    for p, wanted in zip(inputs["p"], expected, strict=True):
        assert 1 / (1 - dead(p, size)) == pytest.approx(wanted, rel=1e-12)
        made = gatherer(tiny_policy, pool([p] * 50), prompts=40, group_size=size, refill=Refill(attempts=60))
        found = [made.gather(step, session(tiny_policy)) for step in range(8)]
        assert all(has_signal(group) for g in found for group in g.groups)
        prompts = [g.notes["refill/prompts"] for g in found]
        error = (wanted * (wanted - 1) / 320) ** 0.5  # of the mean of 320 geometric numbers
        assert sum(prompts) / 320 == pytest.approx(wanted, abs=4 * error)
