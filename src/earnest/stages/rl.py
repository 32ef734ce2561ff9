"""Reinforcement learning with verifiable rewards: rollouts of the present policy, graded, credited, learned from.

Any algorithm of `algorithms/`. Before the first step the stage's gates look at judged samples of dev problems, and a run that
could not learn anything is refused there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from earnest.algorithms.base import Algorithm
from earnest.component import build, plug
from earnest.data.gathering.gatherer import Asking, Gatherer
from earnest.data.gathering.hints import check_traces
from earnest.data.gathering.refill import BUDGET
from earnest.data.gathering.remedies import Remedies
from earnest.data.rollouts import Roller, with_answer
from earnest.data.select import subset
from earnest.engines.base import EngineSession
from earnest.gates.base import Gate, Samples, looking_at
from earnest.models.base import Policy
from earnest.models.critic import Critic
from earnest.prompts.base import Prompt
from earnest.rewards.base import Terms, correct_alone, fitted
from earnest.seeding import derive, rng
from earnest.stages.base import Context, Outcome, Reading
from earnest.stages.training import TrainingStage, own_verifier, roller
from earnest.tasks.base import Task
from earnest.train import checkpoint
from earnest.train.demonstrations import Pool
from earnest.train.losses import PolicyGradient
from earnest.train.mismatch import Mismatch
from earnest.train.on_policy import FewLive, OnPolicy, Rollouts
from earnest.train.reference import Reference
from earnest.train.replay import Replay
from earnest.train.updates import Entropy, Learning, Planner
from earnest.types import Problem, Sampling

GATE_SAMPLES = 4
"""Samples of a dev problem at least: mixed outcomes cannot show in fewer."""


_FEW_LIVE = {
    "scale": "their learning rate was made smaller in proportion",
    "skip": "they were not taken",
    "take": "they were taken at full size all the same",
}


class CriticSettings(BaseModel):
    """The critic of an algorithm that has one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    separate: bool = False
    """A model of its own, from the stage's input checkpoint: twice the memory. Else one vector on the policy's hidden states."""
    lr: float | None = Field(default=None, gt=0)
    """Its learning rate; null: the policy's."""
    warmup: int = Field(default=0, ge=0)
    """Steps at the beginning in which it learns alone."""


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


