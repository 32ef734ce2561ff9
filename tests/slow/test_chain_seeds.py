"""What recipes/chain.yaml claims holds for the seeds of docs/results.md and for one more, drawn when the test runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmark_scripts import benchmark

DRAWN = "drawn"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, DRAWN])
def test_the_claims_hold(seed: int | str, tmp_path: Path) -> None:
    chain = benchmark("chain")
    chosen = random.SystemRandom().randrange(2**31) if seed == DRAWN else seed
    found = chain.collect(chain.travel(tmp_path, chosen))
    assert found.seed == chosen
    assert chain.failures(found) == [], f"seed {chosen}: {found}"
