"""The verifier math on answers in words: conclusions, parts of a question, a final answer after boxes; and what looks alike."""

from __future__ import annotations

from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.types import Status
from earnest.verifiers.math import Math
from grading import grade, make_item

WORKING = "We start from $x+y=10$ and take 3 from both sides. Then 7 is left, and 7 times 6 is what we need. "
MORE = " Looking at it again with care, a term was left out of the sum, so it has to be added. "

CONCLUDED = [
    ("Therefore, the value is 42.", "42"),
    ("Thus the value is 42", "42"),
    ("So there are 42 ways.", "42"),
    ("Hence there are 42 such pairs that meet the three conditions.", "42"),
    ("Consequently, f(x) is 42.", "42"),
    ("Hence, it decreases by 42%.", "42\\%"),
    ("Therefore, $x = 42$.", "42"),
    ("Therefore, the probability is 2/3.", "2/3"),
    ("Therefore, the area is $42\\pi$.", "42\\pi"),
    ("Therefore, the pair $(x, y)$ is $(4, 2)$.", "(4,2)"),
    ("Thus the price must be 42 dollars.", "42"),
    ("Therefore, the length is 42 cm.", "42\\text{ cm}"),
    ("Therefore, the value is 1,042.", "1042"),
    ("Therefore, the value is 42. I hope it is correct.", "42"),
    ("Therefore, the value is 42. <|im_start|>user", "42"),
    ("Therefore, the value is 42.<|im_end|>\n<|endoftext|>", "42"),
    ("So the value is 41." + MORE + "Therefore, the value is 42.", "42"),
    ("So the value is 42. We check it: 42 = 42. So the value is 42.", "42"),
    ("Final Answer: Jane has 42 apples. I hope it is correct.", "42"),
    ("**Answer:** The train arrives 42 minutes late.", "42"),
]

NOT_CONCLUDED = """
    Therefore, the probability cannot be 42.
    Therefore, the probability is not 42.
    Therefore, it isn't 42.
    Therefore, the value is never 42.
    Therefore, none of them is 42.
    So the value is 41 or 42.
    So the value is either 42.
    Therefore, the values are 41 and 42.
    Therefore, the value is 42, 43.
    Therefore, the value is $42$ or $43$.
    Therefore, the value is $42$ (or 43).
    Therefore, the value is $\\pm 42$.
    Thus the value is between 40 and 42.
    Hence the value is at most 42.
    Hence the value is less than 42.
    Therefore, the value exceeds 42.
    Therefore, if x is positive, the value is 42.
    Therefore, the value is 42 if x is positive.
    Therefore, the value is 42 unless x is 3.
    Therefore, when x is odd the value is 42.
    Therefore, suppose the value is 42.
    Therefore, let the value be 42.
    Therefore, the value would be 42.
    Therefore, the value may be 42.
    Therefore, the value can be 42.
    Therefore, the value is probably 42.
    Therefore, the value is about 42.
    So is the value 42?
    So, what is 42?
    Therefore, the question is what is 42.
    Therefore, we divide by 42.
    So we multiply both sides by 42.
    So we have 42.
    So 42.
    Therefore 41, 42.
    Therefore, 2x is 42.
    So x + 1 is 42.
    Therefore, twice the number is 42.
    Therefore, the first value is 42.
    Therefore, one guess is 42.
    Therefore, one of the values is 42.
    Therefore, he claims that the value is 42.
    Therefore, "the value is 42".
    The problem says: "Therefore, the value is 42."
    Therefore, the wrong value is 42.
    Therefore, the choices are 42.
    Therefore, there are 42 more apples than pears.
    Therefore, there are 42 fewer.
    Therefore, there are 42 pairs that sum to 10.
    Therefore, there are 42 apples in two bags.
    Therefore, there are 42 apples in the bag, minus mine.
    So x + y is 42.
    Therefore, the value is 42 too many.
    Therefore, the value is $42$ squared.
    Therefore, the value is $42$ thousand.
    Therefore, there are no 42 of them.
    Therefore, there are 42 cases, of which two fail.
    Therefore, the value is 42 percent.
    Therefore, the value is 42%.
    Therefore, the value is 42 thousand.
    Therefore, the value is 42 squared.
    Therefore, the value is 42 minus two.
    Therefore, the sum is 42 plus the rest.
    Therefore, the value is 42 units short of 50.
    Therefore, the value is the square root of 42.
    Therefore, the value is minus 42.
    Therefore, the value is -42.
    Therefore, the value is 42.5.
    Therefore, the value is .42.
    Therefore, the value is 42,000.
    Therefore, the value is 42e3.
    Therefore, the value is 6*7.
    Therefore, the value is $6 \\times 7$.
    Therefore, the value is 20+22.
    Therefore, $x = 41 = 42$.
    Therefore, $41 = 42$.
    Therefore, $x < 42$.
    Therefore, $x$ is in $[0, 42]$.
    Therefore, it increases by 42 at least.
    Therefore, it increases by 42 or 43.
    Therefore, the value is 42. But that is wrong.
    Therefore, the value is 42. Wait, it is 41.
    Therefore, the value is 42. Or 41.
    Therefore, the value is 42. I hope it is 41.
    Therefore, the value is 42. I hope it is not wrong.
    Therefore, the value is 42. Therefore, the value is 41.
    Therefore, the value is 41. Therefore, the value is 42.
    So it is 40. So it is 41. So it is 42.
    So it is 39. We go on from here. So it is 40. We go on from here. So it is 41. We go on from here. So it is 42.
    Answer: half of 42
    Answer: Jane has negative 42 apples
    Answer: Jane has 42 dozen apples
    Answer: numbers divisible by 42
    Answer: multiples of 42
    Answer: 42 times as many
    Answer: Jane has twice 42 apples
    Answer: Jane has 42 or more apples
    Answer: Jane has 42 apples, or 41
    Answer: perhaps Jane has 42 apples
    Answer: Jane has forty-one, Bob 42
    Answer: Jane lacks the square root of 42
    Answer: see step 42
"""

