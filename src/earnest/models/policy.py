"""A causal language model in memory, with its tokenizer: log-probs of trained tokens, saving.

Not how one comes to be (`hf`, `tiny`), not how one is sampled from (`engines/`) and not how one is trained. The
decoder's hidden states are taken at the trained positions only and the vocabulary is met in chunks, so a (batch, length,
vocabulary) tensor never exists. That by-passes the architecture's own `forward`; `Policy` therefore proves on a short
input, when it is made, that its logits are the architecture's.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from earnest.errors import ConfigError
from earnest.functional.linear import linear
from earnest.functional.logprobs import chunked_logprobs
from earnest.models._linear import quicken
from earnest.models._prefix import Prompts, Reading, plan_reading
from earnest.models.lora import merged
from earnest.types import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Forward:
    """One pass over a micro-batch, at its T trained tokens. logp_T is at the temperature that was asked for."""

    logp_T: Tensor  # (T,) float32, with gradient if grad is enabled
    hidden_T: Tensor  # (T, D) last hidden state where each trained token is predicted (a value head reads it)
    tokens: int  # that were read, padding not counted
    entropy_T: Tensor | None = None  # (T,) float32, only if "entropy" was asked for


@dataclass(frozen=True, slots=True)
class Head:
    """From a hidden state to logits: cap * tanh(scale * (h W^T + b) / cap), without the cap where the model has none.

    Gemma 2 caps (final_logit_softcapping), Granite divides (logits_scaling), Cohere and Falcon-H1 multiply.
    """

    weight: Tensor  # (V, D)
    bias: Tensor | None  # (V,)
    scale: float
    softcap: float | None

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) -> (..., V) float32."""
        logits = linear(hidden, self.weight, self.bias).float()
        logits = logits if self.scale == 1.0 else logits * self.scale
        return logits if self.softcap is None else torch.tanh(logits / self.softcap) * self.softcap


