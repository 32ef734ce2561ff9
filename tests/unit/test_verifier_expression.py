"""The expression verifier: what makes the number, what does not, and what is no expression."""

from __future__ import annotations

import re
from fractions import Fraction
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.types import Status
from earnest.verifiers import golds
from earnest.verifiers.expression import Expression, sides_of
from earnest.verifiers.refused import Refused
from grading import grade

GOLD = golds.write({"numbers": [4, 9, 10, 13], "target": 24})
EIGHTS = golds.write({"numbers": [3, 3, 8, 8], "target": 24})


@pytest.mark.parametrize(
    ("response", "gold"),
    [
        ("(13 - 9) * (10 - 4)", GOLD),
        ("(13-9)*(10-4) = 24", GOLD),
        ("(13-9)*(10-4)=4*6=24", GOLD),
        ("24 = (13 - 9) * (10 - 4)", GOLD),
        ("\\boxed{(13-9)\\times(10-4)}", GOLD),
        ("$\\boxed{(13-9)\\cdot(10-4)} = 24$", GOLD),
        ("<answer>(10-4)*(13-9)</answer>", GOLD),
        ("Answer: (10 − 4) × (13 − 9) = 24", GOLD),
        ("The answer is (10 - 4) * (13 - 9).", GOLD),
        ("**(10 - 4) * (13 - 9)**", GOLD),
        ("`[10 - 4] * (13 - 9)`", GOLD),
        ("(10 - 4) x (13 - 9)", GOLD),
        ("13 - 9 = 4 (left: 4 4 10)\n10 - 4 = 6 (left: 4 6)\n4 * 6 = 24\nAnswer: (13 - 9) * (10 - 4) = 24", GOLD),
        ("13 - 9 = 4\n10 - 4 = 6\n4 * 6 = 24\nSolution: (13 - 9) * (10 - 4) = 24", GOLD),
        ("<think>10 * 13</think>(13 - 9) * (10 - 4)", GOLD),
        ("\\boxed{9*4-13+10-10}\n\nWait, that uses 10 twice, so it is \\boxed{(13-9)*(10-4)}", GOLD),
        ("8 / (3 - 8 / 3)", EIGHTS),
        ("\\boxed{\\frac{8}{3-\\frac{8}{3}}}", EIGHTS),
        ("8 ÷ (3 − 8 ÷ 3) = 24", EIGHTS),
    ],
)
def test_paid(response: str, gold: str) -> None:
    verdict = grade(Expression(), response, gold)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("response", "gold"),
    [
        ("24", GOLD),
        ("4 * 6", GOLD),
        ("4 * 6 = 24", GOLD),
        ("(13 - 9) * (10 - 4) = 25", GOLD),
        ("(13 - 9) * (10 - 4) = 5 * 5 = 24", GOLD),
        ("13 + 9 + 10 - 4", GOLD),
        ("13 + 9 + 10 - 4 = 24", GOLD),
        ("13 - 9 + 10 + 10", GOLD),
        ("(13 - 9) * (10 - 4) * 1", GOLD),
        ("(13 - 9) * (10 - 4) + 4 - 4", GOLD),
        ("(13 - 9) * 10 - 4", GOLD),
        ("139 - 104", GOLD),
        ("13 - 9)(10 - 4", GOLD),
        ("(13 - 9)(10 - 4)", GOLD),
        ("-(9 - 13) * (10 - 4)", GOLD),
        ("(13 - 9) * (10 - 4) or (10 - 4) * (13 - 9)", GOLD),
        ("(13 - 9) * (10 - 4), (10 - 4) * (13 - 9)", GOLD),
        ("(13 - 9) * (10 - 4) = (10 - 4) * (13 - 9)", GOLD),
        ("(13 - 9) * (10 - 4)\n(10 - 4) * (13 - 9)", GOLD),
        ("(13 + 9) * (10 - 4)\n(13 - 9) * (10 - 4)", GOLD),
        ("\\boxed{(13 - 9) * (10 - 4)} \\boxed{(13 + 9) * (10 - 4)}", GOLD),
        ("\\boxed{(13+9)*(10-4)} or \\boxed{(13-9)*(10-4)}", GOLD),
        ("\\boxed{(13-9)*(10-4) = 25} \\boxed{(13-9)*(10-4)}", GOLD),
        ("Answer: (13 - 9) * (10 - 4)\nNo wait: (13 + 9) - 10 + 4", GOLD),
        ("The answer is not (13 - 9) * (10 - 4).", GOLD),
        ("(13 - 9) ** (10 - 4)", GOLD),
        ("(13 - 9)^1 * (10 - 4)", GOLD),
        ("eval('(13 - 9) * (10 - 4)')", GOLD),
        ("(13 - 9) * (10 - 4) # = 24", GOLD),
        ("13 - 9 = 4, 10 - 4 = 6, 4 * 6 = 24", GOLD),
        ("13 - 9 = 4\n10 - 4 = 6\n4 * 6 = 24", GOLD),
        ("((13 - 9) * (10 - 4)", GOLD),
        ("(13 - 9] * (10 - 4)", GOLD),
        ("13 / (9 - 9) + 10 - 4", GOLD),
        ("8 / (3 - 8 / 3) = 23.99", EIGHTS),
        ("8.0 / (3 - 8 / 3)", EIGHTS),
        ("8 // (3 - 8 // 3)", EIGHTS),
        ("8 / 3 - 8 / 3", EIGHTS),
        ("3 * 8", EIGHTS),
        ("", GOLD),
        ("=", GOLD),
        ("()", GOLD),
        ("<answer>(13 - 9) * (10 - 4)", GOLD),
    ],
)
def test_not_paid(response: str, gold: str) -> None:
    verdict = grade(Expression(), response, gold)
    assert verdict.correct is False, verdict