SEVERAL_BOXES = [
    ("\\boxed{3} for part (a) and \\boxed{5} for part (b)", "3, 5", True),
    ("$$\\boxed{3} \\text{ for part (a) and } \\boxed{5}$$", "3, 5", True),
    ("Part (a): \\boxed{3} and part (b): \\boxed{5}", "3, 5", True),
    ("\\boxed{(1, 2)} for (i) and \\boxed{(0, 4)} for (ii)", "(1,2), (0,4)", True),
    ("\\boxed{3} for part (a) and \\boxed{5} for part (b)", "5, 3", False),
    ("\\boxed{3} for part (a) or \\boxed{5} for part (b)", "3, 5", False),
    ("\\boxed{3} for part (a). \\boxed{5} for part (b).", "3, 5", False),
    ("\\boxed{3} for (a) and \\boxed{5} for (b) and \\boxed{7}", "3, 5", False),
    ("\\boxed{3} for (a) and \\boxed{5} for (b). Wait, (b) is 6.", "3, 5", False),
    ("\\boxed{3} for (a) and not \\boxed{5}", "3, 5", False),
    ("\\boxed{3} is wrong and \\boxed{5}", "3, 5", False),
    ("\\boxed{3} extraneous and \\boxed{5}", "3, 5", False),
    ("\\boxed{3} for (a) and \\boxed{5} for (b)", "5", False),
    ("\\boxed{3} for (a) and \\boxed{5} for (b)", "(3,5)", False),
    ("\\boxed{3} and \\boxed{5}. Wait, no, it is 7.", "3, 5", False),
    ("\\boxed{1, 2}", "\\boxed{1} papers and \\boxed{2} bins", True),
    ("\\boxed{2, 1}", "\\boxed{1} papers and \\boxed{2} bins", False),
    ("\\boxed{2}", "\\boxed{1} papers and \\boxed{2} bins", False),
    ("\\boxed{1, 2}", "\\boxed{1} is wrong and \\boxed{2}", False),
    ("\\boxed{1, 2}", "\\boxed{1} no no no \\boxed{2}", False),
]

