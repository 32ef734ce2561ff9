"""Opening a Hugging Face folder or hub id as a policy: what `hf` does for a recipe and every model does for a saved stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from earnest.errors import ConfigError
from earnest.models.policy import Policy
from earnest.types import Machine

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARKERS = ("<think>", "</think>")


def open_folder(path: str, machine: Machine, *, revision: str | None = None, add_markers: bool = False) -> Policy:
    """The policy in a folder or under a hub id.

    Raises ConfigError for a folder that is not there or not a model, quantized weights, or a tokenizer without an end token.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = open_tokenizer(path, revision=revision)
    try:
        config = AutoConfig.from_pretrained(path, revision=revision)
    except (OSError, ValueError) as error:
        raise _cannot_open(path, error) from error
    if getattr(config, "quantization_config", None) is not None:
        raise ConfigError(
            f"'{path}' has quantized weights",
            why="they cannot be trained",
            remedy="use the model's unquantized weights",
        )
    dtype = getattr(torch, machine.dtype)
    module: Any = AutoModelForCausalLM.from_pretrained(path, revision=revision, dtype=dtype)
    if add_markers and (new := _new_markers(tokenizer)):
        tokenizer.add_tokens(new)
        _embed(module, tokenizer, new)
    return Policy(module.to(machine.device), tokenizer)


def open_tokenizer(path: str, *, revision: str | None = None, add_markers: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder or under a hub id. Raises ConfigError for a folder without a model, or without an end token."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if _looks_local(path) and not (Path(path) / "config.json").is_file():
        raise ConfigError(
            f"no model in {path}", why="there is no config.json", remedy="name a Hugging Face folder or a hub id"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision)
    except (OSError, ValueError) as error:
        raise _cannot_open(path, error) from error
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"the tokenizer of '{path}' has no end token", why="a completion could never stop",
            remedy='set "eos_token" in its tokenizer_config.json',
        )  # fmt: skip
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if add_markers:
        tokenizer.add_tokens(_new_markers(tokenizer))
    return tokenizer


def _cannot_open(path: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"cannot open the model '{path}'", why=str(error).strip().splitlines()[0],
        remedy="check the name; a hub id needs a network or a filled cache, a folder needs config.json and a tokenizer",
    )  # fmt: skip


def _looks_local(path: str) -> bool:
    return path.startswith(("/", ".", "~")) or Path(path).is_dir()


def _new_markers(tokenizer: PreTrainedTokenizerBase) -> list[Any]:
    """The thought marks that the tokenizer lacks, as tokens that decoding never strips."""
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    return [AddedToken(mark, special=False, normalized=False) for mark in MARKERS if mark not in known]


def _embed(module: Any, tokenizer: PreTrainedTokenizerBase, new: list[Any]) -> None:
    """Rows for new tokens, each beginning as the mean of the old ones."""
    import torch

    ids: Any = tokenizer.convert_tokens_to_ids([str(mark) for mark in new])
    old_rows = min(ids)
    if len(tokenizer) > module.get_input_embeddings().weight.shape[0]:
        module.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for layer in (module.get_input_embeddings(), module.get_output_embeddings()):
            layer.weight[ids] = layer.weight[:old_rows].mean(dim=0)
            if getattr(layer, "bias", None) is not None:
                layer.bias[ids] = layer.bias[:old_rows].mean()
