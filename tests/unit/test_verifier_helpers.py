"""What verifiers share before and around the reading of an answer: the entry, fences, strict JSON, LaTeX wrappers."""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st

from earnest.types import Status, Verdict
from earnest.verifiers import latex, strict_json
from earnest.verifiers.entry import Given, given, no_gold
from earnest.verifiers.fences import blocks, unwrapped
from earnest.verifiers.reasoning_gym.checks import same
from earnest.verifiers.refused import Refused
from grading import make_item

INFOS = ("", "json")


def whole(answer: str | None) -> int | Refused:
    return int(answer) if answer and answer.isdigit() else Refused("no whole number")


def test_an_answer_comes_with_its_gold() -> None:
    assert given(make_item("<think>so</think>\n 42 \n", "42"), whole) == Given("42", 42)
    assert given(make_item("", None), no_gold, blank=True) == Given("", None)


@pytest.mark.parametrize(
    ("text", "gold", "truncated", "status"),
    [
        ("42", "x", True, Status.TRUNCATED),
        ("42", "x", False, Status.ERROR),
        ("42", None, False, Status.ERROR),
        ("<think>42", "x", False, Status.ERROR),
        ("<think>42", "42", False, Status.NO_ANSWER),
        (" \n\t ", "42", False, Status.NO_ANSWER),
    ],
)
def test_what_was_cut_comes_before_the_gold_and_the_gold_before_the_answer(
    text: str, gold: str | None, truncated: bool, status: Status
) -> None:
    verdict = given(make_item(text, gold, truncated=truncated), whole)
    assert isinstance(verdict, Verdict) and verdict.status is status
    assert (verdict.correct is None) == (status is Status.ERROR)


def test_a_gold_is_not_read_for_what_was_cut() -> None:
    def read(answer: str | None) -> int | Refused:
        raise AssertionError(answer)

    assert isinstance(given(make_item("42", "42", truncated=True), read), Verdict)


@pytest.mark.parametrize(
    ("text", "strict", "loose"),
    [
        ("```a\nb\n```", ["b\n"], ["b\n"]),
        ("      ```\nb\n      ```", [], ["b\n"]),
        ("\t```\nb\n\t```", [], ["b\n"]),
        ("~~~\nb\n~~~", ["b\n"], []),
        ("```b```", [], ["b"]),
        ("````\n```\n````", ["```\n"], []),
        ("  ```\n  b\n  ```", ["b\n"], ["  b\n"]),
        ("```\nb", [], []),
    ],
)
def test_a_loose_fence_is_three_backticks_anywhere_on_a_line_of_its_own(
    text: str, strict: list[str], loose: list[str]
) -> None:
    assert [block.text for block in blocks(text) if not block.is_open] == strict
    closed = [block.text for block in blocks(text, loose=True) if not block.is_open]
    assert closed[:1] == loose[:1] or text.startswith("````")


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("```json\n[1]\n```", "[1]\n"),
        ("```\n[1]```", "[1]"),
        ("```json \n[1]\n  ```", "[1]\n"),
        ("[1]", "[1]"),
        ("```python\n[1]\n```", None),
        ("``` json\n[1]\n```", None),
        ("so\n```json\n[1]\n```", None),
        ("```json\n[1]\n```\n```json\n[1]\n```", None),
        ("```json\n[1]", None),
        ("```json [1]```", None),
        ("```", None),
        ("``````", None),
    ],
)
def test_a_fence_is_taken_off_only_where_it_is_around_everything(text: str, inner: str | None) -> None:
    found = unwrapped(text, INFOS)
    assert found == text if inner is None else found.strip() == inner.strip()


@settings(max_examples=300, deadline=None, database=None)
@given_that(st.lists(st.sampled_from(["```", "`", "~~~", "json", "\n", " ", "\t", "[1]"]), max_size=40).map("".join))
def test_any_text_is_taken_apart_or_left(text: str) -> None:
    for loose in (True, False):
        found = blocks(text, loose=loose)
        assert not any(block.is_open for block in found[:-1])
        assert sum(len(block.text) for block in found) <= len(text)
    assert len(unwrapped(text, INFOS)) <= len(text) + 1


@pytest.mark.parametrize("piece", ["```\n", "```x```\n", "\t```\nx\n", '"\\', "[{", "1", '"a",'])
def test_fences_and_json_are_read_in_linear_time(piece: str) -> None:
    begun = time.perf_counter()
    blocks(piece * 100_000, loose=True)
    strict_json.read(piece * 100_000)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}', "[NaN]", "[-Infinity]", "[1e999]", "[1e-400]", "[0.99999999999999999999999]", "[01]", "[1,]", "", "{",
        "[1e-99999999999999999999]", "[1] [2]", "// no\n[1]",
    ],
)  # fmt: skip
def test_what_is_not_exactly_json_is_refused(text: str) -> None:
    found = strict_json.read(text)
    assert isinstance(found, Refused) and not found.limit


@pytest.mark.parametrize("text", ["[" * 65 + "]" * 65, f"[{'9' * 301}]", f"[{'1,' * 20_000}1]", "[" * 1_000_000])
def test_what_is_too_large_is_not_read(text: str) -> None:
    found = strict_json.read(text)
    assert isinstance(found, Refused) and found.limit


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, database=None)
@given_that(VALUES)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert strict_json.read(json.dumps(value)) == value


def test_a_number_that_only_rounds_to_the_answer_is_another() -> None:
    assert math.isclose(0.99999999999999999999999, 1)
    assert same("[1.0, 2]", "[1, 2]") and not same("[0.99999999999999999999999, 2]", "[1, 2]")


def test_a_pattern_finds_the_whole_name_of_a_wrapper() -> None:
    pattern = re.compile(latex.pattern(*latex.TEXT, "textrm") + r"\{([^{}]*)\}")
    assert pattern.sub(r"\1", r"\text{a}\textrm{b}\textbf{c}\mbox{d}\textsf{e}") == r"abcd\textsf{e}"


def test_no_wrapper_is_listed_twice() -> None:
    groups = (latex.TEXT, latex.LETTERS, latex.SELDOM, latex.BOXES, latex.OTHER_TEXT, latex.OTHER_LETTERS)
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
