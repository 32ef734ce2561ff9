"""Low-rank adapters (LoRA: Hu et al. 2021, arXiv:2106.09685): a stage trains a small addition to frozen weights.

Every stage begins with an adapter that adds nothing and ends with a plain folder in which it is merged. So a stage's frozen
weights are what it started from, and a reference or a critic beside the policy has them in memory only once.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from earnest.errors import ConfigError, MissingDependency
from earnest.models._linear import quicken

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "default"
"""Of the one adapter of a layer."""
TARGETS = "model.lora.targets"
REMEDY = "names of linear layers between the embeddings and the output layer; or leave it out, for all of them"


class Lora(BaseModel):
    """W + alpha / rank B A, with A (rank, in) drawn and B (out, rank) zero at the beginning. In float32, whatever W is in."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    rank: int = Field(default=16, gt=0)
    """Rows of A."""
    alpha: float = Field(default=32.0, gt=0)
    """Divided by the rank, what an adapter is multiplied by."""
    targets: Literal["all-linear"] | tuple[str, ...] = Field(default="all-linear", min_length=1)
    """Names of layers, `[q_proj, v_proj]`; or all linear ones but the output layer."""


def require() -> None:
    """Raises MissingDependency without peft."""
    if importlib.util.find_spec("peft") is None:
        raise MissingDependency("lora needs peft", remedy="pip install 'earnest[lora]'")


def attach(module: PreTrainedModel, lora: Lora, seed: int) -> None:
    """Freeze a model and give it an adapter that adds nothing yet, in place. The global random state is left as it was.

    Raises MissingDependency without peft, ConfigError for targets that no adapter can be put into.
    """
    require()
    from peft import LoraConfig, inject_adapter_in_model

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    transposed = any(type(layer).__name__ == "Conv1D" for layer in module.modules())  # GPT-2's linear layers
    scale: Any = lora.alpha  # which peft takes for a whole number in its annotations alone
    config = LoraConfig(
        r=lora.rank, lora_alpha=scale, target_modules=targets, lora_dropout=0.0, fan_in_fan_out=transposed
    )
    _check_targets(module, lora)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            inject_adapter_in_model(config, module, NAME)
        except ValueError as error:
            raise ConfigError(
                "no adapter can be put into this model", where=TARGETS, why=str(error).splitlines()[0], remedy=REMEDY
            ) from error
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    quicken(module)


def _check_targets(module: PreTrainedModel, lora: Lora) -> None:
    """Refuse names that no layer has, and layers whose adapter nothing would train: log-probs are made from their weights."""
    outer = (module.get_input_embeddings(), module.get_output_embeddings())
    for target in () if isinstance(lora.targets, str) else lora.targets:
        met = [layer for name, layer in module.named_modules() if name == target or name.endswith("." + target)]
        if not met:
            raise ConfigError(
                f"no adapter can be put into '{target}'", where=TARGETS, why="no layer has that name", remedy=REMEDY
            )
        if any(layer in outer for layer in met):
            raise ConfigError(
                f"no adapter can be put into '{target}'", where=TARGETS,
                why="embeddings and the output layer are frozen here", remedy=REMEDY,
            )  # fmt: skip


def merged(module: nn.Module) -> dict[str, Tensor] | None:
    """A model's weights with the adapter added to them, as if it had never had one; None where it has none. Changes nothing."""
    layers = {name: layer for name, layer in module.named_modules() if hasattr(layer, "lora_A")}
    if not layers:
        return None
    state = {name.replace(".base_layer.", "."): x for name, x in module.state_dict().items() if ".lora_" not in name}
    for name, layer in layers.items():
        weight = state[f"{name}.weight"]
        with torch.no_grad():
            delta: Tensor = layer.get_delta_weight(NAME)  # pyright: ignore[reportCallIssue]
            state[f"{name}.weight"] = (weight.float() + delta.float()).to(weight.dtype)
    return state
