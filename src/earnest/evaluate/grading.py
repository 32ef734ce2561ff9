"""Answers of any origin graded by a verifier, row by row: what `earnest verify` and `earnest.verify` do. No model is asked.

Rows stream: a file of any length takes the same memory, and verdicts come out in the order of the rows. A row is

    {"id": …, "response": text or messages, "gold": text or object, "prompt": …, "truncated": false, …}

with `answer` or `solution` for `gold` if there is none, and the row's number for `id`; every further field is a column that a
function of the user's may ask for. A row that is no such thing stops the grading with its line, and what was graded before stays.
A gold that the verifier cannot read, or any other failure of grading, is the verdict `error`: no score, never a 0.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.synchronize import Lock
from pathlib import Path
from typing import Any

from earnest.component import BuildContext, Spec, build
from earnest.data.rollouts import judge
from earnest.errors import DataError, EarnestError
from earnest.evaluate.text import visible
from earnest.evaluate.warned import tell_plainly
from earnest.prompts.parse import Thought, as_prompt, split_completion
from earnest.types import Item, Json, Problem, Status, Verdict
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier

CHUNK = 16
"""Rows that go to a process at a time."""
AHEAD = 4
"""Chunks under way or waiting for their turn, for each process."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A row to grade. Example: Asked("answers.jsonl:3", "a3", Item(...))."""

    where: str
    id: Json
    item: Item


@dataclass(frozen=True, slots=True)
class Graded:
    """A row's verdict; `ms` is what it took."""

    asked: Asked
    verdict: Verdict
    ms: float

    def to_json(self) -> dict[str, Json]:
        v = self.verdict
        return {
            "id": self.asked.id, "score": v.score, "correct": v.correct, "status": str(v.status),
            "extracted": v.extracted, "reason": v.reason, "ms": round(self.ms, 3),
        }  # fmt: skip


def grade(verifier: Verifier, rows: Sequence[tuple[str, str]]) -> list[Verdict]:
    """(response, gold) pairs graded in one call."""
    items = [
        Item(
            problem=Problem(id=str(place), task="verify", prompt="", answer=gold), parsed=split_completion(response),
            truncated=False,
        )
        for place, (response, gold) in enumerate(rows)
    ]  # fmt: skip
    return judge(verifier, items)


def read_rows(lines: Iterable[str], source: str, thought: Thought = "optional") -> Iterator[Asked]:
    """The rows of a file, one at a time; blank lines are passed over. Raises DataError with the line."""
    number = 0
    for line_number, line in enumerate(lines, start=1):
        if line.strip():
            number += 1
            yield read_row(line, f"{source}:{line_number}", number, thought)


def read_row(line: str, where: str, number: int, thought: Thought = "optional") -> Asked:
    """One row. Raises DataError for what is none."""
    try:
        fields = json.loads(line.strip())
    except (ValueError, RecursionError) as error:
        raise DataError("malformed JSON", where=where, why=str(error), remedy="mend or drop it") from None
    if not isinstance(fields, dict):
        raise DataError("a row must be a JSON object", where=where, why=f"it is a {type(fields).__name__}")
    if "response" not in fields:
        keys = ", ".join(fields) or "none"
        raise DataError("a row without a response", where=where, why=f"it has no key 'response'; its keys: {keys:.200}")
    gold_key = next((key for key in golds.KEYS if key in fields), None)
    if gold_key is None:
        raise DataError(
            "a row without a gold answer", where=where, why=f"it has none of {', '.join(golds.KEYS)}",
            remedy="null says that there is none, for a verifier that reads none, as `steps`",
        )  # fmt: skip
    identity = fields.get("id", number)
    if not isinstance(identity, str | int):
        raise DataError("an id must be text or a whole number", where=where, why=f"key 'id' is {identity!r:.80}")
    if not isinstance(fields.get("truncated", False), bool):
        raise DataError("'truncated' must be true or false", where=where, why=f"it is {fields['truncated']!r:.80}")
    try:
        prompt = as_prompt(fields.get("prompt", ""))
    except TypeError as error:
        raise DataError("a prompt must be text or messages", where=where, why=f"key 'prompt': {error}") from None
    try:
        parsed = split_completion(fields["response"], fields.get("prompt", ""), thought)
    except TypeError as error:
        raise DataError("a response must be text or messages", where=where, why=f"key 'response': {error}") from None
    try:
        gold = golds.text_of(fields[gold_key])
    except TypeError as error:
        raise DataError("a gold answer of the wrong kind", where=where, why=f"key '{gold_key}': {error}") from None
    ours = {"id", "response", "prompt", "truncated", gold_key}
    problem = Problem(
        id=str(identity), task="verify", prompt=prompt, answer=gold,
        meta={key: value for key, value in fields.items() if key not in ours},
    )  # fmt: skip
    return Asked(where, identity, Item(problem=problem, parsed=parsed, truncated=fields.get("truncated", False)))


