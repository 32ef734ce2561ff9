"""A reward function of a user's own, in TRL's signature, asked about graded or ungraded completions.

    def brevity(prompts, completions, answer, **columns) -> list[float | None]

It is called with keywords: `prompts`, `completions`, `completion_ids` (where there are any), `answer`, `solution` (the same,
unless the row has a column of that name), and every further column of the rows; those that it does not name are left out, unless
it takes **columns. A column that some rows lack is None there. A completion is text where the prompt is text, and [{"role":
"assistant", "content": …}] where the prompt is a list of messages: as the model wrote it, thought and marks included, after the
open mark where the prompt wrote that. It returns one number per completion, or None where it does not apply. It may be async.

Each completion is scored on its own: a call that fails is made again one by one, so that one failure costs one score. Used by
the reward and by the verifier `function`; what a score means is theirs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from earnest.printable import cut, visible
from earnest.sandbox.worker import Callee, Worker, WorkerError, shared
from earnest.types import Json, Parsed, Problem

CALL = 64
"""Completions of one call at most."""
PATIENCE = 3
"""How many times the limit of a call is spent on asking again one by one."""
QUOTED_CHARS = 400
_OURS = ("prompts", "completions", "completion_ids", "prompt", "completion", "answer", "solution")


@dataclass(frozen=True, slots=True)
class Case:
    """One completion to score. token_ids None: not known to whoever asks."""

    problem: Problem
    parsed: Parsed
    token_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No score, and why: the rollout and the user's own traceback, cut and fit to be printed."""

    text: str


def scores(function: Callee, cases: Sequence[Case], limit_s: float) -> list[float | None | Failure]:
    """One score per case, in order. limit_s: seconds of a call, which is for CALL cases at most."""
    asked = _Asked(shared(function), limit_s, columns([case.problem for case in cases]))
    found: list[float | None | Failure] = []
    for start in range(0, len(cases), CALL):
        part = cases[start : start + CALL]
        if start and all(isinstance(score, Failure) for score in found[-CALL:]):
            found += [asked.failure(case, "was not asked: it had failed on everything before") for case in part]
        else:
            found += asked.together(part)
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """The function as one batch of cases meets it."""

    worker: Worker
    limit_s: float
    columns: Sequence[str]

    def together(self, cases: Sequence[Case]) -> list[float | None | Failure]:
        """One call for all; where it fails, one for each, within PATIENCE times the limit."""
        try:
            return self._call(cases)
        except WorkerError as error:
            if error.kind == "load" or len(cases) == 1:
                return [self.failure(case, _how(error)) for case in cases]
        begun, patience = time.monotonic(), PATIENCE * self.limit_s
        return [
            self._alone(case)
            if time.monotonic() - begun < patience
            else self.failure(case, f"was not asked: others had used up {patience:g} s")
            for case in cases
        ]

    def _alone(self, case: Case) -> float | None | Failure:
        try:
            return self._call([case])[0]
        except WorkerError as error:
            return self.failure(case, _how(error))

    def _call(self, cases: Sequence[Case]) -> list[float | None | Failure]:
        result = self.worker.call(arguments(cases, self.columns), self.limit_s)
        fault = ""
        if not isinstance(result, list):
            fault = f"returned a {type(result).__name__} and no list"
        elif len(result) != len(cases):
            fault = f"returned {len(result)} scores for {len(cases)} completions"
        if fault:
            return [self.failure(case, fault) for case in cases]
        return [self._score(case, value) for case, value in zip(cases, result, strict=True)]

    def _score(self, case: Case, value: Any) -> float | None | Failure:
        if value is None:
            return None
        if not isinstance(value, int | float):
            return self.failure(case, f"returned {str(value)[:80]!r}, a {type(value).__name__} and no number")
        if not abs(value) <= sys.float_info.max:
            return self.failure(case, f"returned {str(value)[:20]}; None says that it does not apply")
        return float(value)

    def failure(self, case: Case, fault: str) -> Failure:
        """The fault with the rollout that it is about: what happened first, its details last."""
        what, _, details = fault.partition("\n")
        shown = {
            "question": case.problem.question,
            "answer": str(case.problem.answer),
            "completion": inline(case.parsed),
        }
        rows = [f"{self.worker.callee.label} {what}"]
        rows += [f"  {name + ':':<12}{cut(text, QUOTED_CHARS)[0]!r}" for name, text in shown.items()]
        return Failure(visible("\n".join([*rows, details]).rstrip()))


def columns(problems: Sequence[Problem]) -> list[str]:
    """Columns of the rows, beyond those that have names of their own here."""
    return list(dict.fromkeys(name for problem in problems for name in problem.meta if name not in _OURS))


def arguments(cases: Sequence[Case], further: Sequence[str]) -> dict[str, Json]:
    """The keywords of a call: a list per column, an entry per case, None where a row lacks the column."""
    problems = [case.problem for case in cases]
    given: dict[str, Json] = {
        "prompts": [_prompt(p) for p in problems],
        "completions": [_completion(case) for case in cases],
        "answer": [p.answer for p in problems],
        "solution": [p.meta.get("solution", p.answer) for p in problems],
    }
    if all(case.token_ids is not None for case in cases):
        given["completion_ids"] = [case.token_ids for case in cases]
    return given | {name: [p.meta.get(name) for p in problems] for name in further}


def _prompt(problem: Problem) -> Json:
    if isinstance(problem.prompt, str):
        return problem.prompt
    return [{"role": m.role, "content": m.content} for m in problem.prompt]


def _completion(case: Case) -> Json:
    text = inline(case.parsed)
    return text if isinstance(case.problem.prompt, str) else [{"role": "assistant", "content": text}]


def inline(parsed: Parsed) -> str:
    """The whole completion as text: what the model wrote, after the mark that a prompt may have written for it."""
    return parsed.opening + parsed.text


def _how(error: WorkerError) -> str:
    said = {"load": "cannot be loaded\n", "raised": "raised an exception\n"}
    return f"{said.get(error.kind, 'failed: ')}{error}"
