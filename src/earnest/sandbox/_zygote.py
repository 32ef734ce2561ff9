"""The fork server of `_server.py`: an interpreter that has imported what jobs need, and forks one process for each.

It runs no untrusted code and holds no secrets: a job gets its question over a line of its own, from the process that asked. Over
its standard input (a socket) it is told to fork, with the job's descriptors; it answers with a handle on the process, waits for
it, and says how it ended. When the socket closes, it kills what runs and ends. One job at a time.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import random
import select
import signal
import site
import socket
import sys
from typing import Any

from earnest.sandbox import _confine
from earnest.sandbox._run import begin, run
from earnest.sandbox.codec import decode, encode

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_PID = 0x20000000
MESSAGE_BYTES = 1 << 16


def main() -> None:
    """Serves until its input closes. The first message says how: what `_server.Server` sends."""
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    start = decode(control.recv(MESSAGE_BYTES))
    sys.path[:] = start["sys_path"]
    for name in start["preload"]:
        importlib.import_module(name)
    details = _confine.settle(start["level"], start["uid"], start["parent"], start["readable"])
    start.update(details)
    site.setquit()  # exit() and quit(), which programs use
    random.seed(0)
    gc.collect()
    gc.freeze()
    os.dup2(nothing, 2)
    os.close(nothing)
    control.send(encode(details))
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if start["level"] == "bwrap" else -1
    while True:
        message, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
        if not message:
            return
        _job(control, decode(message), fds, start, own)


def _job(control: socket.socket, asked: dict[str, Any], fds: list[int], start: dict[str, Any], own: int) -> None:
    """One job from its beginning to its end."""
    pid = _forked(own)
    if pid == 0:
        status = 70
        try:
            control.close()
            _confine.confine(asked, start, fds)
            begin()
            status = run()
        finally:
            os._exit(status)
    for fd in fds:
        os.close(fd)
    handle = os.pidfd_open(pid)
    try:
        socket.send_fds(control, [b"forked"], [handle])
        ready = select.poll()
        ready.register(handle, select.POLLIN)
        ready.register(control, select.POLLIN)
        if any(fd == control.fileno() for fd, _ in ready.poll()):  # nobody speaks meanwhile: they are gone
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        _, status, usage = os.wait4(pid, 0)
        told = (os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
        control.send(encode(told))
    finally:
        os.close(handle)


def _forked(own: int) -> int:
    """fork(), into a PID namespace of the child's own where `own` (this process's namespace) is a descriptor."""
    if own < 0:
        return os.fork()
    _confine.check(_LIBC.unshare(_NEW_PID), "unshare")
    try:
        return os.fork()
    finally:
        if os.getpid() != 1:  # the child is the first of its namespace
            _confine.check(_LIBC.setns(own, _NEW_PID), "setns")
