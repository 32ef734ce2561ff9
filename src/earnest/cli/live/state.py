"""What the live view knows of a run: the news of its directory, added up. No drawing, and no clock but the one it is given.

The pass rate comes from the rollouts of the last steps, its interval clustered by problem; the rest is the metrics as written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from earnest.follow.reader import News, Row, StageNews
from earnest.functional.stats import Rate, rate

WINDOW = 10
"""Steps that a rate is made of."""
TEXT = 2000
"""Characters kept of a completion: its end."""
SHOWN = frozenset(
    {
        "step", "pass_rate", "reward", "groups/live", "completions/clipped_ratio", "completions/mean_length",
        "sampler/entropy", "grad_norm", "loss", "dev/worked_accuracy", "time/step", "time/generate", "time/grade",
        "time/train",
    }
)  # fmt: skip
"""Metrics that are kept."""


@dataclass(frozen=True, slots=True)
class Try:
    """What is kept of a rollout."""

    step: int
    problem: str
    question: str
    gold: str | None
    correct: bool | None  # None: the grader failed
    tokens: int
    thought_tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A health rule that holds, or a gate's result. level: info, warning or error."""

    label: str
    level: str
    text: str
    step: int


@dataclass(slots=True)
class StageState:
    """One stage so far. begun: when the view first saw it run, by the view's clock."""

    id: str
    note: Row = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    holding: dict[str, Sentence] = field(default_factory=dict)
    gates: dict[str, Sentence] = field(default_factory=dict)
    tries: deque[Try] = field(default_factory=deque)
    begun: float | None = None

    @property
    def status(self) -> str:
        return str(self.note.get("status"))

    @property
    def config(self) -> Row:
        found = self.note.get("config")
        return found if isinstance(found, dict) else {}

    @property
    def step(self) -> int:
        return _int(self.rows[-1].get("step")) if self.rows else 0

    @property
    def steps(self) -> int | None:
        """How many it will have at most; None for a stage that takes none."""
        return self.config.get("steps")

    def series(self, metric: str) -> list[float]:
        """A metric over the stage, steps in which it was not measured left out."""
        return [value for row in self.rows if isinstance(value := row.get(metric), (int, float))]

    def mean(self, metric: str, steps: int = WINDOW) -> float | None:
        """Over the last steps in which it was measured."""
        found = [value for row in self.rows[-steps:] if isinstance(value := row.get(metric), (int, float))]
        return fmean(found) if found else None

    def steps_tried(self) -> int:
        """How many steps the rollouts are from: not all of them where rollouts come faster than they can be read."""
        return len({one.step for one in self.tries})

    def solved(self) -> Rate | None:
        """Pass rate of the last steps' rollouts, clustered by problem; None without a graded one."""
        by_problem: dict[str, list[bool]] = {}
        for one in self.tries:
            if one.correct is not None:
                by_problem.setdefault(one.problem, []).append(one.correct)
        return rate(list(by_problem.values())) if by_problem else None

    def thought_length(self) -> float | None:
        """Mean tokens of thought in the last steps' rollouts."""
        return fmean(one.thought_tokens for one in self.tries) if self.tries else None

    def tokens_per_second(self) -> float | None:
        """Generated tokens by the time spent generating."""
        seconds, last = self.mean("time/generate", 1), self.step
        tokens = sum(one.tokens for one in self.tries if one.step == last)
        return tokens / seconds if seconds and tokens else None

    def last_group(self) -> Sequence[Try]:
        """The last problem's tries, in sampling order."""
        last = self.tries[-1] if self.tries else None
        return [one for one in self.tries if last and (one.step, one.problem) == (last.step, last.problem)]

    def spent(self, now: float) -> float:
        """Seconds, those of earlier attempts included."""
        before = self.note.get("wall_s") or 0.0
        return before + (now - self.begun if self.begun is not None and self.status == "running" else 0.0)

    def left(self) -> float | None:
        """Seconds that the remaining steps would take at the pace of the last fifty."""
        pace = self.mean("time/step", 50)
        return None if pace is None or self.steps is None else pace * max(0, self.steps - self.step)

    def see(self, news: StageNews, now: float) -> None:
        """Add what is new. Steps that a resume took back are forgotten."""
        self.note = news.note
        if self.status == "running" and self.begun is None:
            self.begun = now
        if news.metrics.kept < len(self.rows):
            del self.rows[news.metrics.kept :]
            self.tries = deque(one for one in self.tries if one.step <= self.step)
        if news.rollouts.kept == 0:  # read anew
            self.tries.clear()
        self.rows += [{name: row.get(name) for name in SHOWN & row.keys()} for row in news.metrics.rows]
        for event in news.events.rows:
            self._event(event)
        self.tries.extend(_tries(news.rollouts.rows))
        while self.tries and self.tries[0].step <= self.tries[-1].step - WINDOW:
            self.tries.popleft()

    def _event(self, event: Row) -> None:
        step, kind = _int(event.get("step")), event.get("event")
        level, text = str(event.get("level")), str(event.get("message"))
        if kind == "health":
            rule = str(event.get("rule"))
            self.holding.pop(rule, None)
            if event.get("holds"):
                self.holding[rule] = Sentence(rule, level, text, step)
        elif kind == "gate":
            name = str(event.get("gate"))
            self.gates[name] = Sentence(f"gate {name} {event.get('outcome')}", level, text, step)
        elif kind == "resumed":
            self.holding = {rule: one for rule, one in self.holding.items() if one.step <= step}


class RunState:
    """A run so far."""

    def __init__(self) -> None:
        self.info: Row = {}
        self.stages: dict[str, StageState] = {}
        self.cached: set[str] = set()

    def see(self, news: News, now: float) -> None:
        self.info = news.info
        for stage in news.stages:
            if stage.cached:
                self.cached.add(stage.id)
            self.stages.setdefault(stage.id, StageState(stage.id)).see(stage, now)

    @property
    def current(self) -> StageState | None:
        """The stage that is running."""
        running = [stage for stage in self.stages.values() if stage.status == "running"]
        return running[-1] if running else None

    @property
    def to_come(self) -> list[str]:
        ids = self.info.get("stages")
        return [stage for stage in (ids if isinstance(ids, list) else []) if stage not in self.stages]

    @property
    def done(self) -> list[StageState]:
        return [stage for stage in self.stages.values() if stage.status == "done"]


def _tries(rows: Iterable[Row]) -> Iterable[Try]:
    for row in rows:
        problem: Any = row.get("problem")
        if not isinstance(problem, dict):
            continue
        prompt = problem.get("prompt")
        question = prompt if isinstance(prompt, str) else str((prompt or [{}])[-1].get("content"))
        yield Try(
            step=_int(row.get("step")), problem=str(problem.get("id")), question=question[:TEXT],
            gold=problem.get("answer"), correct=(row.get("verdict") or {}).get("correct"), tokens=_int(row.get("tokens")),
            thought_tokens=_int(row.get("thought_tokens")), text=str(row.get("text"))[-TEXT:],
        )  # fmt: skip


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
