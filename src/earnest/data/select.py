"""Which problems: a fixed subset of a split, and an endless, seeded order over a pool with its place in it as the only state.

Of a mixture (`tasks/union.py`) both take from every portion as much as its weight says, whatever its size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeVar, cast

import numpy as np

from earnest.data.turns import Turns, quotas
from earnest.seeding import derive, rng
from earnest.tasks.clusters import normalised
from earnest.tasks.union import Union
from earnest.types import Json, Problem

Item = TypeVar("Item")


def subset(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of them, drawn without regard to their order in the source; the same ones for every run and seed.

    Fewer than all of a mixture: of each portion as many as its weight says; one that has too few leaves the rest to the others.
    """
    if count >= len(items):
        return list(items)
    if isinstance(items, Union):
        portions = items.portions
        counts = quotas([p.weight for p in portions], [len(p.problems) for p in portions], count)
        chosen = [p for portion, n in zip(portions, counts, strict=True) for p in subset(portion.problems, n)]
        return cast("list[Item]", chosen)
    places = sorted(rng("subset", len(items)).sample(range(len(items)), count))
    return [items[i] for i in places]


def among(problems: Sequence[Problem], questions: frozenset[str]) -> int:
    """How many of the problems ask one of these questions (as `normalised` writes them)."""
    return sum(normalised(problem.question) in questions for problem in problems)


def dealt(count: int, hands: int, *names: str | int) -> list[list[int]]:
    """0 .. count-1, shuffled by a seed made of the names and shared out evenly; of more hands than there are cards some stay
    empty."""
    order = list(range(count))
    rng(*names).shuffle(order)
    ends = [0, *(count // hands * (i + 1) + min(i + 1, count % hands) for i in range(hands))]
    return [order[a:b] for a, b in pairwise(ends)]


class Order:
    """A fresh permutation of 0 .. size-1 every epoch. `take` moves on; `position` is what a checkpoint saves."""

    def __init__(self, size: int, seed: int) -> None:
        assert size > 0
        self.size, self.seed, self.position = size, seed, 0
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.int64)

    def take(self, count: int) -> list[int]:
        """The next `count` indices."""
        taken = [self.at(self.position + i) for i in range(count)]
        self.position += count
        return taken

    def instead(self) -> int:
        """Another index in place of the last one that was taken, which could not be used."""
        return self.take(1)[0]

    def rivals(self, index: int) -> int:
        """How many there are that could be taken in place of this index, itself included."""
        return self.size

    def go_to(self, position: int) -> None:
        """Continue from a position, as if nothing had been taken in place of another before it."""
        self.position = position

    def at(self, position: int) -> int:
        """The index at a position."""
        epoch, place = divmod(position, self.size)
        if epoch != self._epoch:
            generator = np.random.Generator(np.random.Philox(derive(self.seed, "order", epoch)))
            self._permutation, self._epoch = generator.permutation(self.size), epoch
        return int(self._permutation[place])

    def state_dict(self) -> dict[str, Json]:
        return {"position": self.position}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        position = state["position"]
        assert isinstance(position, int)
        self.position = position


class Weighted(Order):
    """The portions of a mixture by turns (`turns.py`), each in an order of its own: exact shares at every position.

    What is taken in place of another is of the same portion, so that what cannot be used shifts no share.
    """

    def __init__(self, problems: Union, seed: int) -> None:
        super().__init__(len(problems), seed)
        portions = problems.portions
        self._starts, self._ends = problems.starts, problems.ends
        self._turns = Turns([portion.weight for portion in portions])
        self._orders = [Order(len(p.problems), derive(seed, "portion", p.name)) for p in portions]
        self._passed_over = [0] * len(portions)

    def instead(self) -> int:
        self._passed_over[self._turns.at(self.position - 1).part] += 1
        return self.at(self.position - 1)

    def rivals(self, index: int) -> int:
        return next(len(r) for r in map(range, self._starts, self._ends) if index in r)

    def go_to(self, position: int) -> None:
        self.position, self._passed_over = position, [0] * len(self._orders)

    def at(self, position: int) -> int:
        turn = self._turns.at(position)
        return self._starts[turn.part] + self._orders[turn.part].at(turn.count + self._passed_over[turn.part])

    def state_dict(self) -> dict[str, Json]:
        return {"position": self.position, "passed_over": list(self._passed_over)}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        super().load_state_dict(state)
        passed = state["passed_over"]
        assert isinstance(passed, list) and len(passed) == len(self._orders)
        self._passed_over = [int(cast("int", count)) for count in passed]


def order_of(problems: Sequence[Problem], seed: int) -> Order:
    """The order in which problems are drawn for training: by weight if they are a mixture's."""
    return Weighted(problems, seed) if isinstance(problems, Union) else Order(len(problems), seed)
