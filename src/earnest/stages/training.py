"""What training stages share: their budget, and the job they hand to the loop."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from earnest.component import build, plug
from earnest.data.rollouts import Roller
from earnest.errors import EarnestError
from earnest.gates.base import Gate, Steps, looking_at
from earnest.models.base import Policy
from earnest.prompts.base import Prompt
from earnest.runlog import replaced_folder
from earnest.stages.base import Context, Outcome, Stage
from earnest.tasks.base import Task
from earnest.train.health import Health
from earnest.train.loop import Job, Source, train
from earnest.train.losses import Loss
from earnest.train.optim import Optim
from earnest.verifiers.base import Verifier


class TrainingStage(Optim, Stage):
    """A stage that changes a policy."""

    makes_policy: ClassVar[bool] = True

    steps: int = Field(gt=0)
    """Optimizer steps at most."""
    micro_batch_tokens: int = Field(16384, gt=0)
    """Tokens that go through the model at once, padding included. Changes memory, never a result."""
    checkpoint_every: int = Field(50, gt=0)
    """Steps between checkpoints."""
    log_every: int = Field(10, gt=0)
    """Steps between lines in the terminal."""
    health: Health = Field(default_factory=Health)
    """Thresholds of the health rules."""
    gates: tuple[Annotated[Gate, plug("gate")], ...] = Field(default_factory=lambda: (build("gate", "learning"),))
    """What may stop the stage. See `earnest list gate`."""

    def train(
        self, context: Context, policy: Policy, source: Source, loss: Loss, *, head_lr: float | None = None,
        max_flops: float | None = None,
    ) -> Outcome:  # fmt: skip
        """Run the loop and save the policy beside its log."""
        totals = train(
            Job(
                name=self.id, policy=policy, source=source, loss=loss, optim=self, steps=self.steps,
                log=context.log, stop=context.stop, echo=context.echo, max_tokens=self.micro_batch_tokens,
                checkpoint_every=self.checkpoint_every, log_every=self.log_every, health=self.health,
                gates=tuple(looking_at(self.gates, Steps)), allow=context.allow,
                head_lr=head_lr, max_flops=max_flops,
            )
        )  # fmt: skip
        if not all(bool(p.isfinite().all()) for _, p in policy.parameters()):
            raise EarnestError(
                f"stage '{self.id}' ended with weights that are not finite", where=str(context.log.folder),
                why="the updates were too large", remedy="a smaller lr; nothing was saved as a model",
            )  # fmt: skip
        folder = context.log.folder / "model"
        with replaced_folder(folder) as temporary:
            policy.save(temporary)
        return Outcome(folder, totals)


def roller(context: Context, policy: Policy, prompt: Prompt | None = None, verifier: Verifier | None = None) -> Roller:
    """The run's way of sampling and grading, for this policy's tokenizer."""
    return Roller(prompt or context.prompt, verifier or context.verifier, context.strategy, policy.tokenizer)


def own_verifier(task: Task) -> Verifier:
    """The verifier that a task names."""
    return task.own_verifier()
