"""The choice verifier: what commits to one option, what does not, and what no text may do to it."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.types import Status
from earnest.verifiers import golds
from earnest.verifiers.choice import Choice
from grading import grade

CITIES = {"A": "Paris", "B": "London", "C": "Rome", "D": "Berlin"}
NUMBERS = {"A": "1", "B": "2", "C": "3", "D": "4,000", "E": "$5.50"}
GENES = {"A": "R", "B": "rr", "C": "Rr", "D": "RR"}
WATER = {"A": "water", "B": "salt water", "C": "not water", "D": "none of these"}
SIGNED = {"A": "-1", "B": "+1"}
TWICE = {"A": "faster", "B": "slower", "C": "faster", "D": "as fast"}
DIGITS = {"1": "heat", "2": "light", "3": "sound", "4": "motion"}
SWAPPED = {"1": "2", "2": "1", "3": "7"}
MANY = {
    letter: word
    for letter, word in zip(
        "ABCDEFGHIJ", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True
    )
}


def gold(answer: str, choices: dict[str, str]) -> str:
    return golds.write({"answer": answer, "choices": choices})


@pytest.mark.parametrize(
    ("response", "answer", "choices"),
    [
        ("B", "B", CITIES),
        ("b", "B", CITIES),
        ("(b)", "B", CITIES),
        ("[B].", "B", CITIES),
        ("**B**", "B", CITIES),
        ("B)", "B", CITIES),
        ("Option B", "B", CITIES),
        ("#### B", "B", CITIES),
        ("\\boxed{B}", "B", CITIES),
        ("$\\boxed{\\textbf{(B) }\\text{London}}$", "B", CITIES),
        ("<answer>B</answer>", "B", CITIES),
        ("Answer: B", "B", CITIES),
        ("**Answer:** (B) London.", "B", CITIES),
        ("The correct option is B.", "B", CITIES),
        ("The correct choice is: B", "B", CITIES),
        ("I would choose London.", "B", CITIES),
        ("It is London.", "B", CITIES),
        ("London (B)", "B", CITIES),
        ("B: London", "B", CITIES),
        ("B - London", "B", CITIES),
        ("B is correct.", "B", CITIES),
        ("The answer is B, not A.", "B", CITIES),
        ("The answer is not A but B.", "B", CITIES),
        ("The answer is B because A is wrong.", "B", CITIES),
        ("The answer is (B) because Paris is in France.", "B", CITIES),
        ("The answer is B. London is the capital of the UK.", "B", CITIES),
        ("I first thought of Rome.\n\nThe answer is A. Hmm, that is in France, so the answer is B.", "B", CITIES),
        ("A) Paris\nB) London\nC) Rome\nD) Berlin\n\nB", "B", CITIES),
        ("A) Paris\nB) London\nC) Rome\nD) Berlin\n\nAnswer: B", "B", CITIES),
        ("Paris is in France and Rome in Italy.\nB", "B", CITIES),
        ("Answer:\nB", "B", CITIES),
        ("B\n\nBecause it is not in France, as Paris is.", "B", CITIES),
        ("London\n\nIt is on the Thames.", "B", CITIES),
        ("Which option is correct? It is not in France.\nB", "B", CITIES),
        ("I think it's (B).", "B", CITIES),
        ("A is in France. C is in Italy. So B.", "B", CITIES),
        ("\\boxed{B}\n\n(A) is wrong because Paris is in France.", "B", CITIES),
        ("I think the answer is B.", "B", CITIES),
        ("\uff22", "B", CITIES),
        ("A", "A", CITIES),
        ("A is the best choice.", "A", CITIES),
        ("The answer is a city in France: A.", "A", CITIES),
        ("\\boxed{4000}", "D", NUMBERS),
        ("The answer is 5.50 dollars.", "E", NUMBERS),
        ("The answer is 2.", "B", NUMBERS),
        ("Rr", "C", GENES),
        ("Answer: RR", "D", GENES),
        ("The answer is salt water.", "B", WATER),
        ("The answer is water.", "A", WATER),
        ("The answer is not water.", "C", WATER),
        ("None of these.", "D", WATER),
        ("The answer is true.", "A", {"A": "True", "B": "False"}),
        ("The answer is right winger.", "B", {"A": "left winger", "B": "right winger"}),
        ("It is not hard to see that the answer is B.", "B", CITIES),
        ("B) slower", "B", TWICE),
        ("C) faster", "C", TWICE),
        ("2", "2", DIGITS),
        ("(2) light", "2", DIGITS),
        ("The answer is 2) light", "2", DIGITS),
        ("light", "2", DIGITS),
        ("option 2", "2", SWAPPED),
        ("(I)", "I", MANY),
        ("The answer is I.", "I", MANY),
        ("The answer is (C) two.", "C", MANY),
    ],
)
def test_paid(response: str, answer: str, choices: dict[str, str]) -> None:
    verdict = grade(Choice(), response, gold(answer, choices))
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("response", "answer", "choices"),
    [
        ("C", "B", CITIES),
        ("E", "B", CITIES),
        ("AB", "B", CITIES),
        ("\\boxed{A,B}", "B", CITIES),
        ("\\boxed{B}, \\boxed{C}", "B", CITIES),
        ("A and B", "B", CITIES),
        ("B or C", "B", CITIES),
        ("B/C", "B", CITIES),
        ("Either B", "B", CITIES),
        ("B and E", "B", CITIES),
        ("The answer is B or C.", "B", CITIES),
        ("The answer is B (or C).", "B", CITIES),
        ("The answer is B, C.", "B", CITIES),
        ("The answer is London or Rome.", "B", CITIES),
        ("not B", "B", CITIES),
        ("The answer is not B.", "B", CITIES),
        ("The answer isn't B.", "B", CITIES),
        ("I don't think the answer is B.", "B", CITIES),
        ("The wrong answer is B.", "B", CITIES),
        ("B is wrong.", "B", CITIES),
        ("The answer is anything but B.", "B", CITIES),
        ("All of the above", "B", CITIES),
        ("The answer is all of them, B included.", "B", CITIES),
        ("(B) Paris", "B", CITIES),
        ("Paris (B)", "B", CITIES),
        ("The answer is B. Paris", "B", CITIES),
        ("The answer is B because C is also right.", "B", CITIES),
        ("B\nC", "B", CITIES),
        ("C\nB", "B", CITIES),
        ("A then B", "B", CITIES),
        ("First A then B", "B", CITIES),
        ("A next B", "B", CITIES),
        ("A with (B)", "B", CITIES),
        ("A A1 B", "B", CITIES),
        ("I and A", "A", MANY),
        ("A\nB\nC\nD", "D", CITIES),
        ("A) Paris\nB) London\nC) Rome\nD) Berlin", "D", CITIES),
        ("A) Paris B) London C) Rome D) Berlin", "D", CITIES),
        ("Answer: A) Paris B) London C) Rome D) Berlin", "B", CITIES),
        ("Paris, London, Rome, Berlin", "B", CITIES),
        ("Paris\nLondon\nRome\nBerlin", "D", CITIES),
        ("The answer is B.\nC", "B", CITIES),
        ("B\nIt could also be C, I would say.", "B", CITIES),
        ("London\nNo wait, it must be Paris in the end.", "B", CITIES),
        ("The answer is B. Wait, no, C.", "B", CITIES),
        ("\\boxed{B} Actually, the answer is C.", "B", CITIES),
        ("The answer is B?", "B", CITIES),
        ("The answer is \u0412.", "B", CITIES),
        ("\\boxed{\u0412}", "B", CITIES),
        ("The answer is A good one.", "A", CITIES),
        ("A good question.", "A", CITIES),
        ("I do not know.", "I", MANY),
        ("I think so.", "I", MANY),
        ("I live in London with my cat.", "B", CITIES),
        ("Londonderry", "B", CITIES),
        ("B+", "B", CITIES),
        ("vitamin B12", "B", CITIES),
        ("(B)1", "B", CITIES),
        ("f(B)", "B", CITIES),
        ("A A1 A2 (B) A3 (B)2", "B", CITIES),
        ("<answer>B", "B", CITIES),
        ("\\boxed{B", "B", CITIES),
        ("15", "A", NUMBERS),
        ("1.5", "A", NUMBERS),
        ("-1", "A", NUMBERS),
        ("1%", "A", NUMBERS),
        ("1/2", "A", NUMBERS),
        ("1, 2", "A", NUMBERS),
        ("R", "D", GENES),
        ("The answer is (A) Yes. But no.", "A", {"A": "Yes. And no.", "B": "Yes. But no."}),
        ("(B) -1", "B", SIGNED),
        ("B. -1", "B", SIGNED),
        ("1", "A", SIGNED),
        ("rr", "C", GENES),
        ("faster", "A", TWICE),
        ("faster", "C", TWICE),
        ("water", "B", WATER),
        ("2", "2", SWAPPED),
        ("2", "1", SWAPPED),
        ("I have 2 reasons.", "2", DIGITS),
        (" \n", "B", CITIES),
        (".", "B", CITIES),
        ("()", "B", CITIES),
    ],
)
def test_not_paid(response: str, answer: str, choices: dict[str, str]) -> None:
    verdict = grade(Choice(), response, gold(answer, choices))
    assert verdict.correct is False, verdict


@pytest.mark.parametrize(
    ("response", "answer", "status"),
    [
        ("C", "B", Status.OK),
        ("B or C", "B", Status.NO_ANSWER),
        ("E", "B", Status.NO_ANSWER),
        ("", "B", Status.NO_ANSWER),
        ("<think>B", "B", Status.NO_ANSWER),
        ("<think>B</think>", "B", Status.NO_ANSWER),
        ("<think>C</think>B", "B", Status.OK),
    ],
)
def test_status(response: str, answer: str, status: Status) -> None:
    assert grade(Choice(), response, gold(answer, CITIES)).status is status


def test_labels_may_be_written_in_brackets() -> None:
    assert grade(Choice(), "B", golds.write({"answer": "(B)", "choices": {"(A)": "x", "(B)": "y"}})).correct


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"answer": "B"},
        {"choices": CITIES},
        {"answer": "E", "choices": CITIES},
        {"answer": None, "choices": CITIES},
        {"answer": "A", "choices": {"A": "x"}},
        {"answer": "A", "choices": {"A": "x", "a": "y"}},
        {"answer": "A", "choices": {"A": "x", "B": 2}},
        {"answer": "A", "choices": {"A": "x", "BB": "y"}},
        {"answer": "A", "choices": ["x", "y"]},
    ],
)
def test_a_gold_that_cannot_be_read_is_an_error(bad: dict[str, object]) -> None:
    text = golds.write(bad)  # type: ignore[arg-type]
    assert Choice().check_gold(text) is not None
    assert grade(Choice(), "A", text).status is Status.ERROR


@pytest.mark.parametrize("choices", [CITIES, MANY, WATER, GENES, DIGITS, NUMBERS])
def test_every_option_is_read_in_every_form_and_paid_only_where_it_is_gold(choices: dict[str, str]) -> None:
    forms = (
        "({0})",
        "Answer: ({0})",
        "\\boxed{{({0})}}",
        "({0}) {1}",
        "The answer is ({0}) {1}.",
        "<answer>({0})</answer>",
    )
    for said, text in choices.items():
        for form in forms:
            for right in choices:
                assert grade(Choice(), form.format(said, text), gold(right, choices)).correct == (said == right), form


PIECES = (
    "A B C ( ) [ ] . , or and not is the answer Answer: \\boxed{ } <answer> </answer> London Paris option I 1 2 ** ? \n"
)
ANYTHING = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES.split(" ")), max_size=30).map(" ".join))


@settings(max_examples=300, deadline=None, database=None)
@given(ANYTHING)
def test_no_text_is_paid_for_two_options(text: str) -> None:
    paid = [label for label in CITIES if grade(Choice(), text, gold(label, CITIES)).correct]
    assert len(paid) <= 1, text


@settings(max_examples=200, deadline=None, database=None)
@given(st.dictionaries(st.sampled_from("ABCDEFGH"), st.text(max_size=20), min_size=2), ANYTHING)
def test_any_options_are_graded_or_refused(choices: dict[str, str], text: str) -> None:
    right = min(choices)
    verdict = grade(Choice(), text, gold(right, choices))
    assert (verdict.status is Status.ERROR) == (Choice().check_gold(gold(right, choices)) is not None)


@pytest.mark.parametrize(
    "piece",
    [
        "A ",
        "(",
        "The answer is B. ",
        "B\n",
        "not ",
        "\\boxed{B} ",
        "London ",
        "*",
        "option ",
        "A) Paris\n",
        "\\text{",
        "I ",
    ],
)
def test_time_grows_with_length_alone(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        best = []
        for _ in range(3):
            start = perf_counter()
            grade(Choice(), text, gold("B", CITIES))
            best.append(perf_counter() - start)
        return min(best)

    assert seconds(200_000) < max(0.2, 5 * seconds(100_000)) and seconds(200_000) < 2
