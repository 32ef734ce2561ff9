"""What the embedded model can do before it learns to reason: copying and reversing short strings, and single digit facts.

A base model of one's own is pretrained on this; whether it still can afterwards is the embedded measure of substrate drift.
"copy:abc=" asks for "abc", "rev:abc=" for "cba", "3+7=" for "0" (modulo 10). There are no traces; use the prompt `plain`.

Strings are held out by the hash of the string, the same side for both skills and for its mirror image; so dev and test measure a
skill, not memory. The 200 digit facts are a table that can only be remembered: they are in train alone. Whether they are kept can
be asked of the train split; it is no evidence of a skill.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from string import ascii_lowercase
from typing import ClassVar

from pydantic import Field

from earnest.component import digest
from earnest.seeding import rng
from earnest.tasks.base import Task
from earnest.tasks.generated import LazyProblems, distinct, split_of
from earnest.types import Problem, Solution, Split

SHORTEST = 3
"""Letters in the shortest string."""


class Skills(Task):
    """String skills, half copying and half reversing, and a share of digit facts in training."""

    templated: ClassVar[bool] = True

    facts: float = Field(0.25, ge=0, lt=1)
    """Share of training problems that are digit facts."""
    longest: int = Field(5, ge=SHORTEST + 1, le=32)
    """Letters in the longest string; every length from 3 on is equally frequent."""
    train_size: int = Field(1_000_000, ge=1)
    """Training problems, made when asked for; each is a draw of its own."""
    dev_size: int = Field(200, ge=1, le=2_000)
    """Problems of the dev split, all different."""
    test_size: int = Field(300, ge=1, le=2_000)
    """Problems of the test split, all different."""

    @property
    def verifier_name(self) -> str:
        return "string"

    def problems(self, split: Split) -> Sequence[Problem]:
        if split == "train":
            return LazyProblems(self.train_size, self._train)
        return _held_out(self.longest, split, self.dev_size if split == "dev" else self.test_size)

    def gold(self, problem: Problem) -> Solution:
        assert problem.answer is not None, problem
        return Solution("", problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        """A letter too few, too many, swapped or another; the mirror image; another digit; and hedges."""
        right = self.gold(problem).answer
        if right.isdigit():
            answers = [str((int(right) + d) % 10) for d in (1, 5, 9)] + [f"1{right}"]
        else:
            answers = [
                right[:-1],
                right + right[-1],
                right[::-1],
                right[1] + right[0] + right[2:],
                right[1:] + right[0],
            ]
            answers.append(_next_letter(right[0]) + right[1:])
        answers = [answer for answer in dict.fromkeys(answers) if answer != right]
        return [Solution("", answer) for answer in (*answers, f"{right} {answers[0]}", f"{answers[0]} or {right}")]

    def _train(self, index: int) -> Problem:
        random = rng("skills", self.longest, "train", index)
        if random.random() < self.facts:
            return _fact(random)
        return _string(self.longest, "train", random)


def _fact(random: Random) -> Problem:
    left, right, operator = random.randrange(10), random.randrange(10), random.choice("+-")
    result = left + right if operator == "+" else left - right
    return _problem(f"{left}{operator}{right}=", str(result % 10), "fact")


def _string(longest: int, split: Split, random: Random) -> Problem:
    while True:
        text = "".join(random.choices(ascii_lowercase, k=random.randint(SHORTEST, longest)))
        if split_of(min(text, text[::-1])) == split:
            break
    if random.random() < 0.5:
        return _problem(f"copy:{text}=", text, "copy")
    return _problem(f"rev:{text}=", text[::-1], "reverse")


def _problem(prompt: str, answer: str, skill: str) -> Problem:
    return Problem(
        id=f"skills/{digest(prompt)[:12]}", task="skills", prompt=prompt, answer=answer, meta={"skill": skill}
    )


def _next_letter(letter: str) -> str:
    return ascii_lowercase[(ascii_lowercase.index(letter) + 1) % len(ascii_lowercase)]


@lru_cache(maxsize=32)
def _held_out(longest: int, split: Split, size: int) -> tuple[Problem, ...]:
    return distinct(size, lambda i: _string(longest, split, rng("skills", longest, split, i)))
