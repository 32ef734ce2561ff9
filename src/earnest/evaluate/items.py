"""What one item of a drift benchmark came to under a model, as it stands on disk: a text's bits, a question's log-likelihoods.

One JSON line each, enough to compute every number again without a model. Who makes them: likelihood.py; who compares: drift.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earnest.types import Json


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a bits-per-byte benchmark. Example: Document(id="3", bits=8123.4, bytes=7001)."""

    id: str
    bits: float
    bytes: int

    def to_json(self) -> dict[str, Json]:
        return {"id": self.id, "bits": self.bits, "bytes": self.bytes}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Document:
        return cls(str(row["id"]), float(row["bits"]), int(row["bytes"]))


@dataclass(frozen=True, slots=True)
class Answered:
    """One multiple-choice item. Example: Answered("3", logps=(-9.1, -4.2), chars=(7, 2), gold=1, cut=0)."""

    id: str
    logps: tuple[float, ...]  # nats, of each choice after the context
    chars: tuple[int, ...]  # of each choice
    gold: int
    cut: int  # tokens that were left out at the beginning of the context, so that the longest choice fits the model

    @property
    def acc(self) -> bool:
        """The right choice is the likeliest. Of equals the first counts."""
        return _first_largest(self.logps) == self.gold

    @property
    def acc_norm(self) -> bool:
        """The right choice has the largest log-likelihood per character. Of equals the first counts."""
        return _first_largest([logp / n for logp, n in zip(self.logps, self.chars, strict=True)]) == self.gold

    @property
    def chance(self) -> float:
        return 1 / len(self.logps)

    def right(self, metric: str) -> bool:
        return {"acc": self.acc, "acc_norm": self.acc_norm}[metric]

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id, "logps": list(self.logps), "chars": list(self.chars), "gold": self.gold, "cut": self.cut,
            "acc": self.acc, "acc_norm": self.acc_norm,
        }  # fmt: skip

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Answered:
        """`acc` and `acc_norm` are computed again. Raises ValueError for lists that do not belong together."""
        logps, chars = tuple(map(float, row["logps"])), tuple(map(int, row["chars"]))
        found = cls(str(row["id"]), logps, chars, int(row["gold"]), int(row["cut"]))
        if len(logps) != len(chars) or len(logps) < 2 or min(chars) < 1 or not 0 <= found.gold < len(logps):
            raise ValueError(f"{len(logps)} logps, {len(chars)} chars, gold {found.gold}")
        return found


def _first_largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: values[i])
