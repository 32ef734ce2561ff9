"""The number verifier, rule by rule: what is paid, what is not, and with which status."""

from __future__ import annotations

from fractions import Fraction
from time import process_time

import pytest

from earnest.types import Status
from earnest.verifiers.literal import Literal, read
from earnest.verifiers.number import Number
from earnest.verifiers.refused import Refused
from grading import grade, make_item

PAID = {
    "signs and digits": [
        ("42", "42"), ("-42", "-42"), ("−42", "-42"), ("–42", "-42"), ("+42", "42"), ("007", "7"), ("-0", "0"),
        ("0", "0"), ("42.", "42"), ("42.0", "42"), (".5", "0.5"), ("42", " 42 "), ("-42", "−42"),
    ],
    "thousands": [
        ("1,234,567", "1234567"), ("14000", "14,000"), ("\\boxed{1{,}234}", "1234"), ("\\boxed{1\\,234}", "1234"),
        ("\\boxed{10,\\!000}", "10000"), ("1\u202f234", "1234"), ("1,000.50", "1000.5"),
    ],
    "fractions": [
        ("\\boxed{\\frac{1}{2}}", "1/2"), ("\\boxed{\\dfrac12}", "0.5"), ("\\boxed{-\\frac{3}{4}}", "-0.75"),
        ("0.5", "\\frac12"), ("3½", "7/2"), ("½", "0.5"), ("\\boxed{3\\frac12}", "3.5"), ("3 1/2 cups", "7/2"),
        ("2/4", "1/2"), ("0.(3)", "1/3"), ("\\boxed{0.1\\overline{6}}", "1/6"), ("1/3", "\\frac{1}{3}"),
    ],
    "powers": [
        ("2^10", "1024"), ("2^{10}", "1024"), ("2¹⁰", "1024"), ("\\boxed{4.2 \\times 10^{3}}", "4200"),
        ("4.2e3", "4200"), ("10^{-2}", "0.01"), ("5 million", "5000000"), ("4²", "16"),
    ],
    "per cent is a hundredth": [
        ("28%", "0.28"), ("28%", "28%"), ("\\boxed{28\\%}", "0.28"), ("$\\boxed{28}\\%$", "0.28"),
        ("28 percent", "0.28"), ("28 per cent", "0.28"), ("0.28", "28\\%"),
    ],
    "currency and units": [
        ("$18", "18"), ("\\$18", "18"), ("-$5", "-5"), ("$-5", "-5"), ("€5", "5"), ("5€", "5"), ("18 dollars", "18"),
        ("18 dollars", "$18"), ("18", "$18"), ("$18.00 per day", "18"), ("60 miles/hour", "60"), ("$5/person", "5"),
        ("5kg", "5"), ("5 lb.", "5"), ("42 cm³", "42"), ("$\\boxed{42\\text{ cm}^2}$", "42"), ("90^\\circ", "90"),
        ("90°", "90"), ("\\boxed{42 \\text{ square feet}}", "42"),
        ("42 family members", "42"), ("42 dollars daily", "42"), ("42 cubic feet", "42"),
        ("18 apples", "18"), ("42 people a day", "42"),
    ],
    "styling": [
        ("**42**", "42"), ("`42`", "42"), ('"42"', "42"), ("$42$", "42"), ("$$42$$", "42"), ("\\(42\\)", "42"),
        ("\\[42\\]", "42"), ("\\text{42}", "42"), ("\\boxed{\\mathbf{42}}", "42"),
        ("\\boxed{\\color{red}{42}}", "42"), ("\\$\\boxed{42}", "42"), ("４２", "42"), ("𝟒𝟐", "42"), ("4\u200b2", "42"),
        ("x = 5", "5"), ("\\boxed{x_1=5}", "5"),
    ],
    "where the answer stands": [
        ("Answer: 42", "42"), ("**Answer:** 42", "42"), ("**Final Answer**: $42$", "42"), ("Answer:\n\n42", "42"),
        ("The answer is 42. Because so.", "42"), ("6*7 is\n#### 42", "42"), ("6*7 is 42\nA: 42", "42"),
        ("<answer>42</answer>", "42"), ("<answer> \\boxed{42} </answer>", "42"), ("\\fbox{42}", "42"),
        ("\\boxed{\\boxed{42}}", "42"), ("So \\boxed{42} (since 6*7=42).", "42"),
        ("Final Answer: The final answer is $42$. I hope so.", "42"),
        ("The final answer is:\n\\[\n\\boxed{42}\n\\]", "42"), ("<think>\\boxed{41}?</think>42", "42"),
        ("#### Step 1: add\nAnswer: 42", "42"),
    ],
    "a later answer that replaces an earlier one": [
        ("\\boxed{41} has an error in the sum. Corrected: \\boxed{42}", "42"),
        ("First \\boxed{12}. Then we double it and obtain the total: \\boxed{42}", "42"),
        ("\\boxed{42}. So, to repeat: \\boxed{42.0}", "42"),
    ],
    "an answer with its reason": [
        ("The answer is 42 because 6 * 7 = 42.", "42"), ("The answer is 42, not 41.", "42"),
        ("Answer: 42, since 41 is odd", "42"),
    ],
    "long golds": [
        ("1" * 400, "1" * 400), ("\\boxed{" + "1" * 9000 + "}", "1" * 9000),
    ],
}  # fmt: skip

