"""Chain-of-thought supervised fine-tuning: prompt -> trace -> answer, loss on trace, answer and stop token."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from earnest.component import build, is_set, plug
from earnest.data.select import subset
from earnest.errors import ConfigError
from earnest.models.base import Policy
from earnest.prompts.base import Prompt
from earnest.seeding import derive
from earnest.stages.base import Context, Outcome, Reading
from earnest.stages.training import TrainingStage, own_verifier, roller
from earnest.tasks.base import Task
from earnest.train.demonstrations import Demonstrations, Pool, Probe
from earnest.train.losses import NegativeLogLikelihood


class Until(BaseModel):
    """What ends a stage before its steps are spent."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    worked_accuracy: float = Field(gt=0, le=1)
    """Pass rate at T = 1 on dev problems once a completion has begun as a worked one."""


class Replay(BaseModel):
    """Examples of another task in every batch, against forgetting it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    task: Annotated[Task, plug("task")]
    """What is replayed."""
    prompt: Annotated[Prompt, plug("prompt")] = Field(default_factory=lambda: build("prompt", "plain"))
    """In which form."""
    share: float = Field(gt=0, lt=1)
    """Of the batch."""


class Sft(TrainingStage):
    """Imitation of worked solutions."""

    task: Annotated[Task, plug("task")] | None = None
    """Where the solutions come from, if not from the recipe's task."""
    batch_size: int = Field(48, gt=0)
    """Examples per optimizer step, replayed ones included."""
    worked_share: float = Field(1.0, ge=0, le=1)
    """Share of the examples that keep their trace; the others answer at once."""
    drop_wrong_steps: bool = False
    """Leave out solutions whose trace claims wrong arithmetic (verifier `steps`), however right their answer is."""
    replay: Replay | None = None
    """Examples of another task in every batch."""
    until: Until | None = None
    """Stop early when this is reached."""
    probe_every: int = Field(50, gt=0)
    """Steps between measurements of the worked branch (only with `until`)."""
    probe_problems: int = Field(200, gt=0)
    """Dev problems of a measurement."""
    max_tokens: int = Field(64, gt=0)
    """Completion tokens of a measurement."""
    match_compute: str | None = None
    """Id of an earlier stage: stop when as much compute is spent as it spent. `steps` stays the most there can be."""

    @model_validator(mode="after")
    def _measurements_have_a_purpose(self) -> Self:
        idle = [n for n in ("probe_every", "probe_problems", "max_tokens") if self.until is None and is_set(self, n)]
        if idle:
            raise ValueError(f"{', '.join(idle)} has no effect without `until`; leave it out, or say what to reach")
        return self

    def reads(self, task: Task) -> tuple[Reading, ...]:
        own = self.task or task
        found = [Reading(task=own, split="train", trains=True)]
        if self.until is not None:
            found.append(Reading(task=own, split="dev", trains=False))
        if (replay := self.replay) is not None:
            verifier = own_verifier(replay.task)
            found.append(Reading(task=replay.task, split="train", trains=True, prompt=replay.prompt, verifier=verifier))
        return tuple(found)

    def run(self, context: Context, start: str) -> Outcome:
        policy = context.open_to_train(start)
        task = self.task or context.task
        reader = roller(context, policy)
        with context.engine.open(policy) as engine:
            probe = None
            if self.until is not None:
                probe = Probe(
                    roller=reader, engine=engine, problems=subset(task.problems("dev"), self.probe_problems),
                    every=self.probe_every, max_tokens=self.max_tokens, seed=derive(context.seed, self.id, "probe"),
                    target=self.until.worked_accuracy,
                )  # fmt: skip
            pool = self._pool(context, policy, task, context.prompt, "order")
            replay = self.replay and self._pool(context, policy, self.replay.task, self.replay.prompt, "replay")
            source = Demonstrations(
                pool, batch_size=self.batch_size, worked_share=self.worked_share, replay=replay,
                replay_share=self.replay.share if self.replay else 0.0, probe=probe,
            )  # fmt: skip
            return self.train(context, policy, source, NegativeLogLikelihood(), max_flops=self._max_flops(context))

    def _pool(self, context: Context, policy: Policy, task: Task, prompt: Prompt, purpose: str) -> Pool:
        seed = derive(context.seed, self.id, purpose)
        return Pool(
            task, prompt, policy.tokenizer, seed, policy.context_length, context.held_out,
            drop_wrong_steps=self.drop_wrong_steps,
        )  # fmt: skip

    def needs(self) -> tuple[str, ...]:
        return () if self.match_compute is None else (self.match_compute,)

    def _max_flops(self, context: Context) -> float | None:
        if self.match_compute is None:
            return None
        spent = context.totals.get(self.match_compute, {}).get("flops")
        if not isinstance(spent, float):
            raise ConfigError(
                f"stage '{self.match_compute}' has spent nothing that could be matched", where=f"{self.id}.match_compute",
                remedy="name a training stage that stands earlier in the recipe",
            )  # fmt: skip
        return spent
