"""A verifier's scores of reasoning steps, brought from characters of the text to tokens of the completion.

A verdict says at which character a step ends. Its tokens are the ones that were sampled, never text encoded again: the end of a
step is the first token with which the decoded text reaches it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from earnest.prompts.writing import decode
from earnest.types import Finish, Group, Process, Rollout

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST = 8
"""Tokens after which bytes that have made no character are taken for none; the longest character has four."""


def judged_steps(groups: Sequence[Group], tokenizer: PreTrainedTokenizerBase) -> Process:
    """The judged steps of all rollouts. One without steps has its reward as the only step; one without a reward nan.

    A step of which the rollout drew no token, such as one of a hint, is not its own and is in no mean.
    """
    rollouts = [r for group in groups for r in group.rollouts]
    found = [(i, *step) for i, rollout in enumerate(rollouts) for step in _steps(rollout, tokenizer)]
    return Process(
        rollout_K=torch.tensor([i for i, _, _ in found]),
        tokens_K=torch.tensor([tokens for _, tokens, _ in found]),
        score_K=torch.tensor([score for _, _, score in found], dtype=torch.float32),
    )


def _steps(rollout: Rollout, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, float]]:
    """(sampled tokens up to its end, score) of each step."""
    sampled, steps = rollout.completion.sampled, rollout.verdict.steps
    ends = token_ends(rollout, [end for end, _ in steps], tokenizer) if steps and rollout.reward is not None else []
    found = [(sum(sampled[:end]), score) for end, (_, score) in zip(ends, steps, strict=False)]
    own = [(tokens, score) for tokens, score in found if tokens]
    return own or [(sum(sampled), float("nan") if rollout.reward is None else rollout.reward)]


def token_ends(rollout: Rollout, ends: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """For each place in the rollout's text how many of its tokens it takes to write all that stands before it."""
    ids = rollout.completion.token_ids
    assert ids is not None, "training needs token ids"
    if rollout.completion.finish is Finish.STOP:
        ids = ids[:-1]
    before = len(rollout.parsed.text) - len(
        decode(ids, tokenizer)
    )  # what it was made to begin with, a part of the prompt
    written = _characters(ids, tokenizer)
    return [min(bisect_left(written, end) + 1, len(ids)) if end > 0 else 0 for end in (end - before for end in ends)]


def _characters(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """How many characters are complete after each token, in time linear in the tokens.

    Each token is decoded behind those of the last complete character, because a token may read differently on its own.
    """
    counts: list[int] = []
    start, read, total, known = 0, 0, 0, ""
    for end in range(1, len(ids) + 1):
        text = decode(ids[start:end], tokenizer)
        is_whole = not text.endswith("\N{REPLACEMENT CHARACTER}") or end - read >= LONGEST
        if is_whole and len(text) > len(known):
            total += len(text) - len(known)
            start, read = read, end
            known = decode(ids[start:read], tokenizer)
        counts.append(total)
    return counts
