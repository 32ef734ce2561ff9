"""The job's side of tests that call somebody's program, which is in another process and is reached by values alone.

The program's process never sees the tests, and the tests' process never runs a line of the program: a name of the program stands
for a `Remote`, which sends a call to whoever runs both. Arguments cross as copies, so what the program does to them stays there;
what is no exact builtin crosses in neither direction, but for things that the program made, which go back to it by number, and
builtins such as `int` or `len`, which are on both sides.
"""

from __future__ import annotations

import builtins
import importlib
import os
import random
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from earnest.sandbox import programs
from earnest.sandbox._inside import Line
from earnest.sandbox.codec import CodecError
from earnest.sandbox.programs import Place, plain, told

_RAISABLE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, FloatingPointError, IndexError, KeyError, LookupError, MemoryError,
    NameError, NotImplementedError, OSError, OverflowError, RecursionError, RuntimeError, TypeError, UnicodeError, ValueError,
    ZeroDivisionError,
)  # fmt: skip
"""Exceptions that a test may wait for. Not StopIteration, which would end the test's own loops early."""


_LOCK = threading.Lock()
"""For a test with threads: each gets its own answer."""


class Remote:
    """Something of the program, in the process of the tests. It is equal to itself alone."""

    def __init__(self, line: Line, what: int | str) -> None:
        object.__setattr__(self, "_line", line)
        object.__setattr__(self, "_what", what)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        places: list[Place] = []
        given = _taken((arguments, keywords), [], places)
        return _asked(self._line, ("call", self._what, None, given[0], given[1], places))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _asked(self._line, ("get", self._what, name))

    def __setattr__(self, name: str, value: Any) -> None:
        places: list[Place] = []
        _asked(self._line, ("set", self._what, name, _taken(value, [], places), places))


def _taken(value: Any, way: list[Any], places: list[Place]) -> Any:
    """The value with None where it holds something of the program, and where that was."""
    kind = type(value)
    if kind is Remote and type(value._what) is int:
        places.append((way, value._what))
        return None
    if (kind is type or kind is type(len)) and getattr(builtins, value.__name__, None) is value:
        places.append((way, value.__name__))  # the other side has it too
        return None
    if kind in (list, tuple):
        return kind([_taken(item, [*way, index], places) for index, item in enumerate(value)])
    if kind is dict:
        return {key: _taken(item, [*way, key], places) for key, item in value.items()}
    return plain(value)


def _asked(line: Line, request: tuple[Any, ...]) -> Any:
    """What the program answers, relayed by whoever runs both.

    Where a question or its answer is broken off (no memory, too deep, a test's own alarm), this process ends: what came next on
    the line would be taken for something else, and it is the program that has written it.
    """
    with _LOCK:
        try:
            line.tell(("ask", request))
            kind, *rest = line.ask()
        except CodecError:  # nothing was sent
            raise
        except BaseException:
            os._exit(1)
    if kind == "value":
        return rest[0]
    if kind == "object":
        return Remote(line, rest[0])
    if kind == "absent":
        raise NameError(f"name {request[1]!r} is not defined")
    known = {error.__name__: error for error in _RAISABLE}
    raise known.get(rest[0], RuntimeError)(rest[1])


class _Names(dict[str, Any]):
    """Globals of the tests: a name that is neither theirs nor a builtin is a module of Python, or else the program's."""

    def __init__(self, line: Line) -> None:
        super().__init__(__name__="__tests__", __builtins__=builtins)
        self._line = line

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        if name in sys.stdlib_module_names:
            return importlib.import_module(name)
        return self.remote(name)

    def remote(self, name: str) -> Any:
        """A value of the program, or something that stands for it."""
        return _asked(self._line, ("look", name))


def test(line: Line, setup: str, entry_point: str | None) -> None:
    """Runs the setup, then the tests that it is given, again and again: ("passed",) or ("failed", type, text) for each.

    Requests go out as "ask", and their answers come in.
    """
    names = _Names(line)
    random.seed(0)
    try:
        if setup:
            exec(compile(setup, "<setup>", "exec"), names)
        if entry_point:
            names[entry_point] = Remote(line, entry_point)
    except BaseException as error:
        line.tell(("unusable", told(error)))
        return
    line.tell(("ready",))
    while True:
        try:
            sources = line.ask()
        except EOFError:
            return
        for source in sources:
            line.tell(_result(source, names))


def _result(source: str, names: dict[str, Any]) -> tuple[str, ...]:
    try:
        exec(compile(source, "<test>", "exec"), names)
    except BaseException as error:
        return "failed", type(error).__name__, told(error)
    return ("passed",)


def rehearse(line: Callable[[Sequence[Any]], Line]) -> None:
    """Runs tests as a job does, in the fork server."""
    asserts = "assert answer(1, 2.0, '3') == [3.0, ('3', None), {True: math.inf}]"
    found = ("value", [3.0, ("3", None), {True: float("inf")}])
    test(line([(asserts, asserts), found, found]), "import math", "answer")


def evaluated(expression: str) -> Any:
    """The value of an expression of a data set, such as "10**5000" or "{(1, 2)}"."""
    names = {module.__name__: module for module in programs.PRELOADED}
    return eval(compile(expression, "<expected>", "eval"), names)
