"""What commands share: where words go, and how an outcome becomes an exit code.

Without --json a command speaks on stdout, and its errors on stderr. With --json stdout carries exactly one line of
JSON, the error included, and progress goes to stderr. What is said may hold what a model or a file wrote: control
characters and the like are written out, never sent to the terminal. Imports nothing heavy: `--help` must stay quick.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeAlias

from cyclopts import Parameter

from earnest.errors import ConfigError, EarnestError
from earnest.evaluate.text import visible
from earnest.types import Json

AsJson: TypeAlias = Annotated[
    bool, Parameter(name="--json", show_default=False, help="One line of JSON on stdout; progress goes to stderr.")
]

Plain: TypeAlias = Annotated[bool, Parameter(name="--plain", show_default=False, help="Plain lines, no live view.")]
NoColor: TypeAlias = Annotated[bool, Parameter(name="--no-color", show_default=False, help="No colour in the view.")]


class Terminal(Protocol):
    """Where a run's progress goes. `watch` is entered with its directory and left when it ends."""

    def echo(self, text: str, /) -> None: ...

    def watch(self, run: Path, /) -> AbstractContextManager[None]: ...


def plugin(text: str, option: str) -> str | dict[str, Any]:
    """What names a plug-in on the command line: a name, FILE:CLASS, or `{name: jsonl, path: rows.jsonl}`.

    Raises ConfigError for what is neither a word nor a mapping.
    """
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{option} is not YAML", where=text, why=str(error)) from None
    if isinstance(value, str | dict):
        return value
    raise ConfigError(f"{option} names no plug-in", where=text, remedy="a name, FILE:CLASS, or {name: …, setting: …}")


def lines(rows: Iterable[str]) -> None:
    """Rows of text on stdout."""
    for row in rows:
        sys.stdout.write(visible(row) + "\n")


def result(value: Mapping[str, Json]) -> None:
    """The one line of JSON that --json promises."""
    from earnest.runlog import dump_line

    sys.stdout.write(dump_line(value) + "\n")


def stored(rows: Iterable[Mapping[str, Json]]) -> None:
    """Stored records, a line of JSON each: the one --json that is more than one line."""
    for row in rows:
        result(row)


def progress(as_json: bool) -> Callable[[str], None]:
    """A printer for what happens on the way."""
    stream = sys.stderr if as_json else sys.stdout

    def echo(text: str) -> None:
        stream.write(visible(text) + "\n")
        stream.flush()

    return echo


class PlainTerminal:
    """One line after the other."""

    def __init__(self, as_json: bool) -> None:
        self.echo = progress(as_json)

    def watch(self, run: Path) -> AbstractContextManager[None]:
        from earnest.cli import noise

        return noise.apart(run, self.echo)


def terminal(as_json: bool, plain: bool, no_color: bool) -> Terminal:
    """The live view where there is a terminal and a person may look at it; else plain lines."""
    dumb = os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI", "").lower() in ("1", "true")
    if as_json or plain or dumb or not sys.stdout.isatty():
        return PlainTerminal(as_json)
    from earnest.cli.live.terminal import LiveTerminal

    return LiveTerminal(no_color=no_color)


def failure(error: EarnestError, as_json: bool) -> int:
    """Report an error that the user can mend; returns its exit code."""
    if as_json:
        fields = {"type": type(error).__name__, "what": error.what, "where": error.where, "why": error.why}
        result({"error": {**fields, "do": error.remedy, "exit_code": error.exit_code}})
    else:
        sys.stderr.write(visible("error: " + "\n".join(error.lines())) + "\n")
    return error.exit_code


def warning(text: str) -> None:
    """What the user should know and need not mend, on stderr."""
    sys.stderr.write(visible(text) + "\n")


def command_line() -> str:
    """The command as typed, ready to be pasted into a shell."""
    return shlex.join(["earnest", *sys.argv[1:]])
