"""Every number of report.json, made again from the stored lines by a script that knows nothing of the package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earnest.data.store import to_json
from earnest.evaluate.report.write import write_report
from earnest.types import Record, Status
from report_runs import RECOUNT, RunOnDisk, assert_equal, record, recount


def agree(run: Path) -> int:
    write_report(run)
    reported, counted = json.loads((run / "report" / "report.json").read_text(encoding="utf-8")), recount(run)
    for part in ("models", "curves", "reward_audit", "seconds_by_phase"):
        assert set(reported[part]) == set(counted[part]), part
    assert (
        reported["headline"]["verifier_pass"]["value"] == reported["models"]["rl"]["verifier_pass"]["sampled"]["value"]
    )
    return assert_equal(reported, counted)


# ------------------------------------------------------------------------------------------------ a run of every kind of row


def asked(
    draw: np.random.Generator, skill: np.ndarray, k: int, *, greedy: bool = False, longer: int = 0
) -> list[Record]:
    """Judged completions of problems with the given chances: votes, ties, failed gradings, cut ones, no answers."""
    found = []
    for number, chance in enumerate(skill):
        for index in range(k):
            kind = draw.random()
            status = (
                Status.ERROR if kind < 0.03 else Status.TRUNCATED if kind < 0.07 else Status.NO_ANSWER if kind < 0.1
                else Status.OK
            )  # fmt: skip
            right = None if status is Status.ERROR else status is Status.OK and bool(draw.random() < chance)
            tokens = 5 + longer + int(draw.integers(0, 9)) + 4 * (right is True)
            read = "7" if right else str(draw.integers(0, 3))
            found.append(
                _read(record(f"p{number:03}", index, right, tokens=tokens, greedy=greedy, status=status), read)
            )
    return found


def _read(found: Record, read: str) -> Record:
    import dataclasses

    extracted = read if found.verdict.status is Status.OK else None
    return dataclasses.replace(found, verdict=dataclasses.replace(found.verdict, extracted=extracted))


def rollouts(draw: np.random.Generator, steps: int, *, paid: bool) -> list[dict[str, Any]]:
    """Training rollouts; if `paid`, some wrong ones earn something, some of them with the same text."""
    rows = []
    for step in range(1, steps + 1):
        for row in map(to_json, asked(draw, np.full(4, step / steps), 3)):
            extra = float(draw.integers(0, 3)) / 4 if paid and row["reward"] is not None else 0.0
            reward = None if row["reward"] is None else float(row["reward"]) + extra  # type: ignore[arg-type]
            verdict = {**row["verdict"], "reason": ("", "two answers", "none")[int(draw.integers(0, 3))]}  # type: ignore[dict-item]
            problem = {**row["problem"], "id": f"s{step % 2}-{row['problem']['id']}"}  # type: ignore[dict-item, index]
            text = f"text {draw.integers(0, 60)}"
            parts = {"reward_parts": {"correct": 0.0, "length": extra}} if paid else {}
            rows.append(
                {**row, "step": step, "reward": reward, "text": text, "verdict": verdict, "problem": problem, **parts}
            )
    return rows


def choice(draw: np.random.Generator, number: int) -> dict[str, Any]:
    """A multiple-choice item, often with two choices of one score."""
    count = 2 + number % 3
    chars = draw.integers(1, 4, count).tolist()
    logps = [-float(draw.integers(1, 4)) * n for n in chars]
    gold = int(draw.integers(0, count))
    return {"id": str(number), "logps": logps, "chars": chars, "gold": gold, "cut": 0, "acc": None, "acc_norm": None}


def every_row(path: Path, k: int) -> Path:
    draw = np.random.default_rng(k)
    run = RunOnDisk(path)
    run.stage("sft", "sft", "base", config={"steps": 60})
    run.stage("rl", "rl", "sft", wall_s=99.5)
    run.stage("random", "rl", "sft", control=True)
    run.lines("sft/metrics.jsonl", [
        {"step": s, "loss": 1 / s, "time/step": 0.3, "time/source": 0.1, "time/train": 0.2}
        | ({"dev/worked_accuracy": s / 100, "dev/problems": 200.0} if s % 20 == 0 else {}) for s in range(1, 61)
    ])  # fmt: skip
    for name, paid in (("rl", False), ("random", True)):
        run.lines(f"{name}/rollouts/rollouts.jsonl", rollouts(draw, 120, paid=paid))
        times = {"time/step": 0.5, "time/source": 0.4, "time/train": 0.1, "time/generate": 0.3, "time/grade": 0.05}
        run.lines(f"{name}/metrics.jsonl", [{"step": s, "pass_rate": 0.5, **times} for s in range(1, 121)])
    skill = draw.beta(0.6, 0.8, 90)
    models = {
        name: (asked(draw, skill * scale, k, longer=longer), asked(draw, np.round(skill * scale), 1, greedy=True))
        for name, scale, longer in (("base", 0.4, 0), ("sft", 0.7, 2), ("rl", 0.95, 17), ("random", 0.7, 3))
    }
    benchmarks = [{"name": "skill", "chance": 0.1, "metric": "greedy"},
                  {"name": "prose", "chance": None, "metric": "bits_per_byte"},
                  {"name": "quiz", "chance": None, "metric": "acc_norm" if k > 2 else "acc"}]  # fmt: skip
    run.evaluation("eval", models, k=k, drift=benchmarks)
    for name in models:
        run.lines(f"eval/{name}/drift_skill.jsonl", [to_json(r) for r in asked(draw, skill, 1, greedy=True)])
        bits = draw.normal(900, 30, 25)
        documents = [{"id": str(i), "bits": float(b), "bytes": 1000 - i} for i, b in enumerate(bits)]
        run.lines(f"eval/{name}/drift_prose.bytes.jsonl", documents)
        run.lines(f"eval/{name}/drift_quiz.choices.jsonl", [choice(draw, i) for i in range(40)])
    return run.finish()


@pytest.mark.parametrize("k", [1, 2, 5, 16])
def test_report_equals_a_recount_by_a_stranger(tmp_path: Path, k: int):
    assert agree(every_row(tmp_path, k)) > 1_000


def test_a_changed_line_is_noticed(tmp_path: Path):
    """The recount sees the lines, not the report: one flipped verdict behind the report's back makes them disagree."""
    run = every_row(tmp_path, 4)
    agree(run)
    file = run / "eval" / "rl" / "sampled.jsonl"
    lines = file.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if '"correct":true' in line)
    lines[at] = lines[at].replace('"correct":true', '"correct":false')
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(AssertionError):
        assert_equal(json.loads((run / "report" / "report.json").read_text(encoding="utf-8")), recount(run))


def test_the_recount_uses_nothing_of_the_package():
    assert not re.search(r"^\s*(?:import|from)\s+earnest", RECOUNT.read_text(encoding="utf-8"), flags=re.MULTILINE)
