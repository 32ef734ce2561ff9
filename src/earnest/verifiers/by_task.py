"""Several verifiers in one run, each for the problems of its task: what grades a mixture (`tasks/mix.py`).

    verifier: {name: by_task, of: [{task: chain, use: number}, {task: algebra, use: math}]}

A verdict is what the task's verifier alone would give: nothing is added to it and nothing weighed. A mixture names its parts'
verifiers by itself; a recipe says this only to choose others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from earnest.component import plug
from earnest.types import Item, Json, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.verdicts import ungradable


class Grader(BaseModel):
    """A verifier and the task that it grades."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    task: str
    """The name that its problems have: the task's, or the `name:` of a part of a mixture."""
    use: Annotated[Verifier, plug("verifier")]
    """The verifier."""


class ByTask(Verifier):
    """The verifier of each problem's own task."""

    version: ClassVar[str] = "1"

    of: tuple[Grader, ...] = Field(min_length=1)
    """The verifiers, one per task."""

    @field_validator("of")
    @classmethod
    def _one_each(cls, value: tuple[Grader, ...]) -> tuple[Grader, ...]:
        tasks = [grader.task for grader in value]
        if twice := [task for task in tasks if tasks.count(task) > 1]:
            raise ValueError(f"two verifiers for the task '{twice[0]}'")
        return value

    @property
    def label(self) -> str:
        return f"by_task({', '.join(f'{g.task}: {g.use.label} {g.use.version}' for g in self.of)})"

    def check_gold(self, answer: str) -> str | None:
        """None if one of the verifiers can grade against it: whose problem it is an answer does not say."""
        reasons = [(grader.task, grader.use.check_gold(answer)) for grader in self.of]
        if any(reason is None for _, reason in reasons):
            return None
        return "; ".join(f"{task}: {reason}" for task, reason in reasons)

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        verdicts = {i: ungradable(f"no verifier for the task '{item.problem.task}'") for i, item in enumerate(items)}
        for grader in self.of:
            own = [i for i, item in enumerate(items) if item.problem.task == grader.task]
            told = grader.use.judge([items[i] for i in own]) if own else []
            assert len(told) == len(own), f"{grader.use.label} returned {len(told)} verdicts for {len(own)} items"
            verdicts.update(zip(own, told, strict=True))
        return [verdicts[i] for i in range(len(items))]

    def conditions(self) -> Mapping[str, Json]:
        found: dict[str, Json] = {}
        for grader in self.of:
            found.update(grader.use.conditions())
        return found

    def grader(self, task: str) -> Verifier:
        """The verifier of one task alone; this one where it has none, which then says so of every problem."""
        return next((grader.use for grader in self.of if grader.task == task), self)
