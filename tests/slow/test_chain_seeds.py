"""What recipes/chain.yaml claims holds for the seeds of docs/results.md and for one more, drawn when the test runs."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "chain.py"
DRAWN = "drawn"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, DRAWN])
def test_the_claims_hold(seed: int | str, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("chain_benchmark_slow", BENCHMARK)
    assert spec is not None and spec.loader is not None
    chain = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = chain
    spec.loader.exec_module(chain)
    chosen = random.SystemRandom().randrange(2**31) if seed == DRAWN else seed
    found = chain.collect(chain.travel(tmp_path, chosen))
    assert found.seed == chosen
    assert chain.failures(found) == [], f"seed {chosen}: {found}"
