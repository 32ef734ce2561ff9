"""Text that tries to be something else, and a run in which every place that a model or a file can fill holds it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from earnest.data.store import to_json
from earnest.types import Finish, Record, Status
from report_runs import RunOnDisk, record, records

ATTACKS = (
    "<script>window.pwned=1;alert('pwned')</script>",
    "</pre></article><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>",
    "</script><script>window.pwned=1</script><!--",
    "\u202egnorw\u202c \x00\x1b[2J\x1b]0;title\x07\x9b \u200bhidden \ud800 lone \udfff",
    "```\n# heading\n~~~~\n[click](javascript:alert(1)) | cell |\n| --- | --- |\n</details>",
    "{{ 7*7 }} {% raw %} {{ page.title }} $x^2$ <!-- --> &lt;",
    b"\xff\xfe not UTF-8 \x80".decode("utf-8", "surrogateescape"),
    "W" * 600 + "\u3000" + "<" * 300,
    "y" * 1_000_000 + "THE END",
)


def judged(number: int, attack: str, correct: bool | None, **fields: Any) -> Record:
    """A completion that is the attack, from its question to the grader's reason."""
    row = record(f"p{number:03}", 0, correct, text=attack, **fields)
    return dataclasses.replace(
        row, thought=attack, answer_text=attack,
        problem=dataclasses.replace(row.problem, prompt="Q " + attack, answer=attack),
        verdict=dataclasses.replace(row.verdict, extracted=attack[:200], reason=attack[:200]),
    )  # fmt: skip


def hostile_run(path: Path) -> Path:
    """Two models, gates, health rules, events, rollouts that were paid for being wrong, sources and names, all hostile."""
    run = RunOnDisk(path)
    run.stage("rl", "rl", "base", config={"algorithm": {"name": ATTACKS[0]}, "steps": 8})
    run.stage("arm", "rl", "base", control=True, config={"algorithm": {"name": ATTACKS[3]}})
    run.lines("rl/metrics.jsonl", [
        {"step": s, "pass_rate": s / 9, "frac_reward_zero_std": 0.5, "time/step": 1.0, "time/source": 0.5, "time/train": 0.5,
         "time/" + ATTACKS[2]: 0.1} for s in range(1, 9)
    ])  # fmt: skip
    events: list[dict[str, Any]] = [
        {"time": 0, "level": "error", "event": "grader", "message": "broke on " + attack} for attack in ATTACKS
    ]
    events += [
        {"time": 0, "level": "warning", "event": "health", "rule": f"H{i}", "name": attack[:40], "step": 4, "holds": True,
         "message": attack} for i, attack in enumerate(ATTACKS)
    ]  # fmt: skip
    events += [
        {"time": 0, "level": "info", "event": "gate", "gate": f"gate {attack[:40]}", "stage": "rl", "outcome": "passed",
         "reason": attack, "remedy": attack, "numbers": {attack[:80]: attack, "list": [attack]}} for attack in ATTACKS
    ]  # fmt: skip
    events += [{**events[-1], "gate": "data"}]
    run.lines("rl/events.jsonl", events)
    wrong = [judged(i, attack, False) for i, attack in enumerate(ATTACKS)]
    unread = [judged(i, attack, False, status=Status.NO_ANSWER) for i, attack in enumerate(ATTACKS)]
    run.lines("rl/rollouts/rollouts.jsonl", [
        {**to_json(r), "step": 1 + i % 8, "reward": reward, "reward_parts": {"correct": 0.0, ATTACKS[1]: reward}}
        for rows, reward in ((wrong, 1.0), (unread, 0.5)) for i, r in enumerate(rows)
    ])  # fmt: skip
    run.lines("arm/rollouts/rollouts.jsonl", [{**to_json(r), "step": 1, "reward": 0.0} for r in unread])
    run.write("data/manifest.json", {"sources": [
        {"task": {"name": attack, attack[:30]: attack}, "files": {attack[:60]: attack[:60]}, "problems": {"train": 4},
         "notices": [attack], "licence": attack} for attack in ATTACKS
    ]})  # fmt: skip
    base = records([[False]] * len(ATTACKS))
    run.evaluation("eval", {"base": (base, base), "rl": (wrong, unread), "arm": (base, base)}, k=1,
                   prompt={"name": ATTACKS[3], "template": ATTACKS[1]})  # fmt: skip
    cut = [dataclasses.replace(r, finish=Finish.LENGTH) for r in wrong]
    run.evaluation("later", {"base": (base, base), "rl": (cut, cut)}, k=1, split="dev")
    return run.finish(
        command=f"earnest run {ATTACKS[2]}", name="fixture" + ATTACKS[0], host=ATTACKS[3], recipe=ATTACKS[3],
        versions={"python": ATTACKS[1]}, machine={"device": ATTACKS[0], "dtype": ATTACKS[3], "threads": 1},
    )  # fmt: skip
