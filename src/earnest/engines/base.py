"""An engine turns token ids into token ids. It knows no text, no task and no algorithm.

`open(policy)` gives a session; the session yields completions as they finish, in any order. What comes out for a request
depends on its ids, sampling, seed and sample index, never on what else is in the batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from earnest.component import Component
from earnest.types import Completion, Json, Request

if TYPE_CHECKING:
    from earnest.models.base import Policy


class EngineSession(ABC):
    """An open engine: a context manager. Whatever resume needs is in its state."""

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """n completions for every request, yielded as they finish.

        Raises DataError for a prompt that leaves no room in the context for a single token.
        """

    def refresh(self, policy: Policy) -> None:
        """Take the policy's present weights and version. Engines that share the weights have nothing to copy."""

    def state_dict(self) -> dict[str, Json]:
        return {}

    def load_state_dict(self, state: dict[str, Json]) -> None:
        assert not state, state

    def close(self) -> None:
        """Free what the session holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Engine(Component):
    """How completions are sampled from a policy."""

    kind: ClassVar[str] = "engine"

    provides: ClassVar[frozenset[str]] = frozenset({"ids", "logprobs"})
    """Subset of {"ids", "logprobs", "text"}; stages declare what they require."""

    @abstractmethod
    def open(self, policy: Policy) -> EngineSession:
        """A session that samples from this policy."""
