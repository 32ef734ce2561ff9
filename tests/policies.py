"""Small random policies of several architectures, and the requests and batches that tests put to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from earnest.data.batch import pack
from earnest.models.base import Policy
from earnest.models.tiny import byte_tokenizer
from earnest.types import Batch, Completion, Machine, Request, Sample, Sampling

CPU = Machine(device="cpu", dtype="float32", threads=1)

LARGE: dict[str, Any] = {"vocab_size": 260, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LARGE |= {"intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.2}
IDS: dict[str, Any] = {"pad_token_id": 256, "eos_token_id": 257, "bos_token_id": None}

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": LARGE,
    "qwen2": LARGE,  # biases in attention
    "mistral": LARGE | {"sliding_window": 6},
    "gemma2": LARGE | {"head_dim": 8, "sliding_window": 6, "final_logit_softcapping": 2.0, "query_pre_attn_scalar": 8},
    "granite": LARGE | {"logits_scaling": 3.0, "embedding_multiplier": 2.0},
    "cohere": LARGE | {"logit_scale": 0.3},
    "gpt2": {"vocab_size": 260, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.2},
    "gpt_neo": {"vocab_size": 260, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "initializer_range": 0.2}
    | {"attention_types": [[["global", "local"], 1]], "window_size": 6, "max_position_embeddings": 64},
    "bloom": {"vocab_size": 260, "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}
    | {"max_position_embeddings": 64},  # ALiBi: no position ids
}
"""model_type -> configuration: rotary, learned and ALiBi positions; sliding and local windows; scaled and capped logits."""


def module_of(architecture: str, seed: int = 0, **changes: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(architecture, **ARCHITECTURES[architecture] | IDS | changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config)


def policy_of(architecture: str, seed: int = 0, **changes: Any) -> Policy:
    return Policy(module_of(architecture, seed, **changes), byte_tokenizer(64))


def request(prompt: Sequence[int] | str, tag: str = "0", n: int = 1, seed: int = 0, **sampling: Any) -> Request:
    """A request that stops at <eos> (257) unless `stop_ids` says otherwise."""
    stop_ids = sampling.pop("stop_ids", (257,))
    ids = tuple(prompt.encode()) if isinstance(prompt, str) else tuple(prompt)
    return Request(prompt_ids=ids, n=n, seed=seed, tag=tag, stop_ids=stop_ids, sampling=Sampling(**sampling))


def by_key(completions: Sequence[Completion]) -> dict[tuple[str, int], Completion]:
    found = {(c.tag, c.index): c for c in completions}
    assert len(found) == len(completions), "the same sample came twice"
    return found


def sample(prompt: Sequence[int], completion: Sequence[int], weight: float = 1.0) -> Sample:
    mask = (False,) * len(prompt) + (True,) * len(completion)
    return Sample(token_ids=(*prompt, *completion), mask=mask, weight=weight)


def batch_of(requests: Sequence[Request], completions: Sequence[Completion]) -> Batch:
    """The completions as a training batch, in their order."""
    prompts = {r.tag: r.prompt_ids for r in requests}
    return pack([sample(prompts[c.tag], c.token_ids or ()) for c in completions], torch.device("cpu"))
