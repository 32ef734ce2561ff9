"""What stages share that learn from fresh rollouts of the policy: how many, how drawn, what is looked at before the first step,
and what is said after the last. Not what is made of the rollouts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from earnest.component import build, is_set, plug
from earnest.data.gathering.gatherer import Asking, Gatherer
from earnest.data.gathering.groups import Live, has_signal
from earnest.data.gathering.hints import check_traces
from earnest.data.gathering.refill import BUDGET
from earnest.data.gathering.remedies import Remedies
from earnest.data.rollouts import Roller, with_answer
from earnest.data.select import subset
from earnest.engines.base import EngineSession
from earnest.gates.base import Gate, Samples, looking_at
from earnest.models.base import Policy
from earnest.prompts.base import Prompt
from earnest.rewards.base import Weighted, correct_alone
from earnest.seeding import derive, rng
from earnest.stages.base import Context, Outcome, Reading
from earnest.stages.training import TrainingStage, own_verifier, roller
from earnest.tasks.base import Task
from earnest.train import checkpoint
from earnest.train.demonstrations import Pool
from earnest.train.losses import Loss
from earnest.train.on_policy import FewLive, FreshRollouts
from earnest.train.replay import Replay
from earnest.types import Problem, Sampling

GATE_SAMPLES = 4
"""Samples of a dev problem at least: mixed outcomes cannot show in fewer."""


_FEW_LIVE = {
    "scale": "their learning rate was made smaller in proportion",
    "skip": "they were not taken",
    "take": "they were taken at full size all the same",
}


class Rehearsal(BaseModel):
    """Demonstrations that every step imitates besides, against forgetting them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    task: Annotated[Task, plug("task")]
    """Whose gold solutions are imitated: the base's skills, the recipe's own task, or a file of rows."""
    prompt: Annotated[Prompt, plug("prompt")]
    """In which form. Named each time: the recipe's for worked solutions (`plain` would leave their traces out), `plain` for what
    the base learned in it."""
    examples: int = Field(16, gt=0)
    """Demonstrations of an optimizer step."""
    weight: float = Field(0.1, gt=0)
    """Of their mean negative log-likelihood a token, which is added to the loss."""


@dataclass(frozen=True, slots=True)
class Course:
    """What such a stage adds: what is made of its rollouts, and what that costs."""

    source: FreshRollouts
    loss: Loss
    head_lr: float | None = None


