"""What an answer is once it is read: a small tree of frozen values. A helper of the verifier `math`, no verifier.

A tree holds no text of the model beyond names and words, and nothing in it is callable. Comparing two trees with ==
compares how they are written; what they are worth is for `exact` and `numeric` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

MAX_CHARS = 4096
MAX_NESTING = 64
MAX_RUN = 256
MAX_DIGITS = 2048
MAX_COMMANDS = 256
MAX_OPERATORS = 1024
MAX_NODES = 512
MAX_BITS = 4096
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 10_000


class Unreadable(Exception):
    """The text is no answer of the grammar. limit: it is too large to look at, or to work out."""

    def __init__(self, reason: str, *, limit: bool = False) -> None:
        self.reason, self.limit = reason, limit
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Num:
    """A number as it is written. Example: "0.50" is Num(Fraction(1, 2), places=2)."""

    value: Fraction
    places: int | None = None  # digits after the point; None: no decimal
    mixed: bool = False  # written as a mixed number, a percentage or with an exponent: one number all the same


@dataclass(frozen=True, slots=True)
class Sym:
    """A letter, with its subscript and marks, or a constant ("pi", "oo", "e", "i", "deg"). Example: Sym("x_1")."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An operation or a function applied. Example: x + 2 is Op("+", (Sym("x"), Num(2)))."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Items in brackets: a tuple, an interval, a set. Example: (1, 2] is Group("(", "]", (1, 2))."""

    left: str
    right: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Items side by side without brackets. joiner: "or" where that word stands between two of them, "parts" where they
    answer the parts of a question and their order counts, else ","."""

    items: tuple[Node, ...]
    joiner: str = ","


@dataclass(frozen=True, slots=True)
class Chain:
    """Relations. Example: 1 < x <= 2 is Chain((1, x, 2), ("<", "<="))."""

    sides: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix, by rows of equal length."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Based:
    """A numeral in a base other than ten. Example: 204_5 is Based("204", 5)."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """Terms with colons between them, and how many digits each was written with: a ratio, or a time of day."""

    terms: tuple[Node, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a unit. Example: 15 cm^2 is Quantity(15, "cm^2")."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Words:
    """Text, blanks collapsed, as it was written."""

    text: str


Node: TypeAlias = Num | Sym | Op | Group | Listing | Chain | Grid | Based | Ratio | Quantity | Words


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Op(args=below) | Group(items=below) | Listing(items=below) | Chain(sides=below) | Ratio(terms=below):
            return below
        case Grid(rows=rows):
            return tuple(item for row in rows for item in row)
        case Quantity(value=value):
            return (value,)
        case _:
            return ()


def symbols(node: Node) -> frozenset[str]:
    """The names of its unknowns: letters that are neither constants nor functions, nor the index of a sum."""
    if isinstance(node, Sym):
        return frozenset() if node.name in CONSTANTS else frozenset((node.name,))
    if isinstance(node, Op) and node.name in ("sum", "prod"):
        index, *bounds, body = node.args
        return symbols(body) - symbols(index) | frozenset().union(*(symbols(bound) for bound in bounds))
    return frozenset().union(*(symbols(child) for child in children(node)))


CONSTANTS = frozenset(("pi", "oo", "e", "i", "deg", "empty", "reals"))
