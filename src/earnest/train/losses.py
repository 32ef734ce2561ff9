"""Losses the loop can take a step on: what a micro-batch costs, whatever made the samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from earnest.algorithms.base import Algorithm, Tokens
from earnest.models.base import Forward
from earnest.models.critic import Critic
from earnest.train.mismatch import Mismatch
from earnest.types import Batch


@dataclass(frozen=True, slots=True)
class Cost:
    """A micro-batch's share of an update's loss, with gradient, and what was seen on the way.

    means: (T,) or (S,) each, without gradient; the loop averages them over all that it meets. maxima: of each the largest counts.
    """

    total: Tensor
    means: Mapping[str, Tensor] = field(default_factory=dict)
    maxima: Mapping[str, Tensor] = field(default_factory=dict)


class Loss(ABC):
    """What one micro-batch costs. The samples' weights make micro-batches add up to an update's loss."""

    stats: frozenset[str] = frozenset()
    """Statistics to compute beside the log-probs."""
    temperature: float = 1.0
    """Of the log-probs the loss sees: the one that was sampled at."""

    @abstractmethod
    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        """The cost of a micro-batch."""

    def heads(self) -> Mapping[str, nn.Module]:
        """Modules beside the policy that are trained with it, by name."""
        return {}

    def head_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, head in self.heads().items():
            for parameter_name, parameter in head.named_parameters():
                if parameter.requires_grad:
                    yield f"{name}.{parameter_name}", parameter


class NegativeLogLikelihood(Loss):
    """Supervised fine-tuning: -log p of every trained token; the samples' weights make it the mean over the step."""

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        return Cost((batch.weight_T * -forward.logp_T).sum())


class PolicyGradient(Loss):
    """Any algorithm of `algorithms/`, with what each of them can have beside it.

        loss = sum_T weight_T (w_T policy_T + value_T) + kl_weight_T KL_T - entropy_weight_T H_T

    w: the correction for a sampler that is not the trainer, on the policy's part alone.
    """

    def __init__(
        self, algorithm: Algorithm, temperature: float, critic: Critic | None = None, *,
        mismatch: Mismatch | None = None, with_entropy: bool = False,
    ) -> None:  # fmt: skip
        assert ("critic" in algorithm.needs) == (critic is not None)
        self.algorithm, self.temperature, self.critic = algorithm, temperature, critic
        self.mismatch = mismatch or Mismatch()
        self.stats = algorithm.stats | ({"entropy"} if with_entropy else set[str]())

    def __call__(self, batch: Batch, forward: Forward) -> Cost:
        assert batch.adv_T is not None and batch.sampler_logp_T is not None
        old_logp_T = forward.logp_T.detach() if batch.old_logp_T is None else batch.old_logp_T
        found = self.algorithm.token_loss(
            Tokens(
                logp_T=forward.logp_T,
                old_logp_T=old_logp_T,
                adv_T=batch.adv_T,
                seq_T=batch.seq_T,
                sequences=batch.sequences,
                entropy_T=forward.entropy_T,
                value_T=self.critic.values(batch, forward) if self.critic is not None else None,
                old_value_T=batch.old_value_T,
                return_T=batch.return_T,
            )
        )
        correction_T, seen = self.mismatch.correct(batch, forward.logp_T.detach(), old_logp_T)
        policy_T = found.policy_T if correction_T is None else found.policy_T * correction_T
        means = {**found.metrics, **seen}
        total = (batch.weight_T * (policy_T if found.value_T is None else policy_T + found.value_T)).sum()
        if self.algorithm.kl.in_loss:
            assert batch.ref_logp_T is not None
            kl_T = self.algorithm.kl.loss(forward.logp_T, old_logp_T, batch.ref_logp_T)
            total = total + (batch.kl_weight_T * kl_T).sum()
        if forward.entropy_T is not None:
            means["entropy"] = forward.entropy_T
            total = total - (batch.entropy_weight_T * forward.entropy_T).sum()
        error_T = torch.expm1(old_logp_T - batch.sampler_logp_T).abs()
        means["sampler/ratio_error"] = error_T
        return Cost(total, {k: v.detach() for k, v in means.items()}, {"sampler/max_ratio_error": error_T})

    def heads(self) -> Mapping[str, nn.Module]:
        return {} if self.critic is None else {"critic": self.critic}
