"""What the rollouts of one step say, with TRL's names where the meaning is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from earnest.data.gathering.groups import outcomes
from earnest.types import Finish, Group, Rollout, Status

PER_TASK = ("pass_rate", "reward", "groups/mixed")


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Rates are over all rollouts; the pass rate and the rewards' means and deviation leave out those that have none.

    Where groups differ in size, the pass rate and the reward are means over prompts, so that one that is tried more often counts
    no more. sampler/entropy: minus the mean log-prob of the drawn tokens, in nats, which estimates the policy's entropy a token.
    """
    rollouts = [r for group in groups for r in group.rollouts]
    count = len(rollouts)
    rewards = torch.tensor([r.reward for r in rollouts if r.reward is not None])
    lengths = [sum(r.completion.sampled) for r in rollouts]
    drawn = [
        logp
        for r in rollouts
        for logp, own in zip(r.completion.logprobs or (), r.completion.sampled, strict=False)
        if own
    ]
    right = [{r.verdict.correct for r in group.rollouts} - {None} for group in groups]
    graded = [{r.reward for r in group.rollouts if r.reward is not None} for group in groups]
    even = len({len(group.rollouts) for group in groups}) == 1
    plain_reward = rewards.mean().item() if len(rewards) else float("nan")
    return {
        "reward": plain_reward if even else _prompt_mean(groups, _rewards),
        "reward_std": rewards.std(correction=0).item() if len(rewards) else float("nan"),
        **_part_means(rollouts),
        "reward/missing": 1 - len(rewards) / count,
        "pass_rate": pass_rate(groups),
        "trace_format": sum(r.parsed.well_formed and r.completion.finish is Finish.STOP for r in rollouts) / count,
        "groups/mixed": sum(len(values) > 1 for values in graded) / len(groups),
        "frac_reward_zero_std": sum(len(values) <= 1 for values in graded) / len(groups),
        "groups/all_right": sum(found == {True} for found in right) / len(groups),
        "sampler/entropy": -sum(drawn) / len(drawn) if drawn else float("nan"),
        "completions/count": float(count),
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


def pass_rate(groups: Sequence[Group]) -> float:
    """Share of graded rollouts that are right; over groups of different sizes the mean of the prompts' own; nan if none."""
    if len({len(group.rollouts) for group in groups}) > 1:
        return _prompt_mean(groups, outcomes)
    rights = [right for group in groups for right in outcomes(group)]
    return sum(rights) / len(rights) if rights else float("nan")


def _prompt_mean(groups: Sequence[Group], values: Callable[[Group], Sequence[float]]) -> float:
    means = [sum(found) / len(found) for group in groups if (found := values(group))]
    return sum(means) / len(means) if means else float("nan")


def _rewards(group: Group) -> list[float]:
    return [r.reward for r in group.rollouts if r.reward is not None]


def _part_means(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """The mean of every reward term's own scores, over the rollouts that have one."""
    means: dict[str, float] = {}
    for name in dict.fromkeys(name for r in rollouts for name in r.reward_parts):
        scores = [score for r in rollouts if (score := r.reward_parts.get(name)) is not None]
        means[f"rewards/{name}/mean"] = sum(scores) / len(scores) if scores else float("nan")
    return means
