"""The settings of all remedies against the dead zone, as a stage has them. null: off."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from earnest.data.gathering.curriculum import Curriculum
from earnest.data.gathering.hard import Hard
from earnest.data.gathering.hints import Hints
from earnest.data.gathering.refill import Refill
from earnest.data.gathering.replay import ReplayGroups


class Remedies(BaseModel):
    """What is done about groups that carry no signal, besides dropping them (the algorithm's `dead_groups`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    refill: Refill | None = None
    """Replace prompts whose rollouts were all paid alike by fresh ones: `{attempts: 10}`."""
    curriculum: Curriculum | None = None
    """Draw prompts by their difficulty: `{low: 0.1, high: 0.9}`. For pools whose prompts come round again."""
    hard: Hard | None = None
    """Larger groups for hard prompts: `{below: 0.2, group_size: 16}`."""
    replay_groups: ReplayGroups | None = None
    """Groups of earlier steps stand in for those without a signal: `{capacity: 64, share: 0.25, max_age: 10}`."""
    hints: Hints | None = None
    """Begin with a part of the gold trace where all tries are wrong: `{start: 0.75}`. Needs golds with traces."""

    @property
    def need_posteriors(self) -> bool:
        return any(remedy is not None for remedy in (self.curriculum, self.hard, self.hints))

    def check_sizes(self, prompts_per_step: int, group_size: int) -> None:
        """Refuse what could have no effect. Raises ValueError, which pydantic turns into a config error."""
        for name in ("refill", "replay_groups", "hints"):
            if getattr(self, name) is not None and group_size == 1:
                raise ValueError(
                    f"`{name}` with group_size 1: a group of one is always paid alike, so no group is live"
                )
        if self.hard is not None and self.hard.group_size <= group_size:
            raise ValueError(
                f"hard.group_size {self.hard.group_size} has no effect: every group has {group_size} rollouts already"
            )
        if self.replay_groups is not None and self.replay_groups.places(prompts_per_step) == 0:
            raise ValueError(
                f"replay_groups has no effect: a share of {self.replay_groups.share:g} of {prompts_per_step} groups is none"
            )
