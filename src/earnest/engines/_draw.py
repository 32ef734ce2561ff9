"""One token for each row from its logits: temperature, top-k, top-p, inverse-CDF sampling, and the log-prob to record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from earnest.seeding import derive
from earnest.types import Sampling


@dataclass(frozen=True, slots=True)
class Knobs:
    """How each row samples, as tensors; None where no row of the chunk uses the knob."""

    temperature_R: Tensor | None  # 1 where greedy
    greedy_R: Tensor | None
    top_k_R: Tensor | None  # the size of the vocabulary or more where off
    top_p_R: Tensor | None
    all_greedy: bool

    @staticmethod
    def of(sampling: Sequence[Sampling], device: torch.device) -> Knobs:
        return Knobs(
            temperature_R=_tensor_unless([s.temperature or 1.0 for s in sampling], 1.0, device),
            greedy_R=_tensor_unless([s.temperature == 0 for s in sampling], False, device),
            top_k_R=_tensor_unless([s.top_k or 2**31 for s in sampling], 2**31, device),
            top_p_R=_tensor_unless([s.top_p for s in sampling], 1.0, device),
            all_greedy=all(s.temperature == 0 for s in sampling),
        )

    def select(self, index: Tensor) -> Knobs:
        def rows(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[index]

        return Knobs(
            rows(self.temperature_R), rows(self.greedy_R), rows(self.top_k_R), rows(self.top_p_R), self.all_greedy
        )  # fmt: skip


def _tensor_unless(values: Sequence[float], off: float, device: torch.device) -> Tensor | None:
    return None if all(v == off for v in values) else torch.tensor(values, device=device)


class Uniforms:
    """Random numbers of samples, float32 in [0, 1), one per token; a longer draw begins with a shorter one.

    Every sample has a Philox stream of its own. One generator is set to the start of each in turn, which is much cheaper than
    making one.
    """

    def __init__(self) -> None:
        self.bits = np.random.Philox(key=0)
        self.fresh = self.bits.state
        self.generator = np.random.Generator(self.bits)

    def fill(self, out_L: np.ndarray, seed: int, index: int) -> None:
        """The first numbers of sample `index` of the request with this seed."""
        self.fresh["state"]["key"][0] = derive(seed, "sample", index)
        self.bits.state = self.fresh
        self.generator.random(dtype=np.float32, out=out_L)


def draw(logits_RV: Tensor, knobs: Knobs, uniform_R: Tensor) -> tuple[Tensor, Tensor]:
    """One token per row and its log-prob under the full softmax at the row's temperature (at 1 where greedy).

    logits_RV is float32 and is overwritten.
    """
    if knobs.temperature_R is not None:
        logits_RV /= knobs.temperature_R[:, None]
    logp_RV = logits_RV.log_softmax(dim=-1)
    if knobs.greedy_R is None:
        token_R1 = _inverse_cdf(logp_RV, knobs, uniform_R)
    else:
        token_R1 = logits_RV.argmax(dim=-1, keepdim=True)
        if not knobs.all_greedy:
            token_R1 = torch.where(knobs.greedy_R[:, None], token_R1, _inverse_cdf(logp_RV, knobs, uniform_R))
    return token_R1.squeeze(1), logp_RV.gather(-1, token_R1).squeeze(1)


def _inverse_cdf(logp_RV: Tensor, knobs: Knobs, uniform_R: Tensor) -> Tensor:
    """(R, 1): the first token whose cumulated probability exceeds u times the total; so never one of probability 0."""
    cdf_RV = restrict(logp_RV.exp(), knobs).cumsum(dim=-1)
    token_R1 = torch.searchsorted(cdf_RV, uniform_R[:, None] * cdf_RV[:, -1:], right=True)
    return token_R1.clamp_(max=logp_RV.shape[-1] - 1)


def restrict(prob_RV: Tensor, knobs: Knobs) -> Tensor:
    """Zero outside the top k, then outside the smallest set that holds a share top_p of what is left.

    Equal probabilities: the lower id ranks first.
    """
    if knobs.top_k_R is None and knobs.top_p_R is None:
        return prob_RV
    ranked_RV, order_RV = prob_RV.sort(dim=-1, descending=True, stable=True)
    if knobs.top_k_R is not None:
        rank_V = torch.arange(prob_RV.shape[-1], device=prob_RV.device)
        ranked_RV = ranked_RV.masked_fill(rank_V >= knobs.top_k_R[:, None], 0.0)
    if knobs.top_p_R is not None:
        before_RV = ranked_RV.cumsum(dim=-1) - ranked_RV
        share_R1 = knobs.top_p_R[:, None] * ranked_RV.sum(dim=-1, keepdim=True)
        ranked_RV = ranked_RV.masked_fill((before_RV >= share_R1) & (knobs.top_p_R[:, None] < 1.0), 0.0)
    return torch.zeros_like(prob_RV).scatter(-1, order_RV, ranked_RV)
