"""The plain strategy: what was asked for, once, as the engine gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from earnest.engines.base import EngineSession
from earnest.sampling.base import Strategy
from earnest.types import Completion, Request


class Plain(Strategy):
    """Every request goes to the engine unchanged."""

    def sample(self, requests: Sequence[Request], engine: EngineSession) -> Iterator[Completion]:
        yield from engine.generate(requests)
