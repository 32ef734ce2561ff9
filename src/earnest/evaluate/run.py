"""Evaluation: a policy's completions on held-out problems, sampled and greedy, judged and stored. Counting comes later.

Every model of a run sees the same problems in the same order with the same seeds, so that comparisons are paired.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earnest.component import digest
from earnest.data.rollouts import Roller
from earnest.data.store import to_json
from earnest.engines.base import EngineSession
from earnest.errors import GateRefused
from earnest.runlog import AppendLog
from earnest.seeding import derive
from earnest.types import Problem, Record, Sampling, Split, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How models are asked. Example: k = 4 samples at T = 1, and one greedy completion, for each of the problems."""

    stage: str
    split: Split
    k: int
    temperature: float
    max_tokens: int
    seed: int


def sampled(problems: Sequence[Problem], roller: Roller, engine: EngineSession, protocol: Protocol) -> list[Record]:
    """k judged samples of every problem."""
    sampling = Sampling(temperature=protocol.temperature, max_tokens=protocol.max_tokens)
    return _records(problems, roller, engine, protocol, sampling, protocol.k, "sampled")


def greedy(problems: Sequence[Problem], roller: Roller, engine: EngineSession, protocol: Protocol) -> list[Record]:
    """One judged greedy completion of every problem."""
    sampling = Sampling(temperature=0.0, max_tokens=protocol.max_tokens)
    return _records(problems, roller, engine, protocol, sampling, 1, "greedy")


def write_records(path: Path, records: Sequence[Record]) -> None:
    log = AppendLog(path)
    log.cut(0)
    log.append([to_json(record) for record in records])


def count_look(runs: Path, problems: Sequence[Problem], who: str) -> tuple[str, int]:
    """Note in `looks.jsonl` that these problems were looked at. Returns their hash, and by how many runs so far, this one
    included: the more looks, the less a number on them means."""
    split_hash = digest(*sorted(problem.question for problem in problems))
    log = AppendLog(runs / "looks.jsonl")
    if log.length and not log.path.read_bytes().endswith(b"\n"):
        log.path.write_bytes(log.path.read_bytes() + b"\n")
    log.append([{"split_hash": split_hash, "run": who}])
    return split_hash, len({who for seen, who in _looks(log.path) if seen == split_hash})


def _looks(path: Path) -> Iterator[tuple[str, str]]:
    """(hash, who) of every look. The file is shared between processes without a lock: a torn line is passed over."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        yield str(row.get("split_hash")), str(row.get("run"))


def check_grader(records: Sequence[Record], ceiling: float, verifier: str) -> None:
    """Refuse numbers that rest on a grader that fails. Raises GateRefused above a share of `ceiling` errors."""
    errors = [record for record in records if record.verdict.status is Status.ERROR]
    if len(errors) > ceiling * len(records):
        raise GateRefused(
            f"the grader failed on {len(errors)} of {len(records)} completions", where=f"verifier {verifier}",
            why=errors[0].verdict.reason, remedy="mend the verifier; a failure is neither right nor wrong",
        )  # fmt: skip


def pass_rate(records: Sequence[Record]) -> float:
    """Share of right ones among those that could be graded."""
    graded = [record.verdict.correct for record in records if record.verdict.correct is not None]
    return sum(graded) / len(graded) if graded else math.nan


def _records(
    problems: Sequence[Problem], roller: Roller, engine: EngineSession, protocol: Protocol, sampling: Sampling, n: int,
    mode: str,
) -> list[Record]:  # fmt: skip
    collected = roller.collect(problems, engine, n=n, sampling=sampling, seed=derive(protocol.seed, "evaluation", mode))
    return roller.records(collected.groups, stage=protocol.stage, step=0, split=protocol.split)
