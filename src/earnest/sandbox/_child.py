"""The process behind `worker.py`: loads one callable of a user, then answers calls until its input ends or it is killed.

Run as a script in a fresh interpreter; it imports the standard library alone. Lines of JSON come in on what was its standard
input and go out on what was its standard output; what the user's code prints goes elsewhere, to the pipe of standard error.
"""

from __future__ import annotations

import asyncio
import decimal
import importlib
import inspect
import json
import linecache
import numbers
import os
import signal
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from typing import Any

TRACE_CHARS = 4000
GRACE_S = 5.0
"""After its deadline a process that nobody killed (its parent is gone) ends itself."""


def main() -> None:
    questions = os.fdopen(os.dup(0), "r", encoding="ascii")
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    function: Callable[..., Any] | None = None
    for line in questions:
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, question["limit_s"] + GRACE_S)
        try:
            if function is None:
                function = load(question)
                answer = {"value": None}
            else:
                answer = {"value": call(function, question["arguments"])}
            text = json.dumps(answer)
        except BaseException as error:  # sys.exit() of the user's code included
            text = json.dumps({"raised": told(error)})
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        answers.write(text + "\n")
        answers.flush()


def load(question: Mapping[str, Any]) -> Callable[..., Any]:
    """The callable: from the source of a file as the parent read it, or from a module."""
    sys.path[:] = question["sys_path"]
    if question["source"] is None:
        module = importlib.import_module(question["where"])
    else:
        file, source = question["where"], question["source"]
        module = types.ModuleType("earnest_user")
        module.__file__ = file
        sys.modules[module.__name__] = module
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), module.__dict__)
    found = getattr(module, question["name"])
    if not callable(found):
        raise TypeError(f"{question['name']} is no function, it is a {type(found).__name__}")
    return found


def call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """The function's result, given those of the arguments that it takes."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, without a signature
        parameters = None
    if parameters is not None and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        taken = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        missing = [name for name, p in taken.items() if p.default is p.empty and name not in arguments]
        if missing:
            raise TypeError(f"it asks for '{missing[0]}', which it cannot be given; there are: {', '.join(arguments)}")
        arguments = {name: value for name, value in arguments.items() if name in taken}
    result = function(**arguments)
    return plain(asyncio.run(awaited(result)) if inspect.isawaitable(result) else result)


async def awaited(result: Any) -> Any:
    return await result


def plain(value: Any) -> Any:
    """The value made of JSON's own types alone. Raises TypeError for what has no such form."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if hasattr(value, "tolist"):  # numpy and torch, scalars included
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, numbers.Real | decimal.Decimal):
        return float(value)
    raise TypeError(f"it returned a {type(value).__name__}, where numbers, text, lists and None can be passed on")


def told(error: BaseException) -> str:
    """The traceback from the user's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in (__file__, *_MACHINERY):
        frames = frames.tb_next
    text = "".join(traceback.TracebackException(type(error), error, frames).format()).rstrip()
    return text if len(text) <= TRACE_CHARS else f"{text[: TRACE_CHARS // 2]}\n[…]\n{text[-TRACE_CHARS // 2 :]}"


_MACHINERY = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>", importlib.__file__)
_MACHINERY += tuple(getattr(asyncio, name).__file__ for name in ("runners", "base_events"))

if __name__ == "__main__":
    main()
