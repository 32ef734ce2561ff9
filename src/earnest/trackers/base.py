"""A tracker: where the numbers of a run are also sent while it goes, besides its directory.

The run directory is written first and holds everything; a tracker is fed from it, in a process of its own (`follow/`). So a
tracker may be slow, print, or fail: training does not notice.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from earnest.component import Component
from earnest.errors import MissingDependency
from earnest.types import Json, Record

Level: TypeAlias = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """What a tracker is told of a run. Example: TrackedRun("chain-20261121-110648-fc74", "chain", Path("runs/…"), {...})."""

    id: str
    name: str  # the recipe's
    folder: Path  # the tracker's own, inside the run directory
    config: Mapping[str, Json]  # the resolved recipe


class TrackerSession(ABC):
    """One run at one tracker. Whatever it raises ends the session, with a warning, and nothing else.

    A run that is continued opens a session again, for the same run id. No step of a stage is sent twice. Texts are a model's: any
    character that UTF-8 can hold.
    """

    @abstractmethod
    def log(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        """The metrics of one optimizer step, counted from 1 in each stage. Those without a value are left out."""

    def rollouts(self, stage: str, step: int, records: Sequence[Record]) -> None:
        """Some completions of that step."""

    def alert(self, stage: str, step: int, text: str, level: Level) -> None:
        """A health rule that began to hold, a gate that refused: a plain sentence. step 0: before the first."""

    def finish(self, status: str, summary: Mapping[str, Json]) -> None:
        """The end, for now. status: done, refused, failed, interrupted or killed; summary: the report's main numbers."""


class Tracker(Component):
    """Somewhere to watch runs."""

    kind: ClassVar[str] = "tracker"
    package: ClassVar[str | None] = None
    """The optional package it needs, which is also the name of the extra."""

    rollouts: int = Field(8, ge=0)
    """Completions of a step that are sent: the first so many."""
    rollouts_every: int = Field(10, gt=0)
    """Steps between those of which completions are sent."""

    @abstractmethod
    def open(self, run: TrackedRun) -> TrackerSession:
        """Begin, or go on. Called in a process that serves this run alone; never asks anything at the terminal."""

    def check(self) -> None:
        """Raises MissingDependency if its package is not installed."""
        if self.package is not None and importlib.util.find_spec(self.package) is None:
            raise MissingDependency(
                f"the tracker {self.name} needs the package '{self.package}'", where="track",
                remedy=f'pip install "earnest[{self.package}]"',
            )  # fmt: skip
