"""How well this machine can hold untrusted code, found out by trying.

- `bwrap`: namespaces made by bubblewrap, with a process tree, a file system and a network of the job's own, and the filter of
  system calls. As root, and as a user where the system lets users make namespaces.
- `landlock`: where that is refused (containers, hardened systems). The kernel takes the job's rights to files and sockets, and a
  stricter filter its right to start or to signal processes. A job cannot write a file or start a program; other users' processes
  on the machine are not hidden, but out of reach.
- `unsafe`: limits on time and memory alone. Untrusted code can read, change and send whatever this user can. Never chosen, only
  asked for by name.

A level is proven by a job that tries what it must not be able to do; what succeeds rules the level out. Nothing is weakened in
silence: where no level holds, there is none, and code is not run.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

from earnest.errors import MissingDependency
from earnest.sandbox import _landlock, _view
from earnest.sandbox._server import Server
from earnest.sandbox.codec import CodecError
from earnest.sandbox.terms import Level, Limits, Plan, Request, SandboxError

Asked: TypeAlias = Literal["auto", "bwrap", "landlock", "unsafe"]

REMEDY = (
    'install bubblewrap (`pip install "earnest[sandbox]"`, or the package bubblewrap of the system) and allow user namespaces, '
    "or use a kernel with Landlock (5.13 and newer); a container needs `--security-opt seccomp=unconfined` or root. "
    "`sandbox: unsafe` runs untrusted code without walls"
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe found. level None: untrusted code cannot be run here. why: one line for people.

    Example: Found("bwrap", "namespaces by bubblewrap, system calls filtered", ())
    """

    level: Level | None
    why: str
    refused: tuple[str, ...]  # "level: what went wrong", for each that was tried in vain


@dataclass(frozen=True, slots=True)
class Settled:
    """The level that jobs run at."""

    level: Level


def probe() -> Found:
    """The best level that holds on this machine, tried once per process."""
    with _LOCK:
        if os.getpid() not in _FOUND:
            _FOUND[os.getpid()] = _probed()
    return _FOUND[os.getpid()]


def settled(asked: Asked) -> Settled:
    """The level for what was asked. Raises MissingDependency where it is not to be had; `unsafe` warns once."""
    if asked == "unsafe":
        _warn()
        return Settled("unsafe")
    if asked == "auto":
        found = probe()
        if found.level is None:
            raise MissingDependency(
                "untrusted code cannot be run safely here", why="; ".join(found.refused), remedy=REMEDY
            )
        return Settled(found.level)
    with _LOCK:
        if asked not in _HELD:
            _HELD[asked] = _fault(asked)
    if _HELD[asked] is not None:
        raise MissingDependency(f"the sandbox level '{asked}' does not hold here", why=str(_HELD[asked]), remedy=REMEDY)
    return Settled(asked)


def _probed() -> Found:
    refused: list[str] = []
    for level in ("bwrap", "landlock"):
        fault = _HELD[level] = _fault(level)
        if fault is None:
            return Found(level, _WHY[level], tuple(refused))
        refused.append(f"{level}: {fault}")
    return Found(None, "no sandbox", tuple(refused))


_WHY = {
    "bwrap": "namespaces by bubblewrap, system calls filtered",
    "landlock": "Landlock, system calls filtered; a job can write no file and start no process",
}


def _fault(level: Level) -> str | None:
    """Why this level does not hold here; None: it does."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return f"made for Linux on x86-64, this is {platform.system()} on {platform.machine()}"
    if level == "bwrap" and _view.bwrap() is None:
        return "the program bwrap is not installed"
    below = [path for path in _view.readable() if path.startswith("/tmp/")]
    if level == "bwrap" and below:
        return f"{below[0]} is below /tmp, where every job has a folder of its own"
    if level == "landlock" and _landlock.version() == 0:
        return "the kernel has no Landlock, or it is switched off"
    if level == "landlock" and _view.exposed():
        return "EARNEST_DATA lies below a folder that jobs must read, and Landlock cannot take a part of one away"
    try:
        server = Server(Plan(level))
    except SandboxError as error:
        return " ".join(str(error).split())
    try:
        return _tried(server)
    except (SandboxError, CodecError) as error:
        return " ".join(str(error).split())
    finally:
        server.close()


def _tried(server: Server) -> str | None:
    """Lets a job try what it must not be able to do."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        canary = os.path.join(folder, "canary")
        with open(canary, "w") as file:
            file.write("here")
        os.chmod(canary, 0o666)
        job = server.run(Request(limits=Limits(wall_s=20)))
        try:
            question = {
                "function": "earnest.sandbox._attempts:attempts",
                "arguments": [canary, os.getpid()],
                "talks": False,
            }
            job.tell(question)
            kind, value = job.ask()
        finally:
            job.end()
        with open(canary) as file:
            touched = file.read() != "here"
    if kind != "value":
        return f"the trial failed: {value}"
    done = [name for name, could in value.items() if could] + ["changed a file of this machine"] * touched
    return f"a job could do what it must not: {', '.join(done)}" if done else None


def _warn() -> None:
    if not _WARNED:
        _WARNED.append(True)
        warnings.warn(
            "sandbox: unsafe - untrusted code runs with all the rights of this user", RuntimeWarning, stacklevel=3
        )


def _forget() -> None:
    """In the child of a fork: another thread of the parent may have held the lock."""
    global _LOCK
    _LOCK = threading.RLock()


_FOUND: dict[int, Found] = {}
_HELD: dict[str, str | None] = {}
_WARNED: list[bool] = []
_LOCK = threading.RLock()
os.register_at_fork(after_in_child=_forget)
