"""A stage: one leg of the road. It reads its inputs, builds a source and a loss, and leaves a named artefact.

The road hands it a context; what it leaves is a folder inside the run. Which stage's output it starts from is `from:`, by
default the last one that produced a policy and is not a control.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from earnest.component import Component
from earnest.engines.base import Engine
from earnest.gates.asking import ask
from earnest.gates.base import Gate, looking_at
from earnest.models.base import Model, Policy
from earnest.prompts.base import Prompt
from earnest.runlog import StageLog
from earnest.sampling.base import Strategy
from earnest.seeding import derive
from earnest.tasks.base import Task
from earnest.train.loop import StopRequest, Totals
from earnest.types import Json, Machine, Split
from earnest.verifiers.base import Verifier

BASE = "base"
"""The id of the policy that the road starts with, unless a stage of that id makes one."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """Something a stage left for later ones: a policy is a Hugging Face folder."""

    stage: str
    path: Path
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Problems that a stage asks or imitates. prompt and verifier None: the run's own."""

    task: Task
    split: Split
    trains: bool  # it learns from them; otherwise they measure something
    prompt: Prompt | None = None
    verifier: Verifier | None = None

    def leaves(self) -> tuple[Reading, ...]:
        """The same of each part of a mixture that has the split; of any other task itself."""
        return tuple(replace(self, task=leaf) for leaf in self.task.leaves() if self.split in leaf.splits) or (self,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a stage may use. `policies` holds every policy made so far, in order, the base first."""

    model: Model
    task: Task
    prompt: Prompt
    verifier: Verifier
    engine: Engine
    strategy: Strategy
    machine: Machine
    seed: int
    run: Path
    log: StageLog
    policies: Mapping[str, Artefact | None]  # None: the model's own beginning
    totals: Mapping[str, Mapping[str, Json]]  # what earlier stages spent, by id
    controls: frozenset[str]
    held_out: frozenset[str]  # questions of every evaluation, normalised
    trained: str | None  # the newest policy a stage made that is no control; None: only the base
    stop: StopRequest
    allow: frozenset[str]
    echo: Callable[[str], None]

    def show(self, gates: Sequence[Gate], evidence: object) -> None:
        """Show evidence to those of the gates that look at its kind. Raises GateRefused."""
        ask(looking_at(gates, type(evidence)), evidence, self.log, self.allow, self.echo)

    def open_policy(self, stage: str) -> Policy:
        """The policy of a stage, in memory."""
        artefact = self.policies[stage]
        folder = None if artefact is None else artefact.path
        return self.model.open(self.machine, folder=folder, seed=derive(self.seed, "model"))

    def open_to_train(self, stage: str, beside: Policy | None = None) -> Policy:
        """The same, to be trained. beside: one that was opened from it already; what neither trains is in memory once."""
        policy = self.model.to_train(self.open_policy(stage), derive(self.seed, "adapter", stage))
        if beside is not None:
            policy.share_frozen(beside)
        return policy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage did. policy: the folder it saved a policy to, inside its own."""

    policy: Path | None = None
    totals: Totals = field(default_factory=Totals)


class Stage(Component):
    """One leg of the road."""

    kind: ClassVar[str] = "stage"
    makes_policy: ClassVar[bool] = False
    requires: ClassVar[frozenset[str]] = frozenset()
    """What it must get from the engine: subset of {"ids", "logprobs", "text"}."""
    reads_all: ClassVar[bool] = False
    """Depends on every stage before it, not only on its input."""
    always_runs: ClassVar[bool] = False
    """Is never taken from an earlier run."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    """Names the stage in overrides, folders and the report; by default its kind."""
    from_: str | None = Field(None, alias="from")
    """Id of the stage whose policy it starts from; by default the newest that is not a control."""
    control: bool = False
    """A comparison beside the road: later stages do not start from it and the verdict is not about it."""

    @abstractmethod
    def run(self, context: Context, start: str) -> Outcome:
        """Do it. start: the id of the policy to begin with. Raises GateRefused, Interrupted."""

    def check(self, policies: frozenset[str], verifier: Verifier) -> None:
        """Refuse what could not work before anything is computed. policies: ids of those made before it. verifier: the run's.

        Raises ConfigError or DataError.
        """

    def reads(self, task: Task) -> tuple[Reading, ...]:
        """Where its problems come from. task: the recipe's."""
        return ()

    def needs(self) -> tuple[str, ...]:
        """Ids of other stages whose results it reads, besides its input."""
        return ()
