"""A tracker that writes down what it is sent, one JSON line each, and fails or hangs where it is told to."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from earnest.trackers.base import Level, TrackedRun, Tracker, TrackerSession
from earnest.types import Json, Record


class Recorder(Tracker):
    """Writes to a file."""

    into: str
    """The file."""
    fail_at: int | None = None
    """Raise at this step."""
    hang: bool = False
    """Never come back from the first call."""

    def open(self, run: TrackedRun) -> TrackerSession:
        session = RecorderSession(self)
        session.write("open", run.id, run.name, sorted(run.config))
        return session


class RecorderSession(TrackerSession):
    """Appends to the file."""

    def __init__(self, tracker: Recorder) -> None:
        self.tracker = tracker

    def write(self, *what: Json) -> None:
        with Path(self.tracker.into).open("a") as file:
            file.write(json.dumps(what) + "\n")

    def log(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        if self.tracker.hang:
            time.sleep(600)
        if step == self.tracker.fail_at:
            warnings.warn("this will not end well", stacklevel=1)
            raise OSError("no space left\nfor this tracker")
        self.write("log", stage, step, dict(metrics))

    def rollouts(self, stage: str, step: int, records: Sequence[Record]) -> None:
        self.write("rollouts", stage, step, [[r.problem.id, r.index, r.text] for r in records])

    def alert(self, stage: str, step: int, text: str, level: Level) -> None:
        self.write("alert", stage, step, text, level)

    def finish(self, status: str, summary: Mapping[str, Json]) -> None:
        self.write("finish", status, sorted(summary))


def recorded(file: Path, *kinds: str) -> list[list[Json]]:
    """What was sent, of these kinds, in order."""
    lines = file.read_text().splitlines() if file.is_file() else []
    return [what for what in map(json.loads, lines) if what[0] in kinds]
