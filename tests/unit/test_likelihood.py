"""Log-likelihoods of choices and documents, against numbers worked out by hand or read off the model's own logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from chat_tokenizers import make_tokenizer
from earnest.data.choices import Choice
from earnest.errors import DataError
from earnest.evaluate.items import Answered
from earnest.evaluate.likelihood import document_bits, score_choices
from earnest.models.base import Policy
from policies import module_of, policy_of

VOCABULARY, CONTEXT, EOS = 260, 64, 257
LONG = "".join(chr(97 + i * i % 26) for i in range(100))
ITEMS = [
    Choice("0", "the cat sat", ("on it", "on", "under the table"), 0),
    Choice("1", "7 x 8 =", ("56", "54"), 0),
    Choice("2", "", ("a", "café", "日本"), 2),
    Choice("3", "the dog ran", ("far", "off"), 1),
    Choice("4", LONG, ("long", "longer still"), 1),
]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return policy_of("llama")


def scores(policy: Policy, *items: Choice, micro_batch_tokens: int = 4096) -> list[Answered]:
    return score_choices(items, policy, micro_batch_tokens=micro_batch_tokens)


def read_off(policy: Policy, given: Sequence[int], follows: Sequence[int]) -> float:
    """Sum over `follows` of log softmax(logits)[id], by the architecture's own forward pass."""
    with torch.no_grad():
        logits = policy.module(input_ids=torch.tensor([[*given, *follows]])).logits[0].double()
    places = range(len(given) - 1, len(given) + len(follows) - 1)
    return sum(logits[i].log_softmax(-1)[token].item() for i, token in zip(places, follows, strict=True))


def indifferent() -> Policy:
    """Every token has probability 1/260."""
    policy = policy_of("llama")
    with torch.no_grad():
        policy.module.get_output_embeddings().weight.zero_()
    return policy


# ------------------------------------------------------------------------------------------------------------- choices


def test_by_hand_of_a_model_that_knows_nothing() -> None:
    """A choice of n bytes costs (n + 1) ln 260, the space before it included; per character the space weighs less the
    longer the choice, and "日" is one character of three bytes."""
    a, b = scores(indifferent(), Choice("0", "q", ("abcd", "ab"), 1), Choice("1", "q", ("日", "abc"), 1))
    one = math.log(VOCABULARY)
    assert a.logps == pytest.approx([-5 * one, -3 * one], rel=1e-6)
    assert a.chars == (4, 2) and a.acc and not a.acc_norm  # 5/4 a character against 3/2
    assert b.logps == pytest.approx([-4 * one, -4 * one], rel=1e-6) and b.chars == (1, 3)
    assert b.acc_norm and not b.acc  # a tie by the sum, which the first wins: 4 a character against 4/3


def test_against_the_logits(policy: Policy) -> None:
    for item, answered in zip(ITEMS[:4], scores(policy, *ITEMS[:4]), strict=True):
        given = list(item.context.encode()) or [EOS]
        expected = [read_off(policy, given, f" {choice}".encode()) for choice in item.choices]
        assert answered.logps == pytest.approx(expected, rel=1e-5)
        assert (answered.id, answered.gold, answered.cut) == (item.id, item.gold, 0)


def test_a_choice_that_begins_another(policy: Policy) -> None:
    (found,) = scores(policy, Choice("0", "well,", ("yes", "yes sir"), 0))
    rest = read_off(policy, b"well, yes", b" sir")
    assert found.logps[1] == pytest.approx(found.logps[0] + rest, rel=1e-5) and found.logps[1] < found.logps[0]


def test_neither_order_nor_micro_batches_matter(policy: Policy) -> None:
    whole = scores(policy, *ITEMS)
    for tokens in (1, 70, 200):
        for order in (1, -1):
            other = scores(policy, *ITEMS[::order], micro_batch_tokens=tokens)[::order]
            for a, b in zip(whole, other, strict=True):
                assert a.logps == pytest.approx(b.logps, rel=1e-5)
                assert (a.id, a.chars, a.gold, a.cut) == (b.id, b.chars, b.gold, b.cut)


def test_spaces_at_the_end_of_a_context_belong_to_what_follows(policy: Policy) -> None:
    """With single bytes this changes which tokens are scored: the context's spaces are, in every choice."""
    (found,) = scores(policy, Choice("0", "so \n", ("a", "bc"), 0))
    assert found.logps == pytest.approx(
        [read_off(policy, b"so", b" \n a"), read_off(policy, b"so", b" \n bc")], rel=1e-5
    )
    assert found.chars == (1, 2)


def test_what_does_not_fit_is_left_out_at_the_left_and_counted(policy: Policy) -> None:
    """The model reads all tokens but the last: 64 of 100 + 13. Each choice is cut for itself."""
    (found,) = scores(policy, ITEMS[4])
    short, long = (f" {choice}".encode() for choice in ITEMS[4].choices)
    assert found.cut == 100 + len(long) - CONTEXT - 1
    expected = [read_off(policy, LONG[len(end) - CONTEXT - 1 :].encode(), end) for end in (short, long)]
    assert found.logps == pytest.approx(expected, rel=1e-5)
    (fits,) = scores(policy, Choice("0", LONG[len(long) - CONTEXT - 1 :], ITEMS[4].choices, 0))
    assert fits.cut == 0 and fits.logps[1] == pytest.approx(found.logps[1], rel=1e-5)


