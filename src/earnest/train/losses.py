"""Losses the loop can take a step on: a token loss on a micro-batch, whatever made the samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from earnest.algorithms.base import Algorithm, TokenLoss, Tokens
from earnest.models.base import Forward
from earnest.models.heads import ValueHead
from earnest.types import Batch


class Loss(ABC):
    """What one micro-batch costs, token by token. The loop weighs, sums, and takes the gradient."""

    stats: frozenset[str] = frozenset()
    """Statistics to compute beside the log-probs."""
    temperature: float = 1.0
    """Of the log-probs the loss sees: the one that was sampled at."""

    @abstractmethod
    def __call__(self, batch: Batch, forward: Forward) -> TokenLoss:
        """Loss of each of the T trained tokens."""

    def heads(self) -> Mapping[str, nn.Module]:
        """Modules beside the policy that are trained with it, by name."""
        return {}

    def head_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, head in self.heads().items():
            for parameter_name, parameter in head.named_parameters():
                yield f"{name}.{parameter_name}", parameter


class NegativeLogLikelihood(Loss):
    """Supervised fine-tuning: -log p of every trained token; the samples' weights make it the mean over the step."""

    def __call__(self, batch: Batch, forward: Forward) -> TokenLoss:
        return TokenLoss(policy_T=-forward.logp_T)


class PolicyGradient(Loss):
    """Any algorithm of `algorithms/`, on the samples that its credit was given to."""

    def __init__(self, algorithm: Algorithm, temperature: float, value_head: ValueHead | None) -> None:
        assert ("critic" in algorithm.needs) == (value_head is not None)
        self.algorithm, self.temperature, self.value_head = algorithm, temperature, value_head
        self.stats = algorithm.stats

    def __call__(self, batch: Batch, forward: Forward) -> TokenLoss:
        assert batch.adv_T is not None and batch.sampler_logp_T is not None
        old_logp_T = forward.logp_T.detach() if batch.old_logp_T is None else batch.old_logp_T
        return self.algorithm.token_loss(
            Tokens(
                logp_T=forward.logp_T,
                old_logp_T=old_logp_T,
                sampler_logp_T=batch.sampler_logp_T,
                adv_T=batch.adv_T,
                seq_T=batch.seq_T,
                sequences=batch.sequences,
                entropy_T=forward.entropy_T,
                value_T=self.value_head(forward.hidden_T) if self.value_head is not None else None,
                old_value_T=batch.old_value_T,
                return_T=batch.return_T,
                ref_logp_T=batch.ref_logp_T,
            )
        )

    def heads(self) -> Mapping[str, nn.Module]:
        return {} if self.value_head is None else {"value_head": self.value_head}


def ratio_error(batch: Batch, logp_T: Tensor) -> Tensor:
    """|pi / mu - 1| per token: how far the trainer's log-probs are from the sampler's. (T,)"""
    assert batch.sampler_logp_T is not None
    return torch.expm1(logp_T.detach() - batch.sampler_logp_T).abs()
