"""A gate looks at a run before it goes on, and refuses one that cannot be believed. A refusal is a result with a reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from earnest.component import Component
from earnest.types import Group, Json, Verdict

Outcome: TypeAlias = Literal["passed", "warned", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What a gate found. `reason` is a sentence for a person; `remedy` what would help; numbers carry the evidence."""

    gate: str
    stage: str
    outcome: Outcome
    reason: str
    remedy: str = ""
    numbers: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate may look at: judged rollouts of a dev slice, and the same texts graded against permuted golds."""

    stage: str
    groups: Sequence[Group]
    permuted: Sequence[Sequence[Verdict]]  # per group: its texts as answers to another problem


class Gate(Component):
    """A check made before a stage spends anything."""

    kind: ClassVar[str] = "gate"

    @abstractmethod
    def check(self, evidence: Evidence) -> GateResult:
        """Pass, warn or refuse."""
