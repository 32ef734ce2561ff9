"""The job's side of running somebody's program: its functions called from outside, or the whole of it run.

Imported by the fork server, with the modules that programs import most. What is here shares a process with the program, so it
guards nothing: whoever asked believes no word of it. What a value is made of crosses (`codec.py`); what is no exact builtin stays
here, and the other side gets a number for it. The tests that call the program are in another process (`proxies.py`).
"""

from __future__ import annotations

import atexit
import bisect
import builtins
import collections
import contextlib
import copy
import dataclasses
import datetime
import decimal
import fractions
import functools
import heapq
import itertools
import json
import math
import operator
import os
import random
import re
import statistics
import string
import sys
import threading
import traceback
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from earnest.sandbox._inside import Line
from earnest.sandbox.codec import CodecError

PRELOADED = (
    bisect, collections, copy, dataclasses, datetime, decimal, fractions, functools, heapq, itertools, json, math, operator,
    random, re, statistics, string, typing,
)  # fmt: skip
"""There for programs, which import them at no cost."""
TOLD_CHARS = 500
MODULE = "answer"
_PLAIN_FORMS: dict[type, type] = {
    collections.Counter: dict,
    collections.defaultdict: dict,
    collections.OrderedDict: dict,
}
"""Dicts of the standard library that are equal to plain ones. Their content is what crosses, and what is compared."""


Place: TypeAlias = tuple[list[Any], int | str]
"""Where something stands in a value that cannot cross itself: the way from the top (indexes, and keys of dicts), and what it is,
the number of an object of the program or the name of a builtin."""


def serve(line: Line, setup: str, code: str) -> None:
    """Runs a program as a module, then answers requests about what it defined, until it is killed.

    Requests: ("call", what, attribute or None, arguments, keywords, places), ("get", what, attribute), ("set", what, attribute,
    value, places), ("look", name). `what` is a global name or the number of an object; places are where numbers of objects stand
    in the arguments. Answers: ("value", value), ("object", number), ("absent",), ("raised", type, text).
    """
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    if setup:
        with contextlib.suppress(BaseException):  # what it needs may be the program's to define
            exec(compile(setup, "<setup>", "exec"), module.__dict__)
    try:
        exec(compile(code, "<answer>", "exec"), module.__dict__)
    except BaseException as error:
        line.tell(("raised", type(error).__name__, told(error)))
        return
    line.tell(("ready",))
    objects: list[Any] = []
    while True:
        try:
            request = line.ask()
        except EOFError:
            return
        try:
            found = _done(request, module, objects)
        except Absent:
            line.tell(("absent",))
            continue
        except BaseException as error:
            line.tell(("raised", type(error).__name__, told(error)))
            continue
        try:
            line.tell(("value", plain(found)))
        except (CodecError, RecursionError):
            objects.append(found)
            line.tell(("object", len(objects) - 1))


class Absent(Exception):
    """The program has no such name."""


def _done(request: tuple[Any, ...], module: types.ModuleType, objects: list[Any]) -> Any:
    kind, what, *rest = request
    found = objects[what] if type(what) is int else _named(module, what)
    if kind == "look":
        return found
    if kind == "get":
        return getattr(found, rest[0])
    if kind == "set":
        setattr(found, rest[0], _filled(rest[1], rest[2], objects))
        return None
    attribute, arguments, keywords, places = rest
    arguments, keywords = _filled((arguments, keywords), places, objects)
    return (found if attribute is None else getattr(found, attribute))(*arguments, **keywords)


def _named(module: types.ModuleType, name: str) -> Any:
    """A global of the program; or, as on some sites for exercises, a method of its class Solution."""
    found = module.__dict__.get(name, module)
    if found is not module:
        return found
    solution = module.__dict__.get("Solution")
    if isinstance(solution, type) and hasattr(solution, name):
        return getattr(solution(), name)
    raise Absent


def plain(value: Any) -> Any:
    """The value with the standard library's dicts as plain ones, all the way down."""
    kind = type(value)
    if kind in (list, tuple):
        return kind([plain(item) for item in value])
    if kind is dict or kind in _PLAIN_FORMS:
        return {key: plain(item) for key, item in dict.items(value)}
    return value


def _filled(value: Any, places: list[Place], objects: list[Any]) -> Any:
    """The value with objects put in at their places."""
    holder = [value]
    for way, what in places:
        _put(holder, [0, *way], objects[what] if isinstance(what, int) else getattr(builtins, what))
    return holder[0]


def _put(container: Any, way: list[Any], found: Any) -> Any:
    """`found` at that place of the container; tuples on the way are made anew."""
    step, *further = way
    inner = _put(container[step], further, found) if further else found
    if type(container) is tuple:
        return (*container[:step], inner, *container[step + 1 :])
    container[step] = inner
    return container


def rehearse(line: Callable[[Sequence[Any]], Line]) -> None:
    """Serves a program as a job does, in the fork server."""
    call = ("call", "answer", None, [1, 2.0, "3"], {}, [])
    serve(line([call, call]), "import math", "def answer(a, b, c):\n    return [a + b, (c, None), {True: math.inf}]\n")
    del sys.modules[MODULE]


def main(code: str) -> None:
    """Runs a program as Python would run its file, and ends the process as it ends."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv[:] = ["answer.py"]
    status = 0
    try:
        exec(compile(code, "<answer>", "exec"), module.__dict__)
    except SystemExit as error:
        status = error.code if type(error.code) is int else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        _threads_joined()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        status = status or 120
    os._exit(status & 255)


def _threads_joined() -> None:
    for thread in _others():
        thread.join()


def _others() -> Iterator[threading.Thread]:
    return (t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon)


def told(error: BaseException) -> str:
    try:
        return str(error)[:TOLD_CHARS]
    except Exception:  # an exception class of the program
        return ""
