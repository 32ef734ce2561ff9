"""How likely a model finds given text: the choices after a context, whole documents. Nothing is sampled here.

The conventions are those of lm-eval 0.4.13 (its `multiple_choice` and `loglikelihood_rolling` with a Hugging Face model, without
examples and without a chat template), so that the numbers are its numbers:

- A choice is read after its context and one space. Spaces at the end of a context belong to what follows. The tokens of a choice
  are those of context and choice together beyond the first n, n being the tokens of the context alone.
- A context has the special tokens that its tokenizer adds by itself, such as a first BOS, unless it is written there already.
- What does not fit the model's context length is left out at the left.
- A document follows one prefix token (BOS, or EOS where there is none). One that is longer than the context length L is read L
  tokens at a time; the last window reaches back so that it is full, and no token counts twice.

One difference: a BOS that the tokenizer adds to a document is not text, and its likelihood is not counted. lm-eval does count
it unless it is told `add_bos_token=False`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch

from earnest.data.batch import pack
from earnest.data.choices import Choice
from earnest.data.reading import read_tokens
from earnest.data.samples import demonstrations
from earnest.errors import DataError
from earnest.evaluate.items import Answered, Document
from earnest.models.base import Policy

Ids: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[Ids, Ids]
"""What is given, and what follows and is scored."""


def score_choices(items: Sequence[Choice], policy: Policy, *, micro_batch_tokens: int) -> list[Answered]:
    """The log-likelihoods of every item's choices, in the order of the items. Raises DataError for a choice without tokens of
    its own or one longer than the model's context."""
    encoded = [_encode_item(item, policy) for item in items]
    found: list[Answered | None] = [None] * len(items)
    for part in _micro_batches([pairs for pairs, _ in encoded], micro_batch_tokens):
        logps = iter(_log_likelihoods(policy, [pair for i in part for pair in encoded[i][0]]))
        for i in part:
            item, (pairs, cut) = items[i], encoded[i]
            chars = tuple(len(choice) for choice in item.choices)
            found[i] = Answered(item.id, tuple(next(logps) for _ in pairs), chars, item.gold, cut)
    return [answered for answered in found if answered is not None]


def document_bits(documents: Sequence[str], policy: Policy, *, micro_batch_tokens: int) -> list[Document]:
    """Bits and UTF-8 bytes of every document, whole.

    Bits per byte = sum(bits) / sum(bytes) compares models with different tokenizers.
    """
    prefix, length = _prefix(policy), policy.context_length
    windows = [list(_windows(_encode(policy, text, special=False), prefix, length)) for text in documents]
    samples = demonstrations([pair for pairs in windows for pair in pairs])
    logp_T = read_tokens(policy, samples, micro_batch_tokens, 1.0, lambda _, forward: forward.logp_T).double()
    parts = logp_T.split([sum(len(follows) for _, follows in pairs) for pairs in windows])
    return [
        Document(str(number), -part.sum().item() / math.log(2), len(text.encode()))
        for number, (text, part) in enumerate(zip(documents, parts, strict=True))
    ]


def _encode(policy: Policy, text: str, *, special: bool) -> Ids:
    return tuple(policy.tokenizer.encode(text, add_special_tokens=special, verbose=False))


def _prefix(policy: Policy) -> int:
    bos = policy.tokenizer.bos_token_id
    prefix = policy.tokenizer.eos_token_id if bos is None else bos
    assert isinstance(prefix, int), "a tokenizer without an end token is refused when it is opened"
    return prefix


def _encode_item(item: Choice, policy: Policy) -> tuple[list[Pair], int]:
    """The item's pairs, cut to the context length, and how many tokens the longest one lost."""
    given = item.context.rstrip()
    between = item.context[len(given) :] + " "
    prefix = _prefix(policy)
    special = bool(given) and not given.startswith(str(policy.tokenizer.decode([prefix])))
    given_ids = _encode(policy, given, special=special) if given else ()
    pairs: list[Pair] = []
    cut = 0
    for choice in item.choices:
        follows = _encode(policy, given + between + choice, special=special)[len(given_ids) :]
        if not 0 < len(follows) <= policy.context_length:
            raise DataError(
                f"choice {choice!r:.60} has {len(follows)} tokens of its own", where=f"item {item.id}",
                why=f"the model reads 1 to {policy.context_length}", remedy="drop the item",
            )  # fmt: skip
        context = given_ids or (prefix,)
        over = max(0, len(context) + len(follows) - policy.context_length - 1)  # the last token is never read
        pairs.append((context[over:], follows))
        cut = max(cut, over)
    return pairs, cut


def _windows(ids: Ids, prefix: int, length: int) -> Iterator[Pair]:
    """Every token once, each window with `length` tokens to read from: ids 0..9 and length 4 give
    (prefix | 0 1 2 3), (3 | 4 5 6 7), (5 6 7 | 8 9)."""
    yield (prefix,), ids[:length]
    for start in range(length, len(ids), length):
        end = min(start + length, len(ids))
        yield ids[end - length - 1 : start], ids[start:end]


def _micro_batches(items: Sequence[Sequence[Pair]], max_tokens: int) -> list[list[int]]:
    """Indices of items, whole ones so that a context is read once for all its choices, of like length, of at most `max_tokens`
    tokens with the padding; an item that is larger stands alone."""
    batches: list[list[int]] = []
    context = choice = choices = 0  # longest context and choice of the last batch; how many choices it has
    for i in sorted(range(len(items)), key=lambda i: max(len(a) + len(b) for a, b in items[i])):
        wide = max(len(a) for a, _ in items[i]), max(len(b) for _, b in items[i])
        grown = max(context, wide[0]), max(choice, wide[1]), choices + len(items[i])
        if batches and (len(batches[-1]) + 1) * grown[0] + grown[2] * grown[1] <= max_tokens:
            batches[-1].append(i)
            context, choice, choices = grown
        else:
            batches.append([i])
            context, choice, choices = *wide, len(items[i])
    return batches


@torch.no_grad()
def _log_likelihoods(policy: Policy, pairs: Sequence[Pair]) -> list[float]:
    """Of the second of each pair after the first, in nats, in one pass."""
    batch = pack(demonstrations(pairs), policy.device)
    logp_T = policy.forward(batch).logp_T.double().cpu()
    return torch.zeros(len(pairs), dtype=torch.float64).index_add_(0, batch.seq_T.cpu(), logp_T).tolist()
