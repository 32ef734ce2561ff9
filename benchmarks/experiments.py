"""The experiments of recipes/experiments/ over several seeds, and the section `experiments` of docs/results.md.

    python benchmarks/experiments.py                        all of them; about an hour of one CPU core
    python benchmarks/experiments.py --only kl --seeds 0 1 --jobs 2 --json

Runs are made, resumed or read as in benchmarks/chain.py and lie beside its own, so that a seed's SFT checkpoint is made once. A
prediction that is missed is a result and is said; what cannot be read ends the script (exit code 1).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runs import ROOT, describe_machine, finished, write_section
from trials.algorithms import Clips, Dpo, Ppo
from trials.base import Experiment
from trials.dead_zone import DeadZone
from trials.kl import Kl
from trials.length_bias import LengthBias
from trials.starts import MoreSft, PassAtK, R1Zero, TooEarly

EXPERIMENTS: Sequence[Experiment] = (
    LengthBias(), DeadZone(), Ppo(), Clips(), Kl(), Dpo(), PassAtK(), TooEarly(), R1Zero(), MoreSft(),
)  # fmt: skip


def make(
    chosen: Sequence[Experiment], runs: Path, seeds: Sequence[int] | None, jobs: int
) -> dict[tuple[str, int], Path]:
    """Every run that is asked for. Those of a seed come one after the other, because they share stages."""
    wanted = {e.name: e.seeds if seeds is None else tuple(seeds) for e in chosen}

    def of_seed(seed: int) -> dict[tuple[str, int], Path]:
        own = [e for e in chosen if seed in wanted[e.name]]
        return {(e.name, seed): finished(e.recipe, e.run_of(runs, seed), seed) for e in own}

    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(of_seed, sorted({seed for own in wanted.values() for seed in own})))
    return {key: run for part in parts for key, run in part.items()}


def told(experiment: Experiment, found: Sequence[Any], seeds: Sequence[int]) -> list[str]:
    """An experiment's part of the section."""
    result = experiment.tell(found)
    over = f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} ({', '.join(map(str, seeds))})"
    kind = "intervals over seeds" if len(seeds) >= 5 else "direction only"
    return [
        f"### {experiment.title}", "", f"{experiment.question} `{experiment.recipe}`, {over}, {kind}.", "",
        *result.table, "", *map(str, result.claims), "",
    ]  # fmt: skip


INTRO = """\
What each was expected to show, and why, stands in the opening comment of its recipe, and was written down before the runs that
are reported here; seed 100 was used to see that a recipe can work at all, and what was changed after it is said there. Means over
seeds with a t interval at 95 %. With five seeds a difference counts if its interval says so, with three if every seed does.
Test pass rates are of 400 problems with 2 samples each at T = 1, unless said otherwise."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", choices=[e.name for e in EXPERIMENTS], help="these alone")
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of five or three, as the experiment says")
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "chain-seeds", help="where runs lie and are looked for"
    )
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time")
    parser.add_argument("--json", action="store_true", help="one JSON line; docs/results.md is left as it is")
    options = parser.parse_args()
    chosen = [e for e in EXPERIMENTS if options.only is None or e.name in options.only]
    runs = make(chosen, options.runs.resolve(), options.seeds, options.jobs)
    texts: list[str] = []
    read: dict[str, Any] = {}
    for experiment in chosen:
        seeds = [seed for name, seed in runs if name == experiment.name]
        found = [experiment.read(runs[experiment.name, seed]) for seed in seeds]
        texts += told(experiment, found, seeds)
        claims = [asdict(claim) for claim in experiment.tell(found).claims]
        read[experiment.name] = {"seeds": seeds, "found": [asdict(one) for one in found], "claims": claims}
    if options.json:
        print(json.dumps(read))
        return 0
    arguments = "".join(f" --{k} {' '.join(map(str, v))}" for k in ("only", "seeds") if (v := getattr(options, k)))
    command = f"    .venv/bin/python benchmarks/experiments.py{arguments}"
    section = "\n".join([command, "", describe_machine(next(iter(runs.values()))), INTRO, "", *texts]).rstrip()
    print(section)
    if options.only is None and options.seeds is None:
        write_section("experiments", section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
