"""Warnings of this package as one plain line each, where they would stand with a file and a line of code. Libraries' stay."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_HERE = str(Path(__file__).resolve().parents[1])


@contextmanager
def told_plainly(echo: Callable[[str], None]) -> Iterator[None]:
    """Within the block a warning of ours goes to `echo`, and every other where it went before."""
    before = warnings.showwarning
    tell_plainly(echo)
    try:
        yield
    finally:
        warnings.showwarning = before


def tell_plainly(echo: Callable[[str], None]) -> None:
    """The same for the rest of the process."""
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if filename.startswith(_HERE):
            echo(f"warning: {message}")
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
