"""A fake engine that writes what it is told to: for tests of all that reads completions, and for injecting faults.

It computes nothing and ignores the policy but for its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydantic import Field

from earnest.engines.base import Engine, EngineSession
from earnest.models.base import Policy
from earnest.types import Completion, Finish, Json, Request

Script = Callable[[Request, int], Sequence[int]]
"""(request, sample index) -> the token ids to write."""


class Scripted(Engine):
    """Completions from a table, in the order they are asked for, over and over."""

    completions: tuple[tuple[int, ...], ...] = Field(min_length=1)
    """Token ids. One is cut at its first stop id and at the request's token limit, as a real engine would."""
    aborts: tuple[int, ...] = ()
    """Which completions of the session (0 is the first) the engine gives up on: finish "abort", no tokens."""
    logprob: float = Field(default=-1.0, le=0.0)
    """The log-prob that every token is given."""
    reverse: bool = False
    """Yield the completions of a call last first; their contents stay the same."""

    def open(self, policy: Policy) -> EngineSession:
        return ScriptedSession(policy, self)


class ScriptedSession(EngineSession):
    """Counts the completions it has served, which is all its state. `script` replaces the table where a test needs code."""

    def __init__(self, policy: Policy, config: Scripted, script: Script | None = None) -> None:
        self.policy, self.config, self.script = policy, config, script
        self.served = 0

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        completions = [self._next(request, index) for request in requests for index in range(request.n)]
        yield from reversed(completions) if self.config.reverse else completions

    def refresh(self, policy: Policy) -> None:
        self.policy = policy

    def state_dict(self) -> dict[str, Json]:
        return {"served": self.served}

    def load_state_dict(self, state: dict[str, Json]) -> None:
        assert isinstance(state["served"], int), state
        self.served = state["served"]

    def _next(self, request: Request, index: int) -> Completion:
        table, ordinal = self.config.completions, self.served
        self.served += 1
        ids = tuple(self.script(request, index)) if self.script else table[ordinal % len(table)]
        stop = next((i + 1 for i, token in enumerate(ids) if token in request.stop_ids), len(ids) + 1)
        length = min(stop, len(ids), request.sampling.max_tokens)
        finish = Finish.STOP if length == stop else Finish.LENGTH
        if ordinal in self.config.aborts:
            length, finish = 0, Finish.ABORT
        return Completion(
            tag=request.tag, index=index, token_ids=ids[:length], sampled=(True,) * length,
            logprobs=(self.config.logprob,) * length, finish=finish,
            policy_version=self.policy.version, sampling=request.sampling,
        )  # fmt: skip