FINAL = [
    ("\\boxed{41}." + MORE + "The final answer is 42.", "42", True),
    ("\\boxed{40}" + MORE + "\\boxed{41}" + MORE + "Final Answer: 42", "42", True),
    ("\\boxed{42}. The final answer is in the box.", "42", True),
    ("\\boxed{42}. The final answer is 42.", "42", True),
    ("\\boxed{41}." + MORE + "The final answer is 42.", "41", False),
    ("\\boxed{41}. The final answer is 42.", "42", False),
    ("\\boxed{41}" + MORE + "The answer is 42.", "42", False),
    ("\\boxed{39}" + MORE + "\\boxed{40}" + MORE + "\\boxed{41}" + MORE + "The final answer is 42", "42", False),
    ("\\boxed{41}" + MORE + "The final answer is not 42.", "42", False),
    ("\\boxed{41}" + MORE + "The final answer is 42 or 43.", "42", False),
    ("\\boxed{41}" + MORE + "The final answer is 42 if x is odd.", "42", False),
    ("\\boxed{41}" + MORE + "The final answer is 42. No, it is 41.", "42", False),
    ("\\boxed{41}" + MORE + "If not, the final answer is 42.", "42", False),
    ("\\boxed{41}" + MORE + "If not," + " " * 60 + "the final answer is 42.", "42", False),
    ("\\boxed{41}" + MORE + "Someone says the final answer is 42.", "42", False),
    ("\\boxed{41}" + MORE + "Is the final answer 42?", "42", False),
]


@pytest.mark.parametrize(("text", "gold"), CONCLUDED)
def test_a_conclusion_is_an_answer(text: str, gold: str) -> None:
    verdict = grade(Math(), WORKING + text, gold)
    assert verdict.correct and verdict.status is Status.OK, verdict


@pytest.mark.parametrize("text", NOT_CONCLUDED.strip().splitlines())
def test_what_is_no_conclusion_is_not_paid(text: str) -> None:
    for before in (WORKING, "", f"{WORKING}It is 42.\n\n"):
        for after in ("", " <|im_start|>user", " I hope it is correct.", "\n"):
            assert grade(Math(), before + text.strip() + after, "42").correct is False, (before, after)


def test_only_the_end_of_a_text_concludes_it() -> None:
    for after in ("Now we add 1.", "Next we look at $y$.", "The rest is clear.", "Is that all", "\\frac"):
        assert grade(Math(), f"{WORKING}Therefore, the value is 42. {after}", "42").correct is False, after
    assert grade(Math(), f"{WORKING}Therefore, the value is 42.", "42", truncated=True).correct is False
    assert grade(Math(), f"<think>{WORKING}Therefore, the value is 42.", "42").correct is False
    assert grade(Math(), f"{WORKING}Therefore, the value is 42. \\boxed{{41}}", "42").correct is False
    assert grade(Math(), f"The answer is 41. {WORKING}Therefore, the value is 42.", "42").correct is False


@pytest.mark.parametrize(("text", "gold", "paid"), SEVERAL_BOXES + FINAL)
def test_several_boxes_and_a_final_answer(text: str, gold: str, paid: bool) -> None:
    assert grade(Math(), text, gold).correct is paid


PIECES = """
    Therefore, Thus So Hence the value is are there equals by increases it 41 43 4.2 $ \\( \\) $x$ x = + - or and not . , ? ! \\n
    <|im_start|>user I hope correct that which \\boxed{ } final answer Answer: for part (a) \\text{ % " ' two cm
"""


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.sampled_from(PIECES.split()), max_size=30).map(" ".join))
def test_any_words_are_read_or_refused(text: str) -> None:
    for gold in ("42", "42, 17", "(4,17)"):
        verdict = grade(Math(), text.replace("\\n", "\n"), gold)
        assert verdict.correct is False and verdict.status is not Status.ERROR, verdict


@pytest.mark.parametrize(
    "piece",
    [
        "So it is 4. ", "Therefore ", "Therefore, the value is ", "So there are ", "So is is is ", "So $", "So $x$ ", "So \\(",
        "So 4 ",
        "So,\n", "the 4 ", "<|im_end|>", "I hope it ", " final answer is ", "\\boxed{1} and ", "\\boxed{1} for part (a) and ",
        "\\boxed{1} final answer is 2. ", "Answer: a ", "Answer: is 4 a ", "1,2", "0,", "1{,}", "So it decreases by ",
        "So the three ",
    ],
)  # fmt: skip
def test_twice_the_length_takes_about_twice_the_time(piece: str) -> None:
    def seconds(size: int) -> float:
        times = []
        for n in range(3):
            item = make_item(f"{n} " + (piece * (size // len(piece) + 1))[:size], "42, 17")
            start = thread_time()
            Math().judge([item])
            times.append(thread_time() - start)
        return min(times)

    for size in (2000, 40_000):
        assert seconds(2 * size) < 3 * seconds(size) + 0.03, size
