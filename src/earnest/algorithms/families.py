"""What several algorithms have in common, and no plug-in: credit within a group, and a clipped ratio."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from earnest.algorithms.base import Algorithm, Credit, TokenLoss, Tokens
from earnest.functional import credit, surrogate
from earnest.types import Step


class Clipped(Algorithm):
    """L_it = -min(rho_it A_it, clip(rho_it, 1 - clip_low, 1 + clip_high) A_it). With one update per rollout rho is 1 and no clip
    changes anything."""

    for_reuse: ClassVar[frozenset[str]] = frozenset({"clip_low", "clip_high", "delta"})

    clip_low: float = Field(default=0.2, gt=0, lt=1)
    """How far the ratio may fall below 1 before the gradient of a wrong token stops."""

    clip_high: float = Field(default=0.2, gt=0)
    """How far the ratio may rise above 1 before the gradient of a right token stops."""

    delta: float | None = Field(default=None, gt=1)
    """Ratio above which the gradient of a wrong token stops too (dual clip: 3; INTELLECT-2: 4). null: none."""

    @model_validator(mode="after")
    def _delta_is_beyond_the_clip(self) -> Self:
        if self.delta is not None and self.delta <= 1 + self.clip_high:
            raise ValueError(f"delta is {self.delta}, inside the clip range: it must be above 1 + clip_high")
        return self

    def ratio(self, t: Tokens) -> Tensor:
        """(T,): rho. By default each token's own."""
        return surrogate.ratio(t.logp_T, t.old_logp_T)

    def token_loss(self, t: Tokens) -> TokenLoss:
        ratio_T = self.ratio(t)
        policy_T = surrogate.clipped(ratio_T, t.adv_T, self.clip_low, self.clip_high, self.delta)
        seen = surrogate.clip_metrics(ratio_T, t.adv_T, self.clip_low, self.clip_high, self.delta)
        return TokenLoss(policy_T, metrics=seen)


class GroupRelative(Algorithm):
    """Every token of a completion has the completion's advantage, which compares it with the others of its prompt. A group of
    equal rewards teaches nothing."""

    dead_groups: Literal["keep", "drop"] = "keep"
    """`drop`: groups without signal, and completions that could not be graded, leave the mean."""

    @property
    def least_group(self) -> int:
        return 2

    @abstractmethod
    def advantage(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        """(N,): credit of each completion; 0 for a group of equal rewards, and where the reward is nan."""

    @abstractmethod
    def shares(self, length_N: Tensor, counted_N: Tensor) -> Tensor:
        """(N,): one of the reductions of `functional.reduce`."""

    def credit(self, step: Step) -> Credit:
        reward_N = step.reward_N
        if step.penalty_T is not None:
            reward_N = reward_N - credit.sequence_sum(step.penalty_T, step.length_N)
        live_N = self.signal(step)
        metrics = {"frac_reward_zero_std": credit.dead_fraction(live_N, step.group_N)}
        credit_N = self.advantage(reward_N, step.group_N)
        credit_N = credit_N if step.penalty_T is None else credit_N.where(live_N, self.price(reward_N, step.group_N))
        return Credit(credit.to_tokens(credit_N, step.length_N), live_N, metrics=metrics)

    def price(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        """(N,): credit in a group of equal rewards, for the KL alone that was taken off them."""
        return self.advantage(reward_N, group_N)

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        weight_N = self.shares(length_N, live_N if self.dead_groups == "drop" else torch.ones_like(live_N))
        return weight_N if self.kl.in_reward else weight_N * live_N  # else no advantage means no gradient


class Normalised(GroupRelative):
    """A_i = (r_i - mean(r)) / (std(r) + eps). Small differences become as loud as large ones, but for a KL's alone (`price`)."""

    std: Literal["population", "sample", "batch", "none"] = "population"
    """What differences are divided by: the spread of the group's rewards (`population`: +-1 for half 1 and half 0; `sample`: with
    Bessel's correction, as TRL and verl), of all rewards of the step with Bessel's correction (`batch`), or nothing."""

    eps: float = Field(default=0.0, ge=0)
    """Added to the spread. TRL: 1e-4, verl: 1e-6."""

    min_std: float = Field(default=1e-6, ge=0)
    """A group whose rewards spread no more than this is dead."""

    @model_validator(mode="after")
    def _eps_is_added_to_something(self) -> Self:
        if self.eps and self.std == "none":
            raise ValueError("eps has no effect with std none: nothing is divided by; leave it out")
        return self

    def advantage(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        if self.std == "none":
            return credit.group_centered(reward_N, group_N)
        if self.std == "batch":
            return credit.batch_scaled(reward_N, group_N, eps=self.eps)
        ddof = int(self.std == "sample")
        return credit.group_advantage(reward_N, group_N, ddof=ddof, min_std=self.min_std, eps=self.eps)

    def price(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        return credit.group_centered(reward_N, group_N)

    def live(self, reward_N: Tensor, group_N: Tensor) -> Tensor:
        return credit.unequal(reward_N, group_N) & (credit.group_std(reward_N, group_N) > self.min_std)
