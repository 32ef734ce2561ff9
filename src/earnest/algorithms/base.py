"""Policy gradient in three hooks, the three places where the methods of the field differ.

`credit` sees the whole optimizer step and turns rewards into advantages; `token_loss` is the paper's line; `weights`
says how sequences share the step's loss. Everything is on packed vectors of sampled tokens, so that micro-batches,
accumulation and data parallelism cannot change a result. What all methods can have beside them (a KL to the reference, an
entropy bonus, a correction for the sampler) is no part of any: the loop adds it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from torch import Tensor

from earnest.algorithms.kl import KL, KLSetting
from earnest.component import Component
from earnest.functional.credit import unequal
from earnest.types import Step


@dataclass(frozen=True, slots=True)
class Credit:
    """What a step's rewards mean for each sampled token."""

    advantage_T: Tensor  # (T,)
    live_N: Tensor  # (N,) bool: the rollout carries signal; a step without any live rollout is not taken
    return_T: Tensor | None = None  # (T,) target of the critic
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One micro-batch's trained tokens under the present policy. Only logp_T, entropy_T and value_T carry gradients."""

    logp_T: Tensor
    old_logp_T: Tensor
    adv_T: Tensor
    seq_T: Tensor  # sequence of each token, 0 .. sequences-1
    sequences: int
    entropy_T: Tensor | None = None  # if "entropy" in stats
    value_T: Tensor | None = None  # if "critic" in needs
    old_value_T: Tensor | None = None
    return_T: Tensor | None = None


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """Loss per token, before weights. metrics are per token too; the loop averages them over the step."""

    policy_T: Tensor
    value_T: Tensor | None = None
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


class Algorithm(Component):
    """A policy-gradient method."""

    kind: ClassVar[str] = "algorithm"
    one_action: ClassVar[bool] = False
    """True: a completion is one action, whose gradient is that of all its tokens, so that none of them can be left out."""

    for_reuse: ClassVar[frozenset[str]] = frozenset()
    """Options about pi / pi_old or V - V_old, which do nothing while rollouts are learned from once. They are refused then."""

    kl: KLSetting = KL()
    """KL to the stage's input checkpoint: `{in_loss: 0.04}` or `{in_reward: 0.05}`, and how. null: none; no reference is kept."""

    @property
    def needs(self) -> frozenset[str]:
        """Subset of {"reference", "critic", "steps"}: forward passes, or judged reasoning steps, that the loop then provides."""
        return frozenset({"reference"} if self.kl.on else ())

    @property
    def stats(self) -> frozenset[str]:
        """Subset of {"entropy"}: computed beside the log-probs, inside the chunked head."""
        return frozenset()

    @property
    def least_group(self) -> int:
        """Completions of a prompt below which none of them can have credit. A recipe with fewer is refused."""
        return 1

    def with_max_tokens(self, max_tokens: int) -> Self:
        """This algorithm in a run whose completions have at most `max_tokens` sampled tokens. The stage asks once."""
        return self

    def live(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        """(N,) bool: graded, in a group that can teach something by itself: by default, whose rewards differ."""
        return unequal(reward_N, group_N)

    def signal(self, step: Step) -> Tensor:
        """(N,) bool: the same for what the step's rewards are to this algorithm. Remedies for groups without a signal go by it.
        Neither critic nor reference have been read."""
        return self.live(step.reward_N, step.group_N)

    @abstractmethod
    def credit(self, step: Step) -> Credit:
        """Advantages (and returns) of every sampled token, over all groups of the step."""

    @abstractmethod
    def token_loss(self, t: Tokens) -> TokenLoss:
        """The loss of each token."""

    @abstractmethod
    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        """(N,): the share of each of a sequence's tokens in an update's loss, which is sum_T weight[seq] * loss.

        0 promises that the rollout has no gradient, so that it can be left out of the passes.
        """
