"""A penalty for saying the same again: the share of a completion's n-grams that it had already written.

Counted on the sampled token ids, so that what a tool or an environment wrote costs nothing; from an engine that gives text only,
on the words of the text in lower case. Its weight in the recipe is the largest penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from pydantic import Field

from earnest.functional.reward import repeated
from earnest.rewards.base import Reward, Score
from earnest.types import Rollout


class Repetition(Reward):
    """Minus the share of repeated n-grams: 0 for none, towards -1 where all are the same (arXiv:2502.03373, and TRL)."""

    shapes: ClassVar[bool] = True

    ngram_size: int = Field(default=3, gt=0)
    """Tokens in a row (words, where there are no token ids). Small ones also meet ordinary phrases; the paper took 40."""

    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        return [0.0 - repeated(_runs(r), self.ngram_size) for r in rollouts]


def _runs(rollout: Rollout) -> list[Sequence[int]] | list[Sequence[str]]:
    """The stretches of tokens that were sampled without a break, or the words."""
    ids, sampled = rollout.completion.token_ids, rollout.completion.sampled
    if ids is None:
        return [rollout.parsed.text.lower().split()]
    marked = groupby(zip(ids, sampled, strict=True), key=lambda pair: pair[1])
    return [[token for token, _ in run] for own, run in marked if own]
