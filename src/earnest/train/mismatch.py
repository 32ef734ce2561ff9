"""What to do where the sampler's log-probs are not the trainer's: settings of the `rl` stage.

How far they are apart is measured in any case; with one torch process for both it is rounding. The formulas are in
`functional/mismatch.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from earnest.functional import mismatch
from earnest.types import Batch

_USES = {
    "off": (), "token_tis": ("cap",), "token_mask": ("low", "high"), "sequence_tis": ("cap",), "sequence_mask": ("cap",),
    "geometric": ("low", "high"),
}  # fmt: skip


class Mismatch(BaseModel):
    """Weights pi_old / mu on the policy's loss, constants to the gradient."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    method: Literal["off", "token_tis", "token_mask", "sequence_tis", "sequence_mask", "geometric"] = "off"
    """`token_tis`: min(w, cap) for each token. `token_mask`: w within [low, high], else 0 (IcePop). `sequence_tis`,
    `sequence_mask`: the product over the completion, cut at cap, or 0 above it. `geometric`: a completion whose geometric mean
    leaves [low, high] is left out."""
    cap: float | None = Field(default=None, gt=1)
    """null: 2, and 3 for `sequence_mask`."""
    low: float | None = Field(default=None, gt=0, lt=1)
    """null: 0.5, and 0.999 for `geometric`."""
    high: float | None = Field(default=None, gt=1)
    """null: 5, and 1.001 for `geometric`."""
    stale_negatives: float | None = Field(default=None, gt=0)
    """Wrong completions whose mean log(mu / pi) exceeds this are left out (DeepSeek-V3.2, eq. 9): the policy has left them
    behind, by earlier updates or because the sampler, mu, is not the trainer."""

    @model_validator(mode="after")
    def _has_an_effect(self) -> Mismatch:
        for name in ("cap", "low", "high"):
            if getattr(self, name) is not None and name not in _USES[self.method]:
                raise ValueError(f"{name} has no effect with method {self.method}; leave it out")
        return self

    def correct(self, batch: Batch, logp_T: Tensor, old_logp_T: Tensor) -> tuple[Tensor | None, dict[str, Tensor]]:
        """What the policy's loss of each token is multiplied by (None: nothing), and per-token metrics of it. All (T,)."""
        assert batch.sampler_logp_T is not None and batch.adv_T is not None
        seq_T, sequences = batch.seq_T, batch.sequences
        weight_T = self._weight(old_logp_T - batch.sampler_logp_T, seq_T, sequences)
        if self.stale_negatives is not None:
            drift_T = batch.sampler_logp_T - logp_T
            kept_T = mismatch.stale_negatives(drift_T, batch.adv_T, seq_T, sequences, self.stale_negatives)
            weight_T = kept_T if weight_T is None else weight_T * kept_T
        if weight_T is None:
            return None, {}
        return weight_T, {"sampler/correction": weight_T, "sampler/left_out": (weight_T == 0).float()}

    def _weight(self, log_w_T: Tensor, seq_T: Tensor, sequences: int) -> Tensor | None:
        match self.method:
            case "off":
                return None
            case "token_tis":
                return mismatch.token_tis(log_w_T, self.cap or 2.0)
            case "token_mask":
                return mismatch.token_mask(log_w_T, self.low or 0.5, self.high or 5.0)
            case "sequence_tis":
                return mismatch.sequence_tis(log_w_T, seq_T, sequences, self.cap or 2.0)
            case "sequence_mask":
                return mismatch.sequence_mask(log_w_T, seq_T, sequences, self.cap or 3.0)
            case "geometric":
                low, high = self.low or 0.999, self.high or 1.001
                return mismatch.geometric_rejection(log_w_T, seq_T, sequences, low, high)