class RolloutStage(Remedies, TrainingStage):
    """A stage that learns from fresh rollouts, graded."""

    requires: ClassVar[frozenset[str]] = frozenset({"ids", "logprobs"})
    no_signal: ClassVar[str]
    """What is said if no step had anything to learn from."""

    task: Annotated[Task, plug("task")] | None = None
    """Where problems come from, if not from the recipe's task."""
    prompts_per_step: int = Field(16, gt=0)
    """Problems of a step."""
    group_size: int = Field(8, gt=0)
    """Rollouts of each."""
    max_tokens: int = Field(256, gt=0)
    """Completion tokens at most; what is cut counts as wrong."""
    temperature: float = Field(1.0, gt=0)
    """Of sampling, and of every log-prob in the loss."""
    epochs: int = Field(1, gt=0)
    """How often a step's rollouts are learned from."""
    replay: Rehearsal | None = None
    """Demonstrations in every update, against forgetting."""
    error_ceiling: float = Field(0.05, ge=0, le=1)
    """Share of rollouts in a step on which the grader or a reward term may fail before the run stops."""
    few_live: float = Field(0.25, ge=0, le=1)
    """Share of groups with a signal below which a step is made smaller; 0: never."""
    on_few_live: FewLive = "scale"
    """Then: `scale` the learning rate by share / few_live, `skip` the step, or `take` it at full size, as AdamW would."""
    gates: tuple[Annotated[Gate, plug("gate")], ...] = Field(
        default_factory=lambda: (build("gate", "support"), build("gate", "learning"))
    )
    """What must hold before the first step, and what may stop the stage later."""
    gate_problems: int = Field(100, gt=1)
    """Dev problems whose samples the gates look at; so many of each part of a mixture."""

    @model_validator(mode="before")
    @classmethod
    def _draws_from_the_whole_distribution(cls, values: Any) -> Any:
        cut = [name for name in ("top_p", "top_k", "min_p") if isinstance(values, Mapping) and name in values]
        if cut:
            raise ValueError(
                f"{', '.join(cut)}: rollouts are drawn from the whole distribution, whose log-probs the loss has; leave it out"
            )
        return values

    @model_validator(mode="after")
    def _few_live_has_an_effect(self) -> Self:
        if self.few_live == 0 and is_set(self, "on_few_live"):
            raise ValueError("on_few_live has no effect with few_live 0; leave it out, or say from which share on")
        return self

    @abstractmethod
    def course(self, context: Context, start: str, policy: Policy, gatherer: Gatherer, engine: EngineSession) -> Course:
        """What to learn from the rollouts. start: the id of the stage's input."""

    def paid(self) -> tuple[Weighted, ...]:
        """What a rollout's reward is made of."""
        return correct_alone()

    def live(self, policy: Policy) -> Live:
        """Whether a group teaches something, for the remedies."""
        return has_signal

    def reads(self, task: Task) -> tuple[Reading, ...]:
        """Raises ConfigError for hints where the task has no traces."""
        own = self.task or task
        if self.hints is not None:
            check_traces(own)
        dev = (Reading(task=own, split="dev", trains=False),) if looking_at(self.gates, Samples) else ()
        found = (Reading(task=own, split="train", trains=True), *dev)
        if (replay := self.replay) is None:
            return found
        verifier = own_verifier(replay.task)
        return (
            *found,
            Reading(task=replay.task, split="train", trains=True, prompt=replay.prompt, verifier=verifier),
        )

    def run(self, context: Context, start: str) -> Outcome:
        policy = context.open_to_train(start)
        task = self.task or context.task
        reader = roller(context, policy)
        sampling = Sampling(temperature=self.temperature, max_tokens=self.max_tokens)
        assert sampling.is_full_distribution
        with context.engine.open(policy) as engine:
            if looking_at(self.gates, Samples) and checkpoint.latest(context.log.checkpoints) is None:
                self._pass_gates(context, task, reader, engine, sampling)
            gatherer = self._gatherer(context, task, reader, policy, sampling)
            course = self.course(context, start, policy, gatherer, engine)
            outcome = self.train(context, policy, course.source, course.loss, head_lr=course.head_lr)
        self._conclude(context, course.source, outcome)
        return outcome

    def rehearsal(self, context: Context, policy: Policy) -> Replay | None:
        """What is imitated besides, for the course's source."""
        if (found := self.replay) is None:
            return None
        seed = derive(context.seed, self.id, "replay")
        pool = Pool(found.task, found.prompt, policy.tokenizer, seed, policy.context_length, context.held_out)
        return Replay(pool, found.examples, found.weight)

    def _conclude(self, context: Context, source: FreshRollouts, outcome: Outcome) -> None:
        if source.small_steps:
            message = (
                f"in {source.small_steps} of {outcome.totals.steps} steps only a few groups (below {self.few_live:.0%}) carried "
                f"a signal: {_FEW_LIVE[self.on_few_live]}"
            )
            context.log.event("few_live", message, steps=source.small_steps)
            context.echo(f"[{self.id}] {message}")
        if spent := source.gatherer.last_words():
            context.log.event(BUDGET, spent)
            context.echo(f"[{self.id}] {spent}")
        if source.live_steps == 0:
            context.log.event("no_signal", self.no_signal, level="error")

    def _pass_gates(
        self, context: Context, task: Task, reader: Roller, engine: EngineSession, sampling: Sampling
    ) -> None:
        parts = [leaf for leaf in task.leaves() if "dev" in leaf.splits]
        problems = [p for leaf in parts for p in subset(leaf.problems("dev"), self.gate_problems)]
        groups = reader.collect(
            problems,
            engine,
            n=max(self.group_size, GATE_SAMPLES),
            sampling=sampling,
            seed=derive(context.seed, self.id, "gates"),
        ).groups
        permuted = reader.regrade(groups, dealt_out(problems, rng(context.seed, self.id, "permuted golds")))
        context.show(self.gates, Samples(stage=self.id, groups=groups, permuted=permuted))

    def _gatherer(self, context: Context, task: Task, reader: Roller, policy: Policy, sampling: Sampling) -> Gatherer:
        asking = Asking(
            prompts_per_step=self.prompts_per_step, group_size=self.group_size, sampling=sampling,
            seed=derive(context.seed, self.id), error_ceiling=self.error_ceiling, reward=self.paid(),
            held_out=context.held_out, remedies=self,
        )  # fmt: skip
        tell = partial(self._tell, context)
        problems, length = task.problems("train"), policy.context_length
        live = self.live(policy)
        return Gatherer(problems, reader, asking, tell=tell, live=live, gold=task.gold, context=length)

    def _tell(self, context: Context, event: str, sentence: str) -> None:
        message = f"{sentence}\nThis is the first; the others are counted in the metrics."
        context.log.event(event, message, level="warning")
        context.echo(f"[{self.id}] {message}")


def dealt_out(problems: Sequence[Problem], random: Random) -> list[Problem]:
    """The problems with their golds permuted among those of the same task: what a guesser would be paid for.

    A derangement by rotation of a shuffle: no problem keeps its own gold (though two may share a value), unless it is alone.
    """
    order = list(range(len(problems)))
    random.shuffle(order)
    found = list(problems)
    for task in dict.fromkeys(problem.task for problem in problems):
        own = [i for i in order if problems[i].task == task]
        for a, b in zip(own, own[1:] + own[:1], strict=True):
            found[a] = with_answer(problems[a], problems[b].answer)
    return found
