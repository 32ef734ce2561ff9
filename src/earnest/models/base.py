"""What a model is to the rest of the package: something that opens a policy, from its own beginning or a saved folder.

Only this folder and `prompts/` touch tokenizers. The checkpoint format everywhere is a plain Hugging Face folder. What
an open model can do is in `policy.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from earnest.component import Component
from earnest.models.policy import Forward, Policy
from earnest.types import Machine

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Forward", "Model", "Policy"]


class Model(Component):
    """A causal language model: how its first weights come to be, and how a saved folder is opened again."""

    kind: ClassVar[str] = "model"

    @abstractmethod
    def open(self, machine: Machine, *, folder: Path | None = None, seed: int = 0) -> Policy:
        """The model in memory. `folder`: weights that a stage saved; None: the model's own beginning.

        Raises ConfigError for a folder, an architecture or a tokenizer that cannot be used.
        """

    def require(self) -> None:
        """Raises MissingDependency for what it will need and is not there."""

    def to_train(self, policy: Policy, seed: int) -> Policy:
        """The open policy as a training stage wants it. By default all of its weights are trained. seed: of what is drawn."""
        return policy

    def open_tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the model's own beginning. What can do without the weights overrides this."""
        return self.open(Machine("cpu", "float32", 1)).tokenizer
