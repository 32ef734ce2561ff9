"""Groups to training sequences: judged rollouts plus credit become samples, and so do demonstrations.

Token ids are the ones that were sampled, never text encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from earnest.algorithms.base import Credit
from earnest.types import Finish, Group, Sample, Step


def to_step(
    groups: Sequence[Group],
    *,
    value_T: Tensor | None = None,
    bootstrap_N: Tensor | None = None,
    ref_logp_T: Tensor | None = None,
) -> Step:
    """The packed view of an optimizer step's groups. Everything is on the CPU, in float32."""
    rollouts = [r for group in groups for r in group.rollouts]
    logps = [
        lp
        for r in rollouts
        for lp, drawn in zip(r.completion.logprobs or (), r.completion.sampled, strict=True)
        if drawn
    ]
    return Step(
        groups=tuple(groups),
        reward_N=torch.tensor([float("nan") if r.reward is None else r.reward for r in rollouts]),
        group_N=torch.tensor([i for i, group in enumerate(groups) for _ in group.rollouts]),
        length_N=torch.tensor([sum(r.completion.sampled) for r in rollouts]),
        finished_N=torch.tensor([r.completion.finish is Finish.STOP for r in rollouts]),
        sampler_logp_T=torch.tensor(logps),
        value_T=value_T,
        bootstrap_N=bootstrap_N,
        ref_logp_T=ref_logp_T,
    )


def from_step(step: Step, credit: Credit, weight_N: Tensor, *, old_logp_T: Tensor | None = None) -> list[Sample]:
    """One sample per rollout. A weight of 0 is the algorithm's promise that a rollout has no gradient; it is left out."""
    lengths = step.length_N.tolist()

    def cut(x_T: Tensor | None) -> Sequence[Tensor | None]:
        return [None] * len(lengths) if x_T is None else x_T.split(lengths)

    rollouts = [r for group in step.groups for r in group.rollouts]
    parts = zip(
        rollouts, lengths, weight_N.tolist(), cut(step.sampler_logp_T), cut(credit.advantage_T), cut(credit.return_T),
        cut(step.value_T), cut(step.ref_logp_T), cut(old_logp_T), strict=True,
    )  # fmt: skip
    samples: list[Sample] = []
    for rollout, length, weight, sampler_logp, advantage, returns, old_value, ref_logp, old_logp in parts:
        if length == 0 or weight == 0:
            continue
        ids = rollout.completion.token_ids
        assert ids is not None, "training needs token ids"
        samples.append(
            Sample(
                token_ids=(*rollout.prompt_ids, *ids),
                mask=(*((False,) * len(rollout.prompt_ids)), *rollout.completion.sampled),
                weight=weight,
                sampler_logprobs=sampler_logp,
                old_logprobs=old_logp,
                advantages=advantage,
                returns=returns,
                old_values=old_value,
                ref_logprobs=ref_logp,
            )
        )
    return samples


def plain_samples(groups: Sequence[Group]) -> list[Sample]:
    """Every rollout as a sequence without credit: what a critic or a reference is read on."""
    return [
        Sample(
            token_ids=(*r.prompt_ids, *(r.completion.token_ids or ())),
            mask=(*((False,) * len(r.prompt_ids)), *r.completion.sampled),
            weight=0.0,
        )
        for group in groups
        for r in group.rollouts
    ]


def demonstrations(pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[Sample]:
    """(prompt ids, completion ids) pairs of one optimizer step, every completion token with the same weight: the mean
    negative log-likelihood over the trained tokens of the whole step, however it is split."""
    total = sum(len(completion) for _, completion in pairs)
    return [
        Sample(
            token_ids=(*prompt, *completion),
            mask=(*((False,) * len(prompt)), *((True,) * len(completion))),
            weight=1.0 / total,
        )
        for prompt, completion in pairs
    ]