def graded(rows: Iterable[Asked], verifier: Spec, workers: int = 1) -> Generator[Graded]:
    """Verdicts of the rows, in their order, from `workers` processes (1: this one).

    What a DataError of `rows` finds unfinished is graded before it is raised.
    """
    where = Path.cwd()
    if workers == 1:
        built: Verifier = build("verifier", verifier, BuildContext(where))
        for row in rows:
            yield _graded(built, row)
        return
    # A fresh interpreter for each: a fork would share the locks of threads that it does not have.
    fresh = get_context("spawn")
    with ProcessPoolExecutor(workers, fresh, _prepare, (verifier, where, fresh.Lock())) as pool:
        under_way: deque[Future[list[Graded]]] = deque()
        try:
            for chunk in _chunks(rows):
                if isinstance(chunk, DataError):
                    while under_way:
                        yield from _result(under_way.popleft())
                    raise chunk
                under_way.append(pool.submit(_grade_chunk, chunk))
                if len(under_way) >= AHEAD * workers:
                    yield from _result(under_way.popleft())
            while under_way:
                yield from _result(under_way.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _chunks(rows: Iterable[Asked]) -> Iterator[list[Asked] | DataError]:
    """The rows, CHUNK at a time; last of all the error that ended them, if one did."""
    chunk: list[Asked] = []
    fault: DataError | None = None
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    except DataError as error:
        fault = error
    if chunk:
        yield chunk
    if fault is not None:
        yield fault


def _result(future: Future[list[Graded]]) -> list[Graded]:
    try:
        return future.result()
    except BrokenProcessPool:
        raise EarnestError(
            "a grading process died", why="it ran out of memory, or code of the verifier ended it",
            remedy="the same command with --resume goes on from there; --workers 1 shows at which row it happens",
        ) from None  # fmt: skip


def _prepare(verifier: Spec, where: Path, unsaid: Lock) -> None:
    """Builds the verifier in a process of the pool, and leaves Ctrl-C to the one that commands it. unsaid: who takes it tells
    what all of them would warn of."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def tell(line: str) -> None:
        if unsaid.acquire(block=False):
            sys.stderr.write(visible(line) + "\n")

    tell_plainly(tell)
    _BUILT.append(build("verifier", verifier, BuildContext(where)))


def _grade_chunk(chunk: list[Asked]) -> list[Graded]:
    return [_graded(_BUILT[0], row) for row in chunk]


_BUILT: list[Verifier] = []


def _graded(verifier: Verifier, row: Asked) -> Graded:
    """One by one, so that each row has its own time."""
    begun = time.perf_counter()
    verdict = judge(verifier, [row.item])[0]
    return Graded(row, verdict, 1000 * (time.perf_counter() - begun))


# ------------------------------------------------------------------------------------------------ what came out


@dataclass(slots=True)
class Summary:
    """Counts over the rows of a file. Times go into bins of a tenth of their size, so that a file of any length takes no room."""

    verifier: str
    rows: int = 0
    correct: int = 0
    statuses: Counter[str] = field(default_factory=Counter[str])
    bins: Counter[int] = field(default_factory=Counter[int])
    first_error: str = ""

    def add(self, row: Mapping[str, Any]) -> None:
        """A line of the file of verdicts."""
        self.rows += 1
        self.correct += row["correct"] is True
        self.statuses[row["status"]] += 1
        self.bins[_bin(row["ms"])] += 1
        if row["status"] == Status.ERROR and not self.first_error:
            self.first_error = f"{row['id']}: {row['reason']}"

    def ms(self, share: float) -> float:
        """A quantile of the times, within 10 %."""
        left = share * self.rows
        for place in sorted(self.bins):
            left -= self.bins[place]
            if left <= 0:
                return _middle(place)
        return 0.0

    @property
    def failed(self) -> int:
        return self.statuses[Status.ERROR]

    def to_json(self) -> dict[str, Json]:
        return {
            "verifier": self.verifier, "rows": self.rows, "correct": self.correct, "statuses": dict(self.statuses),
            "ms_p50": self.ms(0.5), "ms_p99": self.ms(0.99), "first_error": self.first_error,
        }  # fmt: skip


_BINS_PER_TENFOLD = 24


def _bin(ms: float) -> int:
    return round(_BINS_PER_TENFOLD * math.log10(max(ms, 0.001)))


def _middle(place: int) -> float:
    return round(10 ** (place / _BINS_PER_TENFOLD), 4)
