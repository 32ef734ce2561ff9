"""A gate looks at a run, before, during or after it, and refuses one that cannot be believed. A refusal is a result.

Every gate looks at one kind of evidence (`looks_at`); whoever can gather evidence shows it to the gates that look at it. The
kinds stand here, because a gate of one's own is written against them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from earnest.component import Component
from earnest.functional.stats import Interval
from earnest.prompts.base import Prompt
from earnest.tasks.base import Task
from earnest.types import Group, Json, Problem, Split, Verdict
from earnest.verifiers.base import Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Outcome: TypeAlias = Literal["passed", "warned", "refused"]
RUN = "run"
"""The `stage` of a gate that is about the whole run."""


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
class Form:
    """A split of a task in the form in which a run puts it to the model, and who grades it."""

    task: Task
    split: Split
    prompt: Prompt
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a run writes its problems and their solutions down."""

    forms: Sequence[Form]
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Grading:
    """How a run grades what its tasks are answered with."""

    forms: Sequence[Form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Problems that a stage reads. Example: Source(name="sft: chain", problems=chain.problems("train"), templated=True)."""

    name: str
    problems: Sequence[Problem]
    templated: bool  # its problems differ in their numbers and symbols alone, so that masking those says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is trained on, and what is asked: the two must not share a question."""

    trained: Sequence[Source]
    watched: Sequence[Source]  # dev problems, which choose and warn but prove nothing
    held_out: Sequence[Source]  # what a claim rests on


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Judged rollouts of a dev slice before the first step of `stage`, and the same texts graded against permuted golds."""

    stage: str
    groups: Sequence[Group]
    permuted: Sequence[Sequence[Verdict]]  # per group: its texts as answers to another problem


@dataclass(frozen=True, slots=True)
class Steps:
    """The metrics of a training stage's steps so far, oldest first; nan or None where a number was none."""

    stage: str
    rows: Sequence[Mapping[str, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A checkpoint against the one it was trained from, on the same held-out problems."""

    stage: str
    before: str
    metric: str
    diff: float
    ci95: Interval
    problems: int
    split: str


class Gate(Component):
    """A check that can stop a run."""

    kind: ClassVar[str] = "gate"
    looks_at: ClassVar[type]
    """The kind of evidence that it is shown."""

    @abstractmethod
    def check(self, evidence: Any) -> GateResult:
        """Pass, warn or refuse. evidence: an instance of `looks_at`."""

    def result(
        self, stage: str, outcome: Outcome, reason: str, remedy: str = "", numbers: Mapping[str, Json] | None = None
    ) -> GateResult:
        return GateResult(
            gate=self.name, stage=stage, outcome=outcome, reason=reason, remedy=remedy, numbers=numbers or {}
        )


def looking_at(gates: Iterable[Component], kind: type) -> list[Gate]:
    """Those of the gates that are shown this kind of evidence."""
    return [gate for gate in gates if isinstance(gate, Gate) and gate.looks_at is kind]
