"""The processes that train one policy together: who does which share of an update, and how the shares become one.

Every rank holds the same weights and the whole step's groups. Readings and the sequences of an update are shared out, readings
are gathered and gradients summed, so that N ranks take the step of one, up to the order of the sums. Nothing launches ranks yet,
and rollouts and checkpoints know of none: each rank must be given the same groups. `ALONE` is one process, for which all of this
is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all. Example: Ranks(rank=0, size=2)."""

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> Ranks:
        """This process in the default process group of torch.distributed, if there is one; else ALONE."""
        if not dist.is_available() or not dist.is_initialized():
            return ALONE
        return cls(dist.get_rank(), dist.get_world_size())

    def span(self, count: int) -> range:
        """Which of `count` things are this rank's: neighbours, in shares that differ by one at most."""
        start = count * self.rank // self.size
        return range(start, count * (self.rank + 1) // self.size)

    def mine(self, items: Sequence[T]) -> list[T]:
        """This rank's share of things that every rank has."""
        return [items[i] for i in self.span(len(items))]

    def gather(self, mine: Sequence[T]) -> list[T]:
        """The shares of all ranks, in their order, on every rank. The things are pickled: they come from our own processes."""
        if self.size == 1:
            return list(mine)
        shares: list[list[T]] = [[] for _ in range(self.size)]
        dist.all_gather_object(shares, list(mine))
        return [item for share in shares for item in share]

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Every parameter's gradient becomes the sum over ranks; a rank that had none adds 0."""
        if self.size == 1:
            return
        trained = list(parameters)
        touched = self.sum({str(i): float(p.grad is not None) for i, p in enumerate(trained)})
        for i, parameter in enumerate(trained):
            if not touched[str(i)]:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def sum(self, values: Mapping[str, float]) -> dict[str, float]:
        """Key by key over ranks; a rank may lack keys."""
        return _folded(self.gather([dict(values)]), lambda a, b: a + b)

    def max(self, values: Mapping[str, float]) -> dict[str, float]:
        """Key by key over ranks; a rank may lack keys. nan where a rank's value is."""
        return _folded(self.gather([dict(values)]), lambda a, b: largest((a, b)))

    def read(self, x: Tensor) -> Tensor:
        """This rank's part of a vector, (n,) -> the whole one, (N,)."""
        return x if self.size == 1 else torch.cat(self.gather([x]))


def largest(values: Iterable[float]) -> float:
    """The maximum; nan if any is nan. Python's `max` keeps or loses a nan by its place."""
    found = list(values)
    return math.nan if any(math.isnan(x) for x in found) else max(found)


def _folded(tables: Sequence[Mapping[str, float]], fold: Callable[[float, float], float]) -> dict[str, float]:
    together: dict[str, float] = {}
    for table in tables:
        for name, value in table.items():
            together[name] = fold(together[name], value) if name in together else value
    return together


ALONE = Ranks()
"""One process."""
