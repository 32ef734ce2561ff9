"""Losses on pairs in one hook: what a pair of completions of one prompt costs, one of them chosen and one rejected.

A loss sees log-probs of whole completions, under the policy and under a reference that does not learn, and nothing of how they
came to be: pairs, reference, micro-batches and updates are the stage's. Weights are fixed for a whole update before it is
split, so that micro-batches cannot change a result.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from earnest.component import Component


@dataclass(frozen=True, slots=True)
class Side:
    """One side of P pairs, (P,) each. Only logp_P carries a gradient.

    Example: a completion of two sampled tokens with log-probs -0.5 and -1 has logp -1.5 and length 2.
    """

    logp_P: Tensor  # of the completion: the sum over its sampled tokens
    ref_logp_P: Tensor  # the same under the reference
    length_P: Tensor  # sampled tokens, 1 at least


@dataclass(frozen=True, slots=True)
class PairLoss:
    """Loss per pair, before weights. metrics are per pair too; the loop averages them over the update."""

    loss_P: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


class Preference(Component):
    """A loss on pairs."""

    kind: ClassVar[str] = "preference"

    beta: float = Field(default=0.1, gt=0)
    """How tightly the policy is held to the reference."""

    @abstractmethod
    def pair_loss(self, chosen: Side, rejected: Side) -> PairLoss:
        """What each pair costs."""

    def reward(self, side: Side) -> Tensor:
        """(P,): beta log(pi / reference), the reward that the policy stands for. Metrics show it; a loss need not use it."""
        return self.beta * (side.logp_P - side.ref_logp_P)
