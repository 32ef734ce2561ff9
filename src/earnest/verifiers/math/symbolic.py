"""The last tier of `math`, where it is asked for: sympy, about two expressions that the tiers before could not tell apart.

sympy works in a process of its own, with limits on its memory and processor time, that is killed past a deadline. It never meets
a text: what crosses over is the two trees that the grammar has read, and every node is built by name (`_sympy`). What it has not
shown to be equal is not equal. Whether it gets that far may depend on how busy the machine is, which no other tier does; so
it is off unless a recipe says otherwise.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from contextlib import suppress
from functools import lru_cache

from earnest.errors import MissingDependency
from earnest.sandbox.worker import Callee, WorkerError, shared
from earnest.types import Json
from earnest.verifiers.math.nodes import Node, Num, Op, Sym

CPU_S = 0.8
CALL_S = 1.2
WAIT_S = 0.5
"""For others to be answered. With CALL_S it keeps a verdict below two seconds."""
START_S = 60.0
_CALLEE = Callee("earnest.verifiers.math._sympy", "is_zero", None)
_TURN = threading.Lock()
_KEPT = 4096


def require() -> None:
    """Raises MissingDependency without sympy."""
    if importlib.util.find_spec("sympy") is None:
        raise MissingDependency("math with symbolic: true needs sympy", remedy="pip install 'earnest[math]'")


def open_process() -> None:
    """Start sympy, which takes a second. Raises MissingDependency."""
    require()
    _start()


def shown_equal(a: Node, b: Node) -> bool:
    """Whether sympy finds that a - b is 0. Remembered for the pair, unless there was no time to ask."""
    try:
        first, second = (json.dumps(_plain(node)) for node in (a, b))
        return _asked(first, second)
    except (_Foreign, _Busy):
        return False


class _Foreign(Exception):
    """A node that is no expression."""


class _Busy(Exception):
    """It was not asked."""


@lru_cache(maxsize=_KEPT)
def _asked(first: str, second: str) -> bool:
    if not _TURN.acquire(timeout=WAIT_S):
        raise _Busy
    try:
        _begin()
        return shared(_CALLEE).call({"first": first, "second": second, "cpu_s": CPU_S}, CALL_S) is True
    except WorkerError as error:
        if error.kind != "load":  # killed, or out of memory: it is begun again while others go on
            threading.Thread(target=_start, daemon=True).start()
        return False
    finally:
        _TURN.release()


def _start() -> None:
    with _TURN, suppress(WorkerError):
        _begin()


def _begin() -> None:
    """Have a process that answers at once. Raises WorkerError."""
    if not shared(_CALLEE).is_running:
        shared(_CALLEE).call({"first": "[]", "second": "[]", "cpu_s": CPU_S}, START_S)


def _plain(node: Node) -> Json:
    """Example: x + 1/2 is ["+", ["x"], ["1/2", ""]]: an operation has operands, a letter none, a number an empty one."""
    match node:
        case Num(number):
            return [str(number), ""]
        case Sym(name):
            return [name]
        case Op(name, args):
            return [name, *map(_plain, args)]
        case _:
            raise _Foreign
