"""Calls a user's function in a process of its own, with a deadline: code that hangs or crashes costs one call and not the run.

The process is a fresh interpreter, not a fork (a fork would share torch's threads and locks). It loads the function once and
answers call after call; past a deadline it is killed with everything it started, and the next call gets a new one. Arguments and
results cross as JSON, so that nothing of the user's is ever unpickled here; what the user's code prints goes to a pipe of its
own, of which the end is kept for messages.

What this does not stop: it is no sandbox against hostile code. The function runs as this user, with this user's files, network,
memory and processor time, and what it changes outside itself stays changed. It guards against mistakes.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias

from earnest.types import Json

LOAD_S = 120.0
"""Seconds that a user's file may take to be imported; torch alone may take twenty on a busy machine."""
ANSWER_BYTES = 1 << 24
PRINTED_CHARS = 2000
CHILD = Path(__file__).with_name("_child.py")

Ended: TypeAlias = Literal["load", "raised", "deadline", "died"]


class WorkerError(Exception):
    """A call that gave no result. `kind` says how it ended; the text is for the user, and untrusted."""

    def __init__(self, kind: Ended, text: str) -> None:
        self.kind: Ended = kind
        super().__init__(text)


@dataclass(frozen=True)
class Callee:
    """A user's function: `where` is a file with its source, or a module without. Example: Callee("r.py", "exact", "def …")."""

    where: str
    name: str
    source: str | None

    @classmethod
    def read(cls, spec: str) -> Callee:
        """From `path.py:name` or `package.module:name`. A file is read once: what it holds later is another function."""
        where, _, name = spec.rpartition(":")
        return cls(where, name, Path(where).read_text(encoding="utf-8") if where.endswith(".py") else None)

    @cached_property
    def label(self) -> str:
        """Example: "exact (rewards.py, 1f2e3d4c)", with the beginning of the source's hash."""
        stamp = "" if self.source is None else f", {sha256(self.source.encode()).hexdigest()[:8]}"
        return f"{self.name} ({Path(self.where).name if stamp else self.where}{stamp})"


class Worker:
    """One user function's process. Any thread may call; calls wait for each other."""

    def __init__(self, callee: Callee) -> None:
        self.callee = callee
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = b""
        self._lock = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether the next call finds a process, and need not start one."""
        return self._process is not None

    def call(self, arguments: Mapping[str, Json], limit_s: float) -> Any:
        """What the function returns for these keyword arguments (those it takes), in JSON's types. Raises WorkerError."""
        with self._lock:
            try:
                if self._process is None:
                    self._start()
                return self._ask({"arguments": arguments, "limit_s": limit_s}, limit_s)
            except BaseException as error:
                if not (isinstance(error, WorkerError) and error.kind == "raised"):
                    self._kill()  # a process that owes an answer would give it to the next question
                raise

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stderr is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stderr.fileno(), False)
        callee = self.callee
        question = {"where": callee.where, "name": callee.name, "source": callee.source, "sys_path": sys.path}
        try:
            self._ask({**question, "limit_s": LOAD_S}, LOAD_S)
        except WorkerError as error:
            raise WorkerError("load", str(error)) from None

    def _ask(self, question: Mapping[str, Any], limit_s: float) -> Any:
        self._printed = b""
        answer = json.loads(self._exchange((json.dumps(question) + "\n").encode(), limit_s))
        if "raised" in answer:
            raise WorkerError("raised", str(answer["raised"]) + self._said())
        return answer["value"]

    def _exchange(self, question: bytes, limit_s: float) -> bytes:
        """Writes the question and reads the line of the answer, and what is printed meanwhile, until the deadline."""
        process, deadline = self._process, time.monotonic() + limit_s
        assert process is not None and process.stdin and process.stdout and process.stderr
        answer, waiting = bytearray(), memoryview(question)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdin, selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            while not answer.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WorkerError("deadline", f"no answer within {limit_s:g} s{self._said()}")
                for key, _ in selector.select(left):
                    if key.fileobj is process.stdin:
                        with suppress(BrokenPipeError):  # it died: reading says so
                            waiting = waiting[os.write(key.fd, waiting[:65536]) :]
                            if waiting:
                                continue
                        selector.unregister(process.stdin)
                    elif key.fileobj is process.stdout:
                        chunk = os.read(key.fd, 65536)
                        answer += chunk
                        if not chunk:
                            raise WorkerError("died", self._end(process) + self._said())
                    elif not self._listen(key.fd):
                        selector.unregister(process.stderr)
                if len(answer) > ANSWER_BYTES:
                    raise WorkerError("died", f"it returned more than {ANSWER_BYTES:,} bytes")
        return bytes(answer)

    def _listen(self, fd: int) -> bool:
        """Reads once what was printed, and keeps the end of it. False where there is nothing (more) to come."""
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            return False
        self._printed = (self._printed + chunk)[-4 * PRINTED_CHARS :]
        return bool(chunk)

    def _said(self) -> str:
        """What the code printed in this call, its end, for a message."""
        assert self._process is not None and self._process.stderr is not None
        for _ in range(64):
            if not self._listen(self._process.stderr.fileno()):
                break
        text = self._printed.decode(errors="replace").strip()[-PRINTED_CHARS:]
        return f"\nIt had printed:\n{text}" if text else ""

    def _end(self, process: subprocess.Popen[bytes]) -> str:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1.0)
        code = process.returncode
        if code is None:
            return "its process closed the line to this one"
        return f"its process ended with exit code {code}" if code >= 0 else f"its process died of {_signal(-code)}"

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def shared(callee: Callee) -> Worker:
    """This process's one worker for a function. All are closed when the interpreter ends."""
    with _LOCK:
        return _WORKERS.setdefault(callee, Worker(callee))


def close_all() -> None:
    """Ends every process that `shared` started; the next call starts it again."""
    for worker in list(_WORKERS.values()):
        worker.close()


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _forget() -> None:
    """In a forked process: the workers are its parent's, and an answer read here would be missing there."""
    global _WORKERS, _LOCK
    _WORKERS, _LOCK = {}, threading.Lock()


_WORKERS: dict[Callee, Worker] = {}
_LOCK = threading.Lock()
atexit.register(close_all)
os.register_at_fork(after_in_child=_forget)
