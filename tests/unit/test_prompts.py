"""Chat and plain prompts on tokenizers built here: what is written, what is read back, what ends it, what is refused."""

from __future__ import annotations

from typing import cast

import pytest
from transformers import PreTrainedTokenizerFast

from chat_tokenizers import (
    CHATML,
    EOS_ONLY,
    NO_SYSTEM,
    PREFILLED,
    PREFILLED_BARE,
    SPACED_END,
    STRIPPING,
    WITH_BOS,
    make_tokenizer,
)
from earnest import component
from earnest.errors import ConfigError, DataError
from earnest.prompts.chat import Chat
from earnest.prompts.plain import Plain
from earnest.prompts.writing import encode, lengths
from earnest.types import Message, Problem, Solution

PROBLEM = Problem(id="p", task="t", prompt="What is 6 x 7?", answer="42")
GOLD = Solution("6 x 7 = 42", "42")
SPACED = Chat(after_open="\n", after_thought="\n", after_close="\n\n", answer="Answer: {answer}")


def written(prompt: Chat | Plain, tokenizer: PreTrainedTokenizerFast) -> str:
    """What complete() writes, without its stop token."""
    ids = prompt.complete(GOLD, prompt.render(PROBLEM, tokenizer), tokenizer)
    assert ids[-1] == prompt.stop_ids(tokenizer)[0]
    return tokenizer.decode(list(ids[:-1]))


def test_a_chat_prompt_is_the_template_and_nothing_else() -> None:
    tokenizer = make_tokenizer(CHATML)
    rendered = Chat().render(PROBLEM, tokenizer)
    assert rendered.text == "<|im_start|>user\nWhat is 6 x 7?<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(list(rendered.ids)) == rendered.text
    assert not rendered.opened


def test_system_and_instruction_find_their_places() -> None:
    tokenizer = make_tokenizer(CHATML)
    chat = Chat(system="Be brief.", instruction="Reason first.")
    text = chat.render(PROBLEM, tokenizer).text
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n")
    assert "What is 6 x 7?\n\nReason first.<|im_end|>" in text


def test_messages_pass_as_they_are_and_only_the_last_user_message_gets_the_instruction() -> None:
    turns = (
        Message("system", "S"), Message("user", "A"), Message("assistant", "B"), Message("user", "C"),
    )  # fmt: skip
    problem = Problem(id="p", task="t", prompt=turns, answer=None)
    text = Chat(system="ignored", instruction="I").render(problem, make_tokenizer(CHATML)).text
    assert text == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nA<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n"
        "<|im_start|>user\nC\n\nI<|im_end|>\n<|im_start|>assistant\n"
    )
    lonely = Problem(id="p", task="t", prompt=(Message("system", "S"),), answer=None)
    with pytest.raises(DataError, match="no user message"):
        Chat(instruction="I").render(lonely, make_tokenizer(CHATML))


def test_the_template_writes_the_only_bos() -> None:
    tokenizer = make_tokenizer(WITH_BOS, bos="<s>")
    assert tokenizer.encode("x")[0] == tokenizer.bos_token_id
    ids = Chat().render(PROBLEM, tokenizer).ids
    assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 1
    completion = Chat().complete(GOLD, Chat().render(PROBLEM, tokenizer), tokenizer)
    assert tokenizer.bos_token_id not in completion


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, "<think>\n6 x 7 = 42\n</think>\n\nAnswer: 42"),
        (STRIPPING, "<think>\n6 x 7 = 42\n</think>\n\nAnswer: 42"),
        (PREFILLED, "6 x 7 = 42\n</think>\n\nAnswer: 42"),
        (PREFILLED_BARE, "\n6 x 7 = 42\n</think>\n\nAnswer: 42"),
    ],
)
def test_what_the_template_has_opened_is_not_opened_again(template: str, expected: str) -> None:
    assert written(SPACED, make_tokenizer(template)) == expected


@pytest.mark.parametrize("template", [CHATML, STRIPPING, PREFILLED, PREFILLED_BARE])
@pytest.mark.parametrize("ordinary", [(), ("<think>", "</think>")])
def test_a_gold_completion_reads_back(template: str, ordinary: tuple[str, ...]) -> None:
    tokenizer = make_tokenizer(template, ordinary=ordinary)
    for chat in (Chat(), SPACED):
        rendered = chat.render(PROBLEM, tokenizer)
        parsed = chat.parse(written(chat, tokenizer), opened=rendered.opened)
        assert parsed.thought == GOLD.thought
        assert parsed.answer_text == chat.answer.replace("{answer}", "42")
        assert parsed.well_formed
        assert rendered.opened == ("<think>" in template)


def test_a_chat_without_thought_answers_at_once_or_closes_what_was_opened() -> None:
    quiet = Chat(think=False)
    assert written(quiet, make_tokenizer(CHATML)) == "42"
    assert written(quiet, make_tokenizer(PREFILLED)) == "</think>42"
    assert quiet.parse("42", opened=False).well_formed
    assert quiet.parse("</think>42", opened=True).answer_text == "42"


