"""Reinforcement learning's source: problems to judged rollouts of the present policy; `updates.py` makes samples of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch

from earnest.data.rewarding import reward
from earnest.data.rollouts import Roller
from earnest.data.select import among, order_of
from earnest.engines.base import EngineSession
from earnest.errors import GateRefused
from earnest.rewards.base import Weighted, correct_alone
from earnest.seeding import derive
from earnest.tasks.union import Union
from earnest.train.loop import Source, Work
from earnest.train.replay import Replay, Replayed
from earnest.train.updates import Planner
from earnest.types import Finish, Group, Json, Problem, Rollout, Sampling, Status

FewLive: TypeAlias = Literal["scale", "skip", "take"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """How many, how drawn, how rewarded, and how many failures of the grader end the run."""

    stage: str
    prompts_per_step: int
    group_size: int
    sampling: Sampling
    seed: int
    error_ceiling: float
    few_live: float = 0.0  # share of groups with a signal below which `on_few_live` applies
    on_few_live: FewLive = "scale"
    reward: tuple[Weighted, ...] = field(default_factory=correct_alone)
    held_out: frozenset[str] = frozenset()  # questions of evaluations, normalised
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
        self, problems: Sequence[Problem], roller: Roller, engine: EngineSession, planner: Planner, config: Rollouts, *,
        tell: Callable[[str], None] = lambda failure: None, replay: Replay | None = None,
    ) -> None:  # fmt: skip
        self.problems, self.roller, self.engine, self.planner, self.config = problems, roller, engine, planner, config
        self.order = order_of(problems, config.seed)
        self.tasks = tuple(p.name for p in problems.portions) if isinstance(problems, Union) else ()
        self.live_steps, self.small_steps = 0, 0
        self.tell, self.told, self.replay = tell, False, replay

    def work(self, step: int) -> Work:
        config = self.config
        problems = [self.problems[i] for i in self.order.take(config.prompts_per_step)]
        self.engine.refresh(self.planner.policy)
        collected = self.roller.collect(
            problems, self.engine, n=config.group_size, sampling=config.sampling,
            seed=derive(config.seed, "rollout", step),
        )  # fmt: skip
        rewarding = time.perf_counter()
        rewarded = reward(collected.groups, config.reward, derive(config.seed, "reward", step), step)
        groups, grading = rewarded.groups, collected.timing.grade + time.perf_counter() - rewarding
        metrics = {**task_metrics(groups, self.tasks), **rollout_metrics(groups)}
        metrics["groups/levelled"] = rewarded.levelled / len(groups)
        self._watch_failures(step, metrics, _first_error(groups), rewarded.failure)
        plan = self.planner.plan(groups, step)
        live_N, group_N = plan.credit.live_N, plan.step.group_N
        is_live = bool(live_N.any())
        lr_scale, live_groups = self._lr_scale(live_N, group_N)
        self.live_steps += is_live
        self.small_steps += is_live and live_groups < self.config.few_live
        first_N = _first_of_each(plan.credit.advantage_T, plan.step.length_N)
        records = self.roller.records(groups, stage=config.stage, step=step + 1, split="train", advantages=first_N)
        timing = {"time/generate": collected.timing.generate, "time/grade": grading}
        metrics = {**metrics, **plan.metrics, **timing, "update/live": float(is_live)}
        metrics |= {"groups/live": live_groups, "update/lr_scale": lr_scale}
        metrics["sampler/lag"] = float(self.planner.policy.version - min(_versions(groups), default=0))
        metrics["data/held_out"] = float(among(problems, config.held_out))
        replayed = self.replay.at(step) if self.replay is not None else Replayed((), 0)
        metrics["data/held_out"] += replayed.held_out
        return Work(
            plan.updates if lr_scale > 0 else (), metrics, records, int(plan.step.length_N.sum()), lr_scale,
            heads_only=step < config.critic_warmup, supervised=replayed.samples,
        )  # fmt: skip

    def after(self, step: int) -> Mapping[str, float]:
        if self.planner.reference is not None:
            self.planner.reference.renew(self.planner.policy, step)
        return {}

    def _watch_failures(self, step: int, metrics: Mapping[str, float], verifier: str, term: str) -> None:
        """Tells the first failure of a verifier or a reward term in full. Raises GateRefused where there are too many."""
        if (verifier or term) and not self.told:
            self.told = True
            self.tell(f"step {step + 1}: {verifier or term}")
        ceiling = self.config.error_ceiling
        if metrics["verdict/error"] > ceiling:
            raise GateRefused(
                f"the grader failed on {metrics['verdict/error']:.0%} of the rollouts of step {step + 1}",
                where=f"verifier {self.roller.verifier.name}", why=verifier,
                remedy="mend the verifier; a failure is never counted as a reward",
            )  # fmt: skip
        if metrics["reward/missing"] > ceiling:
            raise GateRefused(
                f"{metrics['reward/missing']:.0%} of the rollouts of step {step + 1} have no reward",
                where=f"reward {', '.join(t.name for t in self.config.reward)}",
                why=term or verifier or "no term applies to them",
                remedy="mend the reward; a failure is never counted as a reward of 0",
            )  # fmt: skip

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
            "position": self.order.position, "live_steps": self.live_steps, "small_steps": self.small_steps,
            "told": self.told, "engine": self.engine.state_dict(),
            "reference": None if self.planner.reference is None else self.planner.reference.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Json]) -> None:
        position, live_steps, small_steps = state["position"], state["live_steps"], state["small_steps"]
        engine, told = state["engine"], state["told"]
        assert isinstance(position, int) and isinstance(live_steps, int) and isinstance(small_steps, int)
        assert isinstance(engine, dict) and isinstance(told, bool)
        self.told = told
        self.order.position, self.live_steps, self.small_steps = position, live_steps, small_steps
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


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """What one step's rollouts say, with TRL's names where the meaning is the same.

    Rates are over all rollouts; the pass rate and the rewards' means and deviation leave out those that have none.
    sampler/entropy: minus the mean log-prob of the drawn tokens, in nats, which estimates the policy's entropy a token.
    """
    rollouts = [r for group in groups for r in group.rollouts]
    count = len(rollouts)
    rewards = torch.tensor([r.reward for r in rollouts if r.reward is not None])
    rights = [r.verdict.correct for r in rollouts if r.verdict.correct is not None]
    lengths = [sum(r.completion.sampled) for r in rollouts]
    drawn = [
        logp
        for r in rollouts
        for logp, own in zip(r.completion.logprobs or (), r.completion.sampled, strict=False)
        if own
    ]
    right = [{r.verdict.correct for r in group.rollouts} - {None} for group in groups]
    graded = [{r.reward for r in group.rollouts if r.reward is not None} for group in groups]
    return {
        "reward": rewards.mean().item() if len(rewards) else float("nan"),
        "reward_std": rewards.std(correction=0).item() if len(rewards) else float("nan"),
        **_part_means(rollouts),
        "reward/missing": 1 - len(rewards) / count,
        "pass_rate": sum(rights) / len(rights) if rights else float("nan"),
        "trace_format": sum(r.parsed.well_formed and r.completion.finish is Finish.STOP for r in rollouts) / count,
        "groups/mixed": sum(len(values) > 1 for values in graded) / len(groups),
        "frac_reward_zero_std": sum(len(values) <= 1 for values in graded) / len(groups),
        "groups/all_right": sum(outcomes == {True} for outcomes in right) / len(groups),
        "sampler/entropy": -sum(drawn) / len(drawn) if drawn else float("nan"),
        "completions/mean_length": sum(lengths) / count,
        "completions/max_length": float(max(lengths)),
        "completions/clipped_ratio": sum(r.completion.finish is Finish.LENGTH for r in rollouts) / count,
        **{f"verdict/{s}": sum(r.verdict.status is s for r in rollouts) / count for s in Status},
    }


def task_metrics(groups: Sequence[Group], tasks: Sequence[str] = ()) -> dict[str, float]:
    """Pass rate, mean reward and share of mixed groups of each task; nothing where there is only one.

    tasks: of the mixture, so that a step which happens to have problems of one of them alone says whose they are.
    """
    present = dict.fromkeys(group.problem.task for group in groups)
    if len({*tasks, *present}) < 2:
        return {}
    found: dict[str, float] = {}
    for task in present:
        of_all = rollout_metrics([group for group in groups if group.problem.task == task])
        found |= {f"{name}/{task}": of_all[name] for name in PER_TASK}
    return found


PER_TASK = ("pass_rate", "reward", "groups/mixed")


def _versions(groups: Sequence[Group]) -> list[int]:
    return [r.completion.policy_version for group in groups for r in group.rollouts]


def _first_error(groups: Sequence[Group]) -> str:
    return next((r.verdict.reason for g in groups for r in g.rollouts if r.verdict.status is Status.ERROR), "")


def _part_means(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """The mean of every reward term's own scores, over the rollouts that have one."""
    means: dict[str, float] = {}
    for name in dict.fromkeys(name for r in rollouts for name in r.reward_parts):
        scores = [score for r in rollouts if (score := r.reward_parts.get(name)) is not None]
        means[f"rewards/{name}/mean"] = sum(scores) / len(scores) if scores else float("nan")
    return means
