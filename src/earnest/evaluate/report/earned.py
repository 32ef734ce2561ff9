"""The stored rollouts of a training stage in one pass, line by line: what they earned, and how often they were right.

A stage may have millions of them, so none but the few that are shown is kept. Right or wrong is the verifier's; the reward
is what the policy was trained on. Where the two part, a policy is paid for being wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal, TypeAlias

from earnest.data.store import read_rows
from earnest.errors import DataError
from earnest.evaluate.load import Row
from earnest.types import Json

SHOWN_WRONG = 20
SHOWN_REASONS = 10
KEPT_REASONS = 1_000
"""Different reasons that are counted by name; what comes after so many is counted as OTHER."""
OTHER = "another reason"

Outcome: TypeAlias = Literal["right", "wrong", "not graded"]
OUTCOMES: tuple[Outcome, ...] = ("right", "wrong", "not graded")


@dataclass(slots=True)
class Earned:
    """Rollouts of one outcome and the rewards they got. A rollout without a reward is in `rollouts` alone."""

    rollouts: int = 0
    rewarded: int = 0  # with any reward, of whatever size
    paid: int = 0  # reward above 0
    total: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, reward: float | None) -> None:
        self.rollouts += 1
        if reward is not None:
            self.rewarded += 1
            self.paid += reward > 0
            self.total += reward
            self.lowest, self.highest = min(self.lowest, reward), max(self.highest, reward)

    @property
    def mean(self) -> float | None:
        return self.total / self.rewarded if self.rewarded else None

    def to_json(self) -> dict[str, Json]:
        some = self.rewarded > 0
        return {
            "rollouts": self.rollouts, "paid": self.paid, "mean_reward": self.mean,
            "lowest": self.lowest if some else None, "highest": self.highest if some else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """One rollout as it is shown, and how many of the stage have the same text."""

    step: int
    problem: str
    question: str
    gold: str
    text: str
    read: str
    status: str
    reason: str
    reward: float | None
    parts: Mapping[str, float | None]
    tokens: int
    times: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why completions were not taken for an answer, how many, and the last of them."""

    status: str
    reason: str
    count: int
    last: Seen | None  # None for OTHER


@dataclass(frozen=True, slots=True)
class StageRollouts:
    """Everything the report says about a stage's rollouts."""

    rollouts: int
    earned: Mapping[Outcome, Earned]
    verdict_alone: bool  # in every rollout the reward is 1 for right, 0 for wrong, none for not graded
    wrong: tuple[Seen, ...]  # those with the highest rewards, if any wrong one was paid; one of each text
    reasons: tuple[Reason, ...]
    marks: Mapping[int, Mapping[str, tuple[bool, ...]]]  # step -> problem -> right or wrong, tries with a hint left out

    def to_json(self) -> dict[str, Json]:
        return {
            "rollouts": self.rollouts,
            "verdict_alone": self.verdict_alone,
            "reward": {outcome: found.to_json() for outcome, found in self.earned.items()},
            "paid_and_wrong": [
                {"step": s.step, "problem": s.problem, "reward": s.reward, "times": s.times} for s in self.wrong
            ],
            "reasons": [{"status": r.status, "reason": r.reason, "count": r.count} for r in self.reasons],
        }


@dataclass(slots=True)
class _Pass:
    """What is collected on the way."""

    earned: dict[Outcome, Earned] = field(default_factory=lambda: {outcome: Earned() for outcome in OUTCOMES})
    verdict_alone: bool = True
    wrong: dict[bytes, Row] = field(
        default_factory=dict
    )  # digest of the text -> the rollout that earned most, the last of them
    times: Counter[bytes] = field(default_factory=Counter)  # texts of wrong rollouts with a reward above 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], Row] = field(default_factory=dict)
    marks: dict[int, dict[str, list[bool]]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        verdict, reward = row["verdict"], row["reward"]
        correct, status = verdict["correct"], verdict["status"]
        outcome: Outcome = "not graded" if correct is None else "right" if correct else "wrong"
        self.earned[outcome].add(reward)
        due = None if correct is None else float(correct)
        self.verdict_alone &= reward == due and set(row.get("reward_parts") or ()) <= {"correct"}
        if correct is not None and not row.get("given"):  # what was begun for the model is no try of its own
            self.marks.setdefault(row["step"], {}).setdefault(row["problem"]["id"], []).append(correct)
        if outcome == "wrong" and reward is not None and reward > 0:
            self._paid(row)
        if status != "ok":
            key = status, verdict["reason"]
            if key not in self.reasons and len(self.reasons) >= KEPT_REASONS:
                key = status, OTHER
            self.reasons[key] += 1
            if key[1] != OTHER:
                self.examples[key] = row

    def _paid(self, row: Row) -> None:
        text = _digest(row["text"])
        self.times[text] += 1
        if text not in self.wrong or row["reward"] >= self.wrong[text]["reward"]:
            self.wrong[text] = row
        if len(self.wrong) > 4 * SHOWN_WRONG:
            self.wrong = dict(self._best())

    def _best(self) -> list[tuple[bytes, Row]]:
        """Highest reward first; of equal ones the latest steps, which say what the policy is paid for now."""
        order = sorted(
            self.wrong.items(), key=lambda item: (-item[1]["reward"], -item[1]["step"], item[1]["problem"]["id"])
        )
        return order[:SHOWN_WRONG]

    def result(self) -> StageRollouts:
        total = sum(found.rollouts for found in self.earned.values())
        reasons = sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_REASONS]
        return StageRollouts(
            rollouts=total, earned=self.earned, verdict_alone=self.verdict_alone and total > 0,
            wrong=tuple(_seen(row, self.times[text]) for text, row in self._best()),
            reasons=tuple(
                Reason(*key, count, _seen(self.examples[key], 1) if key in self.examples else None)
                for key, count in reasons
            ),
            marks={s: {p: tuple(row) for p, row in found.items()} for s, found in sorted(self.marks.items())},
        )  # fmt: skip


def read_stage(folder: Path) -> StageRollouts | None:
    """None if the stage stored no rollout. Raises DataError with the file for a line that is none."""
    found, files = _Pass(), sorted((folder / "rollouts").glob("*.jsonl*"))
    for file, number, row in _numbered(files):
        try:
            found.add(row)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "not a rollout", where=f"{file}: row {number}", why=f"{type(error).__name__}: {error}"
            ) from None
    result = found.result()
    return result if result.rollouts else None


def _numbered(files: list[Path]) -> Iterator[tuple[Path, int, Row]]:
    for file in files:
        for number, row in enumerate(read_rows(file), start=1):
            yield file, number, row


def _seen(row: Row, times: int) -> Seen:
    problem, verdict = row["problem"], row["verdict"]
    prompt = problem["prompt"]
    question = prompt if isinstance(prompt, str) else "\n".join(f"{m['role']}: {m['content']}" for m in prompt)
    return Seen(
        step=row["step"], problem=problem["id"], question=question, gold=problem["answer"] or "", text=row["text"],
        read=verdict["extracted"] or "", status=verdict["status"], reason=verdict["reason"], reward=row["reward"],
        parts=row.get("reward_parts") or {}, tokens=row["tokens"], times=times,
    )  # fmt: skip


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
