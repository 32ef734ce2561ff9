"""A mixture: several tasks in one run, each drawn as often as its weight says and graded by its own verifier.

    task: {name: mix, of: [{use: {name: chain, length: 5}, weight: 3}, {use: gsm8k, weight: 1}]}

Weights are shares of the problems that are drawn for training, exact in every step up to rounding, whatever the sizes of the
parts: steps of 16 have 12 and 4. Of dev and test a mixture has all problems of its parts. A part keeps its task's name in
`Problem.task` and in ids; with a `name:` of its own it has that one, and ids that begin with it. All parts are put to the model
in the recipe's one prompt format.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from earnest.component import BuildContext, KeyedConfigError, plug, validate
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.tasks.union import Portion, Union
from earnest.types import Problem, Solution, Split
from earnest.verifiers.base import Verifier
from earnest.verifiers.by_task import ByTask, Grader

_TAKEN = ("missing",)
"""Names that a metric of all parts together has: `reward/missing`."""


class Part(BaseModel):
    """A task and its share."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    use: Annotated[Task, plug("task")]
    """The task."""
    weight: float = Field(1.0, gt=0)
    """How often it is drawn in training, beside the weights of the others."""
    verifier: Annotated[Verifier, plug("verifier")] | None = None
    """What grades it; by default the task's own."""
    name: str = Field(default_factory=lambda values: values["use"].name.rpartition(":")[2])
    """What problems, metrics and reports call it; by default its task's name."""

    @field_validator("name")
    @classmethod
    def _is_a_word(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.-]+", value) or value in _TAKEN:
            raise ValueError(f"a part's name is made of letters, digits, '.', '-' and '_', and is not '{_TAKEN[0]}'")
        return value

    @property
    def task(self) -> Task:
        """The task under the part's name."""
        return self.use if self.name == self.use.name else _Named(use=self.use, called=self.name)


def _read(value: Any, info: ValidationInfo) -> Any:
    """A list of names and of `{use: …, weight: …}`."""
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    path = (*context.path, info.field_name or "of")
    if not isinstance(value, list | tuple) or len(cast("Sequence[Any]", value)) < 2:
        raise KeyedConfigError("a mixture needs two parts or more", path, remedy="of: [chain, {use: gsm8k, weight: 3}]")
    found: list[Part] = []
    for place, item in enumerate(cast("Sequence[Any]", value)):
        at = BuildContext(context.base_dir, (*path, place))
        found.append(item if isinstance(item, Part) else _part(item, at))
        if any(found[-1].name == other.name for other in found[:-1]):
            raise KeyedConfigError(
                f"two parts are named '{found[-1].name}'", at.path, why="their problems and metrics could not be told apart",
                remedy="give one of them a `name:` of its own",
            )  # fmt: skip
        if isinstance(found[-1].use, Mix):
            raise KeyedConfigError(
                "a mixture within a mixture", at.path, why="whose weights would be shares of a share",
                remedy="list its parts here, with their weights in the whole",
            )  # fmt: skip
    return tuple(found)


def _part(item: Any, context: BuildContext) -> Part:
    if isinstance(item, str | Task):
        return validate(Part, {"use": item}, context)
    if not isinstance(item, Mapping) or "use" not in item:
        raise KeyedConfigError(
            "a part without `use:`", context.path, why=f"got {item!r}",
            remedy="a name such as `chain`, or {use: {name: chain, length: 5}, weight: 3}",
        )  # fmt: skip
    return validate(Part, cast("Mapping[str, Any]", item), context)


class Mix(Task):
    """Several tasks in one run."""

    of: Annotated[tuple[Part, ...], BeforeValidator(_read)]
    """The tasks and their weights."""

    @property
    def verifier_name(self) -> str:
        return "by_task"

    def own_verifier(self) -> Verifier:
        """Every part's own, chosen by `Problem.task`."""
        return ByTask(of=tuple(Grader(task=p.name, use=p.verifier or p.use.own_verifier()) for p in self.of))

    def leaves(self) -> tuple[Task, ...]:
        return tuple(part.task for part in self.of)

    @property
    def splits(self) -> tuple[Split, ...]:
        """train, if every part has it, because every part has a share of it; dev and test, if any has."""
        have = Counter(split for part in self.of for split in part.use.splits)
        return tuple(s for s in get_args(Split) if have[s] >= (len(self.of) if s == "train" else 1))

    def problems(self, split: Split) -> Union:
        having = [part for part in self.of if split in part.use.splits]
        if split not in self.splits:
            lacking = ", ".join(part.name for part in self.of if part not in having)
            raise DataError(f"no problems to {split} on" if split == "train" else f"no {split} problems",
                where="task mix", why=f"no {split} split: {lacking}", remedy="leave that part out, or use another split",
            )  # fmt: skip
        return Union([Portion(p.name, p.task.problems(split), p.weight) for p in having])

    def gold(self, problem: Problem) -> Solution | None:
        return self._leaf(problem).gold(problem)

    def wrong(self, problem: Problem) -> Sequence[Solution]:
        return self._leaf(problem).wrong(problem)

    def notices(self) -> Sequence[str]:
        """Which parts are not measured where others are. What reading a part did is said by the part."""
        return [
            f"{part.name} has no {split} split: what is measured there says nothing about it"
            for split in self.splits for part in self.of if split not in part.use.splits
        ]  # fmt: skip

    def _leaf(self, problem: Problem) -> Task:
        return next(part.task for part in self.of if part.name == problem.task)


class _Named(Task):
    """A task under another name: its problems have that name, and ids that begin with it."""

    use: Annotated[Task, plug("task")]
    called: str

    @property
    def name(self) -> str:
        return self.called

    @property
    def templated(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.use.templated

    @property
    def verifier_name(self) -> str:
        return self.use.verifier_name

    def own_verifier(self) -> Verifier:
        return self.use.own_verifier()

    @property
    def splits(self) -> tuple[Split, ...]:
        return self.use.splits

    def problems(self, split: Split) -> Sequence[Problem]:
        return _Renamed(self.use.problems(split), self.called)

    def gold(self, problem: Problem) -> Solution | None:
        return self.use.gold(self._theirs(problem))

    def wrong(self, problem: Problem) -> Sequence[Solution]:
        return self.use.wrong(self._theirs(problem))

    def notices(self) -> Sequence[str]:
        return self.use.notices()

    def _theirs(self, problem: Problem) -> Problem:
        """The problem as the task knows it."""
        return replace(
            problem, task=_name_in_problems(cast("Hashable", self.use)), id=problem.id.removeprefix(f"{self.called}/")
        )


class _Renamed(Sequence[Problem]):
    def __init__(self, problems: Sequence[Problem], name: str) -> None:
        self._problems, self._name = problems, name

    def __len__(self) -> int:
        return len(self._problems)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._ours(problem) for problem in self._problems[index]]
        return self._ours(self._problems[index])

    def _ours(self, problem: Problem) -> Problem:
        return replace(problem, task=self._name, id=f"{self._name}/{problem.id}")


@lru_cache(maxsize=32)
def _name_in_problems(task: Hashable) -> str:
    """What a task calls itself in its problems: not its name in a recipe where that is a file's."""
    assert isinstance(task, Task)
    return task.problems(task.splits[0])[0].task
