"""What readers return in place of what they were to read. A helper of the verifiers, no verifier."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a text is not what it should be: one number, a gold, an expression. limit: it is too large to look at."""

    reason: str
    limit: bool = False