class Rl(Remedies, TrainingStage):
    """Policy gradient against a verifier, or another reward."""

    requires: ClassVar[frozenset[str]] = frozenset({"ids", "logprobs"})

    algorithm: Annotated[Algorithm, plug("algorithm")] = Field(default_factory=lambda: build("algorithm", "dapo"))
    """One that is named starts from its paper's defaults: `algorithm: grpo` has a KL of 0.04 in the loss."""
    task: Annotated[Task, plug("task")] | None = None
    """Where problems come from, if not from the recipe's task."""
    prompts_per_step: int = Field(16, gt=0)
    """Problems of an optimizer step."""
    group_size: int = Field(8, gt=0)
    """Rollouts of each."""
    max_tokens: int = Field(256, gt=0)
    """Completion tokens at most; what is cut counts as wrong."""
    temperature: float = Field(1.0, gt=0)
    """Of sampling, and of every log-prob in the loss."""
    reward: Terms = Field(default_factory=correct_alone)
    """What is maximised: terms and their weights. What counts as right stays the verifier's."""
    replay: Rehearsal | None = None
    """Demonstrations in every update, against forgetting."""
    minibatches: int = Field(1, gt=0)
    """Optimizer updates that a step's prompts are shared out among. Clipping matters with more than one update."""
    epochs: int = Field(1, gt=0)
    """How often a step's rollouts are learned from."""
    mask_truncated: bool = False
    """Completions that were cut are learned nothing from, though their reward still counts in their group. Else they are wrong
    answers like others."""
    entropy: Entropy = Field(default_factory=Entropy)
    """Bonus, floor, and a mask of certain tokens."""
    mismatch: Mismatch = Field(default_factory=Mismatch)
    """Correction for log-probs that sampler and trainer do not agree on."""
    critic: CriticSettings = Field(default_factory=CriticSettings)
    """Where the algorithm has one."""
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.critic != CriticSettings() and "critic" not in self.algorithm.needs:
            raise ValueError(f"critic has no effect: {self.algorithm.name} has none; leave it out")
        if self.group_size < self.algorithm.least_group:
            raise ValueError(
                f"group_size is {self.group_size}: {self.algorithm.name} compares {self.algorithm.least_group} completions of a "
                "prompt or more, and would learn nothing"
            )
        if self.minibatches > self.prompts_per_step:
            raise ValueError(f"{self.minibatches} minibatches of {self.prompts_per_step} prompts: some would be empty")
        if self.mask_truncated and any(term.use.name == "overlong" for term in self.reward):
            raise ValueError("mask_truncated leaves out what `overlong` punishes; choose one of them")
        self.check_sizes(self.prompts_per_step, self.group_size)
        fitted(self.reward, max_tokens=self.max_tokens, steps=self.steps)
        return self

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
        policy = context.open_policy(start)
        task = self.task or context.task
        reader = roller(context, policy)
        sampling = Sampling(temperature=self.temperature, max_tokens=self.max_tokens)
        with context.engine.open(policy) as engine:
            if looking_at(self.gates, Samples) and checkpoint.latest(context.log.checkpoints) is None:
                self._pass_gates(context, task, reader, engine, sampling)
            algorithm = self.algorithm.with_max_tokens(self.max_tokens)
            critic = reference = None
            if "critic" in algorithm.needs:
                critic = Critic(policy, context.open_policy(start) if self.critic.separate else None)
            if "reference" in algorithm.needs:
                reference = Reference(context.open_policy(start), algorithm.kl)
            learning = Learning(
                seed=derive(context.seed, self.id),
                temperature=self.temperature,
                max_tokens=self.micro_batch_tokens,
                minibatches=self.minibatches,
                epochs=self.epochs,
                entropy=self.entropy,
                mask_truncated=self.mask_truncated,
            )
            gatherer = self._gatherer(context, task, reader, policy, sampling)
            planner = Planner(policy, algorithm, learning, critic=critic, reference=reference)
            source = OnPolicy(
                gatherer, engine, planner,
                Rollouts(
                    stage=self.id, few_live=self.few_live, on_few_live=self.on_few_live, critic_warmup=self.critic.warmup,
                ),
                replay=self._replay(context, policy),
            )  # fmt: skip
            loss = PolicyGradient(
                algorithm, self.temperature, critic, mismatch=self.mismatch, with_entropy=self.entropy.bonus > 0
            )
            outcome = self.train(context, policy, source, loss, head_lr=self.critic.lr)
        if source.small_steps:
            message = (
                f"in {source.small_steps} of {outcome.totals.steps} steps only a few groups (below {self.few_live:.0%}) carried "
                f"a signal: {_FEW_LIVE[self.on_few_live]}"
            )
            context.log.event("few_live", message, steps=source.small_steps)
            context.echo(f"[{self.id}] {message}")
        if spent := gatherer.last_words():
            context.log.event(BUDGET, spent)
            context.echo(f"[{self.id}] {spent}")
        if source.live_steps == 0:
            context.log.event("no_signal", "no group had two different rewards in any step", level="error")
        return outcome

    def _replay(self, context: Context, policy: Policy) -> Replay | None:
        if (found := self.replay) is None:
            return None
        seed = derive(context.seed, self.id, "replay")
        pool = Pool(found.task, found.prompt, policy.tokenizer, seed, policy.context_length, context.held_out)
        return Replay(pool, found.examples, found.weight)

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
            seed=derive(context.seed, self.id), error_ceiling=self.error_ceiling,
            reward=fitted(self.reward, max_tokens=self.max_tokens, steps=self.steps),
            held_out=context.held_out, remedies=self,
        )  # fmt: skip
        tell = partial(self._tell, context)
        problems, length = task.problems("train"), policy.context_length
        return Gatherer(problems, reader, asking, tell=tell, gold=task.gold, context=length)

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
