"""Live groups of earlier steps, which stand in for groups of this step that carry no signal.

A group is replayed once at most, the newest first, and not beyond a number of steps: it was sampled by an older policy, and the
sampler's log-probs that it carries are the pi_old of its ratio. What is replayed is learned from again, never counted again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from earnest.data.store import dump_line, group_from_json, group_to_json
from earnest.types import Group, Json


class ReplayGroups(BaseModel):
    """How many groups are kept, for how long, and how much of a step they may be."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    capacity: int = Field(64, gt=0)
    """Groups that are kept at most; the oldest go first."""
    share: float = Field(0.25, gt=0, lt=1)
    """Of a step's groups that may be replayed."""
    max_age: int = Field(10, gt=0)
    """Steps after which a group is too old."""

    def places(self, prompts_per_step: int) -> int:
        """Groups of a step that may be replayed."""
        return int(self.share * prompts_per_step)


@dataclass(frozen=True, slots=True)
class Kept:
    group: Group
    step: int  # in which it was sampled


class Buffer:
    """The groups that are kept, oldest first."""

    def __init__(self, config: ReplayGroups) -> None:
        self.config = config
        self.kept: list[Kept] = []

    def take(self, count: int, step: int) -> list[Kept]:
        """At most `count` groups, the newest first. They leave the buffer, and so do those that are too old."""
        self.kept = [k for k in self.kept if step - k.step <= self.config.max_age]
        taken = self.kept[::-1][:count]
        self.kept = self.kept[: len(self.kept) - len(taken)]
        return taken

    def keep(self, groups: Sequence[Group], step: int) -> None:
        """Keep live groups of this step."""
        self.kept = [*self.kept, *(Kept(group, step) for group in groups)][-self.config.capacity :]

    def state_dict(self) -> list[Json]:
        """[step, group as one JSON line] each: a checkpoint's indentation would make every token a line."""
        return [[k.step, dump_line(group_to_json(k.group))] for k in self.kept]

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, list)
        self.kept = []
        for entry in state:
            assert isinstance(entry, list) and isinstance(entry[0], int) and isinstance(entry[1], str)
            self.kept.append(Kept(group_from_json(json.loads(entry[1])), entry[0]))
