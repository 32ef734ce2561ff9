"""Reinforcement learning with verifiable rewards: rollouts of the present policy, graded, credited, learned from.

Any algorithm of `algorithms/`. Before the first step the stage's gates look at judged samples of dev problems, and a run that
could not learn anything is refused there.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from earnest.algorithms.base import Algorithm
from earnest.component import build, is_set, parts, plug
from earnest.data.gathering.gatherer import Gatherer
from earnest.data.gathering.groups import Live
from earnest.engines.base import EngineSession
from earnest.errors import ConfigError
from earnest.models.base import Policy
from earnest.models.critic import Critic
from earnest.rewards.base import Terms, Weighted, correct_alone, fitted
from earnest.seeding import derive
from earnest.stages.base import Context
from earnest.stages.rolling import Course, RolloutStage
from earnest.train.losses import PolicyGradient
from earnest.train.mismatch import Mismatch
from earnest.train.on_policy import OnPolicy, Rollouts
from earnest.train.reference import Reference
from earnest.train.updates import Entropy, Learning, Planner, carries_signal
from earnest.verifiers.base import Verifier


class CriticSettings(BaseModel):
    """The critic of an algorithm that has one."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    separate: bool = False
    """A model of its own, from the stage's input checkpoint: twice the memory. Else one vector on the policy's hidden states."""
    lr: float | None = Field(default=None, gt=0)
    """Its learning rate; null: the policy's."""
    warmup: int = Field(default=0, ge=0)
    """Steps at the beginning in which it learns alone."""


class Rl(RolloutStage):
    """Policy gradient against a verifier, or another reward."""

    no_signal: ClassVar[str] = "no group had two different rewards in any step"

    algorithm: Annotated[Algorithm, plug("algorithm")] = Field(default_factory=lambda: build("algorithm", "dapo"))
    """One that is named starts from its paper's defaults: `algorithm: grpo` has a KL of 0.04 in the loss."""
    reward: Terms = Field(default_factory=correct_alone)
    """What is maximised: terms and their weights. What counts as right stays the verifier's."""
    minibatches: int = Field(1, gt=0)
    """Optimizer updates that a step's prompts are shared out among. Clipping matters with more than one update."""
    mask_truncated: bool = False
    """Completions that were cut are learned nothing from, though their reward still counts in their group. Else they are wrong
    answers like others."""
    count_truncated: bool = False
    """What `mask_truncated` leaves out counts in a mean over completions still, as one without tokens. So it is in TRL."""
    entropy: Entropy = Field(default_factory=Entropy)
    """Bonus, floor, and a mask of certain tokens."""
    mismatch: Mismatch = Field(default_factory=Mismatch)
    """Correction for log-probs that sampler and trainer do not agree on."""
    critic: CriticSettings = Field(default_factory=CriticSettings)
    """Where the algorithm has one."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.critic != CriticSettings() and "critic" not in self.algorithm.needs:
            raise ValueError(f"critic has no effect: {self.algorithm.name} has none; leave it out")
        idle = sorted(name for name in self.algorithm.for_reuse if is_set(self.algorithm, name))
        if idle and self.minibatches * self.epochs == 1 and self.replay_groups is None:
            raise ValueError(
                f"{', '.join(idle)} of {self.algorithm.name} has no effect with one update per rollout, when the policy is still "
                "the one that sampled; leave it out, or set minibatches or epochs"
            )
        if self.critic.warmup >= self.steps:
            raise ValueError(f"critic.warmup {self.critic.warmup} of {self.steps} steps: the policy would never learn")
        every = self.algorithm.kl.reset_every
        if every is not None and every >= self.steps:
            raise ValueError(
                f"kl.reset_every {every} has no effect in {self.steps} steps; leave it out, or make it smaller"
            )
        if self.entropy.top_share is not None and self.algorithm.one_action:
            raise ValueError(
                f"entropy.top_share: {self.algorithm.name} takes a completion for one action, so no token can be left out; "
                "leave it out, or choose a method with a ratio of tokens"
            )
        if self.group_size < self.algorithm.least_group:
            raise ValueError(
                f"group_size is {self.group_size}: {self.algorithm.name} compares {self.algorithm.least_group} completions of a "
                "prompt or more, and would learn nothing"
            )
        if self.minibatches > self.prompts_per_step:
            raise ValueError(f"{self.minibatches} minibatches of {self.prompts_per_step} prompts: some would be empty")
        if self.count_truncated and not self.mask_truncated:
            raise ValueError(
                "count_truncated has no effect without mask_truncated: nothing is left out; set mask_truncated"
            )
        if self.mask_truncated and any(term.use.name == "overlong" for term in self.reward):
            raise ValueError("mask_truncated leaves out what `overlong` punishes; choose one of them")
        if self.mask_truncated and any(t.use.name == "cosine" and is_set(t.use, "exceeded") for t in self.reward):
            raise ValueError("mask_truncated leaves out what `exceeded` of `cosine` punishes; choose one of them")
        self.check_sizes(self.prompts_per_step, self.group_size)
        fitted(self.reward, max_tokens=self.max_tokens, steps=self.steps)
        return self

    def check(self, policies: frozenset[str], verifier: Verifier) -> None:
        scores = any(isinstance(part, Verifier) and part.scores_steps for part in parts(verifier))
        if "steps" in self.algorithm.needs and not scores:
            raise ConfigError(
                f"{self.algorithm.name} learns from scores of reasoning steps, and the verifier gives none",
                where=f"{self.id}.algorithm", why=f"the verifier is {verifier.label}",
                remedy="verifier: steps, or a combination with it; one of your own says `scores_steps = True`",
            )  # fmt: skip

    def paid(self) -> tuple[Weighted, ...]:
        return fitted(self.reward, max_tokens=self.max_tokens, steps=self.steps)

    def live(self, policy: Policy) -> Live:
        return partial(carries_signal, self.algorithm, policy.tokenizer, self.mask_truncated)

    def course(self, context: Context, start: str, policy: Policy, gatherer: Gatherer, engine: EngineSession) -> Course:
        algorithm = self.algorithm.with_max_tokens(self.max_tokens)
        critic = reference = None
        if "critic" in algorithm.needs:
            critic = Critic(policy, context.open_to_train(start, policy) if self.critic.separate else None)
        if "reference" in algorithm.needs:
            reference = Reference(context.open_to_train(start, policy), algorithm.kl)
        learning = Learning(
            seed=derive(context.seed, self.id),
            temperature=self.temperature,
            max_tokens=self.micro_batch_tokens,
            minibatches=self.minibatches,
            epochs=self.epochs,
            entropy=self.entropy,
            mask_truncated=self.mask_truncated,
            count_truncated=self.count_truncated,
        )
        source = OnPolicy(
            gatherer, engine, Planner(policy, algorithm, learning, critic=critic, reference=reference),
            Rollouts(
                stage=self.id, few_live=self.few_live, on_few_live=self.on_few_live, critic_warmup=self.critic.warmup,
            ),
            replay=self.rehearsal(context, policy),
        )  # fmt: skip
        loss = PolicyGradient(
            algorithm, self.temperature, critic, mismatch=self.mismatch, with_entropy=self.entropy.bonus > 0
        )
        return Course(source, loss, self.critic.lr)
