"""Preference optimisation on verifiable pairs: rollouts of the present policy, right against wrong, learned from as pairs.

Any loss of `preference/`. Pairs are fresh in every step. With one update a step this is online; Iterative RPO is few steps of
many prompts, each of several updates and with `renew_reference: 1`; pairs that are sampled once, from the stage's input, are
`steps: 1`. Gates look at the same samples as those of `rl`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from earnest.component import build, plug
from earnest.data.gathering.gatherer import Gatherer
from earnest.engines.base import EngineSession
from earnest.models.base import Policy
from earnest.preference.base import Preference
from earnest.seeding import derive
from earnest.stages.base import Context
from earnest.stages.rolling import Course, RolloutStage
from earnest.train.on_policy import Rollouts
from earnest.train.preference import FreshPairs, PairedCompletions, Pairing
from earnest.train.reference import Anchor


class Pairwise(RolloutStage):
    """A loss on pairs of right and wrong completions, sampled afresh."""

    no_signal: ClassVar[str] = "no group had a right and a wrong completion in any step"

    preference: Annotated[Preference, plug("preference")] = Field(default_factory=lambda: build("preference", "dpo"))
    """What a pair costs."""
    group_size: int = Field(8, ge=2)
    """Rollouts of each."""
    pairs_per_prompt: int | None = Field(default=None, gt=0)
    """Pairs of a prompt at most, those beyond min(right, wrong) using completions again. null: as many as use each once."""
    minibatches: int = Field(1, gt=0)
    """Optimizer updates that a step's pairs are shared out among."""
    renew_reference: int | None = Field(default=None, gt=0)
    """Steps after which the present policy becomes the reference. null: never, it is the stage's input checkpoint."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.check_sizes(self.prompts_per_step, self.group_size)
        size = self.group_size if self.hard is None else self.hard.group_size
        possible = (size // 2) * (size - size // 2)
        if self.pairs_per_prompt is not None and self.pairs_per_prompt > possible:
            raise ValueError(f"pairs_per_prompt {self.pairs_per_prompt}: {size} rollouts make {possible} pairs at most")
        most = self.prompts_per_step * (self.pairs_per_prompt or size // 2)
        if self.minibatches > most:
            raise ValueError(f"{self.minibatches} minibatches of {most} pairs at most: some would always be empty")
        if self.renew_reference is not None and self.renew_reference >= self.steps:
            raise ValueError(
                f"renew_reference {self.renew_reference} has no effect in {self.steps} steps; leave it out, or make it smaller"
            )
        return self

    def course(self, context: Context, start: str, policy: Policy, gatherer: Gatherer, engine: EngineSession) -> Course:
        source = FreshPairs(
            gatherer, engine, policy, Anchor(context.open_to_train(start, policy), self.renew_reference),
            Rollouts(stage=self.id, few_live=self.few_live, on_few_live=self.on_few_live),
            Pairing(
                seed=derive(context.seed, self.id), temperature=self.temperature, max_tokens=self.micro_batch_tokens,
                pairs_per_prompt=self.pairs_per_prompt, minibatches=self.minibatches, epochs=self.epochs,
            ),
            replay=self.rehearsal(context, policy),
        )  # fmt: skip
        return Course(source, PairedCompletions(self.preference, self.temperature))
