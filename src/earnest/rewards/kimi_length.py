"""Kimi k1.5's length reward: among the completions of one problem, short right ones gain and long ones lose.

A term beside `correct`, best with `after:` some steps, because from the start it holds learning back. What could not be graded is
left out of the shortest and the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from earnest.functional.reward import kimi_length
from earnest.rewards.base import Failed, Reward, Score, sampled_tokens
from earnest.types import Rollout


class KimiLength(Reward):
    """1/2 for the shortest of a group down to -1/2 for the longest; a wrong one never gains (Kimi k1.5, arXiv:2501.12599)."""

    per_group: ClassVar[bool] = True
    shapes: ClassVar[bool] = True

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        graded = [r for r in rollouts if r.verdict.correct is not None]
        found = iter(kimi_length([sampled_tokens(r) for r in graded], [bool(r.verdict.correct) for r in graded]))
        return [Failed(r.verdict.reason) if r.verdict.correct is None else next(found) for r in rollouts]
