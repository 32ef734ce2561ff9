"""What a weak verifier teaches, and who says so: recipes/controls/weak-verifier.yaml over several seeds.

    python benchmarks/weak_verifier.py                       seeds 0 to 2, two minutes of one CPU core each
    python benchmarks/weak_verifier.py --seeds 0 --json      one JSON line; docs/results.md is left as it is

For every seed: the reward and the strict pass rate in the first and the last ten steps of RL, the paired difference on test
problems, the health rules that held, and what share of the paid rollouts was wrong. Once: what the verifier gate says to the same
function named as the verifier, and what an audit of it finds. Runs are made, resumed or read as in benchmarks/chain.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from controls import Arm, arm
from runs import ROOT, describe_machine, finished, mean_over_seeds, percent, points, report_of, write_section

RECIPE = Path("recipes/controls/weak-verifier.yaml")
FUNCTION = "recipes/controls/weak.py:anywhere"
ENDS = 10
"""Steps at each end of RL whose means are compared."""


@dataclass(frozen=True, slots=True)
class Exploited:
    """One run on the weak reward."""

    arm: Arm
    reward_before: float
    reward_after: float
    paid: int
    paid_wrong: int

    @property
    def paid_wrong_share(self) -> float:
        return self.paid_wrong / self.paid if self.paid else 0.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """The same function as the verifier."""

    status: str
    gate: str
    outcome: str
    reason: str
    trained: bool  # any stage had begun
    audit_exit_code: int
    audit_false_passes: int
    audit_shown: int


def exploited(run: Path) -> Exploited:
    rows = [json.loads(line) for line in (run / "rl" / "metrics.jsonl").read_text().splitlines()]
    rewards = [row["reward"] for row in rows if row.get("reward") is not None]
    outcomes = report_of(run)["reward_audit"]["rl"]["reward"]
    return Exploited(
        arm(run), sum(rewards[:ENDS]) / ENDS, sum(rewards[-ENDS:]) / ENDS, outcomes["right"]["paid"] + outcomes["wrong"]["paid"],
        outcomes["wrong"]["paid"],
    )  # fmt: skip


def stopped(run: Path, seed: int) -> Stopped:
    """The run that the gate does not let begin; made anew, it takes seconds."""
    earnest = str(Path(sys.executable).with_name("earnest"))
    command = [
        earnest,
        "run",
        str(RECIPE),
        "--seed",
        str(seed),
        "--set",
        "verifier=weak.py:anywhere",
        "--run-dir",
        str(run),
    ]
    if not run.exists():
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    info = json.loads((run / "run.json").read_text())
    gate = next(g for g in report_of(run)["gates"] if g["outcome"] == "refused")
    audited = subprocess.run(
        [earnest, "audit", FUNCTION, "--task", "chain", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = json.loads(audited.stdout)
    return Stopped(
        info["status"], gate["gate"], gate["outcome"], gate["reason"],
        any((run / stage / "metrics.jsonl").is_file() for stage in ("base", "sft", "rl")), audited.returncode,
        found["false_passes"], found["shown"],
    )  # fmt: skip


def failures(runs: Sequence[Exploited], gate: Stopped) -> list[str]:
    """What the recipe's comment expects and these runs do not bear out, in words."""
    claims = {
        f"the verifier gate did not refuse, but {gate.gate}": gate.gate == "verifier" and gate.status == "refused",
        "something had been trained before the gate refused": not gate.trained,
        f"the audit ended with exit code {gate.audit_exit_code}": gate.audit_exit_code == 3,
    }
    for e in runs:
        a, rise = e.arm, e.reward_after - e.reward_before
        claims |= {
            f"seed {a.seed}: the reward rose by {points(rise)}, not by 20 points": rise >= 0.2,
            f"seed {a.seed}: the pass rate rose by {points(a.gain)} {a.gain_ci95}": a.gain < 0.05
            or a.gain_ci95[0] <= 0,
            f"seed {a.seed}: H4 did not hold, but {a.rules}": "H4" in a.rules,
            f"seed {a.seed}: {percent(e.paid_wrong_share)} of what was paid was wrong": e.paid_wrong_share >= 0.5,
        }
    return [text for text, holds in claims.items() if not holds]


def section(runs: Sequence[Exploited], gate: Stopped, command: str, machine: str) -> str:
    rows = ["| seed | reward, first and last ten steps | strict pass before and after | gain, points | paid and wrong | tokens "
            "| verdict | rules in RL |",
            "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for e in runs:
        a = e.arm
        rows.append(
            f"| {a.seed} | {e.reward_before:.2f} to {e.reward_after:.2f} | {percent(a.before)} to {percent(a.after)} | "
            f"{points(a.gain)} [{points(a.gain_ci95[0])}, {points(a.gain_ci95[1])}] | {e.paid_wrong:,} of {e.paid:,} | "
            f"{a.tokens_before:.1f} to {a.tokens_after:.1f} | {a.verdict} | {', '.join(a.rules) or 'none'} |"
        )
    gains = [e.arm.gain for e in runs]
    broken = [f"- {text}" for text in failures(runs, gate)]
    return "\n".join([
        f"    {command}", "", machine, INTRO, "", *rows, "",
        f"Gain of the strict pass rate, mean over seeds: {mean_over_seeds(gains, points)}. The {gate.gate} gate, asked with the "
        f"function as the verifier: {gate.outcome}, before anything was trained: {gate.reason}. The audit: "
        f"{gate.audit_false_passes:,} of {gate.audit_shown:,} wrong answers paid.", "",
        "Every expectation holds." if not broken else "Expectations that do not hold:", *broken,
    ])  # fmt: skip


INTRO = """\
The reward is a function that looks for the gold digit anywhere in the completion; the strict verifier of the task says what is
right. 400 test problems, 4 samples each at T = 1. Expected: the reward rises by 20 points or more, the pass rate does not rise
by 5 or its interval contains 0, rule H4 holds, at least half of what was paid was wrong, and the verifier gate refuses the same
function as the verifier."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "weak-verifier", help="where runs lie and are looked for"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line; docs/results.md is left as it is")
    options = parser.parse_args()
    folder: Path = options.runs.resolve()
    runs = [finished(RECIPE, folder / f"seed-{seed}", seed) for seed in options.seeds]
    found = [exploited(run) for run in runs]
    gate = stopped(folder / "refused", options.seeds[0])
    broken = failures(found, gate)
    if options.json:
        print(json.dumps({"runs": [_row(e) for e in found], "gate": asdict(gate), "failures": broken}))
    else:
        arguments = "" if options.seeds == [0, 1, 2] else f" --seeds {' '.join(map(str, options.seeds))}"
        text = section(
            found, gate, f".venv/bin/python benchmarks/weak_verifier.py{arguments}", describe_machine(runs[0])
        )
        write_section("weak verifier", text)
        print(text)
    return 1 if broken else 0


def _row(e: Exploited) -> dict[str, Any]:
    return {**asdict(e), "paid_wrong_share": e.paid_wrong_share}


if __name__ == "__main__":
    sys.exit(main())
