"""A function of your own as a reward term, in TRL's signature; `sandbox/function.py` says what it is called with.

It runs in a process of its own with a deadline. An exception, a deadline or something that is no number leaves the rollout
without a reward and is counted; it is never a reward of 0. A function whose speed depends on the machine may fail on one and not
on another: leave it room.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, PrivateAttr

from earnest.component import FunctionName, function_file
from earnest.rewards.base import Failed, Reward, Score
from earnest.sandbox.function import Case, Failure, scores
from earnest.sandbox.worker import Callee
from earnest.types import Rollout


class Function(Reward):
    """What a function of your own returns. `use: rewards.py:brevity` is short for this with `path`."""

    path: FunctionName
    """`file.py:name`, relative to the recipe, or `package.module:name`."""
    timeout_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds that a call for at most 64 completions may take."""

    _callee: Callee = PrivateAttr()

    @property
    def label(self) -> str:
        return self.path.rpartition(":")[2]

    def model_post_init(self, context: object, /) -> None:
        self._callee = Callee.read(self.path)

    def code(self) -> tuple[Path, ...]:
        return function_file(self.path)

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        cases = [Case(r.problem, r.parsed, r.completion.token_ids) for r in rollouts]
        found = scores(self._callee, cases, self.timeout_s)
        return [Failed(score.text) if isinstance(score, Failure) else score for score in found]