def test_stop_tokens_are_the_end_of_turn_then_the_end_of_sequence() -> None:
    tokenizer = make_tokenizer(CHATML)
    end_of_turn = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert Chat().stop_ids(tokenizer) == (end_of_turn, tokenizer.eos_token_id)
    no_eos = make_tokenizer(CHATML, eos=None)
    assert Chat().stop_ids(no_eos) == (no_eos.convert_tokens_to_ids("<|im_end|>"),)
    assert Chat().stop_ids(make_tokenizer(SPACED_END)) == Chat().stop_ids(tokenizer)
    added = make_tokenizer(CHATML, special=(), ordinary=("<|im_start|>", "<|im_end|>"))
    assert Chat().stop_ids(added)[0] == added.convert_tokens_to_ids("<|im_end|>")


def test_an_end_of_turn_that_is_no_single_token_cannot_stop() -> None:
    spelled_out = make_tokenizer(CHATML, special=())
    assert Chat().stop_ids(spelled_out) == (spelled_out.eos_token_id,)
    eos_only = make_tokenizer(EOS_ONLY)
    assert Chat().stop_ids(eos_only) == (eos_only.eos_token_id,)
    with pytest.raises(ConfigError, match="no token that ends a turn"):
        Chat().stop_ids(make_tokenizer(CHATML, special=(), eos=None))


def test_a_tokenizer_without_a_template_is_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigError, match="prompt: plain"):
        Chat().render(PROBLEM, make_tokenizer(None))


def test_a_template_that_refuses_says_so() -> None:
    tokenizer = make_tokenizer(NO_SYSTEM)
    Chat().render(PROBLEM, tokenizer)
    with pytest.raises(ConfigError, match="System role not supported"):
        Chat(system="S").render(PROBLEM, tokenizer)


def test_plain_puts_the_question_into_its_template() -> None:
    tokenizer = make_tokenizer(None)
    plain = Plain(template="Q: {question} {x}\nA:", answer=" {answer}")
    rendered = plain.render(PROBLEM, tokenizer)
    assert rendered.text == "Q: What is 6 x 7? {x}\nA:" and not rendered.opened
    assert tokenizer.decode(list(rendered.ids)) == rendered.text
    assert written(plain, tokenizer) == " 42"
    assert plain.stop_ids(tokenizer) == (tokenizer.eos_token_id,)
    turns = Problem(id="p", task="t", prompt=(Message("user", "hi"),), answer=None)
    assert Plain().render(turns, tokenizer).text == "user: hi"


def test_plain_reads_the_whole_text_but_never_an_open_thought() -> None:
    parsed = Plain().parse("42", opened=False)
    assert (parsed.thought, parsed.answer_text, parsed.well_formed) == (None, "42", True)
    assert not Plain().parse("  ", opened=False).well_formed
    assert Plain().parse("<think>42", opened=False).answer_text is None


def test_plain_thinks_between_the_marks() -> None:
    tokenizer = make_tokenizer(None)
    plain = Plain(think=True, open_mark="[", close_mark="]")
    assert written(plain, tokenizer) == "[6 x 7 = 42]42"
    assert plain.parse("[6 x 7 = 42]42", opened=False).thought == "6 x 7 = 42"
    inside = Plain(think=True, template="{question}<think>")
    assert inside.render(PROBLEM, tokenizer).opened
    assert written(inside, tokenizer) == "6 x 7 = 42</think>42"


def test_plain_adds_the_bos_that_the_tokenizer_would_add_once() -> None:
    tokenizer = make_tokenizer(None, bos="<s>")
    ids = Plain().render(PROBLEM, tokenizer).ids
    assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 1
    assert Plain(template="<s>{question}").render(PROBLEM, tokenizer).ids == ids
    assert tokenizer.bos_token_id not in Plain().complete(GOLD, Plain().render(PROBLEM, tokenizer), tokenizer)


def test_plain_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="end-of-sequence"):
        Plain().stop_ids(make_tokenizer(None, eos=None))


@pytest.mark.parametrize(
    ("name", "fields", "key"),
    [
        ("chat", {"answer": "x"}, "answer"),
        ("plain", {"template": "x"}, "template"),
        ("plain", {"close_mark": ""}, "close_mark"),
    ],
)
def test_a_field_that_could_not_work_is_refused_by_name(name: str, fields: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        component.build("prompt", {"name": name, **fields})


def test_lengths_are_those_of_the_ids_whatever_was_asked_of_the_tokenizer_before() -> None:
    tokenizer = make_tokenizer(WITH_BOS)
    texts = ["", "a", "6 x 7 = 42", "zwölf\n\u2028\U0001f600", "<think>a</think>", "a " * 500]
    expected = [len(encode(text, tokenizer)) for text in texts]
    assert expected[0] == 0 and max(expected) > 100
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer(texts, padding=True, truncation=True, max_length=4)
    assert lengths(texts, tokenizer) == expected
    assert lengths([], tokenizer) == []


def test_lengths_by_a_tokenizer_of_another_kind() -> None:
    class Words:
        def __call__(self, texts: list[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
            assert not add_special_tokens
            return {"input_ids": [[0] * len(text.split()) for text in texts]}

    assert lengths(["", "one", "one and two"], cast(PreTrainedTokenizerFast, Words())) == [0, 1, 3]
