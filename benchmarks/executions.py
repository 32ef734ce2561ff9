"""How many programs a second the sandbox runs warm, and how long a Metamath proof takes to check.

    python benchmarks/executions.py --json

Every program is another one, so that none is answered from what ran before. One thread asks, so one worker runs at a time and the
rate is that of one core; beside it that of as many threads as there are processors. `functional` and `stdio` are one job each,
`assert` is two: the program's and the tests'. Proofs are all those of ql.mm (beside EARNEST_DATA), checked one by one in this
process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from earnest.prompts.parse import split_thought
from earnest.tasks.metamath import Metamath
from earnest.types import Item, Json, Problem
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.code import Code
from earnest.verifiers.proof import Proof

PROGRAMS: dict[str, tuple[dict[str, Json], Callable[[int], str]]] = {
    "functional": (
        {"kind": "functional", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}]},
        lambda n: f"def add(a, b):\n    return a + b + {n} - {n}",
    ),
    "stdio": (
        {"kind": "stdio", "tests": [{"stdin": "1 2\n", "stdout": "3\n"}]},
        lambda n: f"print(sum(map(int, input().split())) + {n} - {n})",
    ),
    "assert": (
        {"kind": "assert", "entry_point": "add", "tests": ["assert add(1, 2) == 3"]},
        lambda n: f"def add(a, b):\n    return a + b + {n} - {n}",
    ),
}


def item(gold: dict[str, Json], text: str) -> Item:
    problem = Problem(id="p", task="executions", prompt="?", answer=golds.write(gold))
    parsed = split_thought(text, opened=False, required=False)
    return Item(problem=problem, parsed=parsed, truncated=False)


def rate(verifier: Verifier, items: list[Item], threads: int) -> float:
    """Verdicts a second, all of which must be right."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        verdicts = list(pool.map(lambda one: verifier.judge([one])[0], items))
    spent = time.perf_counter() - begun
    assert all(v.correct for v in verdicts), next(v for v in verdicts if not v.correct)
    return len(items) / spent


def executions(count: int) -> dict[str, Any]:
    verifier, cores = Code(), os.cpu_count() or 1
    found: dict[str, Any] = {}
    for kind, (gold, program) in PROGRAMS.items():
        items = [item(gold, f"```python\n{program(n)}\n```") for n in range(count + 50)]
        rate(verifier, items[:50], cores)  # the servers start
        found[kind] = {"one_core": rate(verifier, items[50:], 1), f"{cores}_threads": rate(verifier, items[50:], cores)}
    return found


def proofs() -> dict[str, Any]:
    if "EARNEST_DATA" not in os.environ:
        return {}
    task, verifier = Metamath(path=str(Path(os.environ["EARNEST_DATA"]).parent / "verify/metamath/ql.mm")), Proof()
    ms = list[float]()
    for split in task.splits:
        for problem in task.problems(split):
            gold = task.gold(problem)
            assert gold is not None
            asked = Item(
                problem=problem, parsed=split_thought(gold.answer, opened=False, required=False), truncated=False
            )
            begun = time.perf_counter()
            (verdict,) = verifier.judge([asked])
            ms.append(1000 * (time.perf_counter() - begun))
            assert verdict.correct, (problem.id, verdict)
    return {"n": len(ms), "ms_median": statistics.median(ms), "ms_p99": sorted(ms)[int(0.99 * len(ms))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=1000, help="programs of each kind")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    args = parser.parse_args()
    found = {"executions_per_s": executions(args.count), "proofs": proofs()}
    print(json.dumps(found) if args.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