class Policy:
    """A causal LM with its tokenizer. Subclassed by nobody: `hf` and `tiny` differ in how they are made.

    The module stays in evaluation mode for good: no dropout, so that two passes over the same tokens agree. Gradients
    flow all the same. Raises ConfigError for an architecture whose logits are not a head on the decoder's last hidden
    state.
    """

    def __init__(self, module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, version: int = 0) -> None:
        self.module = module.eval()
        quicken(module)
        self.tokenizer = tokenizer
        self.version = version
        """Counts optimizer updates; an engine stamps it on every completion."""
        self.decoder = module.get_decoder()
        takes = inspect.signature(self.decoder.forward).parameters
        self.takes_positions = "position_ids" in takes
        """False for architectures without position ids (ALiBi), which read positions off the attention mask."""
        self.takes_cache = "past_key_values" in takes
        self._check_head()
        self.shares_prompts = self._can_share_prompts()
        """False where a layer keeps something else than keys and values of all tokens, or cannot be given positions."""

    @property
    def device(self) -> torch.device:
        return self.module.device

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and completion together."""
        config = self.module.config.get_text_config(decoder=True)
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"):
            if isinstance(length := getattr(config, name, None), int):
                return length
        raise ConfigError(f"{type(self.module).__name__} does not say how long its context is",
                          remedy="add max_position_embeddings to its config.json")  # fmt: skip

    @property
    def head(self) -> Head:
        """The output layer as it is now; nothing is copied."""
        layer = self.module.get_output_embeddings()
        config = self.module.config.get_text_config(decoder=True)
        scale = (getattr(config, "logit_scale", None) or 1.0) * (getattr(config, "lm_head_multiplier", None) or 1.0)
        scale /= getattr(config, "logits_scaling", None) or 1.0
        assert layer is not None
        return Head(layer.weight, getattr(layer, "bias", None), scale, getattr(config, "final_logit_softcapping", None))

    def forward(self, batch: Batch, *, temperature: float = 1.0, stats: frozenset[str] = frozenset()) -> Forward:
        """Log-probs (and, if "entropy" is in stats, entropies) of the batch's T trained tokens.

        A sequence is read up to its last trained token, and a prompt that several begin with only once.
        """
        assert temperature > 0, temperature
        reading, hidden_T = self._read(batch)
        head = self.head
        logp_T, entropy_T = chunked_logprobs(
            hidden_T, head.weight, head.bias, batch.ids_L.to(self.device)[batch.index_T.to(self.device)],
            temperature=temperature, want_entropy="entropy" in stats, scale=head.scale, softcap=head.softcap,
        )  # fmt: skip
        return Forward(logp_T, hidden_T, reading.tokens, entropy_T)

    def hidden(self, batch: Batch) -> Tensor:
        """(T, D): the last hidden state where each trained token is predicted."""
        return self._read(batch)[1]

    def final_hidden(self, batch: Batch) -> Tensor:
        """(S, D): the last hidden state of each sequence, after its last token (a critic's bootstrap reads it)."""
        reading = plan_reading(batch, whole=True, share=self.shares_prompts)
        last_S = batch.cu_seqlens.diff().to(self.device) - 1
        return self._hidden(reading, torch.arange(batch.sequences, device=self.device), last_S)

    def parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Trainable parameters by name, tied ones once."""
        return ((name, p) for name, p in self.module.named_parameters() if p.requires_grad)

    @property
    def size(self) -> int:
        """Parameters, frozen ones included."""
        return sum(p.numel() for p in self.module.parameters())

    def share_frozen(self, other: Policy) -> None:
        """Hold `other`'s frozen weights instead of equal ones of its own. Both come from one folder and are trained alike."""
        theirs = dict(other.module.named_parameters())
        for name, parameter in self.module.named_parameters():
            if not parameter.requires_grad:
                parameter.data = theirs[name].data

    def save(self, folder: Path) -> None:
        """A plain Hugging Face folder: config, safetensors (adapters merged), tokenizer, chat template, generation defaults."""
        from transformers import GenerationConfig
        from transformers.utils import logging

        logging.disable_progress_bar()
        old = self.module.generation_config
        eos = old.eos_token_id if old is not None and old.eos_token_id is not None else self.tokenizer.eos_token_id
        pad = self.tokenizer.pad_token_id
        self.module.generation_config = GenerationConfig(
            do_sample=True, temperature=1.0, eos_token_id=eos, pad_token_id=pad
        )
        self.module.save_pretrained(folder, state_dict=merged(self.module))
        self.tokenizer.save_pretrained(folder)

    def _read(self, batch: Batch) -> tuple[Reading, Tensor]:
        """One pass up to each sequence's last trained token, and the hidden states that predict the trained ones: (T, D)."""
        assert not self.module.training
        seq_T = batch.seq_T.to(self.device)
        before_T = batch.index_T.to(self.device) - batch.cu_seqlens.to(self.device)[seq_T] - 1
        assert not len(before_T) or int(before_T.min()) >= 0, "nothing predicts the first token of a sequence"
        reading = plan_reading(batch, whole=False, share=self.shares_prompts)
        return reading, self._hidden(reading, seq_T, before_T)

    def _hidden(self, reading: Reading, seq_N: Tensor, place_N: Tensor) -> Tensor:
        """(N, D): the hidden states of sequences seq_N at place_N, none of which is before the last token of a prompt."""
        ids_SL = reading.ids_SL.to(self.device)
        if reading.prompts is None:
            # padded on the right: under causal attention no token sees what comes after it, so no mask is needed
            return self.decoder(input_ids=ids_SL, use_cache=False).last_hidden_state[seq_N, place_N]
        prompts, cache = reading.prompts, DynamicCache(config=self.module.config)
        ids_PL = prompts.ids_PL.to(self.device)
        hidden_PL = self.decoder(input_ids=ids_PL, past_key_values=cache, use_cache=True).last_hidden_state
        of_S = torch.tensor(prompts.of_S, device=self.device)
        length_S = torch.tensor(prompts.length_P, device=self.device)[of_S]
        hidden_SL = hidden_PL[of_S, length_S - 1][:, None]
        if ids_SL.shape[1]:
            cache.reorder_cache(of_S)  # pyright: ignore[reportArgumentType]
            columns = self._columns(prompts, ids_SL.shape[1], reading.longest)
            rest = self.decoder(input_ids=ids_SL, past_key_values=cache, use_cache=True, **columns)
            hidden_SL = torch.cat([hidden_SL, rest.last_hidden_state], dim=1)
        return hidden_SL[seq_N, place_N - length_S[seq_N] + 1]

    def _columns(self, prompts: Prompts, rest: int, longest: int) -> dict[str, Tensor]:
        """Mask and positions of the `rest` tokens that follow each sequence's prompt; none where prompts have one length."""
        if len(set(prompts.length_P)) == 1:
            return {}
        length_S1 = torch.tensor([[prompts.length_P[p]] for p in prompts.of_S], device=self.device)
        prompt_SL = torch.arange(prompts.ids_PL.shape[1], device=self.device) < length_S1
        mask_SL = torch.cat([prompt_SL, prompt_SL.new_ones(len(length_S1), rest)], dim=1)
        position_SL = (length_S1 + torch.arange(rest, device=self.device)).clamp(max=longest - 1)  # of padding
        return {"attention_mask": mask_SL, "position_ids": position_SL}

    def _check_head(self) -> None:
        """Head(decoder(ids)) = module(ids).logits, and padding on the right does not reach the left."""
        ids = torch.arange(6, device=self.device)[None] % self.module.config.get_text_config(decoder=True).vocab_size
        padded = torch.cat([ids, torch.zeros_like(ids[:, :2])], dim=1)
        with torch.inference_mode():
            expected = self.module(input_ids=ids, use_cache=False).logits.float()
            hidden = self.decoder(input_ids=padded, use_cache=False).last_hidden_state[:, : ids.shape[1]]
            got = self.head.logits(hidden)
        name = type(self.module).__name__
        if not expected.isfinite().all():
            raise ConfigError(
                f"the weights of this {name} give logits that are not numbers",
                why="damaged, or too large for the dtype",
            )
        loose = 1e-3 if self.module.dtype == torch.float32 else 5e-2
        if got.shape != expected.shape or (got - expected).abs().max() > loose * expected.abs().max():
            raise ConfigError(
                f"the architecture {name} is not supported",
                why="its logits are not its output layer on the decoder's last hidden state under causal attention",
                remedy="use another one: Llama, Qwen, Gemma, Mistral, Granite, Cohere, GPT-2 and their kin are",
            )

    def _can_share_prompts(self) -> bool:
        """Reading two prompts apart gives the hidden states of reading three sequences whole."""
        config = self.module.config.get_text_config(decoder=True)
        layers = DynamicCache(config=self.module.config).layers
        keeps_all = all(type(layer) is DynamicLayer for layer in layers)
        windows = "local" in getattr(config, "attention_layers", ())  # GPT-Neo's are over columns, padding included
        if not self.takes_positions or not self.takes_cache or not keeps_all or windows:
            return False
        a, b, c, d = (i % config.vocab_size for i in range(1, 5))
        whole_SL = torch.tensor([[a, b, c, d], [a, b, d, c], [c, b, a, d]], device=self.device)
        prompts = Prompts(torch.tensor([[a, b], [c, 0]]), length_P=(2, 1), of_S=(0, 0, 1))
        apart = Reading(torch.tensor([[c, d, 0], [d, c, 0], [b, a, d]]), prompts, tokens=10, longest=4)
        seq_N, place_N = torch.tensor([[0, 1], [0, 3], [1, 3], [2, 0], [2, 3]], device=self.device).T
        with torch.inference_mode():
            expected = self.decoder(input_ids=whole_SL, use_cache=False).last_hidden_state[seq_N, place_N]
            off = (self._hidden(apart, seq_N, place_N) - expected).abs().max()
        return bool(off <= (1e-3 if self.module.dtype == torch.float32 else 5e-2) * expected.abs().max())
