"""What a probing job tries: everything here must fail, or the walls do not hold. Runs in a job alone."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
from collections.abc import Callable

from earnest.sandbox._inside import Line


def attempts(canary: str, parent: int) -> dict[str, bool]:
    """Name of an attempt -> whether it succeeded. canary: a file of the machine that anybody may change; parent: who asked."""
    is_other = parent != os.getpid()
    tries: dict[str, Callable[[], object]] = {
        "read a file of this machine": lambda: os.close(os.open(canary, os.O_RDONLY)),
        "write a file of this machine": lambda: os.close(os.open(canary, os.O_WRONLY | os.O_TRUNC)),
        "change the mode of a file": lambda: os.chmod(canary, 0o600),
        "read a password file": lambda: os.close(os.open("/etc/passwd", os.O_RDONLY)),
        "read about another process": lambda: os.open(f"/proc/{parent}/cmdline", os.O_RDONLY) if is_other else 1 / 0,
        "signal another process": lambda: os.kill(parent, 0) if is_other else 1 / 0,
        "open a socket": lambda: socket.socket(),
        "make a namespace": lambda: _checked(ctypes.CDLL(None, use_errno=True).unshare(0x10000000)),
        "trace a process": lambda: _checked(ctypes.CDLL(None, use_errno=True).ptrace(0, 0, 0, 0)),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1)),
        "become root": lambda: os.setuid(0),
        "write below /usr": lambda: os.open("/usr/earnest-was-here", os.O_WRONLY | os.O_CREAT),
    }
    return {name: _succeeds(attempt) for name, attempt in tries.items()}


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Exception:
        return False
    return True


def _checked(result: int) -> None:
    if result == -1:
        raise OSError(ctypes.get_errno())


def executed(code: str) -> object:
    """What the code leaves in `result`."""
    names: dict[str, object] = {"__name__": "__main__"}
    exec(code, names)
    return names.get("result")


def echo(line: Line, constant: object) -> None:
    """Tells back what it is asked, with the constant, until it is asked to stop."""
    while (value := line.ask()) != "stop":
        line.tell((constant, value))
