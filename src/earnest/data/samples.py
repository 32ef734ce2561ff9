"""Groups to training sequences: judged rollouts plus credit become samples, and so do demonstrations.

Token ids are the ones that were sampled, never text encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from earnest.algorithms.base import Credit
from earnest.types import Finish, Group, Rollout, Sample, Step


def to_step(groups: Sequence[Group]) -> Step:
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
    )


@dataclass(frozen=True, slots=True)
class Shares:
    """What each rollout's tokens weigh in an update: in the policy's loss, in the KL, in the entropy bonus. (N,) each."""

    policy_N: Tensor
    kl_N: Tensor | None = None
    entropy_N: Tensor | None = None


def from_step(step: Step, credit: Credit, shares: Shares, old_logp_T: Tensor | None = None) -> list[Sample]:
    """One sample per rollout. Weights of 0 are the algorithm's promise that a rollout has no gradient; it is left out.

    old_logp_T: log-probs under pi_old; None: the samples are for the first update after the rollout.
    """
    lengths = step.length_N.tolist()

    def cut(x_T: Tensor | None) -> Sequence[Tensor | None]:
        return [None] * len(lengths) if x_T is None else x_T.split(lengths)

    def weights(x_N: Tensor | None) -> Sequence[float]:
        return [0.0] * len(lengths) if x_N is None else x_N.tolist()

    rollouts = [r for group in step.groups for r in group.rollouts]
    parts = zip(
        rollouts, weights(shares.policy_N), weights(shares.kl_N), weights(shares.entropy_N), cut(step.sampler_logp_T),
        cut(old_logp_T), cut(credit.advantage_T), cut(credit.return_T), cut(step.value_T), cut(step.ref_logp_T), strict=True,
    )  # fmt: skip
    samples: list[Sample] = []
    for rollout, weight, kl, entropy, sampler_logp, old_logp, advantage, returns, old_value, ref_logp in parts:
        sequence = plain_sample(rollout)
        if not any(sequence.mask) or (weight == kl == entropy == 0):
            continue
        assert rollout.completion.token_ids is not None, "training needs token ids"
        samples.append(
            replace(
                sequence, weight=weight, kl_weight=kl, entropy_weight=entropy, sampler_logprobs=sampler_logp,
                old_logprobs=old_logp, advantages=advantage, returns=returns, old_values=old_value, ref_logprobs=ref_logp,
            )
        )  # fmt: skip
    return samples


def plain_sample(rollout: Rollout) -> Sample:
    """A rollout as a sequence without credit: what a critic or a reference is read on."""
    prompt, completion = rollout.prompt_ids, rollout.completion
    return Sample(
        token_ids=(*prompt, *(completion.token_ids or ())),
        mask=(*((False,) * len(prompt)), *completion.sampled),
        weight=0.0,
    )


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
