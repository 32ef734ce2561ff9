"""What a job may open where there are no namespaces: the kernel's Landlock, which takes rights from a process for good.

Everything it handles is refused but for the paths that are named. What it does not handle (changing modes and times, signals
before its version 6, memory) is refused by the filter of system calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from contextlib import suppress

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_DEVICES_AND_LINKS = 1 << 6 | 1 << 11 | 1 << 12
_OF_A_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE | 1 << 15
_LIBC = ctypes.CDLL(None, use_errno=True)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none or it is switched off."""
    return max(0, _LIBC.syscall(_CREATE, None, 0, 1))


def ruleset(readable: Sequence[str], writable: Sequence[str] = ()) -> int:
    """Rules that leave a process reading and running what is below `readable`, and writing below `writable`: a descriptor.

    A path that is not there is left out. Raises OSError.
    """
    known = version()
    bits = 13 + (known >= 2) + (known >= 3) + (known >= 5)
    handled = (1 << bits) - 1
    network = 3 if known >= 4 else 0
    scoped = 3 if known >= 6 else 0
    attributes = struct.pack("<QQQ", handled, network, scoped)[: 8 + 8 * (known >= 4) + 8 * (known >= 6)]
    rules = _call(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes)), 0)
    for path in readable:
        _allow(rules, path, _EXECUTE | _READ | _READ_DIR, handled)
    for path in _DEVICES:
        _allow(rules, path, _READ | _WRITE, handled)
    for path in writable:
        _allow(rules, path, handled & ~_DEVICES_AND_LINKS, handled)
    return rules


def restrict(rules: int) -> None:
    """Puts this process under the rules, for good. It must have given up new privileges. Raises OSError."""
    _call(_RESTRICT, rules, 0)


def _allow(rules: int, path: str, rights: int, handled: int) -> None:
    with suppress(FileNotFoundError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights &= handled if os.path.isdir(path) else handled & _OF_A_FILE
            _call(_ADD, rules, 1, ctypes.c_char_p(struct.pack("<Qi", rights, fd)), 0)
        finally:
            os.close(fd)


def _call(number: int, *arguments: object) -> int:
    result = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {errno.errorcode.get(code, code)}")
    return result
