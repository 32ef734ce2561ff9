"""Judged rollouts in, the same rollouts with what reinforcement learning maximises out.

A rollout has no reward if its grading failed, if a term failed on it, or if no term applies to it: it leaves the baseline, gets
advantage 0 and is counted. Nothing here touches a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from earnest.rewards.base import Failed, Reward, Score, Weighted
from earnest.seeding import derive
from earnest.types import Group, Rollout, Status


@dataclass(frozen=True, slots=True)
class Rewarded:
    """Groups with their rewards, and why the first term that failed did; "" if none."""

    groups: tuple[Group, ...]
    failure: str


def reward(groups: Sequence[Group], terms: Sequence[Weighted], seed: int) -> Rewarded:
    """Gives every rollout the weighted sum of the terms that apply to it. `reward_parts` has each term's own score."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    columns = [ask(term.use, rollouts, derive(seed, term.name)) for term in terms]
    scored = iter([_rewarded(r, terms, scores) for r, *scores in zip(rollouts, *columns, strict=True)])
    failures = (
        f"reward term '{term.name}': {score.reason}"
        for term, column in zip(terms, columns, strict=True)
        for rollout, score in zip(rollouts, column, strict=True)
        if isinstance(score, Failed) and rollout.verdict.status is not Status.ERROR
    )
    groups = tuple(replace(group, rollouts=tuple(next(scored) for _ in group.rollouts)) for group in groups)
    return Rewarded(groups, next(failures, ""))


def ask(term: Reward, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
    """The term's scores; if it crashes, the rollouts that it crashes on have failed."""
    try:
        scores = term.score(rollouts, seed)
    except Exception:
        scores = [_alone(term, rollout, seed) for rollout in rollouts]
    if len(scores) != len(rollouts):
        scores = [Failed(f"{len(scores)} scores for {len(rollouts)} rollouts")] * len(rollouts)
    return [_checked(score) for score in scores]


def _alone(term: Reward, rollout: Rollout, seed: int) -> Score:
    try:
        return term.score([rollout], seed)[0]
    except Exception as error:
        return Failed(f"{type(error).__name__}: {error}")


def _checked(score: Score) -> Score:
    if score is None or isinstance(score, Failed):
        return score
    return float(score) if math.isfinite(score) else Failed(f"the score is {score}")


def _rewarded(rollout: Rollout, terms: Sequence[Weighted], scores: Sequence[Score]) -> Rollout:
    parts = {t.name: None if isinstance(s, Failed) else s for t, s in zip(terms, scores, strict=True)}
    failed = rollout.verdict.status is Status.ERROR or any(isinstance(s, Failed) for s in scores)
    shares = list(_shares(terms, scores))
    return replace(rollout, reward=None if failed or not shares else sum(shares), reward_parts=parts)


def _shares(terms: Sequence[Weighted], scores: Sequence[Score]) -> Iterator[float]:
    for term, score in zip(terms, scores, strict=True):
        if score is not None and not isinstance(score, Failed):
            yield term.weight * score
