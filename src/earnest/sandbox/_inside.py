"""What a job does once it is confined: reads its question from the line, imports the function, calls it, writes the result.

Nothing here is believed by whoever asked: the function may have run untrusted code, which shares this process.
"""

from __future__ import annotations

import importlib
import os
import struct
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from earnest.sandbox._confine import LINE
from earnest.sandbox.codec import CodecError, decode, encode, framed, read_frame

TOLD_CHARS = 2000
ENDED = struct.Struct("<id")
"""What the fork server says when a job has ended: its exit status or minus its signal, and its seconds of processor time."""
_REHEARSALS = 16
"""A function that has been called eight times is made faster."""
BEGUN = b"!"
"""The first byte on the line, which no untrusted code can have sent or kept back."""


class Line:
    """The job's end of the line to whoever asked. Values are exact builtins (`codec.py`)."""

    def ask(self) -> Any:
        """The next value from there. Raises EOFError when there is none to come."""
        frame = read_frame(_read)
        if frame is None:
            raise EOFError
        return decode(frame)

    def tell(self, value: Any) -> None:
        """Sends a value. Raises CodecError for one that is no exact builtin."""
        self.answer("told", value)

    def answer(self, kind: str, value: Any) -> None:
        left = framed(encode((kind, value)))
        while left:
            left = left[os.write(LINE, left) :]


def _read(count: int) -> bytes:
    return os.read(LINE, count)


class _Rehearsed(Line):
    """A line with nobody at its other end: these questions are asked, and what is told goes nowhere."""

    def __init__(self, questions: Sequence[Any]) -> None:
        self._questions = list(questions)

    def ask(self) -> Any:
        if not self._questions:
            raise EOFError
        return decode(encode(self._questions.pop(0)))

    def answer(self, kind: str, value: Any) -> None:
        framed(encode((kind, value)))


def rehearse(modules: Sequence[str]) -> None:
    """Does in the fork server what its jobs will do, for what the interpreter then knows of it: each of them would find it out.

    A module that jobs talk with has a function `rehearse`, which is given a line maker: questions -> a line that asks them.
    """
    for name in modules:
        for _ in range(_REHEARSALS):
            getattr(sys.modules[name], "rehearse", lambda line: None)(_Rehearsed)


def begin() -> None:
    """Says that the walls stand. A job that ends without this has not run: that is our failure, and none of its."""
    os.write(LINE, BEGUN)


def run() -> int:
    """Answers the one question of this job. The exit status, which says nothing."""
    line = Line()
    question = line.ask()
    try:
        function = loaded(question["function"])
        value = function(*([line] if question["talks"] else []), *question["arguments"])
    except MemoryError:
        line.answer("memory", "out of memory")
    except BaseException as error:
        line.answer("raised", told(error))
    else:
        try:
            line.answer("value", value)
        except (CodecError, RecursionError) as error:
            line.answer("foreign value", str(error))
    return 0


def loaded(spec: str) -> Callable[..., Any]:
    """The function at `package.module:name`."""
    module, _, name = spec.partition(":")
    return getattr(sys.modules.get(module) or importlib.import_module(module), name)


def told(error: BaseException) -> str:
    """The exception and where it came from, the end of it."""
    try:
        return "".join(traceback.format_exception(error))[-TOLD_CHARS:]
    except Exception:  # an exception class of untrusted code
        return "an exception that cannot be shown"


def execute(files: dict[str, bytes], argv: list[str]) -> tuple[int, dict[str, bytes]]:
    """Runs a program in the folder with these files. Its exit status, and what is in the folder then.

    The program is a child of this process, so that its own children are gone when this one ends.
    """
    write(files, ".")
    pid = os.fork()
    if pid == 0:
        become(argv)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), collected(".")


def become(argv: list[str]) -> None:
    """Replaces this process by the program; 127 where there is none."""
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def write(files: Mapping[str, bytes], folder: str) -> None:
    """The files, by their names relative to the folder."""
    for name, content in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)


def collected(folder: str, most: int = 1 << 23) -> dict[str, bytes]:
    """The plain files below a folder, up to `most` bytes of them in all: the smaller first. Links are not followed."""
    found: list[tuple[int, str]] = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found.append((os.path.getsize(path), path))
    content: dict[str, bytes] = {}
    for size, path in sorted(found):
        most -= size
        if most < 0:
            break
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            content[os.path.relpath(path, folder)] = file.read(size)
    return content
