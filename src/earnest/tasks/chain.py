"""Chains of single digits, worked out from left to right modulo 10: the embedded task, where every step can be checked.

"3+7-2+9+4=" has the trace "3+7=0;0-2=8;8+9=7;7+4=1;" and the answer "1". Nothing is read from disk. A guess is right one time in
ten; a direct answer needs the whole chain in one step, a worked one only a table of 200 digit facts. It is a model organism, not
a benchmark: a gain here says nothing about any other task.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from pydantic import Field, model_validator

from earnest.component import digest
from earnest.seeding import rng
from earnest.tasks.base import Task
from earnest.tasks.generated import BUCKETS, LazyProblems, distinct, split_of
from earnest.types import Problem, Solution, Split


class Chain(Task):
    """Left-to-right chains of + and - modulo 10. A tenth of all chains, by hash, is kept for dev and a tenth for test."""

    templated: ClassVar[bool] = True

    length: int = Field(5, ge=2, le=64)
    """Digits in a chain; one operator fewer."""
    train_size: int = Field(1_000_000, ge=1)
    """Training problems, made when asked for. Each is a draw of its own, so short chains repeat."""
    dev_size: int = Field(256, ge=1)
    """Problems of the dev split, all different."""
    test_size: int = Field(400, ge=1)
    """Problems of the test split, all different."""

    @model_validator(mode="after")
    def _space_is_large_enough(self) -> Chain:
        chains = 10**self.length * 2 ** (self.length - 1)
        most = chains // BUCKETS // 2
        if max(self.dev_size, self.test_size) > most:
            raise ValueError(
                f"chains of length {self.length} number {chains}, which allows at most {most} distinct problems in dev and"
                f" in test (asked: {self.dev_size} and {self.test_size}); use longer chains or smaller splits"
            )
        return self

    @property
    def verifier_name(self) -> str:
        return "number"

    def problems(self, split: Split) -> Sequence[Problem]:
        if split == "train":
            return LazyProblems(self.train_size, self._train)
        return _held_out(self.length, split, self.dev_size if split == "dev" else self.test_size)

    def gold(self, problem: Problem) -> Solution:
        assert problem.answer is not None, problem
        return Solution(work(problem.question)[0], problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        """The right trace with another answer, the trace of a chain with one operator flipped, and hedges."""
        right = self.gold(problem)
        digit = int(right.answer)
        answers = [str((digit + d) % 10) for d in (1, 5, 9)]
        answers += [f"1{digit}", f"{right.answer} {answers[0]}", f"{answers[0]} or {right.answer}", f"{digit}.5"]
        return [Solution(right.thought, answer) for answer in answers] + _flipped(problem.question, right.answer)

    def _train(self, index: int) -> Problem:
        return _draw(self.length, "train", rng("chain", self.length, "train", index))


def work(chain: str) -> tuple[str, str]:
    """Trace and answer of a chain. Example: "3+7-2=" -> ("3+7=0;0-2=8;", "8")."""
    trace, value = "", int(chain[0])
    for operator, digit in zip(chain[1:-1:2], chain[2:-1:2], strict=True):
        result = (value + int(digit) if operator == "+" else value - int(digit)) % 10
        trace += f"{value}{operator}{digit}={result};"
        value = result
    return trace, str(value)


def _flipped(chain: str, answer: str) -> list[Solution]:
    """Solutions of the chains that differ in one operator, where their answer differs too."""
    found: list[Solution] = []
    for i in range(1, len(chain) - 1, 2):
        other = chain[:i] + ("-" if chain[i] == "+" else "+") + chain[i + 1 :]
        solution = Solution(*work(other))
        if solution.answer != answer:
            found.append(solution)
    return found


def _draw(length: int, split: Split, random: Random) -> Problem:
    while True:
        chain = str(random.randrange(10)) + "".join(
            random.choice("+-") + str(random.randrange(10)) for _ in range(length - 1)
        )
        chain += "="
        if split_of(chain) == split:
            return Problem(id=f"chain/{digest(chain)[:12]}", task="chain", prompt=chain, answer=work(chain)[1])


@lru_cache(maxsize=32)
def _held_out(length: int, split: Split, size: int) -> tuple[Problem, ...]:
    return distinct(size, lambda i: _draw(length, split, rng("chain", length, split, i)))
