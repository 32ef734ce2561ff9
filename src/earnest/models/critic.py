"""A critic: the value of the state before each sampled token, and of the state after the last one.

With a body of its own it costs a second model; on the policy's body it costs one vector, and its loss pulls on the policy.
"""

from __future__ import annotations

from torch import Tensor, nn

from earnest.models.heads import ValueHead
from earnest.models.policy import Forward, Policy
from earnest.types import Batch


class Critic(nn.Module):
    """V(s_t) on the policy's hidden states, or on those of `body`, a model of the critic's own. Starts at zero everywhere."""

    def __init__(self, policy: Policy, body: Policy | None = None) -> None:
        super().__init__()
        self.head = ValueHead(policy.module.config.get_text_config(decoder=True).hidden_size).to(policy.device)
        self.decoder = None if body is None else body.decoder
        # kept from nn.Module: a policy's parameters are its optimizer's already, and a body's output layer is never trained
        object.__setattr__(self, "_policy", policy)
        object.__setattr__(self, "_body", body)
        self._policy: Policy
        self._body: Policy | None

    def values(self, batch: Batch, forward: Forward) -> Tensor:
        """(T,): the value before each trained token. forward: the policy's pass over the same batch."""
        return self.head(forward.hidden_T if self._body is None else self._body.hidden(batch))

    def ends(self, batch: Batch) -> Tensor:
        """(S,): the value after each sequence's last token."""
        return self.head((self._body or self._policy).final_hidden(batch))
