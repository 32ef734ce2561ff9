"""Runs untrusted text behind walls: `call` a trusted function on it, `session` with one, run a `command` on files.

    call("package.module:name", ["text"], Limits(wall_s=5), preload=("package.module",)) -> the function's value

A job is a fresh process, forked from a server that has imported `preload`, and killed with all that it started when it has
answered or its time is up. It sees the interpreter, the installed packages and the system's programs, read-only, and a /tmp of
its own with a quota; it has no network, no other process in sight, no capability, few system calls, and limits on memory, time,
processes and disk. What comes back is exact builtin values (`codec.py`), never an object, never a verdict: compare them out here,
and give a job nothing that it must not know. The three levels, and what each lacks, are in `levels.py`.

What this does not stop: faults of the kernel and of the processor (for those, a virtual machine); side channels such as timing;
a job that uses all that its limits allow, which is `processes` times `memory_mb` at worst (`memory_mb` alone where it may not
fork); and whoever writes the functions and the data that run out here. Where two jobs talk through the caller, what one says
reaches the other.

Any thread may call. At most as many jobs of one kind run at once as there are processors; the rest wait, and waiting is not
charged. A call whose fork server is lost under it is run once more. All processes end with this one; after a fork, the child
starts its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from earnest.sandbox import _inside
from earnest.sandbox._handle import Job
from earnest.sandbox._server import Server
from earnest.sandbox.codec import CodecError
from earnest.sandbox.levels import Asked, settled
from earnest.sandbox.terms import Ended, Limits, Lost, Plan, Request, SandboxError

RECYCLED_AFTER = 2000
"""Jobs that one fork server runs before another takes its place."""
_LIMITS = Limits()
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Output:
    """What a program left. exit_code is minus the signal that killed it. files: name -> content, of its folder."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    files: Mapping[str, bytes]


class Session:
    """A job that talks: its function is called with a line (`_inside.Line`) first. Values are exact builtins both ways."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def tell(self, value: Any) -> None:
        """Sends a value. Raises CodecError for one that is no exact builtin."""
        self._job.tell(value)

    def restart_clock(self) -> None:
        """Its time on the wall clock begins anew. For a job that has waited for another."""
        self._job.restart_clock()

    def ask(self) -> Any:
        """The next value that the job tells. Raises SandboxError: it met a limit, raised, or ended without telling one."""
        kind, value = _answer(self._job.ask())
        if kind == "told":
            return value
        raise SandboxError("died", "its function returned") if kind == "value" else SandboxError(kind, str(value))


def call(
    function: str,
    arguments: Sequence[Any],
    limits: Limits = _LIMITS,
    preload: Sequence[str] = (),
    level: Asked = "auto",
) -> Any:
    """What `package.module:name` returns for these arguments, in a process of its own. Raises SandboxError, CodecError.

    The module is one that is installed beside this package, and is trusted; `preload` imports modules once for all jobs.
    """
    plan = Plan(settled(level).level, tuple(preload))

    def once() -> Any:
        with _running(plan, Request(limits=limits)) as job:
            job.tell({"function": function, "arguments": list(arguments), "talks": False})
            kind, value = _answer(job.ask())
            if kind != "value":
                raise SandboxError(kind, str(value))
            return value

    return again(once)


@contextmanager
def session(
    function: str,
    arguments: Sequence[Any],
    limits: Limits = _LIMITS,
    preload: Sequence[str] = (),
    level: Asked = "auto",
) -> Iterator[Session]:
    """A job that stays for several questions, and is killed when the context ends. Limits are those of the whole."""
    plan = Plan(settled(level).level, tuple(preload))
    with _running(plan, Request(limits=limits)) as job:
        job.tell({"function": function, "arguments": list(arguments), "talks": True})
        yield Session(job)


def output(
    function: str,
    arguments: Sequence[Any],
    stdin: bytes = b"",
    limits: Limits = _LIMITS,
    preload: Sequence[str] = (),
    level: Asked = "auto",
) -> Ended:
    """What a function reads and prints: it has a real standard input and output, and ends its process itself (os._exit).

    Raises SandboxError for a limit. Its exit status is in the result, and is no verdict.
    """
    plan = Plan(settled(level).level, tuple(preload))

    def once() -> Ended:
        with _running(plan, Request(limits=limits, stdin=stdin, captures=True)) as job:
            job.tell({"function": function, "arguments": list(arguments), "talks": False})
            job.wait()
            ended = job.end()
        job.check_time(ended)
        return ended

    return again(once)


def command(
    argv: Sequence[str],
    files: Mapping[str, bytes],
    limits: Limits = _LIMITS,
    readable: Sequence[str] = (),
    level: Asked = "auto",
) -> Output:
    """Runs a program in a private folder that holds these files (names relative to it). Raises SandboxError for a limit.

    readable: files and folders that it may read beyond the system's, such as a library of proofs. At level `landlock` the folder
    is on this machine's disk (removed afterwards, no quota but for a file's size) and the program can start no process.
    """
    for name in files:
        if os.path.isabs(name) or ".." in name.split("/"):
            raise ValueError(f"'{name}' is not below the folder")
    plan = Plan(settled(level).level, (), tuple(map(os.path.abspath, readable)))
    if plan.level != "bwrap":
        return again(lambda: _command_here(plan, argv, files, limits))
    return again(lambda: _command_inside(plan, argv, files, limits))


def _command_inside(plan: Plan, argv: Sequence[str], files: Mapping[str, bytes], limits: Limits) -> Output:
    """A command in the job's own file system."""
    with _running(plan, Request(limits=limits, captures=True)) as job:
        arguments = [dict(files), list(argv)]
        job.tell({"function": "earnest.sandbox._inside:execute", "arguments": arguments, "talks": False})
        kind, value = _answer(job.ask())
        if kind != "value":
            raise SandboxError(kind, str(value))
        code, left = value
        ended = job.end()
    job.check_time(replace(ended, code=code))
    return Output(code, ended.stdout, ended.stderr, left)


