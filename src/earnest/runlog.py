"""The run directory: the one product of a run. Terminal, report, export and resume only read it.

JSON, JSONL and safetensors only. Whole files are written under a temporary name, synced and renamed; logs are appended line by
line, and a checkpoint remembers how long each was, so that a resumed run continues them without a gap or a double. One
process at a time holds the directory.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import shutil
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from earnest.errors import EarnestError, RunDirError
from earnest.types import Json

SCHEMA = 1


class DiskFull(EarnestError):
    """No space was left for a file; whatever was there before is intact."""

    exit_code = 4


def dump_line(row: Mapping[str, Json]) -> str:
    """One JSON line, the same bytes for the same row. NaN and infinities become null."""
    try:
        return json.dumps(row, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    except ValueError:  # a number that is none
        return json.dumps(_finite(row), ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, value: Json) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never half of it."""
    write_bytes(path, json_text(value).encode())


def json_text(value: Json) -> str:
    """A JSON document to read: indented, what would not show (controls, direction overrides, lone surrogates) as \\uXXXX."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return "".join(character if _shows(character) else json.dumps(character)[1:-1] for character in text)


def _shows(character: str) -> bool:
    return character == "\n" or character.isprintable()


def write_bytes(path: Path, data: bytes) -> None:
    """Temporary name, sync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp{os.getpid()}")
    with disk_full_is_an_error(path):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def disk_full_is_an_error(path: Path) -> Generator[None]:
    """Turn ENOSPC and a quota into an error that says what to do."""
    try:
        yield
    except Exception as error:
        if _is_disk_full(error):
            raise DiskFull(
                "no space left on the device", where=str(path),
                why="the file could not be written; everything saved earlier is intact",
                remedy="free space, then `earnest resume` the run",
            ) from error  # fmt: skip
        raise


def _is_disk_full(error: Exception) -> bool:
    codes = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError):
        return error.errno in codes
    return any(f"(os error {code})" in str(error) for code in codes)  # safetensors passes it on as text only


@contextmanager
def replaced_folder(folder: Path) -> Generator[Path]:
    """A temporary folder that becomes `folder` when the block ends well, and vanishes when it does not."""
    temporary = folder.with_name(f".{folder.name}.tmp{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with disk_full_is_an_error(folder):
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync(file)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
            _sync(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class AppendLog:
    """A JSONL file that grows by whole lines. Its length is what a checkpoint remembers of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def append(self, rows: Sequence[Mapping[str, Json]]) -> None:
        with disk_full_is_an_error(self.path), open(self.path, "ab") as file:
            file.write("".join(dump_line(row) + "\n" for row in rows).encode())

    def mend(self) -> None:
        """Drop a last line that a killed writer left half-written. Only for whoever holds the run."""
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            os.truncate(self.path, data.rfind(b"\n") + 1)

    @property
    def length(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size

    def cut(self, length: int) -> None:
        """Forget everything after a checkpoint: those lines are about to be written again."""
        assert length <= self.length, (self.path, length, self.length)
        os.truncate(self.path, length)


class StageLog:
    """The folder of one stage: `metrics.jsonl`, `events.jsonl`, `rollouts/`, `checkpoints/`, `stage.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = AppendLog(folder / "metrics.jsonl")
        self.events = AppendLog(folder / "events.jsonl")
        self.rollouts = AppendLog(folder / "rollouts" / "rollouts.jsonl")
        self.step = 0
        """The last step whose row is written."""
        self.events.mend()

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def event(self, event: str, message: str, *, level: str = "info", **data: Json) -> None:
        """One line of `events.jsonl`: what happened besides the numbers, and behind which of its steps (0: before the first)."""
        _write_event(self.events, event, message, level, {"step": self.step, **data})

    def lengths(self) -> dict[str, int]:
        """How far the logs reach now, and have reached the disk. Events are history and are never cut."""
        _sync(self.metrics.path)
        _sync(self.rollouts.path)
        return {"metrics": self.metrics.length, "rollouts": self.rollouts.length}

    def cut(self, lengths: Mapping[str, int]) -> None:
        self.metrics.cut(lengths["metrics"])
        self.rollouts.cut(lengths["rollouts"])

    def clear(self) -> None:
        """Begin the stage anew."""
        self.cut({"metrics": 0, "rollouts": 0})
        shutil.rmtree(self.checkpoints, ignore_errors=True)


class RunDir:
    """A run's directory, held by this process from `create` or `open` until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock = open(path / ".lock", "a+")  # noqa: SIM115
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "another process"
            self._lock.close()
            raise RunDirError(
                "this run is in use", where=str(path), why=f"held by {holder}", remedy="wait for it, or stop it first"
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()

    @classmethod
    def create(cls, runs: Path, name: str, tag: str) -> RunDir:
        """A new directory `<runs>/<name>-<time>-<tag>`."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        for attempt in range(1000):
            path = runs / (f"{name}-{stamp}-{tag}" + (f"-{attempt}" if attempt else ""))
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            return cls(path)
        raise AssertionError("a thousand runs in one second")

    @classmethod
    def create_at(cls, path: Path) -> RunDir:
        """A new run in a directory that the user names; it must not hold anything yet."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            what = "a run" if (path / "run.json").is_file() else "other files"
            raise RunDirError(
                "the run directory exists already", where=str(path), why=f"it holds {what}",
                remedy=f"continue it: earnest resume {path} · or name another: --run-dir · or delete it yourself",
            )  # fmt: skip
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """An existing run, to continue it."""
        if not (path / "run.json").is_file():
            raise RunDirError(
                "not a run directory", where=str(path), why="it has no run.json", remedy="name one of runs/*"
            )
        run = cls(path)
        for leftover in list(
            path.rglob(".*.tmp*")
        ):  # of writers that were killed; nobody writes while we hold the lock
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        return run

    def close(self) -> None:
        self._lock.close()

    def stage(self, stage_id: str) -> StageLog:
        return StageLog(self.path / stage_id)

    def event(self, event: str, message: str, *, level: str = "info", **data: Json) -> None:
        """One line of the run's own `events.jsonl`: what is about no single stage."""
        _write_event(AppendLog(self.path / "events.jsonl"), event, message, level, data)

    def info(self) -> dict[str, Any]:
        return read_json(self.path / "run.json")

    def update(self, **fields: Json) -> None:
        """Merge fields into run.json."""
        old = self.info() if (self.path / "run.json").is_file() else {"schema": SCHEMA}
        write_json(self.path / "run.json", {**old, **fields})


def is_held(path: Path) -> bool:
    """True if a process has the run open: it is still going, or about to end."""
    try:
        with open(path / ".lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_event(log: AppendLog, event: str, message: str, level: str, data: Mapping[str, Json]) -> None:
    log.mend()
    log.append([{"time": time.time(), "level": level, "event": event, "message": message, **data}])


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in cast("Sequence[Any]", value)]
    return value


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
