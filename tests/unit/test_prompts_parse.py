"""split_thought on everything a model may do with the marks."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from earnest.prompts.parse import as_prompt, split_thought
from earnest.types import Message

A, Z = "<think>", "</think>"


@pytest.mark.parametrize(
    ("text", "opened", "thought", "answer", "well_formed"),
    [
        (f"{A}t{Z}a", False, "t", "a", True),
        (f"\n{A}\n t \n{Z}\n\n a \n", False, "t", "a", True),
        (f"{A}{Z}a", False, "", "a", True),
        (f"t{Z}a", True, "t", "a", True),
        (f"{A}t{Z}", False, "t", "", False),
        (f"{A}t{Z} \n", False, "t", "", False),
        (f"{A}t", False, "t", None, False),
        ("t", True, "t", None, False),
        ("", True, "", None, False),
        (f"{A}t{Z}a", True, f"{A}t", "a", False),  # opened again though the prompt had opened it
        (f"t{Z}a", False, "t", "a", False),  # closed what nobody opened
        (f"x{A}t{Z}a", False, f"x{A}t", "a", False),  # opened late
        (f"{A}t{Z}a{Z}b", False, f"t{Z}a", "b", False),  # the last close counts
        (f"{A}{A}t{Z}a", False, f"{A}t", "a", False),
        (f"{A}t{Z}a{A}u", False, "t", None, False),  # a second thought that never closes
        (f"{A}t{Z}a{A}u{Z}b", False, f"t{Z}a{A}u", "b", False),
        ("a", False, None, "a", False),
        ("", False, None, "", False),
    ],
)
def test_each_way_to_write_the_marks(text: str, opened: bool, thought: str, answer: str, well_formed: bool) -> None:
    parsed = split_thought(text, opened=opened)
    assert (parsed.thought, parsed.answer_text, parsed.well_formed) == (thought, answer, well_formed)
    assert parsed.text == text


def test_a_thought_that_is_not_required_may_be_missing_but_not_broken() -> None:
    assert split_thought("a", opened=False, required=False).well_formed
    assert not split_thought(" ", opened=False, required=False).well_formed
    assert split_thought(f"{A}t{Z}a", opened=False, required=False).well_formed
    assert split_thought(f"{A}t", opened=False, required=False).answer_text is None


def test_other_marks() -> None:
    parsed = split_thought("[t]a</think>", opened=False, open_mark="[", close_mark="]")
    assert (parsed.thought, parsed.answer_text, parsed.well_formed) == ("t", "a</think>", True)


@pytest.mark.parametrize("piece", [A, Z, A + Z, "<thin", " ", "<"])
def test_floods_take_linear_time(piece: str) -> None:
    start = process_time()
    split_thought(piece * (4_000_000 // len(piece)), opened=False)
    assert process_time() - start < 1.0


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("6*7?", "6*7?"),
        ([{"role": "user", "content": "6*7?"}], (Message("user", "6*7?"),)),
        (
            [{"content": [{"type": "text", "text": "6*"}, {"type": "image"}, {"text": "7?"}]}],
            (Message("user", "6*7?"),),
        ),
        ([{"role": "assistant", "content": None, "tool_calls": []}], (Message("assistant", ""),)),
        ([], ()),
    ],
)
def test_prompts_in_each_of_their_shapes(prompt: Any, read: Any) -> None:
    assert as_prompt(prompt) == read


@pytest.mark.parametrize("prompt", [3, None, {"role": "user", "content": "6*7?"}, ["6*7?"], [{"content": 42}]])
def test_what_is_no_prompt(prompt: Any) -> None:
    with pytest.raises(TypeError):
        as_prompt(prompt)
