"""Long output: through a pager and in colour on a terminal, as plain lines anywhere else. Nothing here ever asks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

COLOURS = {"good": "32", "bad": "31", "dim": "2", "strong": "1"}


def paint(text: str, style: str) -> str:
    """The text in colour, if stdout is a terminal that is not asked to do without (NO_COLOR)."""
    return f"\x1b[{COLOURS[style]}m{text}\x1b[0m" if in_colour() else text


def in_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def page(rows: Iterable[str]) -> None:
    """Write rows as they come; to $PAGER (else less, where there is one) on a terminal. Its reader may leave at any time."""
    command = _pager() if sys.stdout.isatty() and sys.stdin.isatty() else []
    if command:
        _through(command, rows)
        return
    encoding = sys.stdout.encoding or "utf-8"
    for row in rows:
        sys.stdout.write(row.encode(encoding, "replace").decode(encoding) + "\n")


def _through(command: list[str], rows: Iterable[str]) -> None:
    environment = {"LESS": "FRX", **os.environ}  # end at once if it fits, keep colours, leave it on the screen
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, bufsize=0)
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # the reader has seen enough
        for row in rows:
            process.stdin.write(row.encode("utf-8", "replace") + b"\n")
    process.stdin.close()
    process.wait()


def _pager() -> list[str]:
    """Example: ["less", "-R"]; [] for none."""
    chosen = shlex.split(os.environ.get("PAGER", "less -R"))
    return chosen if chosen and shutil.which(chosen[0]) else []
