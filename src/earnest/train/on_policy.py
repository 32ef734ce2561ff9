"""Reinforcement learning's source: `data/gathering/` brings judged rollouts of the present policy, `updates.py` makes samples of
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from earnest.data.gathering.gatherer import Gatherer
from earnest.engines.base import EngineSession
from earnest.train.loop import Source, Work
from earnest.train.replay import Replay, Replayed
from earnest.train.updates import Planner
from earnest.types import Json

FewLive: TypeAlias = Literal["scale", "skip", "take"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """What is made of a step's rollouts."""

    stage: str
    few_live: float = 0.0  # share of groups with a signal below which `on_few_live` applies
    on_few_live: FewLive = "scale"
    critic_warmup: int = 0  # steps in which only the critic learns


class OnPolicy(Source):
    """Fresh rollouts of the policy for every optimizer step."""

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
        self.gatherer, self.engine, self.planner, self.config = gatherer, engine, planner, config
        self.replay = replay
        self.live_steps, self.small_steps = 0, 0

    def work(self, step: int) -> Work:
        config = self.config
        self.engine.refresh(self.planner.policy)
        gathered = self.gatherer.gather(step, self.engine)
        plan = self.planner.plan(gathered.groups, step, gathered.replayed)
        live_N, group_N = plan.credit.live_N, plan.step.group_N
        is_live = bool(live_N.any())
        lr_scale, live_groups = self._lr_scale(live_N, group_N)
        self.live_steps += is_live
        self.small_steps += is_live and live_groups < config.few_live
        advantages = gathered.advantages(_first_of_each(plan.credit.advantage_T, plan.step.length_N))
        records = self.gatherer.roller.records(
            gathered.seen, stage=config.stage, step=step + 1, split="train", advantages=advantages
        )
        metrics = {**gathered.metrics, **plan.metrics, **gathered.timing, "update/live": float(is_live)}
        metrics |= {"groups/live": live_groups, "update/lr_scale": lr_scale}
        metrics["sampler/lag"] = float(self.planner.policy.version - gathered.oldest)
        metrics |= gathered.notes
        rehearsed = self.replay.at(step) if self.replay is not None else Replayed((), 0)
        metrics["data/held_out"] += rehearsed.held_out
        return Work(
            plan.updates if lr_scale > 0 else (), metrics, records, gathered.tokens, lr_scale,
            heads_only=step < config.critic_warmup, supervised=rehearsed.samples,
        )  # fmt: skip

    def after(self, step: int) -> Mapping[str, float]:
        if self.planner.reference is not None:
            self.planner.reference.renew(self.planner.policy, step)
        return {}

    def _lr_scale(self, live_N: torch.Tensor, group_N: torch.Tensor) -> tuple[float, float]:
        """What the learning rate of this step is multiplied by, and the share of groups that carry a signal.

        AdamW divides by the gradient's recent size, so that steps for one live group are soon as long as steps for all of them.
        """
        share = len(group_N[live_N].unique()) / len(group_N.unique())
        if share >= self.config.few_live or self.config.on_few_live == "take":
            return 1.0, share
        return (share / self.config.few_live if self.config.on_few_live == "scale" else 0.0), share

    def state_dict(self) -> dict[str, Json]:
        return {
            "gatherer": self.gatherer.state_dict(), "live_steps": self.live_steps, "small_steps": self.small_steps,
            "engine": self.engine.state_dict(),
            "reference": None if self.planner.reference is None else self.planner.reference.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Json]) -> None:
        live_steps, small_steps, engine = state["live_steps"], state["small_steps"], state["engine"]
        assert isinstance(live_steps, int) and isinstance(small_steps, int) and isinstance(engine, dict)
        self.live_steps, self.small_steps = live_steps, small_steps
        self.gatherer.load_state_dict(state["gatherer"])
        self.engine.load_state_dict(engine)
        if self.planner.reference is not None:
            reference = state["reference"]
            assert isinstance(reference, Mapping)
            self.planner.reference.load_state_dict(reference)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {} if self.planner.reference is None else self.planner.reference.tensors()

    def load_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        if tensors and self.planner.reference is not None:
            self.planner.reference.load_tensors(tensors)


def _first_of_each(x_T: torch.Tensor, length_N: torch.Tensor) -> list[float]:
    """The value of each rollout's first token; 0 where it has none."""
    starts = torch.cumsum(length_N, 0) - length_N
    return [
        x_T[start].item() if length else 0.0 for start, length in zip(starts.tolist(), length_N.tolist(), strict=True)
    ]
