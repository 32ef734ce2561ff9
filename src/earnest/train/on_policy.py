"""Reinforcement learning's source: judged rollouts of the present policy to credit, to samples.

The algorithm sees the whole optimizer step at once; what it needs besides (a critic's values, a reference's log-probs) is
computed here and handed over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from earnest.algorithms.base import Algorithm
from earnest.data.gathering.gatherer import Gatherer
from earnest.data.reading import read_ends, read_tokens
from earnest.data.samples import from_step, plain_samples, to_step
from earnest.engines.base import EngineSession
from earnest.models.base import Policy
from earnest.models.heads import ValueHead
from earnest.train.loop import Source, Work
from earnest.types import Group, Json, Step

FewLive: TypeAlias = Literal["scale", "skip", "take"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """How what was gathered is learned from."""

    stage: str
    max_tokens: int  # of a micro-batch
    few_live: float = 0.0  # share of groups with a signal below which `on_few_live` applies
    on_few_live: FewLive = "scale"


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
        self, gatherer: Gatherer, engine: EngineSession, policy: Policy, algorithm: Algorithm, config: Rollouts, *,
        value_head: ValueHead | None, reference: Policy | None,
    ) -> None:  # fmt: skip
        self.gatherer, self.engine, self.policy = gatherer, engine, policy
        self.algorithm, self.config, self.value_head, self.reference = algorithm, config, value_head, reference
        self.live_steps, self.small_steps = 0, 0

    def work(self, step: int) -> Work:
        self.engine.refresh(self.policy)
        gathered = self.gatherer.gather(step, self.engine)
        seen = self._step(gathered.groups)
        credit = self.algorithm.credit(seen)
        weight_N = self.algorithm.weights(seen.length_N, seen.group_N, credit.live_N)
        is_live = bool(credit.live_N.any())
        lr_scale, live_groups = self._lr_scale(credit.live_N, seen.group_N)
        old_logp_T = self._old_logp(seen, gathered.replayed)
        samples = from_step(seen, credit, weight_N, old_logp_T=old_logp_T) if is_live and lr_scale > 0 else []
        self.live_steps += is_live
        self.small_steps += is_live and live_groups < self.config.few_live
        advantages = gathered.advantages(_first_of_each(credit.advantage_T, seen.length_N))
        records = self.gatherer.roller.records(
            gathered.seen, stage=self.config.stage, step=step + 1, split="train", advantages=advantages
        )
        metrics = {**gathered.metrics, **credit.metrics, **gathered.timing, "update/live": float(is_live)}
        metrics |= {"groups/live": live_groups, "update/lr_scale": lr_scale, **gathered.notes}
        return Work(samples, metrics, records, gathered.tokens, lr_scale)

    def _old_logp(self, step: Step, replayed: frozenset[int]) -> torch.Tensor | None:
        """pi_old of every sampled token: the sampler's where a group is replayed, else the present policy's. None: nothing is."""
        if not replayed:
            return None
        samples, temperature = plain_samples(step.groups), self.gatherer.asking.sampling.temperature
        now_T = read_tokens(self.policy, samples, self.config.max_tokens, temperature, lambda _, f: f.logp_T)
        is_replayed_N = torch.tensor([group in replayed for group in step.group_N.tolist()])
        return step.sampler_logp_T.where(torch.repeat_interleave(is_replayed_N, step.length_N), now_T)

    def _lr_scale(self, live_N: torch.Tensor, group_N: torch.Tensor) -> tuple[float, float]:
        """What the learning rate of this step is multiplied by, and the share of groups that carry a signal.

        AdamW divides by the gradient's recent size, so that steps for one live group are soon as long as steps for all of them.
        """
        share = len(group_N[live_N].unique()) / len(group_N.unique())
        if share >= self.config.few_live or self.config.on_few_live == "take":
            return 1.0, share
        return (share / self.config.few_live if self.config.on_few_live == "scale" else 0.0), share

    def _step(self, groups: Sequence[Group]) -> Step:
        step = to_step(groups)
        if self.value_head is None and self.reference is None:
            return step
        samples, budget = plain_samples(groups), self.config.max_tokens
        temperature = self.gatherer.asking.sampling.temperature
        if self.value_head is not None:
            head = self.value_head
            step = dataclasses.replace(
                step,
                value_T=read_tokens(self.policy, samples, budget, temperature, lambda _, f: head(f.hidden_T)),
                bootstrap_N=read_ends(self.policy, samples, budget, head),
            )
        if self.reference is not None:
            ref_logp_T = read_tokens(self.reference, samples, budget, temperature, lambda _, f: f.logp_T)
            step = dataclasses.replace(step, ref_logp_T=ref_logp_T)
        return step

    def state_dict(self) -> dict[str, Json]:
        return {
            "gatherer": self.gatherer.state_dict(), "live_steps": self.live_steps, "small_steps": self.small_steps,
            "engine": self.engine.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Json]) -> None:
        live_steps, small_steps, engine = state["live_steps"], state["small_steps"], state["engine"]
        assert isinstance(live_steps, int) and isinstance(small_steps, int) and isinstance(engine, dict)
        self.live_steps, self.small_steps = live_steps, small_steps
        self.gatherer.load_state_dict(state["gatherer"])
        self.engine.load_state_dict(engine)


def _first_of_each(x_T: torch.Tensor, length_N: torch.Tensor) -> list[float]:
    """The value of each rollout's first token; 0 where it has none."""
    starts = torch.cumsum(length_N, 0) - length_N
    return [
        x_T[start].item() if length else 0.0 for start, length in zip(starts.tolist(), length_N.tolist(), strict=True)
    ]