UNPAID = {
    "other numbers": [
        ("12", "1"), ("1 2", "1"), ("43", "42"), ("4.2", "42"), ("42.5", "42"), ("0.9999999", "1"), ("0.33", "1/3"),
        ("1.234", "1234"), ("42,000", "42"), ("42k", "42"), ("42 thousand", "42"), ("3½", "31/2"), ("4²", "42"),
        ("42", "-42"), ("0.42", "42"),
    ],
    "wrong groups": [
        ("1,23", "123"), ("12,34,567", "1234567"), ("1,2345", "12345"), ("0,5", "5"), ("1{,}2", "12"),
        ("1,234,5", "12345"),
    ],
    "several numbers": [
        ("41, 42", "42"), ("42,42", "42"), ("42 42", "42"), ("1 2 3 42", "42"), ("1\n2\n42", "42"),
        ("42 or 41", "42"), ("42 to 45", "42"), ("42-43", "42"), ("42–43", "42"), ("±42", "42"), ("\\pm 42", "42"),
        ("(42, 43)", "42"), ("\\{42\\}", "42"), ("[42]", "42"), ("42 and a half", "42"), ("42 or more", "42"),
        ("42 forty one", "42"), ("42万", "42"), ("42 万", "42"), ("Answer: 42 or 41", "42"),
    ],
    "several answers": [
        ("\\boxed{42} or \\boxed{41}", "42"), ("\\boxed{41} or \\boxed{42}", "42"), ("\\boxed{41} \\boxed{42}", "42"),
        ("\\boxed{40}, \\boxed{41}, \\boxed{42}", "42"),
        ("The answer is \\boxed{41}. The answer is \\boxed{42}.", "42"), ("Answer: 41\nAnswer: 42", "42"),
        ("#### 41\n#### 42", "42"), ("A: 41\nA: 42", "42"), ("Answer: 42. 43. 44.", "42"),
        ("Answer: 42\n43\n44", "42"), ("\\boxed{42}\n43", "42"), ("\\boxed{42} 43", "42"), ("\\boxed{42}, 43", "42"),
        ("\\boxed{42} and 43", "42"), ("\\boxed{42}. Actually the answer is 43.", "42"),
        ("\\boxed{42}\n#### 43", "42"), ("<answer>41</answer><answer>42</answer>", "42"),
        ("\\boxed{4}\\boxed{2}", "42"), ("\\boxed{42}, maybe 43", "42"),
        ("\\boxed{39} no \\boxed{40} no \\boxed{41} no \\boxed{42}", "42"),
        ("\\boxed{42}. It is wrong, rather \\boxed{43}", "42"),
        ("The answer is 42 because it is 43 or 42.", "42"), ("The answer is 42, not 42 but 43.", "42"),
        ("The answer is 42 since that should be 43.", "42"), ("The answer is not 42, not 41.", "42"),
    ],
    "nothing left to work out": [
        ("\\boxed{6 \\times 7}", "42"), ("6*7", "42"), ("20+22", "42"), ("84/2", "42"),
        ("\\boxed{\\frac{84}{2}}", "42"), ("42!", "42"), ("\\boxed{41 = 42}", "42"), ("\\boxed{42=42}", "42"),
        ("\\sqrt{1764}", "42"), ("|42|", "42"), ("42^2", "42"), ("42 ^2", "42"), ("\\boxed{42}^2", "42"),
        ("\\boxed{42} \\times 2", "42"), ("\\boxed{42}+1", "42"), ("42x", "42"), ("42 x", "42"), ("42i", "42"),
        ("42\\pi", "42"), ("42 pi", "42"), (">42", "42"), ("x<42", "42"), ("≈42", "42"), ("~42", "42"),
        ("42 times 2", "42"),
    ],
    "nothing joined that stood apart": [
        ("4 2", "42"), ("4\\text{2}", "42"), ("{4}{2}", "42"), ("\\boxed{4}2", "42"), ("\\frac{1}{2}3", "1/23"),
        ("2^{1}0", "1024"), ("1/2 3", "1/23"), ("4\u20622", "42"), ("4_2", "42"), ("½½", "1"),
    ],
    "nothing half read": [
        ("42_5", "42"), ("1:42", "42"), ("42nd", "42"), ("42...", "42"), ("0.333...", "0.333"), ("1/2/3", "1/2"),
        ("1/-2", "-1/2"), ("--42", "42"), ("-\\frac{-1}{2}", "1/2"), ("1/0", "0"), ("0/0", "0"), ("42,", "42"),
        ("0x2A", "42"), ("٤٢", "42"), ("1.5/2", "0.75"), ("3 2/2", "4"), ("42 × 10^0", "42"), ("42..", "42"), ("--42", "-42"),
    ],
    "per cent": [
        ("42%", "42"), ("\\boxed{42\\%}", "42"), ("\\boxed{42}\\%", "42"), ("42 percent", "42"), ("28", "28%"),
    ],
    "another currency": [
        ("42 cents", "$42"), ("€42", "$42"), ("42 apples", "$42"),
    ],
    "words that deny": [
        ("not 42", "42"), ("42 is wrong", "42"), ("about 42", "42"), ("at least 42", "42"),
        ("The answer is not 42", "42"), ("The answer is 42?", "42"), ("There may be 42 of them", "42"),
        ("So she has 42 left.", "42"),
    ],
    "words that leave the number open": [
        ("42 grand", "42"), ("42 score", "42"), ("42 lacs", "42"), ("42 dollars a", "42"), ("42 apples in debt", "42"),
        ("42 apples sort of", "42"), ("42 не", "42"),
    ],
    "an answer that is called wrong or corrected": [
        ("\\boxed{42} is wrong", "42"), ("$\\boxed{42}$ is clearly not it", "42"), ("\\boxed{42} isn't right", "42"),
        ("Anything but \\boxed{42}", "42"), ("It is less than \\boxed{42}", "42"),
        ("\\boxed{42}. Sorry, forty-three.", "42"), ("\\boxed{42}. On second thought, 43", "42"),
        ("\\boxed{42}, I mean 43", "42"), ("\\boxed{42}. It should be 43.", "42"),
    ],
    "no answer": [
        ("", "42"), (" \n", "42"), (":", "42"), ("\\boxed{}", "42"), ("\\boxed{} 42", "42"), ("\\boxed{42", "42"),
        ("<answer>42", "42"), ("\\boxed{\\{}", "42"), ("<think>\\boxed{42}", "42"),
        ("<think>a</think>b<think>\\boxed{42}", "42"), ("42 <think>", "42"),
    ],
    "too large": [
        ("9^{9^{9}}", "387420489"), ("2^99999999", "1"), ("1e99999", "1"), ("1" * 300, "1"), ("\\boxed{1e2000}", "1"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("rule", PAID)
def test_paid(rule: str) -> None:
    for response, gold in PAID[rule]:
        verdict = grade(Number(), response, gold)
        assert verdict.correct and verdict.score == 1.0 and verdict.reason == "", (response[:80], gold[:80], verdict)


@pytest.mark.parametrize("rule", UNPAID)
def test_not_paid(rule: str) -> None:
    for response, gold in UNPAID[rule]:
        assert Number().check_gold(gold) is None, gold
        verdict = grade(Number(), response, gold)
        assert verdict.correct is False and verdict.score == 0.0 and verdict.reason, (response[:80], gold, verdict)


@pytest.mark.parametrize("rule", [*PAID, *UNPAID])
def test_what_stands_before_a_marked_answer_changes_nothing(rule: str) -> None:
    before = "First we look at 7 of the 19 rows, one after the other, and then add what we found.\n"
    for response, gold in PAID.get(rule, []) + UNPAID.get(rule, []):
        if response.startswith(("\\boxed", "\\fbox", "$\\boxed", "Answer", "A:", "#", "<answer>", "**", "The answer")):
            bare, behind = grade(Number(), response, gold), grade(Number(), before + response, gold)
            is_marked = "**42**" not in response
            assert behind.correct == (bare.correct and is_marked), (response[:80], gold[:80])


@pytest.mark.parametrize(
    ("response", "gold", "status"),
    [
        ("43", "42", Status.OK),
        ("\\boxed{42 or 41}", "42", Status.NO_ANSWER),
        ("I do not know", "42", Status.NO_ANSWER),
        ("<think>42", "42", Status.NO_ANSWER),
        ("\\boxed{" + "1" * 300 + "}", "42", Status.LIMIT),
        ("\\boxed{" + "x" * 5000 + "}", "42", Status.LIMIT),
        ("\\boxed{" + "{" * 70 + "1" + "}" * 70 + "}", "1", Status.LIMIT),
        ("\\boxed{2^{100000}}", "42", Status.LIMIT),
        ("42", "forty-two", Status.ERROR),
        ("42", "", Status.ERROR),
        ("42", "42 apples", Status.ERROR),
        ("42", "x=42", Status.ERROR),
        ("42", "\\{1,2\\}", Status.ERROR),
        ("42", None, Status.ERROR),
    ],
)
def test_status(response: str, gold: str | None, status: Status) -> None:
    verdict = grade(Number(), response, gold)
    assert verdict.status is status
    assert (Number().check_gold(gold or "") is not None) == (status is Status.ERROR)


def test_what_was_cut_is_truncated_whatever_it_says() -> None:
    verdict = grade(Number(), "\\boxed{42}", "42", truncated=True)
    assert verdict.status is Status.TRUNCATED and verdict.correct is False


def test_an_answer_that_is_not_worked_out_can_be_refused() -> None:
    strict = Number(evaluated=True)
    assert grade(strict, "1/2", "1/2").correct and grade(strict, "1024", "1024").correct
    assert not grade(strict, "2/4", "1/2").correct
    assert not grade(strict, "2^{10}", "1024").correct
    assert not grade(strict, "3 2/4", "7/2").correct


def test_the_answer_is_shown_as_it_was_read() -> None:
    assert grade(Number(), "so $\\boxed{41\\text{ km}}$.", "42").extracted == "41\\text{ km}"
    shown = grade(Number(), "\\boxed{" + "7" * 250 + "}", "42").extracted
    assert shown is not None and len(shown) == 200


def test_verdicts_come_in_order() -> None:
    verdicts = Number().judge([make_item(str(i), "3") for i in range(6)])
    assert [v.correct for v in verdicts] == [i == 3 for i in range(6)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-1,234.50", Fraction(-2469, 2)),
        ("0.1(6)", Fraction(1, 6)),
        ("-3 1/2", Fraction(-7, 2)),
        ("2^-2", Fraction(1, 4)),
        ("1e-3", Fraction(1, 1000)),
    ],
)
def test_values_are_exact(text: str, value: Fraction) -> None:
    literal = read(text)
    assert isinstance(literal, Literal) and literal.value == value


def test_limits_stand_before_the_conversion() -> None:
    assert read("1" * 257) == Refused("too many digits", limit=True)
    assert isinstance(read("1" * 256), Literal)
    assert read("1" * 4097) == Refused("too long for a number", limit=True)


FLOODS = {
    "blanks": lambda n: "final answer is" + " " * n + "x",
    "latex": lambda n: "We get $x_1+\\frac{1}{2}$ and $y=3$. " * (n // 35) + "\\boxed{17}",
    "digits": lambda n: "\\boxed{" + "1" * n + "}",
    "boxes": lambda n: "\\boxed{1} " * (n // 10),
    "open boxes": lambda n: "\\boxed{" * (n // 7),
    "answers": lambda n: "answer is " * (n // 10),
    "lines": lambda n: "A: 1\n" * (n // 5),
    "hashes": lambda n: "#### 4\n" * (n // 7),
    "tags": lambda n: "<answer>1</answer>" * (n // 18),
    "open tags": lambda n: "<answer>" * (n // 8),
    "groups": lambda n: "\\boxed{1" + ",000" * (n // 4) + "}",
    "braces": lambda n: "{" * n,
    "backslashes": lambda n: "\\" * n,
    "macros": lambda n: "\\boxed{" + "\\text{" * (n // 7) + "}" * (n // 7) + "}",
    "fractions": lambda n: "\\boxed{" + "\\frac{1}" * (n // 8) + "}",
    "stars": lambda n: "answer" + "*" * n + ":",
    "stops": lambda n: "answer is " + ". " * (n // 2),
    "zero width": lambda n: "4" + "\u200b" * n,
    "superscripts": lambda n: "²" * n,
    "lines after": lambda n: "\\boxed{1}" + "\n2x" * (n // 3),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_take_linear_time(flood: str) -> None:
    def seconds(n: int) -> float:
        items = [make_item(FLOODS[flood](n), "42")]
        best = float("inf")
        for _ in range(3):
            start = process_time()
            (verdict,) = Number().judge(items)
            best = min(best, process_time() - start)
            assert verdict.correct is False
        return best

    small, large = seconds(50_000), seconds(200_000)
    assert large < 8 * small + 0.02, (small, large)  # four times the text; quadratic would be sixteen times the time
    assert large < 1.0


@pytest.mark.parametrize(
    "words",
    ["millions", "thousands", "tens", "crore", "fifths", "twelfths", "doubled", "in hex", "basis points", "cubic",
     "probably", "hopefully", "upwards", "too many", "off", "otherwise fortythree", "negative"],
)  # fmt: skip
def test_words_that_change_or_hedge_a_number_are_no_unit(words: str) -> None:
    assert not grade(Number(), f"42 {words}", "42").correct


@pytest.mark.parametrize("unit", ["months", "miles per hour", "cubic feet", "square meters", "butterflies"])
def test_words_for_a_unit_are_one(unit: str) -> None:
    assert grade(Number(), f"42 {unit}", "42").correct


@pytest.mark.parametrize(
    "text",
    ["Answer: 42. No wait: 43.", "The answer is 42.\n\nWait, actually it is 43.", r"\boxed{42} is wrong; it is 43",
     r"It is not \boxed{42}", "Wrong answer: 42", "The wrong answer is 42", "sqrt = 42", "not_x = 42"],
)  # fmt: skip
def test_an_answer_that_is_taken_back_or_denied_is_none(text: str) -> None:
    assert grade(Number(), text, "42").status is Status.NO_ANSWER


@pytest.mark.parametrize(
    "text", ["Answer: 42. No, that is all.", "The answer is 42. Wait, let me check: 42.", "x = 42"]
)
def test_an_answer_that_is_repeated_stands(text: str) -> None:
    assert grade(Number(), text, "42").correct
