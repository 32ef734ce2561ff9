"""Any Hugging Face causal language model, from a folder or the hub, unquantized: all of its weights are trained, or adapters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, ValidationInfo, model_validator

from earnest.component import BuildContext, KeyedConfigError
from earnest.models import lora as adapters
from earnest.models.base import Model, Policy
from earnest.models.lora import Lora
from earnest.types import Machine

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def _folder_or_hub_id(value: str, info: ValidationInfo) -> str:
    """A folder becomes an absolute path, anything else stays as it was written: `Qwen/Qwen2.5-0.5B` may be either."""
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    text = os.path.expanduser(os.path.expandvars(value))
    if "$" in text:
        raise KeyedConfigError(
            f"environment variable in '{value}' is not set",
            (*context.path, "path"),
            remedy="export it, or write the path out",
        )
    folder = (context.base_dir / text).resolve()
    return str(folder) if folder.is_dir() or text.startswith((".", "/")) else text


class HF(Model):
    """A pretrained causal LM. Thought marks are ordinary text to it unless `add_markers` makes them tokens."""

    path: Annotated[str, AfterValidator(_folder_or_hub_id)]
    """A folder (relative to the recipe; `$VARIABLES` and `~` are expanded) or a hub id."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    add_markers: bool = False
    """Make `<think>` and `</think>` single tokens; their embeddings start as the mean of all others."""
    lora: Lora | None = None
    """Train low-rank adapters instead of all weights: `{rank: 16}`. Every stage merges its own into the folder it saves."""

    @model_validator(mode="after")
    def _new_rows_can_be_trained(self) -> Self:
        if self.add_markers and self.lora is not None:
            raise ValueError(
                "add_markers with lora: the embeddings of the new tokens would stay where they start, as no adapter trains them; "
                "choose one"
            )
        return self

    def open(self, machine: Machine, *, folder: Path | None = None, seed: int = 0) -> Policy:
        """The model in memory. `seed` plays no part: every weight comes from a file."""
        from earnest.models._folder import open_folder

        if folder is not None:
            return open_folder(str(folder), machine)
        return open_folder(self.path, machine, revision=self.revision, add_markers=self.add_markers)

    def require(self) -> None:
        if self.lora is not None:
            adapters.require()

    def to_train(self, policy: Policy, seed: int) -> Policy:
        if self.lora is not None:
            adapters.attach(policy.module, self.lora, seed)
        return policy

    def open_tokenizer(self) -> PreTrainedTokenizerBase:
        from earnest.models._folder import open_tokenizer

        return open_tokenizer(self.path, revision=self.revision, add_markers=self.add_markers)

    def files(self) -> tuple[Path, ...]:
        """Weights, configuration and tokenizer of a local folder; nothing for a hub id, which its revision pins."""
        folder = Path(self.path)
        suffixes = {".safetensors", ".json", ".jinja", ".txt", ".model", ".bin"}
        return tuple(sorted(f for f in folder.iterdir() if f.suffix in suffixes)) if folder.is_dir() else ()
