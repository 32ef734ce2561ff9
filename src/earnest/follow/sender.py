"""From the run directory to a tracker: each step of each stage once, and only forward.

A resume cuts the logs at a checkpoint and computes the steps behind it again; a tracker cannot take back what it was sent. So the
ledger in the run directory says how far each stage has been sent, and a step that is not beyond it is not sent again: what was
measured first stands (with the engine `torch` the second time gives the same numbers, the clock's excepted). The ledger is
written before a batch is sent and put back if sending fails: a process that is killed in between loses that batch at
the tracker, never doubles it. Stages that were taken over from another run were sent by that one.

What is sent, and in which order, does not depend on when the directory is looked at: an alert follows its step.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earnest.component import digest
from earnest.data.store import from_json
from earnest.follow.reader import News, Row, StageNews
from earnest.runlog import read_json, write_json
from earnest.trackers.base import Level, TrackedRun, Tracker, TrackerSession
from earnest.types import Json

BATCH = 200
"""Steps between two writings of the ledger: one fsync each."""


@dataclass(slots=True)
class Ledger:
    """What a tracker has been sent of a run. steps: the last one of each stage; alerts: digests of those told."""

    path: Path
    steps: dict[str, int] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, run: Path, tracker: Tracker) -> Ledger:
        """Its own for every setting of a tracker: another project is another place."""
        spec = tracker.model_dump(mode="json")
        path = run / "trackers" / f"{slug(tracker)}-{digest(json.dumps(spec, sort_keys=True))[:8]}.json"
        if not path.is_file():
            return cls(path)
        found = read_json(path)
        return cls(path, dict(found["steps"]), list(found["alerts"]))

    def save(self) -> None:
        write_json(self.path, {"steps": dict(self.steps), "alerts": list(self.alerts)})


class Sender:
    """Feeds one tracker with the news of one run. `say` is told of what goes wrong, once."""

    def __init__(self, run: Path, tracker: Tracker, say: Callable[[str], None]) -> None:
        self.run, self.tracker, self.say = run, tracker, say
        self.ledger = Ledger.of(run, tracker)
        self.session: TrackerSession | None = None
        self.failed: Exception | None = None
        self.sent = 0
        self.waiting: dict[tuple[str, int], list[Row]] = {}
        self.early: dict[str, list[Row]] = {}
        """Events of a stage that were seen before the row of their step."""

    def see(self, news: News, *, last: bool = False) -> None:
        """Send what is new; at the last look, also what waits for a step that never came. An exception of the tracker ends the
        sending, and nothing else."""
        if self.failed is not None:
            return
        try:
            for stage in news.stages:
                if not stage.cached:
                    self._stage(stage, news.info, last=last)
        except Exception as error:  # whatever a tracker's package may raise: training goes on without it
            self.fail(error)

    def finish(self, status: str, summary: Mapping[str, Json]) -> None:
        """Close the session, if anything was sent."""
        if self.session is not None and self.failed is None:
            try:
                self.session.finish(status, summary)
            except Exception as error:
                self.fail(error)

    def fail(self, error: Exception) -> None:
        self.failed = error
        logging.getLogger(__name__).error("the tracker %s failed", self.tracker.name, exc_info=error)
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        self.say(f"{self.tracker.name} gets nothing more of this run: {reason}. Later: earnest track {self.run}")

    def _stage(self, stage: StageNews, info: Row, *, last: bool) -> None:
        self._keep_rollouts(stage)
        events = [event for event in stage.events.rows if _alarming(event) is not None]
        events = sorted((*self.early.pop(stage.id, ()), *events), key=_step)
        rows = [row for row in stage.metrics.rows if _step(row) > self._sent(stage.id)]
        for event in events:
            due = [row for row in rows if _step(row) <= _step(event)]
            rows = rows[len(due) :]
            self._log(stage.id, due, info)
            if last or _step(event) <= self._sent(stage.id):
                self._alert(stage.id, event, info)
            else:
                self.early.setdefault(stage.id, []).append(event)
        self._log(stage.id, rows, info)

    def _sent(self, stage: str) -> int:
        return self.ledger.steps.get(stage, 0)

    def _keep_rollouts(self, stage: StageNews) -> None:
        sent = self._sent(stage.id)
        for row in stage.rollouts.rows:
            step = _step(row)
            if step > sent and step % self.tracker.rollouts_every == 0:
                kept = self.waiting.setdefault((stage.id, step), [])
                if len(kept) < self.tracker.rollouts and row not in kept:
                    kept.append(row)

    def _log(self, stage: str, rows: Sequence[Row], info: Row) -> None:
        for start in range(0, len(rows), BATCH):
            self._send(stage, rows[start : start + BATCH], info)

    def _send(self, stage: str, rows: Sequence[Row], info: Row) -> None:
        session, before = self._open(info), self._sent(stage)
        self.ledger.steps[stage] = _step(rows[-1])
        self.ledger.save()
        try:
            for row in rows:
                step = _step(row)
                session.log(stage, step, dict(_numbers(row)))
                records = self.waiting.pop((stage, step), None)
                if records:
                    session.rollouts(stage, step, [from_json(_sound(record)) for record in records])
                before, self.sent = step, self.sent + 1
        except Exception:
            self.ledger.steps[stage] = before
            self.ledger.save()
            raise

    def _alert(self, stage: str, event: Row, info: Row) -> None:
        level = _alarming(event)
        assert level is not None, event
        step, text = _step(event), _sound(str(event.get("message") or event.get("event")))
        mark = digest(stage, str(step), text)[:12]
        if mark in self.ledger.alerts:
            return
        session = self._open(info)
        self.ledger.alerts.append(mark)
        self.ledger.save()
        try:
            session.alert(stage, step, text, level)
        except Exception:
            self.ledger.alerts.remove(mark)
            self.ledger.save()
            raise

    def _open(self, info: Row) -> TrackerSession:
        """The session, opened when there is something to send."""
        if self.session is None:
            config: Any = read_json(self.run / "config" / "resolved.json")
            folder = self.run / "trackers" / slug(self.tracker)
            name = str(info.get("name") or self.run.name)
            self.session = self.tracker.open(TrackedRun(str(info.get("id") or self.run.name), name, folder, config))
        return self.session


def slug(tracker: Tracker) -> str:
    """A tracker's name as a folder's: "mine.py:Mine" -> "mine_py_Mine"."""
    return re.sub(r"\W+", "_", tracker.name)


def summary_of(run: Path) -> dict[str, Json]:
    """The main numbers of a run's report, flat: verdict, and pass and format rates of every model. Empty without a report."""
    file = run / "report" / "report.json"
    if not file.is_file():
        return {}
    report: Any = read_json(file)
    found: dict[str, Json] = {"verdict": report["verdict"], "verdict_sentence": report["verdict_sentence"]}
    for model, numbers in report["models"].items():
        rates = {**numbers["verifier_pass"], "trace_format": numbers["trace_format"]}
        found |= {f"{model}/{name}": rate["value"] for name, rate in rates.items() if rate is not None}
    return found


def _numbers(row: Row) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        if name != "step" and isinstance(value, (int, float)) and math.isfinite(value):
            yield name, float(value)


def _step(row: Row) -> int:
    step = row.get("step")
    return step if isinstance(step, int) else 0


def _sound(value: Any) -> Any:
    """Text that can be written as UTF-8: a model's may have halves of surrogate pairs."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {name: _sound(inner) for name, inner in value.items()}
    return [_sound(inner) for inner in value] if isinstance(value, list) else value


def _alarming(event: Row) -> Level | None:
    """The level of an event that is worth an alert: a rule that begins to hold, and whatever is no mere information."""
    level = event.get("level")
    if event.get("event") == "health":
        return level if event.get("holds") and level in ("info", "warning", "error") else None
    return level if level in ("warning", "error") else None