def test_a_choice_longer_than_the_context_is_an_error(policy: Policy) -> None:
    assert scores(policy, Choice("7", "q", ("y" * (CONTEXT - 1), "n"), 0))[0].cut == 0
    with pytest.raises(DataError, match="65 tokens of its own") as error:
        scores(policy, Choice("7", "q", ("y" * CONTEXT, "n"), 0))
    assert error.value.where == "item 7"


def merging(*merges: tuple[str, str]) -> Policy:
    """A model whose tokenizer merges these pairs of symbols, over spaces too ("Ġ" is the space)."""
    vocabulary = {symbol: i for i, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    for a, b in merges:
        vocabulary[a + b] = len(vocabulary)
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    ids: dict[str, Any] = {"eos_token_id": len(tokenizer) - 1, "pad_token_id": None}
    return Policy(module_of("llama", vocab_size=len(tokenizer), **ids), tokenizer)


def test_where_a_choice_begins_among_merged_tokens() -> None:
    """The tokens of "a b" beyond as many as "a" has."""
    policy = merging(("Ġ", "b"))
    a, space_b, c = policy.tokenizer.convert_tokens_to_ids(["a", "Ġb", "c"])
    (found,) = scores(policy, Choice("0", "a", ("b", "bc"), 0))
    assert found.logps == pytest.approx(
        [read_off(policy, [a], [space_b]), read_off(policy, [a], [space_b, c])], rel=1e-5
    )
    policy = merging(("a", "Ġ"))  # here the space went into the token before it, and "b" alone is beyond
    (found,) = scores(policy, Choice("0", "a", ("b", "c"), 0))
    assert found.logps == pytest.approx([read_off(policy, [a], [t]) for t in map(_id(policy), "bc")], rel=1e-5)


def test_a_choice_that_melts_into_the_context_is_an_error() -> None:
    with pytest.raises(DataError, match="0 tokens of its own"):
        scores(merging(("Ġ", "b"), ("a", "Ġb")), Choice("0", "a", ("b", "c"), 0))


def test_special_tokens_are_those_that_the_tokenizer_adds() -> None:
    tokenizer = make_tokenizer(None, bos="<s>")
    policy = Policy(module_of("llama", vocab_size=len(tokenizer)), tokenizer)
    bos, q, space, a, b = policy.tokenizer.convert_tokens_to_ids(["<s>", "q", "Ġ", "a", "b"])
    expected = [read_off(policy, [bos, q], [space, x]) for x in (a, b)]
    for context in ("q", "<s>q"):  # one that is written already is not added again
        (found,) = scores(policy, Choice("0", context, ("a", "b"), 0))
        assert found.logps == pytest.approx(expected, rel=1e-5)
    (empty,) = scores(policy, Choice("0", "", ("a", "b"), 0))
    assert empty.logps == pytest.approx([read_off(policy, [bos], [space, x]) for x in (a, b)], rel=1e-5)


def _id(policy: Policy) -> Any:
    return lambda symbol: policy.tokenizer.convert_tokens_to_ids(symbol)


# ----------------------------------------------------------------------------------------------------------- documents


def test_bits_by_hand_of_a_model_that_knows_nothing() -> None:
    """log2(260) bits a byte token, the first one included, however long the document; "é" is two bytes."""
    texts = ["a", "né", "x" * 200]
    found = document_bits(texts, indifferent(), micro_batch_tokens=4096)
    assert [d.bytes for d in found] == [1, 3, 200] and [d.id for d in found] == ["0", "1", "2"]
    assert [d.bits for d in found] == pytest.approx([n * math.log2(VOCABULARY) for n in (1, 3, 200)], rel=1e-6)


def test_windows_against_the_logits(policy: Policy) -> None:
    """150 bytes at 64 a window: the prefix and 64; one before and 64; 22 with all the context that fits before them."""
    text = "".join(chr(97 + i * i % 26) for i in range(150))
    ids = list(text.encode())
    (found,) = document_bits([text], policy, micro_batch_tokens=4096)
    parts = [([EOS], ids[:64]), (ids[63:64], ids[64:128]), (ids[85:128], ids[128:])]
    expected = sum(read_off(policy, given, follows) for given, follows in parts)
    assert found.bits == pytest.approx(-expected / math.log(2), rel=1e-5)


def test_documents_do_not_depend_on_each_other(policy: Policy) -> None:
    texts = ["one", "two rivers meet", "z" * 90]
    together = document_bits(texts, policy, micro_batch_tokens=4096)
    for i, text in enumerate(texts):
        (alone,) = document_bits([text], policy, micro_batch_tokens=1)
        assert (alone.bits, alone.bytes) == (pytest.approx(together[i].bits, rel=1e-5), together[i].bytes)


def test_a_bos_that_the_tokenizer_adds_is_given_and_not_counted() -> None:
    tokenizer = make_tokenizer(None, bos="<s>")
    policy = Policy(module_of("llama", vocab_size=len(tokenizer)), tokenizer)
    bos, q = policy.tokenizer.convert_tokens_to_ids(["<s>", "q"])
    (found,) = document_bits(["q"], policy, micro_batch_tokens=64)
    assert found.bits == pytest.approx(-read_off(policy, [bos], [q]) / math.log(2), rel=1e-5)
