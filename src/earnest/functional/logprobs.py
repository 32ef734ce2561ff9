"""Log-probs and entropies of given tokens from hidden states, without ever holding all logits.

Forward and backward need memory for one chunk of rows times the vocabulary; the backward pass computes each chunk's
logits again. Small problems take one pass without recomputation.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from earnest.functional.linear import linear

PLAIN_ELEMENTS = 2**22
"""Up to this many logits (16 MB in float32) are held at once."""


def chunked_logprobs(
    hidden_T: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target_T: Tensor,
    *,
    temperature: float,
    want_entropy: bool = False,
    chunk: int = 256,
    scale: float = 1.0,
    softcap: float | None = None,
) -> tuple[Tensor, Tensor | None]:
    """(logp_T, entropy_T or None), float32.

        z = hidden W^T + b;   z <- scale z;   z <- softcap tanh(z / softcap);   z <- z / temperature
        logp = z[target] - logsumexp(z);   entropy = logsumexp(z) - sum_v softmax(z)_v z_v

    hidden_T (T, D), weight (V, D), bias (V,) or None, target_T (T,) int64. The product is computed in the dtype of
    the weights, all that follows in float32. chunk: rows at a time, more if the vocabulary is small.
    """
    assert temperature > 0, "greedy decoding has the log-probs of temperature 1"
    rows = max(chunk, PLAIN_ELEMENTS // len(weight))

    def head(hidden: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        z = linear(hidden.to(weight.dtype), weight, bias).float()
        if scale != 1.0:
            z = z * scale
        if softcap is not None:
            z = softcap * torch.tanh(z / softcap)
        if temperature != 1.0:
            z = z / temperature
        if not want_entropy:
            return -cross_entropy(z, target, reduction="none"), None
        logp = z.log_softmax(dim=-1)
        return logp.gather(1, target[:, None]).squeeze(1), -(logp.exp() * logp).sum(dim=-1)

    if len(target_T) <= rows:
        return head(hidden_T, target_T)
    parts: list[tuple[Tensor, Tensor | None]] = []
    for hidden, target in zip(hidden_T.split(rows), target_T.split(rows), strict=True):
        if torch.is_grad_enabled():
            part = checkpoint(head, hidden, target, use_reentrant=False, preserve_rng_state=False)
            parts.append(cast("tuple[Tensor, Tensor | None]", part))
        else:
            parts.append(head(hidden, target))
    entropies = [entropy for _, entropy in parts if entropy is not None]
    return torch.cat([logp for logp, _ in parts]), torch.cat(entropies) if want_entropy else None
