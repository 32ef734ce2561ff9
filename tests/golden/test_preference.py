"""Worked numbers of losses on pairs, computed once with plain NumPy, and of the pairs that a group makes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import make_step
from earnest.data.pairs import pairs_of
from earnest.functional.preference import logistic
from earnest.preference.base import Preference, Side
from earnest.preference.dpo import DPO
from earnest.preference.ipo import IPO

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
PAIR, EXPECTED = CASES["pair.losses"]["inputs"], CASES["pair.losses"]["expected"]


def side(which: str) -> Side:
    values = (PAIR[f"{name}_{which}"] for name in ("logp", "ref_logp", "length"))
    logp, ref, length = (torch.tensor([value], dtype=torch.float64) for value in values)
    return Side(logp.requires_grad_(), ref, length)


@pytest.mark.parametrize(
    ("name", "preference"),
    [
        ("dpo", DPO(alpha=0.0)),
        ("dpo_smoothed", DPO(alpha=0.0, label_smoothing=0.1)),
        ("dpo_with_nll", DPO(alpha=1.0)),
        ("ipo_sum", IPO(over="sum")),
        ("ipo_mean", IPO()),
    ],
)
def test_a_pair_costs_what_the_formula_says(name: str, preference: Preference) -> None:
    assert preference.beta == PAIR["beta"]
    loss_P = preference.pair_loss(side("chosen"), side("rejected")).loss_P
    assert loss_P.tolist() == [pytest.approx(EXPECTED[name], abs=1e-12)]


def test_the_rewards_and_the_weight_of_the_gradient() -> None:
    dpo, chosen, rejected = DPO(alpha=0.0), side("chosen"), side("rejected")
    rewards = dpo.reward(chosen).item(), dpo.reward(rejected).item()
    assert rewards == (pytest.approx(EXPECTED["reward_chosen"]), pytest.approx(EXPECTED["reward_rejected"]))
    assert rewards[0] - rewards[1] == pytest.approx(EXPECTED["margin"], abs=1e-12)
    up, down = torch.autograd.grad(dpo.pair_loss(chosen, rejected).loss_P.sum(), (chosen.logp_P, rejected.logp_P))
    weight = PAIR["beta"] * EXPECTED["gradient_weight"]
    assert (up.item(), down.item()) == (pytest.approx(-weight, abs=1e-12), pytest.approx(weight, abs=1e-12))


def test_means_over_tokens_are_another_loss() -> None:
    dpo = DPO(alpha=0.0)
    means = [
        Side(s.logp_P / s.length_P, s.ref_logp_P / s.length_P, s.length_P) for s in (side("chosen"), side("rejected"))
    ]
    assert dpo.pair_loss(*means).loss_P.item() == pytest.approx(EXPECTED["dpo_of_means_which_is_wrong"], abs=1e-12)


def test_a_margin_of_zero_costs_ln_2_however_smoothed() -> None:
    for smoothing in (0.0, 0.1, 0.4):
        assert logistic(torch.zeros(1, dtype=torch.float64), smoothing).item() == pytest.approx(math.log(2), abs=1e-15)


def test_how_many_pairs_a_group_makes() -> None:
    case = CASES["pair.counts"]
    size, right = case["inputs"]["group_size"], case["inputs"]["right"]
    (group,) = make_step([[1.0] * right + [0.0] * (size - right)]).groups
    assert len(pairs_of(group, None, 0)) == case["expected"]["disjoint"]
    assert len(pairs_of(group, 10**6, 0)) == case["expected"]["all"]


def test_every_case_has_its_source() -> None:
    ours = [name for name in CASES if name.startswith("pair.")]
    assert set(ours) == {"pair.losses", "pair.counts"} and all(CASES[name]["citation"] for name in ours)
