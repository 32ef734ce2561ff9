"""What every prompt format must keep to, with its defaults. A new file in `prompts/` is tested by being there."""

from __future__ import annotations

import pytest

from chat_tokenizers import CHATML, PREFILLED, WITH_BOS, make_tokenizer
from earnest import component
from earnest.prompts.base import Prompt
from earnest.types import Problem, Solution

TOKENIZERS = {
    "chatml": make_tokenizer(CHATML),
    "markers are tokens": make_tokenizer(CHATML, ordinary=("<think>", "</think>")),
    "prefilled": make_tokenizer(PREFILLED),
    "bos": make_tokenizer(WITH_BOS, bos="<s>"),
}
GOLDS = [Solution("3+7=0; 0-2=8", "8"), Solution("a < b\n\nso ünïcode", "x_{1}"), Solution("", "8")]


@pytest.fixture(params=component.names("prompt"))
def prompt(request: pytest.FixtureRequest) -> Prompt:
    return component.build("prompt", request.param)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("gold", GOLDS)
def test_a_gold_solution_is_written_and_read_back(prompt: Prompt, name: str, gold: Solution) -> None:
    tokenizer = TOKENIZERS[name]
    rendered = prompt.render(Problem(id="p", task="t", prompt="3+7-2=", answer=gold.answer), tokenizer)
    ids = prompt.complete(gold, rendered, tokenizer)
    stops = prompt.stop_ids(tokenizer)
    assert ids[-1] == stops[0] and len(set(stops)) == len(stops)
    assert not set(ids[:-1]) & set(stops)
    parsed = prompt.parse(tokenizer.decode(list(ids[:-1])), opened=rendered.opened)
    assert parsed.well_formed
    assert parsed.answer_text is not None and gold.answer in parsed.answer_text
    if parsed.thought is not None:
        assert parsed.thought == gold.thought


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_ids_of_a_prompt_are_its_text_with_at_most_one_bos(prompt: Prompt, name: str) -> None:
    tokenizer = TOKENIZERS[name]
    rendered = prompt.render(Problem(id="p", task="t", prompt="3+7-2=", answer="8"), tokenizer)
    assert "3+7-2=" in rendered.text
    assert tokenizer.decode(list(rendered.ids)).removeprefix("<s>") == rendered.text.removeprefix("<s>")
    if tokenizer.bos_token_id is not None:
        assert list(rendered.ids).count(tokenizer.bos_token_id) == 1


def test_a_thought_that_never_closes_is_no_answer(prompt: Prompt) -> None:
    assert prompt.parse("<think>it is 8", opened=False).answer_text is None
    assert prompt.parse("it is 8", opened=True).answer_text is None


def test_it_survives_its_own_serialisation(prompt: Prompt) -> None:
    assert component.build("prompt", prompt.model_dump()) == prompt
