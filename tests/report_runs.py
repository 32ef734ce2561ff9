"""Run directories written by hand, file by file, for tests that read them, and their numbers once more."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earnest.data.store import dump_line, to_json
from earnest.types import Finish, Problem, Record, Sampling, Status, Verdict

Marks = Sequence[Sequence[bool | None]]  # per problem, per sample; None: grading failed


def record(
    problem: str, index: int, correct: bool | None, *, text: str = "3+4=7;</think>7", tokens: int = 9,
    greedy: bool = False, status: Status | None = None, reason: str = "", well_formed: bool = True,
) -> Record:  # fmt: skip
    status = status or (Status.ERROR if correct is None else Status.OK)
    score = None if correct is None else float(correct)
    return Record(
        problem=Problem(id=problem, task="chain", prompt=f"question {problem}: 3+4=", answer="7"),
        index=index, text=text, thought="3+4=7;", answer_text="7", well_formed=well_formed, tokens=tokens,
        thought_tokens=tokens - 3, finish=Finish.LENGTH if status is Status.TRUNCATED else Finish.STOP,
        policy_version=0, sampling=Sampling(temperature=0.0 if greedy else 1.0),
        verdict=Verdict(status=status, correct=correct, score=score, extracted="7", reason=reason),
        reward=score, stage="eval", step=0, split="test",
    )  # fmt: skip


def records(marks: Marks, *, greedy: bool = False, **fields: Any) -> list[Record]:
    return [
        record(f"p{number:03}", index, correct, greedy=greedy, **fields)
        for number, row in enumerate(marks)
        for index, correct in enumerate(row)
    ]


@dataclass
class RunOnDisk:
    """Writes the files of a run as its stages would."""

    path: Path
    info: dict[str, Any] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)

    def write(self, name: str, value: Any) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")

    def lines(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(dump_line(row) + "\n" for row in rows), encoding="utf-8")

    def stage(
        self, name: str, kind: str, start: str | None = None, *, status: str = "done", control: bool = False,
        policy: bool = True, **fields: Any,
    ) -> None:  # fmt: skip
        self.stages.append(name)
        output = {"policy": f"{name}/model"} if policy and status == "done" else {}
        self.write(f"{name}/stage.json", {
            "id": name, "stage": kind, "status": status, "control": control, "input": {"policy": start or "base"},
            "output": output, "wall_s": 12.5, "config": {}, "cached_from": None, **fields,
        })  # fmt: skip

    def evaluation(
        self, name: str, models: Mapping[str, tuple[Sequence[Record], Sequence[Record]]], **protocol: Any
    ) -> None:
        self.stage(name, "eval", policy=False)
        for model, (sampled, greedy) in models.items():
            self.lines(f"{name}/{model}/sampled.jsonl", [to_json(r) for r in sampled])
            self.lines(f"{name}/{model}/greedy.jsonl", [to_json(r) for r in greedy])
        self.write(f"{name}/protocol.json", {
            "split": "test", "problems": 4, "k": 2, "temperature": 1.0, "max_tokens": 32, "prompt": {"name": "plain"},
            "prompt_hash": "aa", "template_hash": None, "verifier": "number", "verifier_version": "1", "seed": 0,
            "engine": "torch", "split_hash": "bb", "looks": 1, "models": list(models), "base": "base", "drift": [],
            **protocol,
        })  # fmt: skip

    def finish(self, status: str = "done", **fields: Any) -> Path:
        self.write("run.json", {
            "schema": 1, "id": self.path.name, "name": "fixture", "status": status, "seed": 0, "wall_s": 42.0,
            "command": "earnest run recipe.yaml", "started": "2026-01-02T03:04:05Z", "ended": None, "host": "here",
            "machine": {"device": "cpu", "dtype": "float32", "threads": 2}, "versions": {"python": "3.11"},
            "stages": self.stages, "allowed": [], **fields,
        })  # fmt: skip
        self.write("config/resolved.json", {"name": "fixture", "model": {"name": "tiny"}, "task": {"name": "chain"}})
        return self.path


RECOUNT = Path(__file__).parent / "recount.py"


def recount(run: Path) -> dict[str, Any]:
    ended = subprocess.run([sys.executable, "-I", str(RECOUNT), str(run)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def assert_equal(reported: Any, counted: Any, where: str = "") -> int:
    """Everything in `counted` is in `reported`, numbers to twelve digits. Returns how many numbers were compared."""
    if isinstance(counted, dict):
        assert isinstance(reported, dict) and set(counted) <= set(reported), where
        return sum(assert_equal(reported[key], value, f"{where}.{key}") for key, value in counted.items())
    if isinstance(counted, list):
        assert isinstance(reported, list) and len(counted) == len(reported), where
        return sum(assert_equal(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(reported, counted, strict=True)))
    if isinstance(counted, bool) or not isinstance(counted, int | float):
        assert reported == counted, (where, reported, counted)
        return 0
    assert reported is not None and math.isclose(reported, counted, rel_tol=1e-12, abs_tol=1e-12), (
        where,
        reported,
        counted,
    )
    return 1
