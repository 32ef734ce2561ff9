"""The last tier of `math`, where it is asked for: sympy, about two real numbers that are too large to work out by counting.

sympy works in a process of its own, with limits on its memory and processor time, that is killed past a deadline. It never meets
a text: what crosses over is the two trees that the grammar has read, and every node is built by name (`_sympy`). What it has not
shown to be equal is not equal. Whether it gets that far may depend on how busy the machine is, which no other tier does; so
it is off unless a recipe says otherwise.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress

from earnest.errors import MissingDependency
from earnest.sandbox.worker import Callee, WorkerError, shared
from earnest.types import Json
from earnest.verifiers.math.nodes import Node, Num, Op, Sym

CPU_S = 0.6
CALL_S = 1.0
VERDICT_S = 1.7
"""That one verdict may spend here, waiting for others included."""
START_S = 60.0
KEPT = 4096
_CALLEE = Callee("earnest.verifiers.math._sympy", "is_zero", None)
_TURN = threading.Lock()
_KNOWN: dict[tuple[str, str], bool] = {}
"""Written by whoever has the turn."""
_opened = False


class _Unanswered(Exception):
    """There was no time, no process, or it was killed: another time it may be answered."""


def _forget() -> None:
    """In a forked process, which has no worker and maybe half a turn of its parent's."""
    global _TURN, _opened
    _TURN, _opened = threading.Lock(), False


os.register_at_fork(after_in_child=_forget)


def open_process() -> None:
    """Start sympy if it was not yet, which takes a second. Raises MissingDependency where it does not start."""
    global _opened
    if _opened:
        return
    with _TURN:
        try:
            _begin()
        except WorkerError as error:
            raise MissingDependency(
                "math with symbolic: true cannot start sympy", why=str(error).strip().splitlines()[-1],
                remedy="pip install 'earnest[math]'",
            ) from error  # fmt: skip
    _opened = True


class Questions:
    """What one verdict may ask."""

    def __init__(self) -> None:
        self.until = time.monotonic() + VERDICT_S

    def __call__(self, a: Node, b: Node) -> bool:
        """Whether sympy finds that a - b is 0. What it found is remembered for the pair."""
        try:
            pair = json.dumps(_plain(a)), json.dumps(_plain(b))
            return known if (known := _KNOWN.get(pair)) is not None else _ask(pair, self.until)
        except (_Foreign, _Unanswered):
            return False


class _Foreign(Exception):
    """A node that is no expression."""


def _ask(pair: tuple[str, str], until: float) -> bool:
    if not _TURN.acquire(timeout=max(0.0, until - CALL_S - time.monotonic())):
        raise _Unanswered
    try:
        worker = shared(_CALLEE)
        if not worker.is_running or until - time.monotonic() < CALL_S:
            raise _Unanswered
        first, second = pair
        found = worker.call({"first": first, "second": second, "cpu_s": CPU_S}, CALL_S)
        if not isinstance(found, bool):
            raise _Unanswered
        if len(_KNOWN) >= KEPT:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[pair] = found
        return found
    except WorkerError as error:  # killed, or out of memory: it is begun again while others go on
        threading.Thread(target=_restart, daemon=True).start()
        raise _Unanswered from error
    finally:
        _TURN.release()


def _restart() -> None:
    with _TURN, suppress(WorkerError):
        _begin()


def _begin() -> None:
    """Have a process that answers at once. Raises WorkerError."""
    if not shared(_CALLEE).is_running:
        shared(_CALLEE).call({"first": '["0", ""]', "second": '["0", ""]', "cpu_s": CPU_S}, START_S)


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
