"""Errors for users: what, where, why, what to do. A failed assertion is for us; these are for the person at the keyboard.

Every class carries the exit code that the command line returns for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EarnestError(Exception):
    """Something a user can mend. `where` is a file, line or key; `remedy` says what to do."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", remedy: str = "") -> None:
        self.what, self.where, self.why, self.remedy = what, where, why, remedy
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        rows = [self.what]
        rows += [f"  where: {self.where}"] if self.where else []
        rows += [f"  why:   {self.why}"] if self.why else []
        rows += [f"  do:    {self.remedy}"] if self.remedy else []
        return rows


class ConfigError(EarnestError):
    """The recipe or the command line is wrong."""

    exit_code = 2


class DataError(EarnestError):
    """A data file is missing, malformed or empty."""

    exit_code = 2


class RunDirError(EarnestError):
    """A run directory exists already, is in use, or is not one."""

    exit_code = 2


class GateRefused(EarnestError):
    """A gate refused: the run could not teach anything, or could not be believed."""

    exit_code = 3


class RequirementNotMet(EarnestError):
    """`--require` asked for a verdict that the run did not reach."""

    exit_code = 3


class MissingDependency(EarnestError):
    """An optional package or a device is not there."""

    exit_code = 4


class TrackerFailed(EarnestError):
    """A tracker was asked for by a command of its own and did not take everything. Never raised while a run goes on."""

    exit_code = 4


class Interrupted(EarnestError):
    """Stopped on request, after a clean checkpoint."""

    exit_code = 130


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean X?' with the nearest known name, or the list of names when none is near."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return "known: " + ", ".join(names) if names else ""
