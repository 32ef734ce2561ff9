"""What an evaluation of tasks × columns found, as values. grid.py fills them; importing them costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earnest.types import Json

if TYPE_CHECKING:
    from earnest.evaluate.compare import Comparison
    from earnest.evaluate.summary import ModelSummary


@dataclass(frozen=True, slots=True)
class Cell:
    """One task asked in one way."""

    task: str
    column: str
    problems: int
    looks: int  # runs that have looked at these problems, this one included
    summary: ModelSummary
    versus_first: tuple[Comparison, ...]  # this column minus the first, sampled and greedy; () for the first itself
    protocol: Mapping[str, Json]

    @property
    def examples(self) -> tuple[str, ...]:
        """Ids of the worked examples in the prompt."""
        prompt = self.protocol["prompt"]
        shown = prompt.get("examples") if isinstance(prompt, Mapping) else None
        return tuple(str(e["id"]) for e in shown if isinstance(e, Mapping)) if isinstance(shown, Sequence) else ()

    def to_json(self) -> dict[str, Any]:
        fields = ("metric", "a_value", "b_value", "diff", "ci95", "p_value", "n")
        return {
            "task": self.task, "column": self.column, "problems": self.problems, "looks": self.looks,
            "rates": self.summary.rates(), **self.summary.to_json(),
            "versus_first": [{name: getattr(row, name) for name in fields} for row in self.versus_first],
            "examples": list(self.examples), "protocol": dict(self.protocol),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class EvalResult:
    """A model's rates on tasks × columns, each with n, distinct problems and a 95 % interval."""

    model: str
    split: str
    k: int
    max_tokens: int
    cells: tuple[Cell, ...]  # task by task, columns in the order they were asked for

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model, "split": self.split, "k": self.k, "max_tokens": self.max_tokens,
            "cells": [cell.to_json() for cell in self.cells],
        }  # fmt: skip
