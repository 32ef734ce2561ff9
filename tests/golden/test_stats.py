"""Worked numbers of the metrics, computed once from their formulas, against what the library computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from earnest.evaluate.compare import compare
from earnest.evaluate.drift import rate_drift
from earnest.evaluate.load import Benchmark
from earnest.functional.stats import mcnemar, paired_difference, pass_at_k
from report_runs import records

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "stats_cases.json").read_text(encoding="utf-8"))


def pairs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[list[bool]], list[list[bool]]]:
    a = [[True]] * both + [[True]] * only_a + [[False]] * only_b + [[False]] * neither
    b = [[True]] * both + [[False]] * only_a + [[True]] * only_b + [[False]] * neither
    return a, b


def test_pass_at_k():
    case = CASES["metric.pass_at_k"]
    n, c, ks = case["inputs"]["n"], case["inputs"]["c"], case["inputs"]["k"]
    assert [pass_at_k(n, c, k) for k in ks] == pytest.approx(case["expected"]["pass@k"], abs=1e-15)


def test_substrate_drift():
    given, expected = CASES["substrate.drift"]["inputs"], CASES["substrate.drift"]["expected"]
    both = given["right_before"] - given["regressed"]
    a, b = pairs(
        both, given["regressed"], given["improved"], given["n"] - both - given["regressed"] - given["improved"]
    )
    found = rate_drift(Benchmark("skill", 0.1, "greedy"), "rl", records(a), records(b))
    assert found is not None and found.n == given["n"]
    assert found.diff == pytest.approx(expected["drift"], abs=1e-12)
    assert paired_difference(a, b).se == pytest.approx(expected["paired_se"], abs=1e-12)
    assert found.z == pytest.approx(expected["z"], abs=1e-9)
    assert found.flagged is expected["flag"] and found.can_show


def test_paired_gap():
    given, expected = CASES["contamination.paired_gap"]["inputs"], CASES["contamination.paired_gap"]["expected"]
    canonical, paraphrase = pairs(
        given["both_right"], given["canonical_only"], given["paraphrase_only"], given["both_wrong"]
    )
    found = paired_difference(paraphrase, canonical)
    assert found.diff == pytest.approx(expected["gap"], abs=1e-12)
    assert found.se == pytest.approx(expected["se"], abs=1e-12)
    assert found.p_value == pytest.approx(expected["p"], abs=1e-12)
    assert mcnemar(given["canonical_only"], given["paraphrase_only"]) == pytest.approx(expected["p"], abs=1e-12)
    flips = compare("canonical", records(canonical), "paraphrase", records(paraphrase), "greedy")
    assert flips is not None and (flips.flips.gained, flips.flips.lost) == (5, 20)
