"""Pretraining in miniature: gives the tiny model a base with skills of its own, without thoughts or their markers.

That checkpoint is what substrate drift is measured against. A pretrained model needs no such stage.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from earnest.component import build, plug
from earnest.prompts.base import Prompt
from earnest.seeding import derive
from earnest.stages.base import Context, Outcome, Reading
from earnest.stages.training import TrainingStage, own_verifier
from earnest.tasks.base import Task
from earnest.train.demonstrations import Demonstrations, Pool
from earnest.train.losses import NegativeLogLikelihood


class Pretrain(TrainingStage):
    """Next-token training of a fresh model on simple skills."""

    task: Annotated[Task, plug("task")] = Field(default_factory=lambda: build("task", "skills"))
    """What it learns."""
    prompt: Annotated[Prompt, plug("prompt")] = Field(default_factory=lambda: build("prompt", "plain"))
    """In which form."""
    batch_size: int = Field(64, gt=0)
    """Examples per optimizer step."""

    def reads(self, task: Task) -> tuple[Reading, ...]:
        return (
            Reading(task=self.task, split="train", trains=True, prompt=self.prompt, verifier=own_verifier(self.task)),
        )

    def run(self, context: Context, start: str) -> Outcome:
        policy = context.open_to_train(start)
        seed = derive(context.seed, self.id, "order")
        pool = Pool(self.task, self.prompt, policy.tokenizer, seed, policy.context_length, context.held_out)
        source = Demonstrations(pool, batch_size=self.batch_size, show="as_is")
        return self.train(context, policy, source, NegativeLogLikelihood())
