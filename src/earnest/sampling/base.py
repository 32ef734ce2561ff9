"""A strategy decides which requests an engine gets and what is made of the answers.

This folder is the only caller of engines.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from earnest.component import Component
from earnest.engines.base import EngineSession
from earnest.types import Completion, Request


class Strategy(Component):
    """How completions are sought."""

    kind: ClassVar[str] = "strategy"

    @abstractmethod
    def sample(self, requests: Sequence[Request], engine: EngineSession) -> Iterator[Completion]:
        """Completions for every request, in any order, each with its request's tag and sample index."""
