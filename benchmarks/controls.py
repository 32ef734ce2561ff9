"""The control recipes of recipes/controls/ over several seeds, and the section `controls` of docs/results.md.

    python benchmarks/controls.py                       seeds 0 to 4; needs about ten minutes of one CPU core
    python benchmarks/controls.py --seeds 0 1 --jobs 2 --json

A control differs from recipes/chain.yaml in the one thing that its opening comment names, so that most stages are taken from runs
that lie in the same folder. Runs are made, resumed or read as in benchmarks/chain.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runs import ROOT, describe_machine, finished, mean_over_seeds, number, percent, points, report_of, write_section

from earnest.functional.stats import spread_over_seeds

CONTROLS = ("random-reward", "format-only", "no-worked-traces", "stopped-early", "truncation")
ONCE = ("no-worked-traces", "truncation")
"""Controls whose outcome is a sentence and no number: one seed shows it."""


def travel(runs: Path, control: str, seed: int) -> Path:
    return finished(Path(f"recipes/controls/{control}.yaml"), runs / f"{control}-seed-{seed}", seed)


@dataclass(frozen=True, slots=True)
class Arm:
    """One model against the one it was trained from: rates before and after, and the paired difference of pass rates."""

    seed: int
    model: str
    verdict: str
    before: float
    after: float
    gain: float
    gain_ci95: tuple[float, float]
    format_before: float
    format_after: float
    tokens_before: float
    tokens_after: float
    rules: tuple[str, ...]  # health rules that held in the stage


@dataclass(frozen=True, slots=True)
class Refused:
    """A run that a gate did not let begin."""

    seed: int
    verdict: str
    gate: str
    reason: str
    mixed: float


def arm(run: Path, model: str = "rl", start: str = "sft") -> Arm:
    report = report_of(run)
    found = next((c for c in report["comparisons"] if (c["a"], c["b"], c["metric"]) == (start, model, "sampled")), None)
    if found is None:  # a control arm: its own records against its start's
        found = _paired(run, report["evaluation"], start, model)
    before, after = report["models"][start], report["models"][model]
    return Arm(
        seed=report["seed"], model=model, verdict=report["verdict"],
        before=before["verifier_pass"]["sampled"]["value"], after=after["verifier_pass"]["sampled"]["value"],
        gain=found["diff"], gain_ci95=(found["ci95"][0], found["ci95"][1]),
        format_before=before["trace_format"]["value"], format_after=after["trace_format"]["value"],
        tokens_before=before["tokens_mean"]["value"], tokens_after=after["tokens_mean"]["value"],
        rules=tuple(dict.fromkeys(s["rule"] for s in report["health"] if s["stage"] == model)),
    )  # fmt: skip


def _paired(run: Path, evaluation: str, start: str, model: str) -> dict[str, Any]:
    from earnest.data.store import read_records
    from earnest.evaluate.compare import compare

    a, b = (list(read_records(run / evaluation / name / "sampled.jsonl")) for name in (start, model))
    found = compare(start, a, model, b, "sampled")
    assert found is not None and found.ci95 is not None
    return {"diff": found.diff, "ci95": found.ci95}


def refused(run: Path) -> Refused:
    report = report_of(run)
    gate = next(g for g in report["gates"] if g["outcome"] == "refused")
    return Refused(
        report["seed"], report["verdict"], gate["gate"], gate["reason"], gate["numbers"].get("mixed", float("nan"))
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Everything the controls say."""

    true: Sequence[Arm]
    random: Sequence[Arm]
    format: Sequence[Arm]
    early: Sequence[Arm]
    truncated: Arm
    untaught: Refused


def collect(runs: dict[tuple[str, int], Path], seeds: Sequence[int]) -> Found:
    first = seeds[0]
    return Found(
        true=[arm(runs["random-reward", s]) for s in seeds],
        random=[arm(runs["random-reward", s], "rl_random") for s in seeds],
        format=[arm(runs["format-only", s]) for s in seeds if ("format-only", s) in runs],
        early=[arm(runs["stopped-early", s], "worked", "direct") for s in seeds if ("stopped-early", s) in runs],
        truncated=arm(runs["truncation", first], start="worked"),
        untaught=refused(runs["no-worked-traces", first]),
    )


