"""A prompt format: how a problem becomes token ids, what a worked solution looks like in it, and how a completion is read.

Prompt and completion are tokenized apart and their ids concatenated, for training and for sampling alike, so that what is
trained is what is sampled. Stateless; the tokenizer is handed in.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from earnest.component import Component
from earnest.types import Parsed, Problem, Solution

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Rendered:
    """A problem as a model sees it. Example: ids=(11, 7, 9, 258), opened=True when the prompt itself ends in `<think>`."""

    ids: tuple[int, ...]
    text: str
    opened: bool  # the prompt already opened the thought, so the completion starts inside it


class Prompt(Component):
    """How problems are put to a model and its completions are read."""

    kind: ClassVar[str] = "prompt"

    @abstractmethod
    def render(self, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> Rendered:
        """The prompt as ids, ready for a completion to follow."""

    @abstractmethod
    def complete(self, solution: Solution, rendered: Rendered, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        """The ids a model should write after the prompt for this solution, stop token included."""

    @abstractmethod
    def parse(self, text: str, *, opened: bool) -> Parsed:
        """A completion's text taken apart. `opened`: the prompt ended inside the thought."""

    @abstractmethod
    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
        """Tokens that end a completion. The first is the one that `complete` writes."""
