"""The pool of dead-zone.yaml: problems of which nine in ten are too easy or too hard to teach anything.

Too easy: a chain whose result stands in the question, "3+7-2+9+4=1=". Imitation taught to copy it (`Easy`). Too hard: a chain
whose sum is asked for as it is, "3+7-2+9+4==", where that has two digits. Imitation only ever saw answers of one, so that none is
right. In between: the chains of the task `chain`, of which the policy gets a third.

The pool is finite, because a curriculum can only choose among prompts that come round again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from earnest.seeding import rng
from earnest.tasks.base import Task
from earnest.tasks.chain import Chain, work
from earnest.tasks.generated import LazyProblems
from earnest.types import Problem, Solution, Split

CHAINS = Chain(length=5, dev_size=4_000, test_size=4_000)


class Easy(Task):
    """Chains with their result, for imitation."""

    @property
    def verifier_name(self) -> str:
        return "number"

    def problems(self, split: Split) -> Sequence[Problem]:
        chains = CHAINS.problems(split)
        return LazyProblems(len(chains), lambda i: _easy(chains[i]))

    def gold(self, problem: Problem) -> Solution:
        assert problem.answer is not None, problem
        return Solution("", problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        return _near(self.gold(problem))


class Pool(Task):
    """A mixed pool. Which kind a problem is of, stands in its `meta`."""

    size: int = Field(320, ge=20, le=400)
    """Problems of a split."""
    easy: float = Field(0.45, ge=0, lt=1)
    """Share of those too easy."""
    hard: float = Field(0.45, ge=0, lt=1)
    """Share of those too hard."""

    @property
    def verifier_name(self) -> str:
        return "number"

    def problems(self, split: Split) -> Sequence[Problem]:
        """Chains drawn from all of the split, of which imitation has seen few."""
        easy, hard = round(self.size * self.easy), round(self.size * self.hard)
        between = self.size - easy - hard
        chains = CHAINS.problems(split)
        order = rng("pool", split).sample(range(len(chains)), 10 * self.size)
        found: dict[str, Problem] = {}
        wanted = {"hard": hard, "easy": easy, "between": between}
        for index in order:
            chain = chains[index]
            for kind, make in (("hard", _hard), ("easy", _easy), ("between", _between)):
                problem = make(chain) if wanted[kind] else None
                if problem is not None and chain.question not in found:
                    found[chain.question] = problem
                    wanted[kind] -= 1
        return tuple(found.values())

    def gold(self, problem: Problem) -> Solution:
        assert problem.answer is not None, problem
        return Solution(str(problem.meta["trace"]), problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        return _near(self.gold(problem))


def _between(chain: Problem) -> Problem:
    trace, _ = work(chain.question)
    return replace(chain, id=f"pool/{chain.id}", task="pool", meta={"kind": "between", "trace": trace})


def _easy(chain: Problem) -> Problem:
    meta = {"kind": "easy", "trace": ""}
    return replace(chain, id=f"easy/{chain.id}", task="pool", prompt=f"{chain.question}{chain.answer}=", meta=meta)


def _hard(chain: Problem) -> Problem | None:
    trace, _ = work(chain.question)
    total = _sum(chain.question)
    if total < 10:
        return None
    meta = {"kind": "hard", "trace": trace}
    return replace(chain, id=f"hard/{chain.id}", task="pool", prompt=f"{chain.question}=", answer=str(total), meta=meta)


def _sum(chain: str) -> int:
    """As it is, without the modulus."""
    terms = chain.rstrip("=").replace("-", "+-").split("+")
    return sum(int(term) for term in terms)


def _near(right: Solution) -> list[Solution]:
    return [Solution(right.thought, str(int(right.answer) + d)) for d in (1, 5, 9)]