def failures(found: Found) -> list[str]:
    """What the control recipes' comments expect and these runs do not bear out, in words; [] if they bear out all."""
    true = min(a.gain for a in found.true)
    gains = [a.gain for a in found.random]
    spread = spread_over_seeds(gains).ci95
    largest = max(gains, key=abs)
    claims = {
        f"random reward: the interval of the gain over seeds, {spread}, does not contain 0": spread is None
        or spread[0] <= 0 <= spread[1],
        f"random reward: a gain of {points(largest)} is a quarter of the true reward's {points(true)} or more": abs(
            largest
        )
        < true / 4,
        f"no worked traces: the gate '{found.untaught.gate}' refused, not 'support'": found.untaught.gate == "support",
        f"no worked traces: verdict '{found.untaught.verdict}'": found.untaught.verdict == "no signal",
        f"truncation: H3 did not hold, but {found.truncated.rules}": "H3" in found.truncated.rules,
    }
    for a in found.format:
        claims |= {
            f"format only, seed {a.seed}: format rose by {points(a.format_after - a.format_before)}, not by 30 points":
            a.format_after - a.format_before >= 0.3,
            f"format only, seed {a.seed}: the interval of the pass rate, {a.gain_ci95}, does not contain 0":
            a.gain_ci95[0] <= 0 <= a.gain_ci95[1],
            f"format only, seed {a.seed}: H5 did not hold, but {a.rules}": "H5" in a.rules,
        }  # fmt: skip
    for a in found.early:
        claims |= {
            f"stopped early, seed {a.seed}: {a.tokens_before:.1f} tokens became {a.tokens_after:.1f}": a.tokens_after
            > 2 * a.tokens_before,
            f"stopped early, seed {a.seed}: the verdict is '{a.verdict}'": a.verdict == "not shown",
        }
    return [text for text, holds in claims.items() if not holds]


# ------------------------------------------------------------------------------------------------------ docs/results.md


def section(found: Found, command: str, machine: str) -> str:
    """The section as Markdown."""
    seeds = len(found.true)
    rows = ["| arm | pass before | pass after | gain, points, mean over seeds | smallest and largest gain | format | tokens |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    arms = (("the verifier's reward", found.true), ("random reward", found.random), ("format alone", found.format),
            ("stopped early", found.early), ("truncation", [found.truncated]))  # fmt: skip
    for name, runs in arms:
        gains = [a.gain for a in runs]
        rows.append("| " + " | ".join([
            f"{name}, {len(runs)} seed{'s' if len(runs) > 1 else ''}", _change(runs, "before", percent),
            _change(runs, "after", percent), mean_over_seeds(gains, points), f"{points(min(gains))}, {points(max(gains))}",
            f"{_change(runs, 'format_before', percent)} to {_change(runs, 'format_after', percent)}",
            f"{_change(runs, 'tokens_before', number)} to {_change(runs, 'tokens_after', number)}",
        ]) + " |")  # fmt: skip
    broken = [f"- {text}" for text in failures(found)]
    held = "Every expectation holds." if not broken else "Expectations that do not hold:"
    rules = [f"Health rules that held in the RL stage: format alone {_rules(found.format)}; "
             f"truncation {_rules([found.truncated])}.",
             f"No worked traces: {found.untaught.verdict}; the {found.untaught.gate} gate: {found.untaught.reason}."]  # fmt: skip
    return "\n".join(
        [f"    {command}", "", machine, INTRO.format(seeds=seeds), "", *rows, "", *rules, "", held, *broken]
    )


INTRO = """\
Each control differs from recipes/chain.yaml in what its opening comment names. 400 test problems, 4 samples each at T = 1;
means over {seeds} seeds with a t interval over seeds. Expected: under a random reward the interval of the gain contains 0 and
no gain is a quarter of the true reward's; format alone raises the format by 30 points and the interval of the pass rate
contains 0 in each run; imitation stopped early makes completions more than twice as long and the verdict `not shown`; without
worked traces the support gate refuses; a limit below what an answer takes is named by rule H3. `tests/smoke/test_controls.py`
checks the random reward for these five seeds, the others for seed 0."""


def _change(runs: Sequence[Arm], name: str, show: Any) -> str:
    return show(sum(getattr(a, name) for a in runs) / len(runs))


def _rules(runs: Sequence[Arm]) -> str:
    found = [f"seed {a.seed}: {', '.join(a.rules) or 'none'}" for a in runs]
    return "; ".join(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "chain-seeds", help="where runs lie and are looked for"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--json", action="store_true", help="one JSON line; docs/results.md is left as it is")
    options = parser.parse_args()
    runs = make(options.runs.resolve(), options.seeds, options.jobs)
    found = collect(runs, options.seeds)
    broken = failures(found)
    if options.json:
        print(json.dumps({**asdict(found), "failures": broken}))
    else:
        arguments = "" if options.seeds == [0, 1, 2, 3, 4] else f" --seeds {' '.join(map(str, options.seeds))}"
        first = runs["random-reward", options.seeds[0]]
        text = section(found, f".venv/bin/python benchmarks/controls.py{arguments}", describe_machine(first))
        write_section("controls", text)
        print(text)
    return 1 if broken else 0


def make(runs: Path, seeds: Sequence[int], jobs: int, once: Sequence[str] = ONCE) -> dict[tuple[str, int], Path]:
    """Every control for every seed, those of `once` for the first alone; a seed's runs in turn, because they share stages."""

    def of_seed(seed: int) -> dict[tuple[str, int], Path]:
        chosen = [c for c in CONTROLS if c not in once or seed == seeds[0]]
        return {(control, seed): travel(runs, control, seed) for control in chosen}

    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(of_seed, seeds))
    return {key: run for part in parts for key, run in part.items()}


if __name__ == "__main__":
    sys.exit(main())
