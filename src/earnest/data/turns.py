"""Whose turn it is: an endless sequence of turns among parts, in exact proportion to their weights and as evenly as can be.

A part of share w has its j-th turn (from 0) within the window from floor(j / w) to ceil((j + 1) / w) - 1. Of the windows that are
open the one that closes first is served. Then every part has had floor(n w) or ceil(n w) of the first n turns, for every n
(proportionate fairness: Baruah, Cohen, Plaxton and Varvel, Algorithmica 15, 1996). Integers throughout: nothing drifts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Turn:
    """Part `part` has its `count`-th turn (from 0)."""

    part: int
    count: int


class Turns:
    """Turn n is a function of the weights and n. What was worked out is kept for one period, after which all repeats."""

    def __init__(self, weights: Sequence[float]) -> None:
        """weights: above 0; 0.1 is read as a tenth, not as the binary fraction beside it."""
        exact = [Fraction(str(weight)) for weight in weights]
        assert exact and min(exact) > 0, weights
        scale = math.lcm(*(weight.denominator for weight in exact))
        whole = [int(weight * scale) for weight in exact]
        self._each = [weight // math.gcd(*whole) for weight in whole]  # turns of a part in a period
        self.period = sum(self._each)
        self._turns: list[Turn] = []
        self._had = [0] * len(whole)

    def at(self, position: int) -> Turn:
        """The turn at a position from 0."""
        period, place = divmod(position, self.period)
        while len(self._turns) <= place:
            self._turns.append(self._next())
        turn = self._turns[place]
        return Turn(turn.part, turn.count + period * self._each[turn.part])

    def _next(self) -> Turn:
        now = len(self._turns)
        part = min((part for part in range(len(self._each)) if self._opens(part) <= now), key=self._closes)
        turn = Turn(part, self._had[part])
        self._had[part] += 1
        return turn

    def _opens(self, part: int) -> int:
        return self._had[part] * self.period // self._each[part]

    def _closes(self, part: int) -> int:
        return -(-(self._had[part] + 1) * self.period // self._each[part])


def quotas(weights: Sequence[float], sizes: Sequence[int], count: int) -> list[int]:
    """How many of `count` fall to each part by turns. One that has no more passes its turns on; count: no more than there are."""
    assert 0 <= count <= sum(sizes), (count, sizes)
    taken = [0] * len(sizes)
    turns, left = Turns(weights), list(range(len(sizes)))
    position = 0
    while count > sum(taken):
        part = left[turns.at(position).part]
        position += 1
        taken[part] += 1
        if taken[part] == sizes[part]:
            left.remove(part)
            if left:
                turns, position = Turns([weights[i] for i in left]), 0
    return taken
