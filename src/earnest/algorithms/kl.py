"""The KL to the reference policy: how it is estimated and where it goes. Settings that every algorithm has; no plug-in.

Where the two sides of a setting would do nothing, or count the same thing twice, it is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from torch import Tensor

from earnest.functional import divergence, surrogate

Estimator = Literal["k1", "k2", "k3"]


class AdaptiveKL(BaseModel):
    """A controller that holds the KL near a target. Ziegler et al. 2019, arXiv:1909.08593, section 2.2."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    target: float = Field(gt=0)
    """KL of a whole completion, in nats."""
    horizon: int = Field(default=10_000, gt=0)
    """Completions in which the coefficient may change by about a fifth of itself."""


class KL(BaseModel):
    """KL(pi || reference) as a term of the loss or as a price in the reward. All 0: none, and no reference is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    in_loss: float = Field(default=0.0, ge=0)
    """Coefficient of the KL as a term of the loss."""
    in_reward: float = Field(default=0.0, ge=0)
    """Coefficient of the KL that is taken off the reward: of each token, or of the completion if that is what is credited."""
    estimator: Estimator | None = None
    """k1 = d, k2 = d^2/2, k3 = exp(-d) - 1 + d, with d = log pi - log reference; k2 and k3 are biased in the reward. null: k3 in
    the loss, k1 in the reward."""
    ratio_weight: bool = False
    """In the loss: times pi / pi_old. The gradient of k1 and k3 is then that of KL(pi || reference) (DeepSeek-V3.2)."""
    over: Literal["sum", "mean"] | None = None
    """`sum`: over a completion's tokens, then the mean over completions. `mean`: in the loss as the algorithm weighs tokens,
    in the reward over the completion's tokens. null: mean in the loss, sum in the reward."""
    adaptive: AdaptiveKL | None = None
    """Steers the coefficient, which is then where it starts."""
    reset_every: int | None = Field(default=None, gt=0)
    """Steps after which the present policy becomes the reference. null: never, it is the stage's input checkpoint."""

    @model_validator(mode="after")
    def _has_an_effect(self) -> KL:
        if self.in_loss and self.in_reward:
            raise ValueError("a KL in the loss and in the reward counts the same thing twice; choose one")
        if not self.on and any(getattr(self, n) != f.default for n, f in type(self).model_fields.items()):
            raise ValueError("settings of a KL whose coefficient is 0; set in_loss or in_reward")
        if self.in_reward and self.ratio_weight:
            raise ValueError("ratio_weight has no effect on a KL in the reward; leave it out")
        if self.in_loss and self.estimator == "k1" and not self.ratio_weight:
            raise ValueError(
                "k1 in the loss has no gradient on average: it would do nothing; choose k2 or k3, or ratio_weight: true"
            )
        return self

    @property
    def on(self) -> bool:
        return self.in_loss > 0 or self.in_reward > 0

    @property
    def coefficient(self) -> float:
        """Where it starts."""
        return self.in_loss or self.in_reward

    @property
    def sums(self) -> bool:
        """Whether a completion's KL is the sum over its tokens."""
        return (self.over or ("mean" if self.in_loss else "sum")) == "sum"

    def estimate(self, logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
        """(T,): the estimator, without the coefficient."""
        name = self.estimator or ("k3" if self.in_loss else "k1")
        return {"k1": divergence.k1, "k2": divergence.k2, "k3": divergence.k3}[name](logp_T, ref_logp_T)

    def loss(self, logp_T: Tensor, old_logp_T: Tensor, ref_logp_T: Tensor) -> Tensor:
        """(T,): the term of the loss, without the coefficient."""
        kl_T = self.estimate(logp_T, ref_logp_T)
        return kl_T * surrogate.ratio(logp_T, old_logp_T) if self.ratio_weight else kl_T

    def penalty(self, logp_T: Tensor, ref_logp_T: Tensor, length_N: Tensor) -> Tensor:
        """(T,): what is taken off the reward at each token, without the coefficient."""
        kl_T = self.estimate(logp_T, ref_logp_T)
        return kl_T if self.sums else kl_T / torch.repeat_interleave(length_N, length_N)


def _none_is_no_kl(value: Any) -> Any:
    return KL() if value is None else value


KLSetting: TypeAlias = Annotated[KL, BeforeValidator(_none_is_no_kl)]
"""Annotation of an algorithm's `kl`: null is none."""
