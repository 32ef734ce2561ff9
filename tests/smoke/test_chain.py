"""The road on the embedded task, from blank weights to the verdict: what recipes/chain.yaml claims holds for a seed drawn now.

One run takes about two minutes of one CPU core. tests/slow/test_chain_seeds.py does the same for the documented seeds.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark_scripts import FOLDER, benchmark

chain = benchmark("chain")
ROOT = FOLDER.parent


def test_the_claims_hold_for_a_seed_nobody_chose(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**31)
    found = chain.collect(chain.travel(tmp_path, seed))
    assert found.seed == seed
    assert chain.failures(found) == [], f"seed {seed}: {found}"
    a_hundredfold_learning_rate_is_diagnosed(tmp_path, seed)


def a_hundredfold_learning_rate_is_diagnosed(folder: Path, seed: int) -> None:
    """From the same start. Where the policy still guesses right now and then a rule says it, else the gate stops the stage."""
    run = folder / "unstable"
    command = [sys.executable, "-m", "earnest", "run", str(chain.RECIPE), "--seed", str(seed), "--run-dir", str(run)]
    done = subprocess.run([*command, "--set", "rl.lr=3e-2"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    events = [json.loads(line) for line in (run / "rl" / "events.jsonl").read_text().splitlines()]
    stopped = [e for e in events if e.get("gate") == "learning" and "smaller lr" in e.get("remedy", "")]
    said = [e for e in events if e.get("rule") == "H15" and "A smaller lr" in e["message"]]
    assert (stopped and not (run / "rl" / "model").exists()) or said


def good() -> Any:
    return chain.Seed(
        seed=0, verdict="learned", worked_accuracy=0.96, worked_steps=400, sft_sampled=0.31, rl_sampled=0.98,
        more_sampled=0.33, sft_greedy=0.1, rl_greedy=1.0, more_greedy=0.1, gain=0.67, more_gain=0.02, sft_tokens=9.0,
        rl_tokens=27.0, sft_format=0.99, rl_format=0.99, drift=0.0, drift_flagged=False, cpu_s=100.0, wall_s=100.0,
        intervals={"gain": (0.64, 0.69)},
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"worked_accuracy": 0.94}, {"rl_sampled": 0.89}, {"rl_greedy": 0.94}, {"intervals": {"gain": (0.24, 0.6)}},
        {"rl_tokens": 9.0}, {"sft_format": 0.97}, {"rl_format": 0.97}, {"more_gain": 0.34}, {"verdict": "not shown"},
    ],
)  # fmt: skip
def test_a_broken_claim_is_named(change: dict[str, Any]) -> None:
    assert chain.failures(good()) == []
    assert len(chain.failures(replace(good(), **change))) == 1


def test_the_section_replaces_its_own_lines_only(tmp_path: Path) -> None:
    file = tmp_path / "results.md"
    file.write_text("# Results\n\n## A real model\n\ntext\n")
    for seeds in ([good()], [good(), replace(good(), seed=7, rl_sampled=0.5)]):
        chain.write_section("chain", chain.section(seeds, "command", "machine"), file)
    text = file.read_text()
    assert text.startswith("# Results\n\n## A real model\n\ntext\n\n## chain\n")
    assert text.count("<!-- chain:begin -->") == text.count("<!-- chain:end -->") == 1
    assert "| Sampled pass, after RL | 98.0 % | 50.0 % | 74.0 % [-230.9, 378.9] |" in text
    assert "seed 7: the sampled pass rate after RL is 0.500, not 0.90" in text


def test_a_run_of_another_recipe_is_not_reused(tmp_path: Path) -> None:
    run = tmp_path / "seed-3"
    (run / "config").mkdir(parents=True)
    (run / "config" / "resolved.json").write_text(json.dumps({"name": "another"}))
    (run / "run.json").write_text(json.dumps({"status": "done"}))
    with pytest.raises(SystemExit, match="another recipe"):
        chain.travel(tmp_path, 3)
