"""Judged rollouts in, the same rollouts with what reinforcement learning maximises out.

A rollout has no reward if its grading failed, if a term failed on it, or if no term applies to it: it leaves the baseline, gets
advantage 0 and is counted. Nothing here touches a verdict.

In a group that is all right (or all wrong) a shaping term, say of length, would be all that tells the rollouts apart, and
dividing by the group's spread would make it as loud as being right. There it counts with its mean over all groups of that
verdict, as a baseline may be of the whole step: `level` once more over a step that was sampled in several rounds. Groups of one
have each other to be compared with, and count as one group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeAlias

from earnest.rewards.base import Failed, Reward, Score, Weighted
from earnest.seeding import derive
from earnest.types import Group, Rollout, Status

Row: TypeAlias = Sequence[Score]
"""A rollout's scores, one per term."""


@dataclass(frozen=True, slots=True)
class Rewarded:
    """Groups with their rewards, and why the first term that failed did; "" if none."""

    groups: tuple[Group, ...]
    failure: str
    levelled: int  # groups in which a term counted with a mean, because it would have been the only signal


def reward(groups: Sequence[Group], terms: Sequence[Weighted], seed: int, step: int) -> Rewarded:
    """Gives every rollout the weighted sum of the terms that apply to it. `reward_parts` has each term's own score.

    step: of the stage, from 0; a term counts nothing before its `after`.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    columns = [ask(term.use, groups, derive(seed, term.name)) for term in terms]
    failures = (
        f"reward term '{term.name}': {score.reason}"
        for term, column in zip(terms, columns, strict=True)
        for rollout, score in zip(rollouts, column, strict=True)
        if isinstance(score, Failed) and rollout.verdict.status is not Status.ERROR
    )
    rows = zip(*columns, strict=True)
    paid = [_paid(rollout, terms, row, step) for rollout, row in zip(rollouts, rows, strict=True)]
    found, levelled = level(_regrouped(groups, paid), terms, step)
    return Rewarded(found, next(failures, ""), levelled)


def level(groups: Sequence[Group], terms: Sequence[Weighted], step: int) -> tuple[tuple[Group, ...], int]:
    """Rewarded groups with terms that may not be the only signal at their mean where they would be, and in how many that is.

    It goes by `reward_parts`, so groups that are levelled already can be again, with others beside them. Neither the order of
    the groups nor how they were levelled before changes a reward.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    rows: list[list[float | None]] = [
        [r.reward_parts[term.name] if term.after <= step else None for term in terms] if r.reward is not None else []
        for r in rollouts
    ]
    levelled = _level(_compared(groups), rollouts, terms, rows)
    paid = [replace(r, reward=sum(_shares(terms, row))) if row else r for r, row in zip(rollouts, rows, strict=True)]
    return _regrouped(groups, paid), levelled


def _regrouped(groups: Sequence[Group], rollouts: Sequence[Rollout]) -> tuple[Group, ...]:
    """The groups with these rollouts in the places of their own."""
    rest = iter(rollouts)
    return tuple(replace(group, rollouts=tuple(next(rest) for _ in group.rollouts)) for group in groups)


def ask(term: Reward, groups: Sequence[Group], seed: int) -> list[Score]:
    """The term's scores of all rollouts. Where it crashes these have failed: a rollout, or the group for a term of groups."""
    if term.per_group:
        return [score for group in groups for score in _asked(term, group.rollouts, seed)]
    return _asked(term, [rollout for group in groups for rollout in group.rollouts], seed)


def _asked(term: Reward, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
    try:
        scores = term.score(rollouts, seed)
    except Exception as error:
        failed = Failed(f"{type(error).__name__}: {error}")
        scores = [failed if term.per_group else _alone(term, rollout, seed) for rollout in rollouts]
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


def _compared(groups: Sequence[Group]) -> list[list[int]]:
    """Places of the rollouts that are compared with each other: group by group, and all groups of one together."""
    bundles: list[list[int]] = []
    singles: list[int] = []
    start = 0
    for group in groups:
        end = start + len(group.rollouts)
        if end - start > 1:
            bundles.append(list(range(start, end)))
        else:
            singles += range(start, end)
        start = end
    return [*bundles, singles] if singles else bundles


def _level(
    bundles: Sequence[Sequence[int]],
    rollouts: Sequence[Rollout],
    terms: Sequence[Weighted],
    rows: list[list[float | None]],
) -> int:
    """Put means in the place of the scores of terms that would be a bundle's only signal, and may not be. How many had one.

    rows: what counts of each rollout's scores, which is changed.
    """
    alike: dict[tuple[bool | None, int], list[int]] = {}  # by verdict and term
    levelled = 0
    for bundle in bundles:
        graded = [i for i in bundle if rollouts[i].reward is not None]
        verdicts = {rollouts[i].verdict.correct for i in graded}
        standing = [sum(_shares(terms, rows[i], only_standing=True)) for i in graded]
        if len(verdicts) != 1 or not _same(standing):
            continue
        verdict = verdicts.pop()
        scores = {p: {rows[i][p] for i in graded} for p, term in enumerate(terms) if not term.stands_alone}
        levelled += any(len(found) > 1 for found in scores.values())
        for place, found in scores.items():
            if found != {None}:  # if it applies to any: adding nothing to the others would tell them apart
                alike.setdefault((verdict, place), []).extend(graded)
    for (_, place), graded in alike.items():
        mean = fmean(score for i in graded if (score := rows[i][place]) is not None)
        for i in graded:
            rows[i][place] = mean
    return levelled


def _same(shares: Sequence[float]) -> bool:
    """Equal but for what sums of floats differ by, what a reward as float32 cannot hold, and what GRPO takes for no spread."""
    return math.isclose(min(shares), max(shares), rel_tol=1e-7, abs_tol=1e-6)


def _has_reward(rollout: Rollout, counted: Row) -> bool:
    failed = rollout.verdict.status is Status.ERROR or any(isinstance(score, Failed) for score in counted)
    return not failed and any(score is not None for score in counted)


def _paid(rollout: Rollout, terms: Sequence[Weighted], scores: Row, step: int) -> Rollout:
    """The rollout with its parts and their sum, before any levelling."""
    parts = {t.name: None if isinstance(s, Failed) else s for t, s in zip(terms, scores, strict=True)}
    counted = [s if t.after <= step else None for t, s in zip(terms, scores, strict=True)]
    total = sum(_shares(terms, counted)) if _has_reward(rollout, counted) else None
    return replace(rollout, reward=total, reward_parts=parts)


def _shares(terms: Sequence[Weighted], scores: Row, *, only_standing: bool = False) -> Iterator[float]:
    for term, score in zip(terms, scores, strict=True):
        if score is not None and not isinstance(score, Failed) and (term.stands_alone or not only_standing):
            yield term.weight * score
