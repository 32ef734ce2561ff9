"""What a constraint is: a frozen value with its arguments, that a response meets or not. A helper, no verifier.

Arguments are checked strictly when a gold is read: an unknown, missing or mistyped one is an error there, and never a
constraint that every response meets.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from earnest.verifiers.constraint.response import Response, visible

MAX_TEXT = 10_000


def _is_seen(text: str) -> str:
    if not visible(text).strip():
        raise ValueError("there is nothing to see in it")
    return text


Text: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_is_seen)]
Relation: TypeAlias = Literal["at least", "at most", "exactly", "less than", "more than", "fewer than"]


class TooMuch(Exception):
    """A response ran past a limit: time, size or depth. The text says which."""


class Rule(BaseModel):
    """One constraint. A subclass has `type`, its name in a gold, and its arguments as fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @abstractmethod
    def is_met(self, response: Response) -> bool:
        """Whether a response, which has at least one word, meets it. Raises TooMuch."""


class Counted(Rule):
    """A constraint on a number of something."""

    relation: Relation
    """How the number found compares with `n`."""
    n: int = Field(ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _is_no_tautology(self) -> Counted:
        if self.n == 0 and self.relation == "at least":
            raise ValueError("at least 0 is met by everything")
        if self.n == 0 and self.relation in ("less than", "fewer than"):
            raise ValueError("fewer than 0 is met by nothing")
        return self

    def holds(self, count: int) -> bool:
        match self.relation:
            case "at least":
                return count >= self.n
            case "at most":
                return count <= self.n
            case "exactly":
                return count == self.n
            case "more than":
                return count > self.n
            case _:
                return count < self.n
