"""Reading a run directory while it grows: what is new since the last look.

For whoever shows or passes on what a run does (the terminal's live view, trackers). Nothing is written, and the process that
trains is not asked: logs are read by position. A line that is half written is left for the next look. A log that was cut, as a
resume cuts it at a checkpoint, is noticed by its content, so that it may have grown past its old length in the meantime.
A finished directory is read by the same code: everything is new in the first look.

Not here: whole runs as values (`evaluate/load.py`), and any number made from them.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Stamp: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Lines:
    """What one look at a log found. kept: how many of the lines read before are still in it; rows: those behind them."""

    kept: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNews:
    """What one look at a stage found. note: its stage.json; rollouts may be fewer than the file has (see Follower)."""

    id: str
    note: Row
    metrics: Lines
    events: Lines
    rollouts: Lines

    @property
    def cached(self) -> bool:
        """Whether another run did it, and this one took its folder over: nothing in it happens now."""
        return self.note.get("cached_from") is not None


@dataclass(frozen=True, slots=True)
class News:
    """What one look at a run found. info: run.json; every stage that has begun, in the recipe's order."""

    info: Row
    stages: tuple[StageNews, ...]

    @property
    def rows(self) -> int:
        """How many lines are new."""
        return sum(len(lines.rows) for s in self.stages for lines in (s.metrics, s.events, s.rollouts))


class Log:
    """One JSONL file, read to the end of its last whole line.

    per_step: give the first so many lines of each `step`. tail: of what is new, give the lines in the last so many bytes.
    """

    def __init__(self, path: Path, *, per_step: int | None = None, tail: int | None = None) -> None:
        self.path, self.per_step, self.tail = path, per_step, tail
        self.step: Any = None
        self.taken = 0  # lines of that step
        self.stamp: Stamp | None = None
        self.position = 0
        self.last = b""
        self.checksums: list[int] = []

    def look(self) -> Lines:
        """The lines that are new, and how many of the old ones still stand."""
        stamp = _stamp(self.path)
        if stamp is not None and stamp == self.stamp:
            return Lines(len(self.checksums), ())
        self.stamp = stamp
        try:
            with self.path.open("rb") as file:
                kept = len(self.checksums) if self._continues(file) else self._rewind(file)
                return Lines(kept, tuple(self._read(file)))
        except FileNotFoundError:
            self._forget(0)
            return Lines(0, ())

    def _continues(self, file: IO[bytes]) -> bool:
        """Whether the file still has, in its place, the last line that was read. Leaves it open behind that line."""
        file.seek(self.position - len(self.last))
        return file.read(len(self.last)) == self.last

    def _rewind(self, file: IO[bytes]) -> int:
        """Go to the first line that is not as it was, and count those before it."""
        file.seek(0)
        if self.tail is not None:  # it does not know every line
            self._forget(0)
            return 0
        old, self.position = self.checksums, 0
        for kept, checksum in enumerate(old):
            line = file.readline()
            if not line.endswith(b"\n") or zlib.crc32(line) != checksum:
                file.seek(self.position)
                self._forget(kept)
                return kept
            self.position += len(line)
            self.last = line
        return len(old)

    def _forget(self, kept: int) -> None:
        del self.checksums[kept:]
        if not kept:
            self.position, self.last = 0, b""

    def _read(self, file: IO[bytes]) -> Iterator[Row]:
        if self.tail is not None and (start := os.fstat(file.fileno()).st_size - self.tail) > self.position:
            file.seek(start)
            self.last = file.readline()  # the rest of a line
            self.position = start + len(self.last)
        for line in file:
            if not line.endswith(b"\n"):
                return  # half written
            self.position += len(line)
            self.last = line
            self.checksums.append(zlib.crc32(line))
            row = _row(line)
            self.taken = self.taken + 1 if row.get("step") == self.step else 1
            self.step = row.get("step")
            if self.per_step is None or self.taken <= self.per_step:
                yield row


class Follower:
    """Follows one run.

    Rollouts can be many and large. per_step: give the first so many of each step; tail: give those in the last so many bytes
    of what is new in a look, which may be another number every time.
    """

    def __init__(self, run: Path, *, per_step: int | None = None, tail: int | None = None) -> None:
        self.run, self.per_step, self.tail = run, per_step, tail
        self.logs: dict[Path, Log] = {}
        self.notes: dict[Path, tuple[Stamp, Row]] = {}

    def look(self) -> News:
        """Everything that is new since the last look."""
        info = self._json(self.run / "run.json")
        ids = info.get("stages")
        notes = {stage: self._json(self.run / stage / "stage.json") for stage in (ids if isinstance(ids, list) else [])}
        return News(info, tuple(self._stage(stage, note) for stage, note in notes.items() if note))

    def _stage(self, stage: str, note: Row) -> StageNews:
        folder = self.run / stage
        # The loop appends a step's rollouts before its metrics: read in the other order, a step that is there is there whole.
        metrics, events = self._log(folder / "metrics.jsonl").look(), self._log(folder / "events.jsonl").look()
        log = self._log(folder / "rollouts" / "rollouts.jsonl", per_step=self.per_step)
        log.tail = self.tail
        rollouts = log.look()
        return StageNews(id=stage, note=note, metrics=metrics, events=events, rollouts=rollouts)

    def _json(self, path: Path) -> Row:
        """A JSON file, read again when it was replaced. Empty where there is none."""
        stamp = _stamp(path)
        if stamp is None:
            return {}
        known = self.notes.get(path)
        if known is None or known[0] != stamp:
            try:
                known = self.notes[path] = stamp, _row(path.read_bytes())
            except FileNotFoundError:  # taken away in between
                return {}
        return known[1]

    def _log(self, path: Path, *, per_step: int | None = None) -> Log:
        return self.logs.setdefault(path, Log(path, per_step=per_step))


def _row(line: bytes) -> Row:
    """The object of a line. One that cannot be read is none: to complain of it is the report's work, not a spectator's."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _stamp(path: Path) -> Stamp | None:
    """Changes whenever the file does; None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
