"""Which prompts are tried: the pool in its seeded order, or those whose difficulty is in a window.

With a curriculum a prompt is drawn by Thompson sampling (Thompson 1933): a candidate is taken at random from the pool, a pass
rate is drawn from its posterior, and the candidate is accepted if that is inside the window. What is surely too easy or too
hard is hardly ever accepted, what is unknown mostly is. A share of the draws passes over all of this and follows the pool's own
order: no prompt is locked away for ever, and the pass rate over these draws is the pool's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from earnest.data.gathering.posterior import HALF_LIFE, Posteriors
from earnest.data.select import order_of
from earnest.data.turns import Turns
from earnest.seeding import rng
from earnest.tasks.union import Union
from earnest.types import Json, Problem

TRIES = 64
"""Candidates of a draw at most; when all were refused, the pool's order decides."""


class Curriculum(BaseModel):
    """Prompts of middling difficulty, by what their own tries have shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    low: float = Field(0.1, ge=0, lt=1)
    """Pass rate below which a prompt is too hard for now."""
    high: float = Field(0.9, gt=0, le=1)
    """Pass rate above which it has nothing left to teach."""
    uniform: float = Field(0.2, gt=0, lt=1)
    """Share of the draws that follow the pool's own order, whatever the difficulty."""
    half_life: float = Field(HALF_LIFE, gt=0)
    """Steps after which an outcome counts half."""

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"the window is empty: low {self.low:g} is not below high {self.high:g}")
        if (self.low, self.high) == (0.0, 1.0):
            raise ValueError("a window from 0 to 1 has no effect: it accepts every prompt; leave `curriculum` out")
        return self


@dataclass(frozen=True, slots=True)
class Drawn:
    problem: Problem
    uniform: bool  # it was its turn in the pool's order; nothing about its difficulty had a say


class Draws:
    """The prompts of a stage, one after the other. Its place in the order and the number of draws are what a checkpoint saves."""

    def __init__(self, problems: Sequence[Problem], seed: int, curriculum: Curriculum | None = None) -> None:
        self.problems, self.seed, self.curriculum = problems, seed, curriculum
        self.order = order_of(problems, seed)
        self._turns = Turns([p.weight for p in problems.portions]) if isinstance(problems, Union) else None
        self.count = 0  # draws so far (with a curriculum)
        self._step, self._taken = -1, set[int]()

    def take(self, count: int, step: int, posteriors: Posteriors) -> list[Drawn]:
        """The next prompts. The window accepts none that it has accepted in the same step."""
        if self.curriculum is None:
            return [Drawn(self.problems[i], uniform=True) for i in self.order.take(count)]
        if step != self._step:
            self._step, self._taken = step, set()
        return [self._draw(self.curriculum, posteriors) for _ in range(count)]

    def _draw(self, curriculum: Curriculum, posteriors: Posteriors) -> Drawn:
        number = self.count
        self.count += 1
        # Counted out, not drawn: after n draws, floor(n * share) were uniform.
        in_turn = int((number + 1) * curriculum.uniform) > int(number * curriculum.uniform)
        accepted = None if in_turn else self._accepted(curriculum, posteriors, number)
        index = self.order.take(1)[0] if accepted is None else accepted
        self._taken.add(index)
        return Drawn(self.problems[index], uniform=accepted is None)

    def _accepted(self, curriculum: Curriculum, posteriors: Posteriors, number: int) -> int | None:
        random = rng(self.seed, "curriculum", number)
        among = self._among(number - int(number * curriculum.uniform))
        for _ in range(TRIES):
            index = random.choice(among)
            believed = posteriors.at(self.problems[index].id, self._step).draw(random)
            if index not in self._taken and curriculum.low <= believed <= curriculum.high:
                return index
        return None

    def _among(self, chosen: int) -> range:
        """What the draw that is the chosen-th by difficulty (from 0) is taken from: the pool; of a mixture, the portion whose
        turn it is, so that a portion of which little is in the window is drawn no less often."""
        if self._turns is None or not isinstance(self.problems, Union):
            return range(len(self.problems))
        part = self._turns.at(chosen).part
        return range(self.problems.starts[part], self.problems.ends[part])

    def state_dict(self) -> dict[str, Json]:
        return {"order": self.order.state_dict(), "count": self.count}

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, Mapping)
        order, count = state["order"], state["count"]
        assert isinstance(order, Mapping) and isinstance(count, int)
        self.order.load_state_dict(order)
        self.count = count