def _command_here(plan: Plan, argv: Sequence[str], files: Mapping[str, bytes], limits: Limits) -> Output:
    """The same where a job has no file system of its own."""
    folder = tempfile.mkdtemp(prefix="earnest-")
    try:
        _inside.write(files, folder)
        with _running(plan, Request(limits=limits, captures=True, folder=folder, profile="program")) as job:
            job.tell({"function": "earnest.sandbox._inside:become", "arguments": [list(argv)], "talks": False})
            job.wait()
            ended = job.end()
        job.check_time(ended)
        return Output(ended.code, ended.stdout, ended.stderr, _inside.collected(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def again(once: Callable[[], _Value]) -> _Value:
    """What `once` returns; where its job is lost on our side, what it returns the second time."""
    try:
        return once()
    except Lost:
        return once()


def _answer(value: Any) -> tuple[Any, Any]:
    kinds = ("told", "value", "raised", "memory", "foreign value")
    if type(value) is tuple and len(value) == 2 and value[0] in kinds:
        return value
    raise SandboxError("foreign value", "it sent something else than an answer")


class _Pool:
    """The fork servers of one plan: as many as there are processors, started when they are needed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._slots = list(range(len(os.sched_getaffinity(0))))
        self._idle: list[tuple[int, Server]] = []
        self._changed = threading.Condition()

    @contextmanager
    def running(self, request: Request) -> Iterator[Job]:
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._slots)
            slot, server = self._idle.pop() if self._idle else (self._slots.pop(), None)
        kept = False
        try:
            server, job = self._started(server, request)
            try:
                yield job
            finally:
                job.end()
                kept = server.jobs < RECYCLED_AFTER
        finally:
            if server is not None and not kept:
                server.close()
            with self._changed:
                if server is not None and kept:
                    self._idle.append((slot, server))
                else:
                    self._slots.append(slot)
                self._changed.notify()

    def _started(self, server: Server | None, request: Request) -> tuple[Server, Job]:
        """A job on this server, or on another in its place where it is gone."""
        if server is not None:
            with suppress(Lost):
                return server, _run_on(server, request)
        server = Server(self.plan)
        return server, _run_on(server, request)

    def close(self) -> None:
        with self._changed:
            idle, self._idle = self._idle, []
            self._slots += [slot for slot, _ in idle]
        for _, server in idle:
            server.close()


def _run_on(server: Server, request: Request) -> Job:
    """A job on this server, which is closed where there is none."""
    try:
        return server.run(request)
    except BaseException:
        server.close()
        raise


def _running(plan: Plan, request: Request) -> Any:
    with _LOCK:
        pool = _POOLS.setdefault(plan, _Pool(plan))
    return pool.running(request)


def close_all() -> None:
    """Ends every idle fork server; the next job starts another."""
    for pool in list(_POOLS.values()):
        pool.close()


def _forget() -> None:
    """In the child of a fork: the servers are the parent's, and this process must not hold their lines open."""
    global _LOCK
    pools = list(_POOLS.values())
    _POOLS.clear()
    _LOCK = threading.Lock()
    for pool in pools:
        for _, server in pool._idle:
            server.close()


_POOLS: dict[Plan, _Pool] = {}
_LOCK = threading.Lock()
atexit.register(close_all)
os.register_at_fork(after_in_child=_forget)

__all__ = [
    "CodecError",
    "Ended",
    "Limits",
    "Lost",
    "Output",
    "SandboxError",
    "Session",
    "again",
    "call",
    "command",
    "output",
    "replace",
    "session",
]
