"""What commands share: where words go, and how an outcome becomes an exit code.

Without --json a command speaks on stdout, and its errors on stderr. With --json stdout carries exactly one line of
JSON, the error included, and progress goes to stderr. What is said may hold what a model or a file wrote: control
characters and the like are written out, never sent to the terminal. Imports nothing heavy: `--help` must stay quick.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from earnest.errors import EarnestError
from earnest.evaluate.text import visible
from earnest.types import Json

AsJson: TypeAlias = Annotated[
    bool, Parameter(name="--json", show_default=False, help="One line of JSON on stdout; progress goes to stderr.")
]


def lines(rows: Iterable[str]) -> None:
    """Rows of text on stdout."""
    for row in rows:
        sys.stdout.write(visible(row) + "\n")


def result(value: Mapping[str, Json]) -> None:
    """The one line of JSON that --json promises."""
    from earnest.runlog import dump_line

    sys.stdout.write(dump_line(value) + "\n")


def progress(as_json: bool) -> Callable[[str], None]:
    """A printer for what happens on the way."""
    stream = sys.stderr if as_json else sys.stdout

    def echo(text: str) -> None:
        stream.write(visible(text) + "\n")
        stream.flush()

    return echo


def failure(error: EarnestError, as_json: bool) -> int:
    """Report an error that the user can mend; returns its exit code."""
    if as_json:
        fields = {"type": type(error).__name__, "what": error.what, "where": error.where, "why": error.why}
        result({"error": {**fields, "do": error.remedy, "exit_code": error.exit_code}})
    else:
        sys.stderr.write(visible("error: " + "\n".join(error.lines())) + "\n")
    return error.exit_code


def command_line() -> str:
    """The command as typed, ready to be pasted into a shell."""
    return shlex.join(["earnest", *sys.argv[1:]])
