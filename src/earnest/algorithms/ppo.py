"""PPO: a clipped ratio per token, with a learned critic as the baseline."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from earnest.algorithms.base import Credit, TokenLoss, Tokens
from earnest.algorithms.families import Clipped
from earnest.functional import credit, reduce, surrogate
from earnest.types import Step


class PPO(Clipped):
    """Proximal policy optimisation with generalised advantage estimation.

    Objective:
        r_it    = [t is the last token] r_i - beta (log pi_old - log pi_ref),   beta = kl.in_reward
        delta_t = r_t + gamma V_{t+1} - V_t;   V after a stop token is 0, after a cut the critic's
        A_t     = sum_k (gamma lam)^k delta_{t+k};   R_t = A_t + V_t
        L       = mean_t [ -min(rho_t A_t, clip(rho_t, 1 - clip_low, 1 + clip_high) A_t)
                           + value_coef/2 max((V_t - R_t)^2, (clip(V_t, V_old -+ value_clip) - R_t)^2) ]

    Assumes: a critic that has been trained enough to explain some variance (see the metric explained_variance); a
    fresh one adds noise. Whitened advantages have no fixed scale. A group of equal rewards still teaches: the
    baseline is the critic's.

    Degrades to: Dr. GRPO, exactly, with gamma = lam = 1, no whitening, completions of one length and a critic that
    knows the group's mean.

    Reference: arXiv:1707.06347 (PPO), arXiv:1506.02438 (GAE). The clip range and lam are PPO's; gamma 1, whitening, value_clip
    and value_coef are those of TRL's PPO.
    """

    for_reuse: ClassVar[frozenset[str]] = Clipped.for_reuse | {"value_clip"}

    gamma: float = Field(default=1.0, ge=0, le=1)
    """Discount per token."""

    lam: float = Field(default=0.95, ge=0, le=1)
    """0 trusts the critic's next value, 1 only the reward itself; 1 suits long chains of thought."""

    whiten: bool = True
    """Advantages are brought to mean 0 and spread 1 over all tokens of the step, after the returns are taken."""

    std: Literal["population", "sample"] = "population"
    """The spread they are divided by: the population's, as OpenRLHF, or with Bessel's correction, as TRL and verl."""

    value_clip: float | None = Field(default=0.2, gt=0)
    """How far the critic may move from its old value before its loss is taken at the bound. null: no bound."""

    value_coef: float = Field(default=0.1, gt=0)
    """Weight of the critic's loss."""

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        if self.std != "population" and not self.whiten:
            raise ValueError("std has no effect without whiten; leave it out")
        return self

    @property
    def needs(self) -> frozenset[str]:
        return super().needs | {"critic"}

    def credit(self, step: Step) -> Credit:
        assert step.value_T is not None and step.bootstrap_N is not None
        live_N = ~step.reward_N.isnan()
        reward_T = credit.last_token_rewards(step.reward_N, step.length_N, step.penalty_T)
        bootstrap_N = step.bootstrap_N.where(~step.finished_N, 0.0)
        advantage_T, return_T = credit.gae(
            step.value_T, reward_T, step.length_N, gamma=self.gamma, lam=self.lam, bootstrap_N=bootstrap_N
        )
        live_T = credit.to_tokens(live_N, step.length_N)
        explained = credit.explained_variance(step.value_T[live_T], return_T[live_T])
        if self.whiten:
            advantage_T = credit.whiten(advantage_T, live_T, ddof=0 if self.std == "population" else 1)
        advantage_T = advantage_T.where(live_T, 0.0)
        return Credit(advantage_T, live_N, return_T, {"explained_variance": explained})

    def token_loss(self, t: Tokens) -> TokenLoss:
        assert t.value_T is not None and t.old_value_T is not None and t.return_T is not None
        found = super().token_loss(t)
        value_T = surrogate.value_loss(t.value_T, t.old_value_T, t.return_T, self.value_clip)
        return TokenLoss(found.policy_T, self.value_coef * value_T, {**found.metrics, "loss/value": value_T.detach()})

    def weights(self, length_N: Tensor, group_N: Tensor, live_N: Tensor) -> Tensor:
        return reduce.token_mean(length_N, live_N)  # an ungraded completion has no return for the critic to learn
