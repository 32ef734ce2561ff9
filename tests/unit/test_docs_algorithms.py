"""docs/algorithms.md: its table is about every algorithm, and what it says of defaults is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from earnest.algorithms.base import Algorithm
from earnest.algorithms.families import Clipped
from earnest.component import build, names
from earnest.functional import reduce

PAGE = (Path(__file__).parents[2] / "docs" / "algorithms.md").read_text(encoding="utf-8")
ROWS = {cells[0].strip("`"): cells[1:] for line in PAGE.splitlines() if (cells := re.split(r" *\| *", line)[1:-1])[:1]}
ROWS = {name: cells for name, cells in ROWS.items() if name not in ("algorithm", "---")}
BOUNDS = {"reinforce": [], "cispo": ["ratio_max"], "gmpo": ["log_clip"], "sapo": ["tau_pos", "tau_neg"]}
MEANS = {
    "tokens": reduce.token_mean,
    "completions": reduce.sequence_mean,
    "completions, summed": reduce.sequence_sum,
    "completions, summed, over a constant": lambda length_N, counted_N: reduce.constant(length_N, counted_N, 8),
}


@pytest.fixture(params=names("algorithm"))
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    return build("algorithm", request.param).with_max_tokens(8)


def test_every_algorithm_is_in_the_table() -> None:
    assert sorted(ROWS) == names("algorithm")


def test_the_row_tells_the_defaults(algorithm: Algorithm) -> None:
    _, _, bounds, mean, kl, paper = ROWS[algorithm.name]
    if isinstance(algorithm, Clipped):
        assert bounds == f"{algorithm.clip_low:g} / {algorithm.clip_high:g}"
    else:
        assert re.findall(r"[\d.]+", bounds) == [f"{getattr(algorithm, field):g}" for field in BOUNDS[algorithm.name]]
    where = "loss" if algorithm.kl.in_loss else "reward"
    assert kl == (f"{algorithm.kl.coefficient:g} in the {where}" if algorithm.kl.on else "none")
    reference = (type(algorithm).__doc__ or "").partition("Reference:")[2]
    assert paper == re.findall(r"arXiv:(\d{4}\.\d{5})", reference)[0]
    length_N, live_N = torch.tensor([2, 4]), torch.tensor([True, True])
    weight_N = algorithm.weights(length_N, torch.tensor([0, 0]), live_N)
    torch.testing.assert_close(weight_N, MEANS[mean](length_N, live_N))


def test_every_docstring_has_the_four_parts(algorithm: Algorithm) -> None:
    doc = type(algorithm).__doc__ or ""
    assert re.findall(r"^    (Objective|Assumes|Degrades to|Reference):", doc, re.MULTILINE) == [
        "Objective", "Assumes", "Degrades to", "Reference",
    ]  # fmt: skip
