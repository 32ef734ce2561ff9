"""The recipe recipes/chain.yaml over several seeds: runs what is not run yet, and writes the section `chain` of docs/results.md.

    python benchmarks/chain.py                          seeds 0, 1, 2, one after the other
    python benchmarks/chain.py --seeds 0 1 2 7 --jobs 2 --json

A run lies in RUNS/seed-N. One that is finished is read, one that was interrupted is resumed, so the command may be stopped and
given again. Every number comes from a run's own files; only CPU seconds are measured here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from runs import ROOT, describe_machine, finished, mean_over_seeds, number, percent, points, without_unit, write_section

RECIPE = Path("recipes/chain.yaml")


def travel(runs: Path, seed: int) -> Path:
    """The finished run of one seed: read, resumed or made."""
    return finished(RECIPE, runs / f"seed-{seed}", seed)


@dataclass(frozen=True, slots=True)
class Seed:
    """What one run says. Rates are fractions, differences b minus a; `ci95` of the same name in `intervals`."""

    seed: int
    verdict: str
    worked_accuracy: float  # pass rate at T = 1 on dev problems, once a completion began as a worked one
    worked_steps: int
    sft_sampled: float
    rl_sampled: float
    more_sampled: float
    sft_greedy: float
    rl_greedy: float
    more_greedy: float
    gain: float  # rl minus sft, sampled, paired
    more_gain: float  # sft_more minus sft, sampled
    sft_tokens: float
    rl_tokens: float
    sft_format: float
    rl_format: float
    drift: float  # the base's skills, greedy: rl minus base
    drift_flagged: bool
    cpu_s: float | None
    wall_s: float
    intervals: dict[str, tuple[float, float]]


def collect(run: Path) -> Seed:
    """The numbers of a finished run."""
    report = json.loads((run / "report" / "report.json").read_text())
    if not {"sft", "rl", "sft_more"} <= report["models"].keys():
        raise SystemExit(
            f"{run} ended as '{report['verdict']}' without evaluating every model: {report['verdict_sentence']}"
        )
    rows = [json.loads(line) for line in (run / "worked" / "metrics.jsonl").read_text().splitlines()]
    probes = [row["dev/worked_accuracy"] for row in rows if "dev/worked_accuracy" in row]
    claim = next(c for c in report["comparisons"] if c["role"] == "claim" and c["metric"] == "sampled")
    assert (claim["a"], claim["b"]) == ("sft", "rl"), claim
    drift = next(d for d in report["drift"] if d["model"] == "rl" and d["name"] == "skills")
    intervals = {"gain": tuple(claim["ci95"]), "drift": tuple(drift["ci95"])}
    values: dict[str, float] = {}
    for short, model in (("sft", "sft"), ("rl", "rl"), ("more", "sft_more")):
        found = report["models"][model]
        rates = {**{k: found["verifier_pass"][k] for k in ("sampled", "greedy")}, "tokens": found["tokens_mean"]}
        for name, rate in {**rates, "format": found["trace_format"]}.items():
            values[f"{short}_{name}"] = rate["value"]
            intervals[f"{short}_{name}"] = tuple(rate["ci95"])
    cpu = run / "cpu.json"
    return Seed(
        seed=report["seed"], verdict=report["verdict"], worked_accuracy=probes[-1], worked_steps=rows[-1]["step"],
        **{name: values[name] for name in values if name not in ("more_tokens", "more_format")}, gain=claim["diff"],
        more_gain=values["more_sampled"] - values["sft_sampled"], drift=drift["diff"], drift_flagged=drift["flagged"],
        cpu_s=json.loads(cpu.read_text())["cpu_s"] if cpu.is_file() else None, wall_s=report["wall_s"],
        intervals=intervals,
    )  # fmt: skip


def failures(s: Seed) -> list[str]:
    """The claims of recipes/chain.yaml that this run does not bear out, in words; [] if it bears out all."""
    claims = {
        f"the worked branch is right in {s.worked_accuracy:.3f} of dev samples, not in 0.95": s.worked_accuracy >= 0.95,
        f"the sampled pass rate after RL is {s.rl_sampled:.3f}, not 0.90": s.rl_sampled >= 0.90,
        f"the greedy pass rate after RL is {s.rl_greedy:.3f}, not 0.95": s.rl_greedy >= 0.95,
        f"the paired sampled gain may be as low as {s.intervals['gain'][0]:+.3f}, not +0.25": s.intervals["gain"][0]
        >= 0.25,
        f"completions do not grow: {s.sft_tokens:.1f} to {s.rl_tokens:.1f} tokens": s.rl_tokens > s.sft_tokens,
        f"the format rate before RL is {s.sft_format:.4f}, not 0.98": s.sft_format >= 0.98,
        f"the format rate after RL is {s.rl_format:.4f}, not 0.98": s.rl_format >= 0.98,
        f"more imitation gains {s.more_gain:+.3f}, half of RL's {s.gain:+.3f} or more": s.more_gain < s.gain / 2,
        f"the verdict is '{s.verdict}', not 'learned'": s.verdict == "learned",
    }
    return [text for text, holds in claims.items() if not holds]


# ------------------------------------------------------------------------------------------------------ docs/results.md

Row = tuple[str, str, Callable[[float], str]]


ROWS: Sequence[Row] = (
    ("Worked branch, T = 1, dev (last probe)", "worked_accuracy", percent),
    ("Steps until then (at most 1400)", "worked_steps", lambda x: f"{x:.0f}"),
    ("Sampled pass, before RL", "sft_sampled", percent),
    ("Sampled pass, after RL", "rl_sampled", percent),
    ("Sampled pass, same compute on more SFT", "more_sampled", percent),
    ("Greedy pass, before RL", "sft_greedy", percent),
    ("Greedy pass, after RL", "rl_greedy", percent),
    ("Greedy pass, same compute on more SFT", "more_greedy", percent),
    ("Paired gain of RL, sampled, points", "gain", points),
    ("Gain of more SFT, sampled, points", "more_gain", points),
    ("Tokens a completion, before RL", "sft_tokens", number),
    ("Tokens a completion, after RL", "rl_tokens", number),
    ("Trace format, before RL", "sft_format", percent),
    ("Trace format, after RL", "rl_format", percent),
    ("Drift of the base's skills after RL, points", "drift", points),
    ("CPU seconds of the whole road", "cpu_s", lambda x: f"{x:.0f}"),
    ("Wall-clock seconds (shared machine)", "wall_s", lambda x: f"{x:.0f}"),
)


def section(seeds: Sequence[Seed], command: str, machine: str) -> str:
    """The section as Markdown: one column per seed, then the mean over seeds with its t interval."""
    head = ["", *(f"seed {s.seed}" for s in seeds), f"mean of {len(seeds)} [95 % over seeds]"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for label, name, show in ROWS:
        values = [getattr(s, name) for s in seeds]
        cells = [_cell(s, name, show) for s in seeds]
        known = [v for v in values if v is not None]
        lines.append(f"| {label} | {' | '.join(cells)} | {mean_over_seeds(known, show)} |")
    lines.append("| Verdict | " + " | ".join(s.verdict for s in seeds) + " | |")
    broken = [f"- seed {s.seed}: {text}" for s in seeds for text in failures(s)]
    held = f"Every claim below holds for each of the {len(seeds)} seeds." if not broken else "Claims that do not hold:"
    return "\n".join([f"    {command}", "", machine, INTRO, "", *lines, "", held, *broken, "", CLAIMS])


CLAIMS = """\
Claims (`tests/smoke/test_chain.py` checks them for a seed drawn when it runs, `tests/slow/test_chain_seeds.py` for 0, 1, 2 and
another): worked branch at least 95 %; after RL at least 90 % sampled and 95 % greedy; the lower end of the paired gain at least
+25 points; longer completions; trace format at least 98 % before and after; more SFT gains less than half of what RL gains;
the verdict is `learned`.

