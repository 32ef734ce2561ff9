"""The policy that another is held to: its log-probs, when it is renewed, and a KL's coefficient, which a controller may steer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from earnest.algorithms.kl import KL
from earnest.data.reading import read_tokens
from earnest.functional.credit import sequence_sum
from earnest.models.base import Policy
from earnest.types import Json, Sample


class Anchor:
    """A frozen policy. It begins as the stage's input checkpoint."""

    def __init__(self, policy: Policy, renew_every: int | None) -> None:
        """renew_every: steps after which the present policy takes its place; None: never."""
        self.policy, self.renew_every = policy, renew_every

    def read(self, samples: Sequence[Sample], max_tokens: int, temperature: float) -> Tensor:
        """(T,): its log-probs of the samples' trained tokens."""
        return read_tokens(self.policy, samples, max_tokens, temperature, lambda _, forward: forward.logp_T)

    @torch.no_grad()
    def renew(self, policy: Policy, step: int) -> None:
        """After step `step` (from 0): the policy as it is now becomes the reference, if it is time."""
        if self.renew_every is not None and (step + 1) % self.renew_every == 0:
            self.load_tensors(dict(policy.parameters()))

    def state_dict(self) -> dict[str, Json]:
        return {}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        assert not state, state

    def tensors(self) -> dict[str, Tensor]:
        """Weights that a checkpoint must keep: none while it is the stage's input."""
        if self.renew_every is None:
            return {}
        return {name: p.detach() for name, p in self.policy.parameters()}

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        for name, parameter in self.policy.parameters():
            parameter.copy_(tensors[name])


class Reference(Anchor):
    """The policy that a KL is measured to."""

    def __init__(self, policy: Policy, kl: KL) -> None:
        super().__init__(policy, kl.reset_every)
        self.kl, self.coefficient = kl, kl.coefficient

    def penalty(self, logp_T: Tensor, ref_logp_T: Tensor, length_N: Tensor) -> Tensor | None:
        """(T,): what it takes off the reward at each token, if the KL is in the reward."""
        if not self.kl.in_reward:
            return None
        return self.coefficient * self.kl.penalty(logp_T, ref_logp_T, length_N)

    def measure(self, logp_T: Tensor, ref_logp_T: Tensor, length_N: Tensor) -> dict[str, float]:
        """The KL of the rollouts, per token and per completion, with the coefficient that it is about to be counted with."""
        kl_T = self.kl.estimate(logp_T, ref_logp_T)
        return {
            "kl": kl_T.mean().item() if len(kl_T) else 0.0,
            "kl/completion": sequence_sum(kl_T, length_N).mean().item(),
            "kl/coefficient": self.coefficient,
        }

    def steer(self, measured: Mapping[str, float], completions: int) -> None:
        """beta <- beta (1 + clip(KL / target - 1, -0.2, 0.2) n / horizon). Ziegler et al. 2019, arXiv:1909.08593."""
        if (adaptive := self.kl.adaptive) is None:
            return
        error = min(0.2, max(-0.2, measured["kl/completion"] / adaptive.target - 1))
        self.coefficient *= 1 + error * completions / adaptive.horizon

    def state_dict(self) -> dict[str, Json]:
        return {"coefficient": self.coefficient}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        coefficient = state["coefficient"]
        assert isinstance(coefficient, float)
        self.coefficient = coefficient
