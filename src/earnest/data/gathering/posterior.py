"""What is known of each prompt's difficulty: a Beta posterior of its pass rate, from outcomes that fade.

    p ~ Beta(1 + s, 1 + f),   s = sum over right tries of 2^(-age / half_life),   f likewise over wrong ones

The policy that made an outcome is not the present one, so an outcome counts half after `half_life` steps; a prompt that is not
tried any more drifts back to the uniform prior, and is then worth another look. Only verdicts count, never rewards, and only
those of tries without a hint. A try that could not be graded says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from earnest.data.gathering.groups import outcomes
from earnest.types import Group, Json

HALF_LIFE = 50.0
"""Steps after which an outcome counts half, where no recipe says otherwise."""


@dataclass(frozen=True, slots=True)
class Beta:
    """A distribution of a pass rate. Example: after 1 right and 7 wrong tries, Beta(2, 8) with mean 0.2."""

    a: float = 1.0
    b: float = 1.0

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def draw(self, random: Random) -> float:
        return random.betavariate(self.a, self.b)


class Posteriors:
    """One for every prompt that was tried, by the problem's id; all others have the prior."""

    def __init__(self, half_life: float = HALF_LIFE) -> None:
        self.half_life = half_life
        self._counts: dict[str, tuple[float, float, int]] = {}  # id -> faded right and wrong tries, as of which step

    def __contains__(self, problem: str) -> bool:
        return problem in self._counts

    def at(self, problem: str, step: int) -> Beta:
        """What is known of a problem at a step."""
        right, wrong = self._faded(problem, step)
        return Beta(1.0 + right, 1.0 + wrong)

    def observe(self, group: Group, step: int) -> None:
        """Count a group's outcomes. Those of a group with a hint are another prompt's."""
        assert not group.given, "a hinted group says nothing about its prompt alone"
        found = outcomes(group)
        if found:
            right, wrong = self._faded(group.problem.id, step)
            self._counts[group.problem.id] = right + sum(found), wrong + len(found) - sum(found), step

    def _faded(self, problem: str, step: int) -> tuple[float, float]:
        right, wrong, then = self._counts.get(problem, (0.0, 0.0, step))
        weight = 0.5 ** ((step - then) / self.half_life)
        return weight * right, weight * wrong

    def state_dict(self) -> dict[str, Json]:
        return {problem: list(counts) for problem, counts in self._counts.items()}

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, Mapping)
        self._counts = {}
        for problem, counts in state.items():
            assert isinstance(counts, list) and len(counts) == 3, counts
            right, wrong, step = counts
            assert isinstance(right, int | float) and isinstance(wrong, int | float) and isinstance(step, int)
            self._counts[problem] = float(right), float(wrong), step
