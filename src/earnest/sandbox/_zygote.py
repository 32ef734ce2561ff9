"""The fork server of `_server.py`: an interpreter that has imported what jobs need, and forks one process for each.

It runs no untrusted code and holds no secrets: a job gets its question over a line of its own, from the process that asked. Over
its standard input (a socket) it is told to fork, with the job's descriptors; it answers with a handle on the process, waits for
it, and says how it ended. When the socket closes, it kills what runs and ends. One job at a time.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import resource
import select
import signal
import site
import socket
import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NoReturn

from earnest.sandbox import _confine, _hooks
from earnest.sandbox._inside import ENDED, begin, rehearse, run

MESSAGE_BYTES = 1 << 16


def main() -> None:
    """Serves until its input closes. The first message says how: what `_server.Server` sends."""
    os.dup2(0, _confine.LINE, inheritable=False)  # so that what comes for jobs has higher numbers than its places there
    control = socket.socket(fileno=_confine.LINE)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    start = json.loads(control.recv(MESSAGE_BYTES))
    sys.path[:] = start["sys_path"]
    for name in start["preload"]:
        importlib.import_module(name)
    details = _confine.settle(start["level"], start["uid"], start["parent"], start["readable"])
    start.update(details)
    site.setquit()  # exit() and quit(), which programs use
    rehearse(start["preload"])
    random.seed(0)
    if len(os.listdir("/proc/self/task")) > 1:
        _hooks.release()  # a preloaded module has started threads, and a job must learn that it has none of them
    gc.collect()
    gc.freeze()
    os.dup2(nothing, 2)
    os.close(nothing)
    control.send(json.dumps(details).encode())
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if start["level"] == "bwrap" else -1
    _serve(control, start, own)


def _serve(control: socket.socket, start: dict[str, Any], own: int) -> None:
    """One job after another, each from its beginning to its end."""
    line = control.fileno()
    ready = select.poll()
    ready.register(line, select.POLLIN)
    room, before = socket.CMSG_SPACE(4 * array("i").itemsize), 0.0
    while True:
        message, ancillary, _, _ = control.recvmsg(MESSAGE_BYTES, room)
        if not message:
            return
        fds = array("i", ancillary[0][2])
        asked = _asked(message)
        pid = _confine.forked(own)
        if pid == 0:
            _job(asked, fds, start)
        for fd in fds:
            os.close(fd)
        handle = os.pidfd_open(pid)
        control.sendmsg([b"forked"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", (handle,)))])
        ready.register(handle, select.POLLIN)
        if any(fd == line for fd, _ in ready.poll()):  # nobody speaks meanwhile: they are gone
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        ready.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)  # as wait4 would say it, which looks for a module each time
        after = used.ru_utime + used.ru_stime
        control.send(ENDED.pack(os.waitstatus_to_exitcode(status), after - before))
        before = after


@lru_cache(maxsize=256)
def _asked(message: bytes) -> dict[str, Any]:
    """What `limits.Request` says of a job, which is the same for many."""
    return json.loads(message)


def _job(asked: dict[str, Any], fds: Sequence[int], start: dict[str, Any]) -> NoReturn:
    """The process of one job, whose line takes the place of the fork server's."""
    status = 70
    try:
        if asked["profile"] == "processes":
            _hooks.release()
        _confine.confine(asked, start, fds)
        begin()
        status = run()
    finally:
        os._exit(status)
