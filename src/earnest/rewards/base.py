"""A reward term: one of the numbers that reinforcement learning maximises a weighted sum of.

What counts as right is the verifier's word alone (`verdict.correct`); a reward changes what is learned, never what is reported.
A term is frozen and deterministic: the same rollouts and the same seed give the same numbers.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from earnest.component import BuildContext, Component, KeyedConfigError, build, plug, validate
from earnest.types import Rollout


@dataclass(frozen=True, slots=True)
class Failed:
    """A term that could not be computed: the rollout has no reward, which is not a reward of 0."""

    reason: str


Score: TypeAlias = "float | None | Failed"
"""None: the term does not apply to this rollout and adds nothing to its reward."""


class Reward(Component):
    """One term of the reward."""

    kind: ClassVar[str] = "reward"

    @property
    def label(self) -> str:
        """What metrics and records call it, unless the recipe gives it a name."""
        return self.name.rpartition(":")[2]

    @abstractmethod
    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        """One score per rollout, in order, each from that rollout alone. seed: for whatever is random, of this step and term."""


class Weighted(BaseModel):
    """A term and its share: the reward of a rollout is the sum of weight times score."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    use: Annotated[Reward, plug("reward")]
    """The term."""
    weight: float = 1.0
    """What its score is multiplied by; negative for a penalty."""
    name: str = Field(default_factory=lambda values: values["use"].label)
    """What metrics and records call it."""

    @field_validator("weight")
    @classmethod
    def _weighs(cls, value: float) -> float:
        if value == 0:
            raise ValueError("a term of weight 0 has no effect; leave it out")
        return value

    @field_validator("name")
    @classmethod
    def _is_a_word(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.-]+", value):
            raise ValueError("a term's name is made of letters, digits, '.', '-' and '_'")
        return value


def correct_alone() -> tuple[Weighted, ...]:
    """The verifier's score and nothing else: what is maximised unless a recipe says otherwise."""
    return (Weighted(use=build("reward", "correct")),)


def _read(value: Any, info: ValidationInfo) -> Any:
    """`random`, `{use: random, weight: 2}` or a list of such."""
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    path = (*context.path, info.field_name or "reward")
    items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else [value]
    terms: list[Weighted] = []
    for place, item in enumerate(items):
        at = (*path, place) if isinstance(value, list | tuple) else path
        terms.append(item if isinstance(item, Weighted) else _term(item, BuildContext(context.base_dir, at)))
        if any(terms[-1].name == other.name for other in terms[:-1]):
            raise KeyedConfigError(
                f"two reward terms are named '{terms[-1].name}'", at, why="metrics and records could not tell them apart",
                remedy="give one of them a `name:` of its own",
            )  # fmt: skip
    if not terms:
        raise KeyedConfigError(
            "a reward needs a term", path, remedy="leave `reward` out for the verifier's score alone"
        )
    return tuple(terms)


def _term(item: Any, context: BuildContext) -> Weighted:
    fields = {"use": item} if isinstance(item, str) else item
    if not isinstance(fields, Mapping) or "use" not in fields:
        raise KeyedConfigError(
            "a reward term without `use:`", context.path, why=f"got {item!r}",
            remedy="a name such as `format`, or {use: format, weight: 0.1}",
        )  # fmt: skip
    return validate(Weighted, cast("Mapping[str, Any]", fields), context)


Terms: TypeAlias = Annotated[tuple[Weighted, ...], BeforeValidator(_read)]
"""Annotation of a recipe's field that holds a reward."""
