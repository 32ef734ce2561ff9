"""A reward function of a user's own, in TRL's signature, asked about graded or ungraded completions.

    def brevity(prompts, completions, answer, **columns) -> list[float | None]

It is called with keywords: `prompts`, `completions`, `completion_ids` (where there are any), `answer`, `solution` (the same,
unless the row has a column of that name), and every further column of the rows; those that it does not name are left out, unless
it takes **columns. A completion is text where the prompt is text, and [{"role": "assistant", "content": …}] where the prompt is a
list of messages: as the model wrote it, thought and marks included, with `<think>` before it where the prompt had opened the
thought. It returns one number per completion, or None where it does not apply. It may be async.

Each completion is scored on its own: a batch that fails is asked again one by one, so that one failure costs one score.
Used by the reward and by the verifier `function`; what a score means is theirs.
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

PATIENCE = 3
"""How many times the limit of a batch is spent on asking it again one by one."""
QUOTED_CHARS = 400
OPEN, CLOSE = "<think>", "</think>"
_OURS = ("prompts", "completions", "completion_ids", "prompt", "completion", "answer")


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
    """One score per case, in order. limit_s: seconds of one call."""
    if not cases:
        return []
    worker = shared(function)
    try:
        return _call(worker, cases, limit_s)
    except WorkerError as error:
        if error.kind == "load":
            text = visible(f"{worker.callee.label} {_how(error)}")
            return [Failure(text) for _ in cases]
        if len(cases) == 1:
            return [Failure(_told(worker, cases[0], _how(error)))]
    found: list[float | None | Failure] = []
    begun = time.monotonic()
    for case in cases:
        if time.monotonic() - begun > PATIENCE * limit_s:
            found.append(Failure(_told(worker, case, f"was not asked: others had used up {PATIENCE * limit_s:g} s")))
            continue
        try:
            found += _call(worker, [case], limit_s)
        except WorkerError as error:
            found.append(Failure(_told(worker, case, _how(error))))
    return found


def _call(worker: Worker, cases: Sequence[Case], limit_s: float) -> list[float | None | Failure]:
    result = worker.call(arguments(cases), limit_s)
    fault = ""
    if not isinstance(result, list):
        fault = f"returned a {type(result).__name__} and no list"
    elif len(result) != len(cases):
        fault = f"returned {len(result)} scores for {len(cases)} completions"
    if fault:
        return [Failure(_told(worker, case, fault)) for case in cases]
    return [_score(worker, case, value) for case, value in zip(cases, result, strict=True)]


def _score(worker: Worker, case: Case, value: Any) -> float | None | Failure:
    if value is None:
        return None
    if not isinstance(value, int | float):
        return Failure(_told(worker, case, f"returned {str(value)[:80]!r}, a {type(value).__name__} and no number"))
    if not abs(value) <= sys.float_info.max:
        return Failure(_told(worker, case, f"returned {str(value)[:20]}; None says that it does not apply"))
    return float(value)


def arguments(cases: Sequence[Case]) -> dict[str, Json]:
    """The keywords of a call: a list per column, an entry per case, None where a row lacks the column."""
    problems = [case.problem for case in cases]
    names = dict.fromkeys(name for p in problems for name in p.meta if name not in _OURS)
    given: dict[str, Json] = {
        "prompts": [_prompt(p) for p in problems],
        "completions": [_completion(case) for case in cases],
        "answer": [p.answer for p in problems],
        "solution": [p.meta.get("solution", p.answer) for p in problems],
    }
    if all(case.token_ids is not None for case in cases):
        given["completion_ids"] = [case.token_ids for case in cases]
    return given | {name: [p.meta.get(name) for p in problems] for name in names if name != "solution"}


def _prompt(problem: Problem) -> Json:
    if isinstance(problem.prompt, str):
        return problem.prompt
    return [{"role": m.role, "content": m.content} for m in problem.prompt]


def _completion(case: Case) -> Json:
    text = inline(case.parsed)
    return text if isinstance(case.problem.prompt, str) else [{"role": "assistant", "content": text}]


def inline(parsed: Parsed) -> str:
    """The whole completion as text: what the model wrote, after the mark that a prompt may have written for it."""
    opened = parsed.well_formed and CLOSE in parsed.text and OPEN not in parsed.text
    return OPEN + parsed.text if opened else parsed.text


def _how(error: WorkerError) -> str:
    said = {"load": "cannot be loaded\n", "raised": "raised an exception\n"}
    return f"{said.get(error.kind, 'failed: ')}{error}"


def _told(worker: Worker, case: Case, fault: str) -> str:
    """The failure with the rollout that it is about."""
    first, _, rest = fault.partition("\n")
    rows = [f"{worker.callee.label} {first}"]
    for name, text in (
        ("question", case.problem.question),
        ("answer", str(case.problem.answer)),
        ("completion", inline(case.parsed)),
    ):
        rows.append(f"  {name + ':':<12}{cut(text, QUOTED_CHARS)[0]!r}")
    return visible("\n".join([*rows, *([rest] if rest else [])]))
