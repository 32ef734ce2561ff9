"""What one group says about its prompt: whether it carries a signal, and how its tries ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

import torch

from earnest.functional.credit import unequal
from earnest.types import Group

Kind: TypeAlias = Literal["live", "all right", "all wrong", "equal", "not graded"]
"""equal: some tries right and some wrong, or graded in part, and no credit for any of them."""

Live: TypeAlias = Callable[[Group], bool]
"""Whether a group carries a signal for whoever learns from it."""


def has_signal(group: Group) -> bool:
    """Whether its graded rewards are not all equal, in the precision in which they are learned from: what most methods ask."""
    rewards = [float("nan") if r.reward is None else r.reward for r in group.rollouts]
    reward_N = torch.tensor(rewards)
    return bool(unequal(reward_N, torch.zeros(len(rewards), dtype=torch.int64)).any())


def outcomes(group: Group) -> list[bool]:
    """Right or wrong, of the tries that could be graded."""
    return [r.verdict.correct for r in group.rollouts if r.verdict.correct is not None]


def is_all_wrong(group: Group) -> bool:
    """Whether every graded try is wrong, and there is one."""
    found = outcomes(group)
    return bool(found) and not any(found)


def kind(group: Group, live: Live = has_signal) -> Kind:
    """How the group ended, in a word. One without any reward is no dead group: nothing is known of its prompt."""
    if live(group):
        return "live"
    if all(r.reward is None for r in group.rollouts):
        return "not graded"
    found = set(outcomes(group))
    return "equal" if len(found) != 1 else "all right" if True in found else "all wrong"


def kinds(groups: Iterable[Group], live: Live = has_signal) -> Counter[Kind]:
    return Counter(kind(group, live) for group in groups)
