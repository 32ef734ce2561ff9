"""A task: where problems come from, which verifier grades them, and what right and wrong solutions look like.

Splits are made by hashing the problem's own text (files: its cluster of near twins), never by seed or row, so that no problem is
on two sides.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from earnest.component import Component, build, digest
from earnest.types import Problem, Solution, Split
from earnest.verifiers.base import Verifier


class Task(Component):
    """A source of problems."""

    kind: ClassVar[str] = "task"
    templated: ClassVar[bool] = False
    """Its problems differ in their numbers and symbols alone, so that two with the same words are no twins."""

    @property
    @abstractmethod
    def verifier_name(self) -> str:
        """The name of the verifier that grades this task unless the recipe names another."""

    def own_verifier(self) -> Verifier:
        """The verifier of that name. Overridden where a name alone does not say it."""
        return build("verifier", self.verifier_name)

    def leaves(self) -> Sequence[Task]:
        """The tasks that its problems are of: itself, and those of a mixture one by one. Gates look at each alone."""
        return (self,)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that it has. A published benchmark has `test` alone."""
        return ("train", "dev", "test")

    @abstractmethod
    def problems(self, split: Split) -> Sequence[Problem]:
        """The problems of a split, always the same and in the same order. Indexing may generate lazily. Those of a mixture are
        a `Union`, whose portions say how often each is drawn in training.

        Raises DataError for a missing, malformed or empty source, and for a split that it does not have.
        """

    @abstractmethod
    def gold(self, problem: Problem) -> Solution | None:
        """A solution that must be graded correct; its thought is "" where the source has none. None: no known answer."""

    @abstractmethod
    def wrong(self, problem: Problem) -> Sequence[Solution]:
        """Solutions near the right one that must not be paid for; at least one where there is a gold."""

    def notices(self) -> Sequence[str]:
        """What reading the source dropped, changed or doubted, in sentences for the run's log. Empty for a generator."""
        return ()


def with_id(problem: Problem) -> Problem:
    """The problem with its id: the hash of its question, whatever its row."""
    return replace(problem, id=f"{problem.task}/{digest(problem.question)[:12]}")
