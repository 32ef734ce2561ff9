"""Reinforcement learning's source: `data/gathering/` brings judged rollouts of the present policy, `updates.py` makes samples of
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from earnest.data.gathering.gatherer import Gathered, Gatherer
from earnest.engines.base import EngineSession
from earnest.models.base import Policy
from earnest.train.loop import Source, Work
from earnest.train.reference import Anchor
from earnest.train.replay import Replay, Replayed
from earnest.train.updates import Planner
from earnest.types import Json, Sample

FewLive: TypeAlias = Literal["scale", "skip", "take"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """What is made of a step's rollouts."""

    stage: str
    few_live: float = 0.0  # share of groups with a signal below which `on_few_live` applies
    on_few_live: FewLive = "scale"
    critic_warmup: int = 0  # steps in which only the critic learns


class FreshRollouts(Source):
    """A source whose steps begin with rollouts of the present policy, whatever is made of them.

    Its steps have gradients of very different worth: see `_lr_scale`.
    """

    def __init__(
        self, gatherer: Gatherer, engine: EngineSession, policy: Policy, config: Rollouts, *, reference: Anchor | None,
        replay: Replay | None,
    ) -> None:  # fmt: skip
        self.gatherer, self.engine, self.policy, self.config = gatherer, engine, policy, config
        self.reference, self.replay = reference, replay
        self.live_steps, self.small_steps = 0, 0

    def gather(self, step: int) -> Gathered:
        """The rollouts of step `step` (from 0)."""
        self.engine.refresh(self.policy)
        return self.gatherer.gather(step, self.engine)

    def step_work(
        self, step: int, gathered: Gathered, updates: Sequence[Sequence[Sample]], live: float, metrics: Mapping[str, float], *,
        advantages: Sequence[float | None] | None = None,
    ) -> Work:  # fmt: skip
        """What the loop is brought. live: share of groups that carry a signal. advantages: of all that was seen."""
        lr_scale = self._lr_scale(live)
        self.live_steps += live > 0
        self.small_steps += 0 < live < self.config.few_live
        records = self.gatherer.roller.records(
            gathered.seen, stage=self.config.stage, step=step + 1, split="train", advantages=advantages
        )
        metrics = {**gathered.metrics, **metrics, **gathered.timing, "update/live": float(live > 0)}
        metrics |= {"groups/live": live, "update/lr_scale": lr_scale}
        metrics["sampler/lag"] = float(self.policy.version - gathered.oldest)
        metrics |= gathered.notes
        rehearsed = self.replay.at(step) if self.replay is not None else Replayed((), 0)
        metrics["data/held_out"] += rehearsed.held_out
        return Work(
            updates if lr_scale > 0 else (), metrics, records, gathered.tokens, lr_scale,
            heads_only=step < self.config.critic_warmup, supervised=rehearsed.samples,
        )  # fmt: skip

    def after(self, step: int) -> Mapping[str, float]:
        if self.reference is not None:
            self.reference.renew(self.policy, step)
        return {}

    def _lr_scale(self, live: float) -> float:
        """What the learning rate of a step is multiplied by.

        AdamW divides by the gradient's recent size, so that steps for one live group are soon as long as steps for all of them.
        """
        if live >= self.config.few_live or self.config.on_few_live == "take":
            return 1.0
        return live / self.config.few_live if self.config.on_few_live == "scale" else 0.0

    def state_dict(self) -> dict[str, Json]:
        return {
            "gatherer": self.gatherer.state_dict(), "live_steps": self.live_steps, "small_steps": self.small_steps,
            "engine": self.engine.state_dict(),
            "reference": None if self.reference is None else self.reference.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Json]) -> None:
        live_steps, small_steps, engine = state["live_steps"], state["small_steps"], state["engine"]
        assert isinstance(live_steps, int) and isinstance(small_steps, int) and isinstance(engine, dict)
        self.live_steps, self.small_steps = live_steps, small_steps
        self.gatherer.load_state_dict(state["gatherer"])
        self.engine.load_state_dict(engine)
        if self.reference is not None:
            reference = state["reference"]
            assert isinstance(reference, Mapping)
            self.reference.load_state_dict(reference)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {} if self.reference is None else self.reference.tensors()

    def load_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        if tensors and self.reference is not None:
            self.reference.load_tensors(tensors)


class OnPolicy(FreshRollouts):
    """Rollouts with credit, for a policy gradient."""

    shown = (
        "pass_rate",
        "reward",
        "groups/mixed",
        "completions/mean_length",
        "completions/clipped_ratio",
        "sampler/entropy",
    )

    def __init__(
        self, gatherer: Gatherer, engine: EngineSession, planner: Planner, config: Rollouts, *, replay: Replay | None = None
    ) -> None:  # fmt: skip
        super().__init__(gatherer, engine, planner.policy, config, reference=planner.reference, replay=replay)
        self.planner = planner

    def work(self, step: int) -> Work:
        gathered = self.gather(step)
        plan = self.planner.plan(gathered.groups, step, gathered.replayed)
        if self.planner.reference is not None and step >= self.config.critic_warmup:
            fresh = sum(len(g.rollouts) for i, g in enumerate(gathered.groups) if i not in gathered.replayed)
            self.planner.reference.steer(plan.metrics, fresh)  # now that its coefficient has been used
        live_N, group_N = plan.credit.live_N, plan.step.group_N
        live = len(group_N[live_N].unique()) / len(group_N.unique())
        advantages = gathered.advantages(_first_of_each(plan.credit.advantage_T, plan.step.length_N))
        return self.step_work(step, gathered, plan.updates, live, plan.metrics, advantages=advantages)


def _first_of_each(x_T: torch.Tensor, length_N: torch.Tensor) -> list[float]:
    """The value of each rollout's first token; 0 where it has none."""
    starts = torch.cumsum(length_N, 0) - length_N
    return [
        x_T[start].item() if length else 0.0 for start, length in zip(starts.tolist(), length_N.tolist(), strict=True)
    ]
