"""One fork server: started inside its walls, asked for jobs, replaced when it is of no more use. The trusted side.

A fork server is one process of this package (`_zygote.py`) that lives as long as this one at most: it ends when its line to here
closes, and the kernel kills it when the thread that started it ends. That thread is one of its own, which never does.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, Any

from earnest.sandbox import _view
from earnest.sandbox._confine import LINE
from earnest.sandbox._handle import END_S, Job
from earnest.sandbox.terms import Lost, Plan, Request, SandboxError

START_S = 120.0
"""Seconds that a fork server may take to import what it serves."""
_BOOT = """
import sys; sys.path[:] = {path}
from earnest.sandbox import _hooks; _hooks.hold()
from earnest.sandbox._zygote import main; main()
"""
_CHUNK = 1 << 16
_UIDS, _UID_BITS = 1_900_000_000, 31
"""Where root starts a server, it becomes a user that nobody is: another one for each on the machine, drawn by chance, because the
kernel counts processes by user, and what one job starts must not be counted against another."""


class Server:
    """One fork server. One job at a time, from any thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.jobs, self.owner = plan, 0, os.getpid()
        self.details: dict[str, Any] = {}
        try:
            with tempfile.TemporaryFile() as said:
                self._start(said)
        except OSError as error:
            raise SandboxError("unavailable", f"no fork server can be started: {error}") from None

    def _start(self, said: IO[bytes]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        paths = _view.readable(self.plan.readable)
        boot = [_view.interpreter(), "-s", "-S", "-P", "-B", "-c", _BOOT.format(path=json.dumps(_view.module_path()))]
        is_root = os.geteuid() == 0
        uid: int | None = _UIDS + secrets.randbits(_UID_BITS) if is_root else None
        command = boot
        if self.plan.level == "bwrap":
            program = _view.bwrap()
            if program is None:
                raise SandboxError("unavailable", "there is no program bwrap")
            command = [*_view.bwrap_command(program, paths, user_namespace=not is_root), *boot]
        elif not _view.is_public([*paths, *_view.module_path()]):
            uid = None  # another user could not read the interpreter
        with theirs:
            self.process = spawned(lambda: _popen(command, theirs, said))
        start = {
            "level": self.plan.level, "preload": list(self.plan.preload), "sys_path": _view.module_path(),
            "readable": paths, "uid": uid, "parent": os.getpid(),
        }  # fmt: skip
        try:
            self.control.send(json.dumps(start).encode())
            self.control.settimeout(START_S)
            self.details = json.loads(self.control.recv(_CHUNK))
        except (OSError, ValueError):
            self.close()
            said.seek(0)
            text = said.read()[-2000:].decode(errors="replace").strip()
            raise SandboxError("unavailable", f"the fork server did not start: {text or 'it said nothing'}") from None
        except BaseException:  # whoever asked was interrupted
            self.close()
            raise

    def run(self, request: Request) -> Job:
        """Starts a job. Raises Lost when this server is of no more use, which it is after any exception."""
        self.jobs += 1
        with ExitStack() as ours, ExitStack() as theirs:
            try:
                job = self._started(request, ours, theirs)
            except OSError as error:
                raise Lost(f"the fork server is gone, or nothing more can be opened: {error}") from None
            ours.pop_all()
        return job

    def _started(self, request: Request, ours: ExitStack, theirs: ExitStack) -> Job:
        """Both stacks close what this opens; `ours` is the job's from then on."""
        line, line_theirs = socket.socketpair()
        ours.callback(line.close)
        theirs.callback(line_theirs.close)
        given, into, outputs = {LINE: line_theirs.fileno()}, -1, [-1, -1]
        if request.stdin is not None:
            given[0], into = os.pipe2(os.O_CLOEXEC)
            _kept(theirs, given[0])
            _kept(ours, into)
        if request.captures:
            for place in (1, 2):
                outputs[place - 1], given[place] = os.pipe2(os.O_CLOEXEC)
                _kept(theirs, given[place])
                os.set_blocking(_kept(ours, outputs[place - 1]), False)
        asked = json.dumps({**request.asked(), "places": list(given)}).encode()
        self.control.settimeout(END_S)
        socket.send_fds(self.control, [asked], list(given.values()))
        said, handles, _, _ = socket.recv_fds(self.control, 16, 1)
        for handle in handles:
            _kept(ours, handle)
        if said != b"forked" or len(handles) != 1:
            raise OSError("no process")
        return Job(self, request, handles[0], line, (into, *outputs))

    def close(self) -> None:
        """Ends the process and waits for it."""
        self.control.close()
        if self.owner != os.getpid():
            self.process.returncode = 0  # another process's child
            return
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class _Spawner:
    """Starts processes from one thread that never ends: a child that dies with its parent dies with the thread that made it."""

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="sandbox", daemon=True).start()

    def __call__(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked.put((start, answer))
        result = answer.get()
        if isinstance(result, BaseException):
            raise SandboxError("unavailable", f"no process can be started: {result}")
        return result

    def _work(self) -> None:
        while True:
            start, answer = self._asked.get()
            try:
                answer.put(start())
            except BaseException as error:
                answer.put(error)


def _popen(command: list[str], control: socket.socket, said: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdin=control.fileno(), stdout=subprocess.DEVNULL, stderr=said, env=_view.ENVIRONMENT, cwd="/", close_fds=True,
        start_new_session=True,
    )  # fmt: skip


def _kept(stack: ExitStack, fd: int) -> int:
    stack.callback(os.close, fd)
    return fd


def _forget() -> None:
    """In the child of a fork: another thread of the parent may have held the lock."""
    global _LOCK
    _LOCK = threading.Lock()


_spawners: dict[int, _Spawner] = {}
"""By process: after a fork there is no such thread."""
_LOCK = threading.Lock()
os.register_at_fork(after_in_child=_forget)


def spawned(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """The process that `start` starts, from this process's own thread for that."""
    with _LOCK:
        if os.getpid() not in _spawners:
            _spawners[os.getpid()] = _Spawner()
    return _spawners[os.getpid()](start)
