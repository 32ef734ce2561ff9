"""A text as a verifier sees it."""

from __future__ import annotations

from earnest.prompts.parse import split_thought
from earnest.types import Item, Problem, Verdict
from earnest.verifiers.base import Verifier


def make_item(response: str, gold: str | None, *, truncated: bool = False) -> Item:
    """A whole response, thought included, for a problem with this gold answer."""
    problem = Problem(id="p", task="t", prompt="?", answer=gold)
    return Item(problem=problem, parsed=split_thought(response, opened=False, required=False), truncated=truncated)


def grade(verifier: Verifier, response: str, gold: str | None, *, truncated: bool = False) -> Verdict:
    return verifier.judge([make_item(response, gold, truncated=truncated)])[0]
