"""The task of length-bias.yaml: guess a parity, work it out, and waffle.

"01101001=" asks for the parity of eight bits. What imitation teaches is a habit, not a solution: a guess, right every other time;
the parity after two, four, six and all eight bits; a row of `o` if that is what was guessed and of `x` if it is not, of geometric
length; and then the guess again, as the answer. So a policy that has learned it knows, as it chooses how long to go on, whether
it will be right, and how long it goes on changes nothing. Nor can it be right more often unless it learns to see the parity of
eight bits at a glance.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from pydantic import Field

from earnest.component import digest
from earnest.seeding import rng
from earnest.tasks.base import Task
from earnest.tasks.generated import LazyProblems, distinct, split_of
from earnest.types import Problem, Solution, Split

BITS = 8
RIGHT, WRONG = "o", "x"
MOST = 60
"""Letters of a taught row beyond the first; more would not fit the token limit."""


class Rambling(Task):
    """Parities."""

    misses: float = Field(0.0, ge=0, lt=1)
    """Share of the training problems that begin with the wrong guess, which is then their answer: they are for imitation."""
    go_on: float = Field(0.85, ge=0, lt=1)
    """Chance of one more letter in the row, in traces that are taught."""

    @property
    def verifier_name(self) -> str:
        return "number"

    def problems(self, split: Split) -> Sequence[Problem]:
        if split == "train":
            return LazyProblems(1_000_000, self._train)
        return distinct(10, lambda i: self._draw(split, rng("rambling", split, i)))

    def gold(self, problem: Problem) -> Solution:
        assert problem.answer is not None, problem
        return Solution(str(problem.meta["trace"]), problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        right = self.gold(problem)
        return [Solution(right.thought, str((int(right.answer) + d) % 10)) for d in (1, 5, 9)]

    def _train(self, index: int) -> Problem:
        return self._draw("train", rng("rambling", "train", index))

    def _draw(self, split: Split, random: Random) -> Problem:
        while True:
            prompt = f"{random.getrandbits(BITS):0{BITS}b}="
            if split_of(prompt) == split:
                break
        work = "".join(str(prompt[:end].count("1") % 2) for end in range(2, BITS + 1, 2))
        missed = split == "train" and random.random() < self.misses
        guess = str((int(work[-1]) + missed) % 2)
        row = 0
        while row < MOST and random.random() < self.go_on:
            row += 1
        trace = guess + work + (WRONG if missed else RIGHT) * (1 + row)
        name = f"rambling/{digest(prompt + trace)[:12]}"
        return Problem(id=name, task="rambling", prompt=prompt, answer=guess, meta={"trace": trace})
