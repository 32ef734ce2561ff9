"""The embedded model: a Llama of about 150,000 weights and one token per byte, made from a seed alone.

For demos, tests and controls on a CPU. It knows nothing until a stage pretrains it. Saved, it is an ordinary Hugging
Face folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from earnest.models.base import Model, Policy
from earnest.seeding import derive
from earnest.types import Machine

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS, OPEN, CLOSE = "<pad>", "<eos>", "<think>", "</think>"
PAD_ID, EOS_ID = 256, 257

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{% generation %}{{ '<think>' + (message['reasoning_content'] or '') + '</think>' + message['content'] + eos_token }}\
{% endgeneration %}
{%- elif message['role'] == 'system' -%}
{{ message['content'] + '\n' }}
{%- else -%}
{{ message['content'] }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<think>' }}{%- endif -%}
"""
"""A prompt is its own text and then the opened thought: "3+7=" -> "3+7=<think>"."""


class Tiny(Model):
    """A small Llama with a byte tokenizer, initialised from the seed."""

    width: int = Field(default=64, ge=8)
    """Size of a hidden state; a multiple of twice the heads."""
    layers: int = Field(default=2, ge=1)
    """Decoder layers."""
    heads: int = Field(default=4, ge=1)
    """Attention heads of a layer."""
    mlp: int = Field(default=4, ge=1)
    """Size of the feed-forward layer in widths."""
    context: int = Field(default=256, ge=8)
    """Most tokens of prompt and completion together."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Tiny:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not a multiple of 2 * heads = {2 * self.heads}")
        return self

    def open(self, machine: Machine, *, folder: Path | None = None, seed: int = 0) -> Policy:
        """The model in memory; `seed` decides its first weights. The global random state is left as it was."""
        if folder is not None:
            from earnest.models._folder import open_folder

            return open_folder(str(folder), machine)

        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        tokenizer = byte_tokenizer(self.context)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=self.width, intermediate_size=self.mlp * self.width,
            num_hidden_layers=self.layers, num_attention_heads=self.heads, max_position_embeddings=self.context,
            tie_word_embeddings=True, initializer_range=self.width**-0.5,
            bos_token_id=None, eos_token_id=EOS_ID, pad_token_id=PAD_ID,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(seed, "tiny", "weights"))
            module: Any = LlamaForCausalLM(config)
        return Policy(module.to(machine.device, getattr(torch, machine.dtype)), tokenizer)

    def open_tokenizer(self) -> PreTrainedTokenizerFast:
        return byte_tokenizer(self.context)


def byte_tokenizer(context: int) -> PreTrainedTokenizerFast:
    """One id per byte, equal to the byte, then <pad> <eos> <think> </think>.

    The thought marks are ordinary tokens: decoding without special tokens keeps them.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(vocab={symbol: byte for byte, symbol in enumerate(_byte_symbols())}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([PAD, EOS])
    backend.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in (OPEN, CLOSE)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=PAD, eos_token=EOS, chat_template=CHAT_TEMPLATE,
        model_max_length=context, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _byte_symbols() -> list[str]:
    """The symbol that byte-level tokenizers write for each byte: itself if printable Latin-1, else the next code point
    from 256 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    free = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(free)) for byte in range(256)]
