"""Takes from a process what untrusted code must not have. Runs in the fork server and, after the fork, in the job; never here.

The order matters: what needs a privilege comes before it is given up, the filter of system calls is last. Every step that fails
raises, and a job that is not confined does not run. What is the same for every job is done once, in the fork server: a job is
charged for each page of memory that it is the first to write to, which any line of Python does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from earnest.sandbox import _landlock, _seccomp

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.prctl.argtypes = (ctypes.c_int, *4 * (ctypes.c_ulong,))
_LIBC.mount.argtypes = (*3 * (ctypes.c_char_p,), ctypes.c_ulong, ctypes.c_char_p)
_LIBC.capset.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
_LIBC.unshare.argtypes = (ctypes.c_int,)
_LIBC.setns.argtypes = (ctypes.c_int, ctypes.c_int)
_PDEATHSIG, _SET_DUMPABLE, _KEEPCAPS, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 8, 24, 38, 47
_CAP_SYS_ADMIN = 21
_CAPABILITY_VERSION = 0x20080522
_NEW_MOUNTS, _NEW_PID = 0x00020000, 0x20000000
_NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE = 2, 4, 8, 16384, 1 << 18
LINE = 3
"""The descriptor over which a job speaks with whoever asked."""
MOST_DESCRIPTORS = 256
_OURS = 3
"""Processes of the same user that are ours: bwrap, the fork server, the job itself."""
FIRST = 1
"""The number of a job's first process, in its own namespace."""
_LIMITS_OF_ALL = (
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_MEMLOCK, 0),
    (resource.RLIMIT_SIGPENDING, 256),
    (resource.RLIMIT_MSGQUEUE, 0),
)


def settle(level: str, uid: int | None, parent: int, readable: list[str]) -> dict[str, Any]:
    """Makes the fork server an unprivileged process, once, and prepares what every job needs. What jobs must know of it."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # the first to go when memory is short
        file.write("1000")
    kept = 1 << _CAP_SYS_ADMIN if level == "bwrap" else 0
    changed = False
    if level != "unsafe":
        for capability in range(64):
            if _LIBC.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
                break
    if uid is not None and level != "unsafe":
        _prctl(_KEEPCAPS, 1)
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            changed = True
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):
                raise
    if level != "unsafe":
        _prctl(_AMBIENT, 4)  # clear all
        _capabilities(kept)
        _prctl(_NO_NEW_PRIVS, 1)
    if level == "bwrap":
        check(_LIBC.mount(None, b"/", None, _REC | _PRIVATE, None), "mount")
    else:
        _prctl(_PDEATHSIG, signal.SIGKILL)  # after the change of uid, which would clear it
        if os.getppid() != parent:
            raise OSError("the process that asked is gone")
    kernel = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    counted = level == "bwrap" and (changed or (uid is None and kernel >= (5, 14)))
    rules = _landlock.ruleset(readable) if level == "landlock" else None
    for profile in ("processes", "program", "threads"):
        _seccomp.installable(profile, FIRST, level == "bwrap")
    os.umask(0o077)
    _limit(resource.RLIMIT_NOFILE, MOST_DESCRIPTORS)  # so that a job closes them all
    for what, most in _LIMITS_OF_ALL:
        _limit(what, most)
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    return {"uid": os.getuid(), "counted": counted, "held": held, "rules": rules}


def confine(asked: Mapping[str, Any], start: Mapping[str, Any], fds: Sequence[int]) -> None:
    """Everything that a job loses before it reads its question. fds: what it has of line, input, output and error."""
    level, folder = start["level"], asked["folder"]
    if level == "landlock":
        rules = start["rules"] if folder is None else _landlock.ruleset(start["readable"], [folder])
        os.chdir(folder or "/")
        _landlock.restrict(rules)
    for fd, place in zip(fds, asked["places"], strict=True):
        os.dup2(fd, place, inheritable=place != LINE)
    os.closerange(LINE + 1, MOST_DESCRIPTORS)
    os.setsid()
    if level == "bwrap":
        _mounts(asked["disk_mb"], asked["inodes"])
        os.chdir("/tmp")
    else:
        _prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            raise OSError("the fork server is gone")
        os.chdir(folder or "/")
    _limits(asked, start["held"], start["counted"])
    if level == "unsafe":
        return
    _capabilities(0)
    _prctl(_SET_DUMPABLE, 1)
    profile = asked["profile"]
    if profile == "processes" and not start["counted"]:
        profile = "threads"
    _seccomp.install(_seccomp.installable(profile, os.getpid(), level == "bwrap"))


def forked(own: int) -> int:
    """fork(), into a PID namespace of the child's own where `own` (this process's namespace) is a descriptor, and not -1."""
    if own < 0:
        return os.fork()
    check(_LIBC.unshare(_NEW_PID), "unshare")
    pid = -1
    try:
        pid = os.fork()
        return pid
    finally:
        if pid:
            check(_LIBC.setns(own, _NEW_PID), "setns")


def _mounts(disk_mb: int, inodes: int) -> None:
    """A view of the file system of its own: its processes alone in /proc, and /tmp with a quota, gone with the job."""
    check(_LIBC.unshare(_NEW_MOUNTS), "unshare")
    check(_LIBC.mount(b"proc", b"/proc", b"proc", _NOSUID | _NODEV | _NOEXEC, None), "mount /proc")
    quota = b"size=%dm,nr_inodes=%d,mode=0700" % (disk_mb, inodes)
    check(_LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", _NOSUID | _NODEV, quota), "mount /tmp")


def _limits(asked: Mapping[str, Any], held: int, counted: bool) -> None:
    """held: bytes of address space that the fork server has, which every job begins with."""
    _limit(resource.RLIMIT_AS, held + (asked["memory_mb"] << 20))
    _limit(resource.RLIMIT_CPU, asked["cpu_s"])
    _limit(resource.RLIMIT_FSIZE, asked["file_mb"] << 20)
    _limit(resource.RLIMIT_NOFILE, asked["open_files"])
    if counted:
        _limit(resource.RLIMIT_NPROC, asked["processes"] + _OURS)


def _limit(what: int, value: int) -> None:
    """For good. Where the limit is lower already, it stays."""
    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _capabilities(mask: int) -> None:
    """Exactly these, of the lower 32; none can be inherited."""
    header = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    data = struct.pack("<IIIIII", mask, mask, 0, 0, 0, 0)
    check(_LIBC.capset(header, data), "capset")


def _prctl(option: int, value: int) -> None:
    check(_LIBC.prctl(option, value, 0, 0, 0), "prctl")


def check(result: int, what: str) -> None:
    """Raises OSError for the -1 of a call into the C library."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
