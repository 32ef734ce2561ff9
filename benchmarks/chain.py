"""The recipe recipes/chain.yaml over several seeds: runs what is not run yet, and writes the section `chain` of docs/results.md.

    python benchmarks/chain.py                          seeds 0, 1, 2, one after the other
    python benchmarks/chain.py --seeds 0 1 2 7 --jobs 2 --json

A run lies in RUNS/seed-N. One that is finished is read, one that was interrupted is resumed, so the command may be stopped and
given again. Every number comes from a run's own files; only CPU seconds are measured here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earnest.functional.stats import spread_over_seeds

ROOT = Path(__file__).resolve().parents[1]
RECIPE = Path("recipes/chain.yaml")
RESULTS = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- chain:begin -->", "<!-- chain:end -->"


def travel(runs: Path, seed: int, threads: int) -> Path:
    """The finished run of one seed: read, resumed or made."""
    run = runs / f"seed-{seed}"
    if (run / "run.json").is_file():
        info = json.loads((run / "run.json").read_text())
        if (run / "config" / "launch.yaml").read_text() != (ROOT / RECIPE).read_text() or info["sets"] != [
            f"threads={threads}"
        ]:
            raise SystemExit(f"{run} is of another recipe or thread count: name another --runs, or delete it yourself")
        if info["status"] in ("done", "refused"):
            return run
        command = ["resume", str(run)]
    else:
        command = ["run", str(RECIPE), "--seed", str(seed), "--set", f"threads={threads}", "--run-dir", str(run)]
    print(f"seed {seed}: earnest {' '.join(command)}", file=sys.stderr, flush=True)
    child = subprocess.Popen(
        [str(Path(sys.executable).with_name("earnest")), *command], cwd=ROOT, stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )  # fmt: skip
    _, status, usage = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):  # 3: a verdict or a gate's refusal, which is a result
        raise SystemExit(f"seed {seed} failed with exit code {code}: earnest resume {run}")
    spent = run / "cpu.json"
    before = json.loads(spent.read_text())["cpu_s"] if spent.is_file() else 0.0
    spent.write_text(json.dumps({"cpu_s": before + usage.ru_utime + usage.ru_stime}) + "\n")
    return run
