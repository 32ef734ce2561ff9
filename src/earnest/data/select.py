"""Which problems: a fixed subset of a split, and an endless, seeded order over a pool with its place in it as the only state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np

from earnest.seeding import derive, rng
from earnest.tasks.clusters import normalised
from earnest.types import Problem

Item = TypeVar("Item")


def subset(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of them, drawn without regard to their order in the source; the same ones for every run and seed."""
    if count >= len(items):
        return list(items)
    chosen = sorted(rng("subset", len(items)).sample(range(len(items)), count))
    return [items[i] for i in chosen]


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
        taken = [self._at(self.position + i) for i in range(count)]
        self.position += count
        return taken

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self.size)
        if epoch != self._epoch:
            generator = np.random.Generator(np.random.Philox(derive(self.seed, "order", epoch)))
            self._permutation, self._epoch = generator.permutation(self.size), epoch
        return int(self._permutation[place])
