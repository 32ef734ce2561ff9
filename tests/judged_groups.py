"""Judged groups of short completions whose recorded log-probs are the policy's own."""

from __future__ import annotations

from dataclasses import replace

import torch

from builders import make_rollout
from earnest.data.reading import read_tokens
from earnest.data.samples import plain_sample
from earnest.models.base import Policy
from earnest.types import Group

REWARDS = [[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]
LENGTHS = [3, 1, 4, 2, 5, 3, 3, 1, 2, 4, 1, 2]


def with_steps(groups: list[Group]) -> list[Group]:
    """The same, each completion of two tokens or more with two judged steps, the first wrong in every other one."""
    found = []
    for group in groups:
        rows = []
        for i, r in enumerate(group.rollouts):
            ids = r.completion.token_ids or ()
            text = "".join(chr(byte) for byte in ids)
            steps = ((len(ids) // 2, float(i % 2)), (len(ids), 1.0)) if len(ids) > 1 else ()
            parsed, verdict = replace(r.parsed, text=text), replace(r.verdict, steps=steps)
            rows.append(replace(r, parsed=parsed, verdict=verdict))
        found.append(Group(group.problem, tuple(rows)))
    return found


def judged_groups(policy: Policy, rewards: list[list[float]] = REWARDS) -> list[Group]:
    """One group for each row of rewards; completions are of LENGTHS tokens."""
    groups, n = [], 0
    for g, row in enumerate(rewards):
        rollouts = []
        for i, reward in enumerate(row):
            made = make_rollout(g, i, reward, LENGTHS[n])
            ids = tuple(torch.randint(40, 90, (LENGTHS[n],), generator=torch.Generator().manual_seed(n)).tolist())
            rollout = replace(made, prompt_ids=(50, 51 + g), completion=replace(made.completion, token_ids=ids))
            logp_T = read_tokens(policy, [plain_sample(rollout)], 4096, 1.0, lambda _, f: f.logp_T)
            rollouts.append(replace(rollout, completion=replace(rollout.completion, logprobs=tuple(logp_T.tolist()))))
            n += 1
        groups.append(Group(rollouts[0].problem, tuple(rollouts)))
    return groups
