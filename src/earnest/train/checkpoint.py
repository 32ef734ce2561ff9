"""Checkpoints that resume exactly: weights, optimizer, every random state, the source's place, and the length of every log.

A checkpoint is a folder that appears whole or not at all. Tensors are safetensors, the rest is JSON.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from earnest.models.base import Policy
from earnest.runlog import read_json, replaced_folder, write_json
from earnest.train.losses import Loss
from earnest.types import Json

KEEP = 2


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands, besides the tensors of what is trained."""

    step: int  # steps finished
    version: int
    source: dict[str, Json]
    logs: Mapping[str, int]
    totals: dict[str, Json]
    tensors: Mapping[str, Tensor]  # of the source


def save(folder: Path, policy: Policy, loss: Loss, optimizer: torch.optim.Optimizer, position: Position) -> Path:
    """Write `folder/step_N`, then drop all but the newest. Raises DiskFull and leaves the older ones intact."""
    target = folder / f"step_{position.step:06d}"
    tensors, random_state = _random_state()
    with replaced_folder(target) as temporary:
        save_file(_weights(policy, loss), temporary / "weights.safetensors")
        save_file({**_moments(policy, loss, optimizer), **tensors}, temporary / "optimizer.safetensors")
        if position.tensors:
            save_file(_on_cpu(position.tensors), temporary / "source.safetensors")
        write_json(
            temporary / "state.json",
            {
                "step": position.step, "version": position.version, "source": position.source,
                "logs": dict(position.logs), "totals": position.totals, "random": random_state,
            },
        )  # fmt: skip
    for old in _all(folder)[:-KEEP]:
        shutil.rmtree(old)
    return target


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint."""
    found = _all(folder)
    return found[-1] if found else None


def restore(checkpoint: Path, policy: Policy, loss: Loss, optimizer: torch.optim.Optimizer) -> Position:
    """Put everything back as it was, and say where that is."""
    state = read_json(checkpoint / "state.json")
    weights = load_file(checkpoint / "weights.safetensors")
    with torch.no_grad():
        for name, parameter in _named(policy, loss).items():
            parameter.copy_(weights[name])
    stored = load_file(checkpoint / "optimizer.safetensors")
    for name, parameter in _named(policy, loss).items():
        keys = [k for k in stored if k.startswith(f"moment/{name}/")]
        if keys:
            optimizer.state[parameter] = {k.rsplit("/", 1)[1]: stored[k].to(parameter.device) for k in keys}
    policy.version = state["version"]
    _set_random_state(stored, state["random"])
    of_source = checkpoint / "source.safetensors"
    tensors = load_file(of_source) if of_source.exists() else {}
    return Position(state["step"], state["version"], state["source"], state["logs"], state["totals"], tensors)


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    steps = [p for p in folder.iterdir() if re.fullmatch(r"step_\d+", p.name)]
    return sorted(steps, key=lambda p: int(p.name.removeprefix("step_")))


def _named(policy: Policy, loss: Loss) -> dict[str, torch.nn.Parameter]:
    return {**dict(policy.parameters()), **{f"head.{n}": p for n, p in loss.head_parameters()}}


def _weights(policy: Policy, loss: Loss) -> dict[str, Tensor]:
    return _on_cpu(_named(policy, loss))


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}


def _moments(policy: Policy, loss: Loss, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"moment/{name}/{key}": value.detach().contiguous().cpu()
        for name, parameter in _named(policy, loss).items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _random_state() -> tuple[dict[str, Tensor], dict[str, Json]]:
    version, internal, gauss = random.getstate()
    kind, keys, place, has_gauss, cached = np.random.get_state(legacy=True)
    assert kind == "MT19937"
    tensors = {"rng/torch": torch.get_rng_state(), "rng/numpy": torch.from_numpy(np.asarray(keys).astype(np.int64))}
    if torch.cuda.is_available():
        tensors["rng/cuda"] = torch.cuda.get_rng_state()
    state: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [int(place), int(has_gauss), float(cached)],
    }
    return tensors, state


def _set_random_state(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    place, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", tensors["rng/numpy"].numpy().astype(np.uint32), place, has_gauss, cached))
    torch.set_rng_state(tensors["rng/torch"])
    if "rng/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng/cuda"])
