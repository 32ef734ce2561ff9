"""A reward term: one of the numbers that reinforcement learning maximises a weighted sum of.

What counts as right is the verifier's word alone (`verdict.correct`); a reward changes what is learned, never what is reported.
A term is frozen and deterministic: the same rollouts and the same seed give the same numbers.

Most terms judge: what they pay is what is wanted. Some shape: of completions that are as good as each other they prefer one,
by length or by repetition. A shaping term must not become all that a group teaches, unless the recipe says so.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

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
    per_group: ClassVar[bool] = False
    """True: a score depends on the others of its group, so `score` is called once per group, with all of its rollouts."""
    shapes: ClassVar[bool] = False
    """True: it shapes and does not judge (the module's first lines)."""

    @property
    def label(self) -> str:
        """What metrics and records call it, unless the recipe gives it a name."""
        return self.name.rpartition(":")[2]

    def with_max_tokens(self, max_tokens: int) -> Self:
        """This term in a run whose completions have at most `max_tokens` sampled tokens. The stage asks once.

        Raises ValueError if the term could not have an effect there.
        """
        return self

    @abstractmethod
    def score(self, rollouts: Sequence[Rollout], seed: int) -> list[Score]:
        """One score per rollout, in order, each from that rollout alone. seed: for whatever is random, of this step and term.

        If `per_group`: the rollouts are those of one group, in sampling order, and a score is from these rollouts alone,
        whatever their order. Two groups of one step may ask the same problem; they are two groups all the same.
        """


def sampled_tokens(rollout: Rollout) -> int:
    """The length that rewards know: tokens that the policy drew, its stop token included, and nobody else's."""
    return sum(rollout.completion.sampled)


class Weighted(BaseModel):
    """A term and its share: the reward of a rollout is the sum of weight times score."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    use: Annotated[Reward, plug("reward")]
    """The term."""
    weight: float = 1.0
    """What its score is multiplied by; negative for a penalty."""
    name: str = Field(default_factory=lambda values: values["use"].label)
    """What metrics and records call it."""
    after: int = Field(default=0, ge=0)
    """Steps of the stage before which it counts nothing. Its scores are logged from the first step on."""
    alone: bool | None = None
    """Whether it may be the only difference between the completions of a group that are all right, or all wrong. null: yes,
    but for a term that shapes (by length, by repetition). Where it may not, it then counts with its mean over the group."""

    @property
    def stands_alone(self) -> bool:
        """Whether a difference in its scores is a signal by itself. False: in a group without another one it is levelled."""
        return self.alone if self.alone is not None else not self.use.shapes

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

    @model_validator(mode="after")
    def _alone_changes_something(self) -> Self:
        if self.alone is not None and self.alone is not self.use.shapes:
            rule = (
                "shapes, so it never is the only signal" if self.use.shapes else "judges, so it may be the only signal"
            )
            raise ValueError(f"alone: {str(self.alone).lower()} has no effect: {self.use.name} {rule}; leave it out")
        return self


def correct_alone() -> tuple[Weighted, ...]:
    """The verifier's score and nothing else: what is maximised unless a recipe says otherwise."""
    return (Weighted(use=build("reward", "correct")),)


def fitted(terms: Sequence[Weighted], *, max_tokens: int, steps: int) -> tuple[Weighted, ...]:
    """The terms in a stage of so many steps and so long completions. Raises ValueError for one that has no effect there."""
    for term in terms:
        if term.after >= steps:
            raise ValueError(
                f"reward term '{term.name}' has no effect: after {term.after}, and the stage has {steps} steps"
            )
    return tuple(term.model_copy(update={"use": _in_stage(term, max_tokens)}) for term in terms)


def _in_stage(term: Weighted, max_tokens: int) -> Reward:
    try:
        return term.use.with_max_tokens(max_tokens)
    except ValueError as error:
        raise ValueError(f"reward term '{term.name}': {error}") from None


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
    if all(term.after > 0 for term in terms):
        raise KeyedConfigError(
            "no reward term counts from the first step", path, why="every one has `after:` above 0, so nothing would be rewarded",
            remedy="leave `after` out for one of them",
        )  # fmt: skip
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
