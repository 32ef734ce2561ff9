"""Larger groups for hard prompts: a rare success shows up in sixteen tries where it does not in eight."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Hard(BaseModel):
    """Which prompts are hard, and how many rollouts they get."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    below: float = Field(0.2, gt=0, lt=1)
    """Expected pass rate of a prompt, from its own tries, below which it is hard."""
    group_size: int = Field(16, gt=1)
    """Rollouts of a hard prompt."""