What it does not show: that RL taught arithmetic. The checkpoint `worked`, before the direct answers were mixed in, is about as
good as the one after RL (each run's report says so). RL moved the policy from the branch it mostly imitated to the one that is
right. Nor does it say anything about another task or a larger model."""

INTRO = """\
400 test problems that no stage saw, 4 samples each at T = 1 and one greedy completion. An interval in a seed's column speaks of
other problems for the same checkpoint, the last column of other seeds for the same recipe (t interval)."""


def _cell(s: Seed, name: str, show: Callable[[float], str]) -> str:
    value, interval = getattr(s, name), s.intervals.get(name)
    if value is None:
        return "?"
    flag = " (flagged)" if name == "drift" and s.drift_flagged else ""
    return (
        show(value)
        + (f" [{without_unit(show, interval[0])}, {without_unit(show, interval[1])}]" if interval else "")
        + flag
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "chain-seeds", help="where runs lie and are looked for"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--json", action="store_true", help="one JSON line; docs/results.md is left as it is")
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(lambda seed: travel(options.runs.resolve(), seed), options.seeds))
    seeds = [collect(run) for run in runs]
    broken = {s.seed: failures(s) for s in seeds if failures(s)}
    if options.json:
        print(json.dumps({"seeds": [asdict(s) for s in seeds], "failures": broken}))
    else:
        arguments = "" if options.seeds == [0, 1, 2] else f" --seeds {' '.join(map(str, options.seeds))}"
        text = section(seeds, f".venv/bin/python benchmarks/chain.py{arguments}", describe_machine(runs[0]))
        write_section("chain", text)
        print(text)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