@pytest.mark.parametrize(
    ("response", "status"),
    [
        ("13 + 9 + 10 - 4", Status.OK),
        ("10 / (4 - 4) + 13 - 9", Status.OK),
        ("I cannot do it.", Status.NO_ANSWER),
        ("<think>(13 - 9) * (10 - 4)", Status.NO_ANSWER),
        ("Answer: " + "(" * 100 + "1" + ")" * 100, Status.LIMIT),
        ("Answer: " + "1+" * 100 + "1", Status.LIMIT),
        ("Answer: " + "1" * 50, Status.LIMIT),
        ("1+" * 5_000 + "1", Status.LIMIT),
    ],
)
def test_status(response: str, status: Status) -> None:
    assert grade(Expression(), response, GOLD).status is status


def test_a_division_by_zero_is_wrong_and_says_so() -> None:
    verdict = grade(Expression(), "10 / (4 - 4) + 3", golds.write({"numbers": [3, 4, 4, 10], "target": 3}))
    assert verdict.correct is False and verdict.reason == "a division by zero"


@pytest.mark.parametrize(
    "bad",
    [{}, {"numbers": [1, 2]}, {"target": 24}, {"numbers": [], "target": 1}, {"numbers": [1, "2"], "target": 3},
     {"numbers": [1, 2.0], "target": 3}, {"numbers": [1, True], "target": 2}, {"numbers": [1, -2], "target": 3},
     {"numbers": [1, 2], "target": None}, {"numbers": 12, "target": 3}],
)  # fmt: skip
def test_a_gold_that_cannot_be_read_is_an_error(bad: dict[str, Any]) -> None:
    assert Expression().check_gold(golds.write(bad)) is not None
    assert grade(Expression(), "1 + 2", golds.write(bad)).status is Status.ERROR


NUMBER = st.integers(1, 13).map(str)
TREES = st.recursive(
    NUMBER,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({''.join(parts)})"),
    max_leaves=8,
)


def value(tree: str) -> Fraction | None:
    """Of a fully bracketed expression, by taking out innermost brackets: another way than the verifier's. None: x / 0."""
    values: dict[str, Fraction] = {}

    def of(name: str) -> Fraction:
        return values[name] if name in values else Fraction(name)

    while (inner := re.search(r"\(([^()]+?)([-+*/])([^()]+)\)", tree)) is not None:
        one, sign, other = of(inner[1]), inner[2], of(inner[3])
        if sign == "/" and other == 0:
            return None
        name = f"v{len(values)}"
        sums = {"+": one + other, "-": one - other, "*": one * other, "/": one / (other or 1)}
        values[name] = sums[sign]
        tree = tree[: inner.start()] + name + tree[inner.end() :]
    return of(tree)


@settings(max_examples=300, deadline=None, database=None)
@given(TREES)
def test_values_are_exact(tree: str) -> None:
    sides = sides_of(tree)
    assert not isinstance(sides, Refused) and len(sides) == 1
    assert sides[0].value == value(tree)


SYMBOLS = "1 2 13 ( ) [ ] { } + - * / = x × ÷ . , \\frac{ \\boxed{ Answer: or ² ½ <answer> </answer>"
PIECES = [*SYMBOLS.split(), " ", "\n"]
ANYTHING = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


@settings(max_examples=500, deadline=None, database=None)
@given(ANYTHING)
def test_any_text_is_graded_and_earns_nothing(text: str) -> None:
    verdict = grade(Expression(), text, golds.write({"numbers": [977, 983, 991], "target": 24}))
    assert verdict.correct is False


@pytest.mark.parametrize(
    "piece", ["(", "1+", "1 ", "=", "\\boxed{", "Answer: 1+1\n", "1+2\n", "a: ", "x", "-", "\\frac{"]
)
def test_time_grows_with_length_alone(piece: str) -> None:
    def seconds(size: int) -> float:
        best = []
        for _ in range(3):
            start = perf_counter()
            grade(Expression(), piece * (size // len(piece)), GOLD)
            best.append(perf_counter() - start)
        return min(best)

    assert seconds(200_000) < max(0.2, 5 * seconds(100_000)) and seconds(200_000) < 2
