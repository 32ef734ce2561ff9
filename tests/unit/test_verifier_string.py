"""The string verifier, rule by rule."""

from __future__ import annotations

import pytest

from earnest.types import Status
from earnest.verifiers.string import String
from grading import grade


@pytest.mark.parametrize(
    ("response", "gold"),
    [
        ("Paris", "paris"),
        (" 'Paris.' ", "Paris"),
        ("Paris!", "Paris"),
        ("St. Louis", "st. louis"),
        ("etc", "etc."),
        ("etc.", "etc."),
        ("e\u0301tude", "étude"),
        ("STRASSE", "straße"),
        ("C++", "c++"),
        ("-5", "-5"),
        ("Answer: Paris", "Paris"),
        ("**Final answer:** Paris", "Paris"),
        ("I looked it up.\nAnswer:\nParis", "Paris"),
        ("\\boxed{\\text{Paris}}", "Paris"),
        ("<answer>\nParis\n</answer>", "Paris"),
        ("London it is not. <answer>Paris</answer> It is the capital.", "Paris"),
        ("<think>London?</think>\nParis", "Paris"),
        ("?", "?"),
        ("**Paris**", "Paris"),
        ("I looked it up.\n#### Paris", "Paris"),
        ("The answer is Paris.", "Paris"),
        ("It is in France. So the answer is **Paris**.", "Paris"),
        ("The answer is Paris. It is the capital.", "Paris"),
        ("So the answer is No.", "No"),
        ("The correct answer is St. Louis.", "St. Louis"),
        ("I do not know Lyon, so the answer is Paris.", "Paris"),
        ("New\nYork", "New  York"),
        ("Pa\u200bris", "Paris"),
        ("O\u2019Brien", "O'Brien"),
    ],
)
def test_paid(response: str, gold: str) -> None:
    assert grade(String(), response, gold).correct


@pytest.mark.parametrize(
    ("response", "gold"),
    [
        ("It is Paris", "Paris"),
        ("Paris, London", "Paris"),
        ("Parisian", "Paris"),
        ("no", "know"),
        ("C++", "C#"),
        ("C", "C++"),
        ("5", "-5"),
        ("5", "5!"),
        ("5", "5%"),
        ("a b", "ab"),
        ("Answer: Paris or London", "Paris"),
        ("Answer: London\nAnswer: Paris", "Paris"),
        ("\\boxed{London}, \\boxed{Paris}", "Paris"),
        ("<answer>London</answer><answer>Paris</answer>", "Paris"),
        ("<answer>Paris</answer> or London", "Paris"),
        ("<answer>Paris</answer> London", "Paris"),
        ("\\boxed{Paris} is wrong", "Paris"),
        ("x²", "x2"),
        ("The answer is not Paris.", "Paris"),
        ("I don't think the answer is Paris.", "Paris"),
        ("The answer is Paris or London.", "Paris"),
        ("The answer is Paris. The answer is London.", "Paris"),
        ("The answer is London. The answer is Paris.", "Paris"),
        ("The answer is in Paris.", "Paris"),
        ("\\boxed{} \\boxed{Paris}", "Paris"),
        ("\\boxed{Paris}, which might be London or Rome", "Paris"),
        ("\\boxed{) } > \\text{ or } )}", ")"),
        ("\\boxed{) } >} \\boxed{)}", ")"),
    ],
)
def test_not_paid(response: str, gold: str) -> None:
    assert grade(String(), response, gold).correct is False


@pytest.mark.parametrize(
    ("response", "gold", "status"),
    [
        ("London", "Paris", Status.OK),
        (" \n", "Paris", Status.NO_ANSWER),
        ("Answer:", "Paris", Status.NO_ANSWER),
        ("<answer>Paris", "Paris", Status.NO_ANSWER),
        ("\\boxed{Paris", "Paris", Status.NO_ANSWER),
        ("<think>Paris", "Paris", Status.NO_ANSWER),
        ("x" * 10_000, "Paris", Status.LIMIT),
        ("Paris", "", Status.ERROR),
        ("", " ", Status.ERROR),
        ("Paris", None, Status.ERROR),
    ],
)
def test_status(response: str, gold: str | None, status: Status) -> None:
    assert grade(String(), response, gold).status is status
    assert (String().check_gold(gold or "") is not None) == (status is Status.ERROR)


def test_case_can_matter() -> None:
    assert grade(String(case_sensitive=True), "Paris", "Paris").correct
    assert not grade(String(case_sensitive=True), "paris", "Paris").correct


def test_what_was_cut_is_truncated() -> None:
    assert grade(String(), "Paris", "Paris", truncated=True).status is Status.TRUNCATED


@pytest.mark.parametrize(
    "text",
    ["Answer: Paris\nNo, wait: London", "Answer: Paris\nLondon", "<answer>Paris</answer> no, London",
     r"\boxed{Paris} is wrong, London"],
)  # fmt: skip
def test_an_answer_that_is_taken_back_or_rivalled_is_none(text: str) -> None:
    assert grade(String(), text, "Paris").status is Status.NO_ANSWER


def test_a_closing_sentence_is_no_rival() -> None:
    assert grade(String(), "Answer: Paris\nI hope that this helps you.", "Paris").correct
