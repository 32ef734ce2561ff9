"""Puzzles of the package `reasoning-gym` (Apache-2.0; Stojanovski et al., arXiv 2505.24760): one of its hundred generators.

Each split is drawn with a seed of its own, derived from its name, and never without one. Questions of dev and test are all
different, and what was drawn for a split before (test, dev, train) is left out of the next, since small generators repeat. The
gold answer names the row (see the verifier `reasoning_gym`). Rows are made in another process; needs the extra: pip install
"earnest[gym]".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field, field_validator

from earnest.component import digest
from earnest.errors import DataError, MissingDependency
from earnest.seeding import derive
from earnest.tasks.base import Task
from earnest.tasks.clusters import normalised
from earnest.types import Problem, Solution, Split
from earnest.verifiers import golds
from earnest.verifiers.reasoning_gym import question_hash
from earnest.verifiers.reasoning_gym.rows import REMEDY, Name, Row, installed, rows_of
from earnest.verifiers.reasoning_gym.tables import REFUSED
from earnest.verifiers.refused import Refused

ASK = "\n\nGive the final answer alone between <answer> and </answer>."
DRAWS = 4
"""Rows that are drawn for one that is kept, at most."""


class ReasoningGym(Task):
    """Generated puzzles: arithmetic, algebra, logic, games, graphs and more."""

    templated: ClassVar[bool] = True

    dataset: str
    """The generator, by the package's name for it."""
    config: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Its settings, but for seed and size."""
    seed: int = 0
    """Another seed, other puzzles."""
    train_size: int = Field(1_000, ge=1, le=100_000)
    """Training problems."""
    dev_size: int = Field(100, ge=1, le=10_000)
    """Problems of the dev split, all different."""
    test_size: int = Field(200, ge=1, le=10_000)
    """Problems of the test split, all different."""

    @field_validator("dataset")
    @classmethod
    def _is_graded(cls, value: str) -> str:
        if value in REFUSED:
            raise ValueError(f"{value} is not graded: {REFUSED[value]}")
        return value

    @field_validator("config")
    @classmethod
    def _has_no_seed(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.keys() & {"seed", "size"}:
            raise ValueError("seed and size are settings of the task")
        return value

    @property
    def verifier_name(self) -> str:
        return "reasoning_gym"

    def problems(self, split: Split) -> Sequence[Problem]:
        sizes = {"test": self.test_size, "dev": self.dev_size, "train": self.train_size}
        return _drawn(self.dataset, golds.write(self.config), self.seed, tuple(sizes.values()))[
            list(sizes).index(split)
        ]

    def gold(self, problem: Problem) -> Solution | None:
        """The row's own answer, where it has one that is graded."""
        answer = problem.meta.get("solution")
        return Solution("", f"<answer>{answer}</answer>") if isinstance(answer, str) else None

    def wrong(self, problem: Problem) -> list[Solution]:
        """The answer without its tag, with something beside it in the tag, in one of two tags, and an empty tag."""
        right = self.gold(problem)
        if right is None:
            return []
        answer = right.answer.removeprefix("<answer>").removesuffix("</answer>")
        texts = (
            f"The answer is {answer}", f"<answer>{answer} or something else</answer>", f"<answer>not {answer}</answer>",
            f"{right.answer} <answer>another</answer>", "<answer></answer>", f"<answer>{answer}",
        )  # fmt: skip
        return [Solution("", text) for text in texts]


@lru_cache(maxsize=8)
def _drawn(dataset: str, config: str, seed: int, sizes: tuple[int, ...]) -> tuple[tuple[Problem, ...], ...]:
    """The problems of test, dev and train."""
    package = installed()
    if isinstance(package, Refused):
        raise MissingDependency(f"the task reasoning_gym cannot be made: {package.reason}", remedy=REMEDY)
    seen: set[str] = set()
    splits: list[tuple[Problem, ...]] = []
    for split, size in zip(("test", "dev", "train"), sizes, strict=True):
        settings = {
            **json.loads(config),
            "seed": derive("reasoning_gym", dataset, seed, split) % 2**31,
            "size": DRAWS * size,
        }
        own: dict[str, Problem] | list[Problem] = [] if split == "train" else {}
        for index in range(DRAWS * size):
            row = _row(dataset, settings, index)
            key = normalised(row.question)
            if key in seen:
                continue
            problem = _problem(dataset, settings, index, row, package)
            if isinstance(own, list):
                own.append(problem)
            else:
                own.setdefault(key, problem)
            if len(own) == size:
                break
        if len(own) < size:
            raise DataError(
                f"{dataset} has only {len(own)} new questions for {split} in {DRAWS * size} draws, {size} asked for",
                remedy="a smaller split, or a configuration with more puzzles",
            )  # fmt: skip
        seen |= set(own) if isinstance(own, dict) else set()
        splits.append(tuple(own.values() if isinstance(own, dict) else own))
    return tuple(splits)


def _row(dataset: str, settings: dict[str, Any], index: int) -> Row:
    made = rows_of(Name(dataset, golds.write(settings), index))
    if isinstance(made, Refused):
        raise DataError(
            f"reasoning_gym cannot make a row of '{dataset}'", why=made.reason, remedy="check dataset and config"
        )
    return made[0]


def _problem(dataset: str, settings: dict[str, Any], index: int, row: Row, package: str) -> Problem:
    gold = {
        "dataset": dataset, "config": settings, "index": index, "package": f"reasoning_gym=={package}",
        "question": question_hash(row.question),
    }  # fmt: skip
    solution = row.answer if row.answer is not None else row.metadata.get("example_correct_answer")
    known = solution is not None and "Integral(" not in solution  # some integrals are answered by themselves
    return Problem(
        id=f"reasoning_gym/{digest(dataset, row.question)[:12]}", task="reasoning_gym", prompt=row.question + ASK,
        answer=golds.write(gold), meta={"dataset": dataset, **({"solution": solution} if known else {})},
    )  # fmt: skip
