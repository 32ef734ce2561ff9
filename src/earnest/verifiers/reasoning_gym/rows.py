"""Rows of the package `reasoning-gym`, made again from their names. A helper of the verifier and the task, no verifier.

The package runs in a process of its own, so that neither its draws nor a fixed hash seed touch this one. Its answers are kept.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from earnest.types import Json
from earnest.verifiers.refused import Refused

TIMEOUT_S = 120.0
REMEDY = 'pip install "earnest[gym]"'
TESTED = "0.1.25"
"""The version whose scorers were tried, data set by data set; `tables` speaks of no other."""


@dataclass(frozen=True, slots=True)
class Name:
    """Which row. Example: Name("leg_counting", '{"seed":1,"size":1}', 0)."""

    dataset: str
    config: str  # JSON
    index: int

    @property
    def settings(self) -> dict[str, Any]:
        return json.loads(self.config)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. answer is None where the package names no right answer."""

    question: str
    answer: str | None
    metadata: Mapping[str, Any]


def installed() -> str | Refused:
    """The version of the package, if it is one whose scorers are known."""
    try:
        found = version("reasoning-gym")
    except PackageNotFoundError:
        return Refused(f"reasoning-gym is not installed: {REMEDY}")
    return (
        found
        if found == TESTED
        else Refused(f"reasoning-gym {found} is installed; {TESTED} is what was tried: {REMEDY}")
    )


def rows_of(name: Name) -> tuple[Row, ...] | Refused:
    """The row; several where its name does not determine it (`serve.rows`); or why it cannot be made."""
    try:
        told = _ask(name)
    except _Lost as error:
        return Refused(str(error))
    if "error" in told:
        return Refused(f"the row cannot be made: {told['error']}")
    return tuple(Row(row["question"], row["answer"], row["metadata"]) for row in told["rows"])


class _Lost(Exception):
    """The process that makes rows ended, or hung. Not kept, unlike its answers: the next question starts another."""


@lru_cache(maxsize=8192)
def _ask(name: Name) -> Mapping[str, Any]:
    return _SERVER.ask([name.dataset, name.settings, name.index])


class _Server:
    """The process that makes rows; started when first asked, and again after it was lost. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def ask(self, request: Json) -> dict[str, Any]:
        with self._lock:
            process = self._running()
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                with selectors.DefaultSelector() as selector:
                    selector.register(process.stdout, selectors.EVENT_READ)
                    line = process.stdout.readline() if selector.select(TIMEOUT_S) else ""
            except OSError:
                line = ""
            if not line.endswith("\n"):
                self.close()
                raise _Lost(f"the process that makes rows was lost, or took longer than {TIMEOUT_S:g} seconds")
            return json.loads(line)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
            kept = {key: os.environ[key] for key in ("PATH", "HOME", "VIRTUAL_ENV", "LANG") if key in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("serve.py"))], text=True, encoding="utf-8",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**kept, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            self._owner = os.getpid()
        return self._process

    def close(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.communicate()
        self._process = None


_SERVER = _Server()
atexit.register(_SERVER.close)
