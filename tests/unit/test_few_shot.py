"""The prompt `few_shot` and the chat prompt's `thinking`: what a model sees, character by character, and where it stops."""

from __future__ import annotations

import pytest

from chat_tokenizers import CHATML, PREFILLED, SWITCHED, make_tokenizer
from earnest.component import build
from earnest.errors import ConfigError
from earnest.models.tiny import byte_tokenizer
from earnest.prompts.chat import Chat
from earnest.prompts.few_shot import Example, FewShot
from earnest.prompts.plain import Plain
from earnest.types import Message, Problem, Solution

EXAMPLES = (
    Example(id="a", question="1+1=", thought="1 and 1\nis 2.", answer="2"),
    Example(id="b", question="2+2=", answer="4"),
)
PROBLEM = Problem(id="p", task="t", prompt="3+4=", answer="7")
TEXT = Plain(answer="The answer is {answer}.")


def test_turns_of_a_chat():
    tokenizer = make_tokenizer(CHATML)
    rendered = FewShot(examples=EXAMPLES).render(PROBLEM, tokenizer)
    turn = "<|im_start|>{}\n{}<|im_end|>\n".format
    assert rendered.text == (
        turn("user", "1+1=") + turn("assistant", "1 and 1\nis 2.\nThe answer is 2.") + turn("user", "2+2=")
        + turn("assistant", "The answer is 4.") + turn("user", "3+4=") + "<|im_start|>assistant\n"
    )  # fmt: skip
    assert tokenizer.decode(list(rendered.ids)) == rendered.text


def test_a_system_message_stays_first_and_the_instruction_is_for_the_question_alone():
    own = Problem(id="p", task="t", prompt=(Message("system", "Be kind."), Message("user", "3+4=")), answer="7")
    inner = Chat(think=False, instruction="Add.")
    text = FewShot(prompt=inner, examples=EXAMPLES[1:]).render(own, make_tokenizer(CHATML)).text
    assert [line for line in text.split("\n") if line and "im_start" not in line] == [
        "Be kind.<|im_end|>", "2+2=<|im_end|>", "4<|im_end|>", "3+4=", "Add.<|im_end|>"
    ]  # fmt: skip


def test_plain_text():
    tokenizer = byte_tokenizer(512)
    rendered = FewShot(prompt=TEXT, examples=EXAMPLES, lead=" So,").render(PROBLEM, tokenizer)
    assert rendered.text == (
        "Question: 1+1=\nAnswer: 1 and 1; is 2. The answer is 2.\n\nQuestion: 2+2=\nAnswer: The answer is 4.\n\n"
        "Question: 3+4=\nAnswer: So,"
    )
    assert bytes(rendered.ids) == rendered.text.encode()
    assert not FewShot(prompt=TEXT).render(PROBLEM, tokenizer).text.startswith("\n")


def test_a_line_ends_an_answer_in_plain_text_alone():
    tokenizer = make_tokenizer(CHATML, ordinary=(".\n\n", "<0x0A>"))
    stops = FewShot(prompt=TEXT).stop_ids(tokenizer)
    assert stops[0] == tokenizer.eos_token_id
    assert {tokenizer.decode([i]) for i in stops[1:]} == {"\n", ".\n\n"}
    assert FewShot().stop_ids(tokenizer) == Chat(think=False).stop_ids(tokenizer)


def test_another_question_is_not_part_of_the_answer():
    said = FewShot(prompt=TEXT).parse(" 3+4=7. The answer is 7.\n\nQuestion: 5+5=\nAnswer: 10", opened=False)
    assert said.answer_text == "3+4=7. The answer is 7." and said.well_formed and said.thought is None


def test_what_it_would_have_a_model_write():
    tokenizer = byte_tokenizer(512)
    solution = Solution("3+4=7;\nso", "7")
    for prompt, expected in (
        (FewShot(prompt=TEXT), " 3+4=7; so; The answer is 7.<eos>"),
        (FewShot(), "3+4=7;\nso</think>The answer is 7.<eos>"),  # the tiny model's template opens the thought
        (FewShot(prompt=Chat(think=False, thinking=False)), "3+4=7;\nso\n7<eos>"),
    ):
        rendered = prompt.render(PROBLEM, tokenizer)
        assert tokenizer.decode(list(prompt.complete(solution, rendered, tokenizer))) == expected


def test_settings_hold_the_examples_and_come_back():
    prompt = FewShot(prompt=TEXT, examples=EXAMPLES)
    dumped = prompt.model_dump(mode="json")
    assert [example["id"] for example in dumped["examples"]] == ["a", "b"] and dumped["prompt"]["name"] == "plain"
    assert build("prompt", dumped) == prompt


def test_thought_marks_are_refused():
    with pytest.raises(ConfigError, match="without thought marks"):
        build("prompt", {"name": "few_shot", "prompt": "chat"})


@pytest.mark.parametrize(
    ("template", "thinking", "ends"),
    [
        (SWITCHED, None, "assistant\n"),
        (SWITCHED, True, "assistant\n"),
        (SWITCHED, False, "assistant\n<think>\n\n</think>\n\n"),
        (PREFILLED, None, "assistant\n<think>\n"),
        (PREFILLED, False, "assistant\n<think>\n</think>"),
    ],
)
def test_thinking(template: str, thinking: bool | None, ends: str):
    tokenizer = make_tokenizer(template)
    rendered = Chat(think=False, thinking=thinking).render(PROBLEM, tokenizer)
    assert rendered.text.endswith(ends)
    assert rendered.opened is ends.endswith("<think>\n")


@pytest.mark.parametrize(("template", "thinking"), [(CHATML, True), (CHATML, False), (PREFILLED, True)])
def test_thinking_without_effect_is_refused(template: str, thinking: bool):
    with pytest.raises(ConfigError, match="`thinking` has no effect"):
        Chat(think=False, thinking=thinking).render(PROBLEM, make_tokenizer(template))


def test_no_thinking_and_thoughts_contradict():
    with pytest.raises(ConfigError, match="set `think: false` too"):
        build("prompt", {"name": "chat", "thinking": False})
    assert Chat(think=False).can_stop_thinking(make_tokenizer(PREFILLED))
    assert Chat(think=False).can_stop_thinking(make_tokenizer(SWITCHED))
    assert not Chat(think=False).can_stop_thinking(make_tokenizer(CHATML))
