"""What a job does once it is confined: reads its question from the line, imports the function, calls it, writes the result.

Nothing here is believed by whoever asked: the function may have run untrusted code, which shares this process.
"""

from __future__ import annotations

import importlib
import os
import socket
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from earnest.sandbox._confine import LINE
from earnest.sandbox.codec import CodecError, decode, encode, framed, read_frame

TOLD_CHARS = 2000
BEGUN = b"!"
"""The first byte on the line, which no untrusted code can have sent or kept back."""


class Line:
    """The job's end of the line to whoever asked. Values are exact builtins (`codec.py`)."""

    def __init__(self) -> None:
        self._socket = socket.socket(fileno=LINE)

    def ask(self) -> Any:
        """The next value from there. Raises EOFError when there is none to come."""
        frame = read_frame(self._socket.recv)
        if frame is None:
            raise EOFError
        return decode(frame)

    def tell(self, value: Any) -> None:
        """Sends a value. Raises CodecError for one that is no exact builtin."""
        self.answer("told", value)

    def answer(self, kind: str, value: Any) -> None:
        self._socket.sendall(framed(encode((kind, value))))


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
    return getattr(importlib.import_module(module), name)


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
