"""Tokenizers of the kinds that real models ship, built in memory: byte-level, without merges, with a chat template each."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PREFILLED = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
PREFILLED_BARE = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>{% endif %}")
SPACED_END = CHATML.replace("{{ m.content }}<|im_end|>", "{{ m.content }}\n<|im_end|>")
STRIPPING = CHATML.replace("{{ m.content }}", "{{ m.content.split('</think>')[-1] }}")
WITH_BOS = "<s>" + CHATML
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
SWITCHED = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
)
EOS_ONLY = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}\n{% endfor %}"


def make_tokenizer(
    template: str | None,
    *,
    special: tuple[str, ...] = ("<|im_start|>", "<|im_end|>"),
    ordinary: tuple[str, ...] = (),
    eos: str | None = "<|endoftext|>",
    bos: str | None = None,
) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer. `special` tokens are skipped by decode, `ordinary` ones are single ids that it keeps.

    With `bos`, encoding adds one by itself, as Llama's tokenizer does.
    """
    vocab = {symbol: i for i, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    core = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    core.decoder = decoders.ByteLevel()
    names = {"eos_token": eos, "bos_token": bos}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **{k: v for k, v in names.items() if v is not None})
    if special:
        tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    if ordinary:
        tokenizer.add_tokens(list(ordinary))
    if bos is not None:
        bos_id = tokenizer.convert_tokens_to_ids(bos)
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bos_id)]
        )
    tokenizer.chat_template = template
    return tokenizer
