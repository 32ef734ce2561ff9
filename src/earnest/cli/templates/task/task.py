"""Your own problems. `recipe.yaml` names them as `task.py:MyTask`; nothing has to be registered.

The example walks on a ring of eight letters: "c+3-1+5=" goes c, f, e, b, so the answer is "b". To use your own, change what
`_draw` makes and what `_work` says about it. For problems in a file, `task: {name: jsonl, path: ...}` needs no code.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from pydantic import Field

from earnest.seeding import bucket, rng
from earnest.tasks.base import Task
from earnest.types import Problem, Solution, Split

LETTERS = "abcdefgh"


class MyTask(Task):
    """Walks on a ring of eight letters. A tenth of all walks, by hash, is kept for dev and a tenth for test."""

    templated: ClassVar[bool] = True
    """The problems differ in letters and numbers alone. Leave this out where they are told in words: then the same words with
    other numbers in train and test are refused as a leak."""

    steps: int = Field(4, ge=4, le=12)
    """Moves of a walk. A field like this one can be set in the recipe."""
    train_size: int = Field(20_000, ge=1, le=100_000)
    """Problems of the train split, all different."""
    dev_size: int = Field(256, ge=1, le=10_000)
    """Problems of the dev split, all different."""
    test_size: int = Field(400, ge=1, le=10_000)
    """Problems of the test split, all different."""

    @property
    def verifier_name(self) -> str:
        return "string"

    def problems(self, split: Split) -> Sequence[Problem]:
        """Different walks, on the side that the hash of their own text gives them: none is on two sides."""
        size = {"train": self.train_size, "dev": self.dev_size, "test": self.test_size}[split]
        random = rng("my_task", self.steps, split)
        found: dict[str, Problem] = {}
        while len(found) < size:
            text = _draw(random, self.steps)
            if _side(text) == split:
                found[text] = Problem(id=f"my_task/{text}", task="my_task", prompt=text, answer=_work(text).answer)
        return list(found.values())

    def gold(self, problem: Problem) -> Solution:
        """The worked solution: what fine-tuning shows, and what the verifier must grade as correct."""
        return _work(problem.question)

    def wrong(self, problem: Problem) -> list[Solution]:
        """What must not be paid for: other letters, and two letters at once."""
        right = self.gold(problem)
        others = [letter for letter in LETTERS if letter != right.answer]
        return [Solution(right.thought, answer) for answer in (*others, f"{right.answer} {others[0]}", "")]


def _draw(random: Random, steps: int) -> str:
    moves = (f"{random.choice('+-')}{random.randrange(1, 8)}" for _ in range(steps))
    return random.choice(LETTERS) + "".join(moves) + "="


def _work(text: str) -> Solution:
    """Example: "c+3-1=" -> Solution("c+3=f;f-1=e;", "e")."""
    trace, at = "", text[0]
    for sign, distance in zip(text[1:-1:2], text[2:-1:2], strict=True):
        move = int(distance) if sign == "+" else -int(distance)
        to = LETTERS[(LETTERS.index(at) + move) % len(LETTERS)]
        trace += f"{at}{sign}{distance}={to};"
        at = to
    return Solution(trace, at)


def _side(text: str) -> Split:
    number = bucket(text, 10)
    return "test" if number == 0 else "dev" if number == 1 else "train"
