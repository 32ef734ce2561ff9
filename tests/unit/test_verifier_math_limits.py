"""The verifier math under attack: random text, pathological repetitions, numbers that never end, many threads at once."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.types import Item, Status
from earnest.verifiers.math import Math, parse
from earnest.verifiers.math.nodes import Unreadable
from grading import grade, make_item

GOLDS = [
    "42", "x^2+1", "\\frac{\\sqrt3}{3}", "(1,2)", "\\{1,2\\}", "1,2", "(0,1)\\cup(2,3)", "x<3", "y=2x+3", "3+4i", "52_8",
    "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\text{east}", "\\int x", "\\sin x+\\cos x", "2\\pm\\sqrt3", "12\\text{ cm}", "1:2",
]  # fmt: skip
REPEATED = [
    "(", "[", "{", "\\{", "|", "-", "+", "1+", "x+", "\\frac{1}{", "\\frac1", "\\sqrt", "\\sqrt{", "\\sqrt[3]{", "^", "2^",
    "x^{", "^2", "_", "_1", "x_{", "\\text{a", "\\text{a}", "\\left(", "\\sin ", "\\sin(", "\\log_2", "!", "5!", "%", "1,",
    "1,111,", "1 000", "1.", "1.1", "..", "...", "=", "x=", "<", "x<1,", "\\pm ", "\\pm1+", "\\{1\\}\\cup", "(1,2)\\cup",
    "\\binom99", "\\begin{pmatrix}", "&", "\\\\", "1&", "\\begin{pmatrix}1\\\\", "e^{", "i", "ab", "xy*", "abc ", "or ",
    "1 or ", "$", "$$", "\\$", "\\,", "\\!", "~", " ", "\n", "\u200b", "²", "½", "π", "√", "\\boxed{", "\\boxed{1}",
    "<answer>", "<answer>1</answer>", "#### 1\n", "answer is ", "Answer: 1. ", "wait ", "is ", "f(", "f(x", "P(A",
    "\\sum_{k=1}^{", "\\sum_{k=1}^{9}", "\\overline{", "0.\\overline{1}", "A_1", "A1", "AF_{16}", "12_3", "Z", "9", "9^{9}",
    "10000!", "10000!+", "x^{9999}+", "(x+1)^{99}", "e^{x}+", "\\lfloor x\\rfloor+", "\\color{red}", "\\quad", "x\\in ",
    "5\\text{ cm}", "5 cm ", "^\\circ", "30^\\circ+", "\\infty+", "1e999+", "2^{4000}+", "\\frac{x}{y}+", "1/", "a:", "\\\\x",
    "\\{x|", "[[1],", "f^{-1}(", "1{,}", "1\\,", "{ , }",
]  # fmt: skip
HEAVY = [
    "\\sin x-\\sin x", "3^{999}x-3^{999}x", "10000!-10000!", "\\sqrt{2}-\\sqrt2", "e^{x}-e^x", "\\sum_{k=1}^{1000}k",
    "\\sum_{k=1}^{20}\\sum_{j=1}^{20}\\sqrt{j}", "(x+1)^{9999}", "\\frac{1}{x+1}-\\frac{1}{x+1}", "\\binom{10000}{5000}",
    "\\sqrt[63]{3}", "|x|-|x|", "200!!", "\\frac{10^{900}+1}{10^{899}+7}", "x^{\\sqrt2}-x^{\\sqrt 2}", "9999^{9999}",
    "(x+y+z)^{50}-(x+y+z)^{50}", "\\tan x\\cos x-\\sin x", "\\ln 2-\\ln 2", "\\lfloor 10^9 x\\rfloor",
]  # fmt: skip
PIECES = """
    \\frac \\sqrt \\sqrt[3] { } ( ) [ ] \\{ \\} \\left \\right | + - * / ^ _ ! % = < > \\le \\ne \\in \\cup \\setminus \\pm , ; :
    . and or \\text{ \\text{cm} 1 2 10 0 x y n e i \\pi \\infty \\sin \\log \\ln \\sum_{k=1}^{3} \\binom & \\\\ \\begin{pmatrix}
    \\end{pmatrix} $ \\$ \\% ^\\circ \\boxed{ 1,234 0.5 ½ ² √ ∞ ≤ × − ° abc cm \\mathbb{R} \\varnothing \\overline{3} '
"""
ANSWERS = st.one_of(st.text(max_size=120), st.lists(st.sampled_from([*PIECES.split(), " "]), max_size=24).map("".join))


@settings(max_examples=400, deadline=None, database=None)
@given(ANSWERS)
def test_any_text_is_read_or_refused(text: str) -> None:
    node = parse.read(text)
    assert isinstance(node, Unreadable) or parse.read(text) == node
    for gold in ("842.5", "x^7+y^5-3", "(8, 4, 2, 5)", "\\{8, 4, 25\\}", "(8.5, 42)\\cup(842, 9999)"):
        verdict = grade(Math(), text, gold)
        assert verdict.correct is False, (text, gold, verdict)


@settings(max_examples=300, deadline=None, database=None)
@given(ANSWERS)
def test_any_gold_that_is_taken_is_met_by_itself(gold: str) -> None:
    if Math().check_gold(gold) is None and not any(mark in gold for mark in ("boxed", "answer", "#", "think>")):
        wrapped = f"<answer>{gold}</answer>"
        assert grade(Math(), wrapped, gold).status is not Status.ERROR
        if gold.strip() == gold:
            assert grade(Math(), wrapped, gold).correct, gold


@pytest.mark.parametrize("piece", REPEATED)
def test_repetition_is_cheap_and_never_paid(piece: str) -> None:
    for size in (50, 400, 4000, 40_000):
        text = (piece * (size // len(piece) + 1))[:size]
        for gold in GOLDS[:: 3 if size == 400 else 7]:
            for response in (text, f"\\boxed{{{text}}}"):
                start = thread_time()
                verdict = grade(Math(), response, gold)
                assert verdict.correct is False, (response[:60], gold, verdict)
                assert thread_time() - start < 1, (response[:60], gold)


@pytest.mark.parametrize("piece", REPEATED)
def test_twice_the_length_takes_about_twice_the_time(piece: str) -> None:
    def seconds(size: int) -> float:
        times = []
        for n in range(3):
            item = make_item(f"{n}" + (piece * (size // len(piece) + 1))[:size], "42")
            start = thread_time()
            Math().judge([item])
            times.append(thread_time() - start)
        return min(times)

    for size in (2000, 40_000):
        assert seconds(2 * size) < 3 * seconds(size) + 0.03, size


@pytest.mark.parametrize("term", HEAVY)
def test_heavy_arithmetic_ends_soon(term: str) -> None:
    for count in (3, 60):
        long = "+".join([term] * count)[:3800]
        long = long[: long.rfind("+")] if len(long) == 3800 else long
        for gold in GOLDS[1::4]:
            for answer in (f"{gold}+{long}", long, f"\\{{{long.replace('+', ', ')}\\}}", f"y = {long}", f"{long} < x"):
                start = thread_time()
                verdict = grade(Math(), f"\\boxed{{{answer}}}", gold)
                assert verdict.status is not Status.ERROR
                assert thread_time() - start < 1, (answer[:60], gold)


def test_hostile_answers_from_many_threads_take_two_seconds_at_most() -> None:
    answers = [f"{gold}+{'+'.join([term] * 20)}" for term in HEAVY for gold in ("x", "\\sqrt2", "\\{1, 2\\}")]
    answers += ["9^{9^{9^9}}", "((9!)!)!", "1000000!", "1" * 20_000, "(" * 3000, "\\frac{1}{" * 400, "2^{" * 300]
    items = [make_item(f"\\boxed{{{answer}}}", gold) for answer in answers for gold in ("x", "1,2")][:128]

    def timed(item: Item) -> float:
        start = perf_counter()
        assert Math().judge([item])[0].status is not Status.ERROR
        return perf_counter() - start

    Math().judge([make_item("\\sqrt{2}", "\\sqrt{3}")])
    with ThreadPoolExecutor(64) as pool:
        assert max(pool.map(timed, items)) <= 2


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("1" * 300, "1"),
        ("1+" * 600 + "1", "601"),
        (",".join("123456789" for _ in range(300)), "1,2"),
        ("(" * 70 + "1" + ")" * 70, "1"),
        ("\\frac{1}{" * 70 + "2" + "}" * 70, "2"),
        ("\\pi " * 300, "\\pi"),
        ("x+" * 600 + "x", "601x"),
        ("x " * 3000, "x"),
        ("10001!", "1"),
        ("2^{10001}", "1"),
        ("9^{9^{9^9}}", "387420489"),
        ("((20!)!)!", "1"),
        ("\\binom{10^9}{5}", "1"),
        ("\\sum_{k=1}^{10^6} k", "500000500000"),
        ("1e5000", "1"),
        ("e^{e^{e^{e^{e}}}}", "\\pi"),
        ("\\sin(10^{900})", "\\pi"),
        ("-" * 100 + "1", "1"),
        ("2^{" * 66 + "1" + "}" * 66, "2"),
    ],
)
def test_what_is_too_large_is_a_limit_and_not_paid(answer: str, gold: str) -> None:
    verdict = grade(Math(), f"\\boxed{{{answer}}}", gold)
    assert verdict.correct is False and verdict.status is Status.LIMIT, verdict


@pytest.mark.parametrize(
    "gold",
    ["7" * 5000, "x+" * 3000 + "x", "\\frac{1}{" * 200 + "2" + "}" * 200, "\\text{word} " * 500, "1, " * 2000 + "1"],
)
def test_a_gold_past_the_limits_is_met_by_its_own_text(gold: str) -> None:
    assert Math().check_gold(gold) is None
    assert grade(Math(), f"\\boxed{{{gold}}}", gold).correct
    assert grade(Math(), f"\\boxed{{{gold}1}}", gold).correct is False


@pytest.mark.parametrize(
    "pole",
    [
        "(\\sqrt{4}-\\sqrt{9}-\\pi+\\pi)!",
        "\\frac{1}{\\sqrt2-\\sqrt2}",
        "\\ln 0",
        "\\tan 90^\\circ",
        "0^{-\\pi}",
        "(-1)!",
    ],
)
def test_a_value_that_does_not_exist_is_no_answer(pole: str) -> None:
    for gold in ("\\sqrt{2}", "x", "0", "\\{1, \\sqrt2\\}", "(0, \\pi)", "x < \\pi"):
        for answer in (
            pole,
            f"x + {pole}",
            f"\\{{1, {pole}\\}}",
            f"(0, {pole})",
            f"x < {pole}",
            f"x = {pole} \\approx 3",
        ):
            assert grade(Math(), f"\\boxed{{{answer}}}", gold).correct is False
        assert grade(Math(), "\\sqrt{2}", pole).correct is False


def test_nothing_is_evaluated_or_written(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in (
        "open('p','w').write('1')",
        "__import__('os').system('touch p')",
        "().__class__.__base__",
        "exec('p=1')",
    ):
        for gold in ("1", "\\pi", "\\begin{pmatrix}1\\end{pmatrix}", "0"):
            for answer in (code, f"{code}*\\pi", f"[[{code}]]", f"\\sqrt{{{code}}}"):
                assert grade(Math(), f"\\boxed{{{answer}}}", gold).correct is False
    assert list(tmp_path.iterdir()) == []


def test_a_verdict_does_not_depend_on_what_was_graded_before() -> None:
    items = [make_item(f"\\boxed{{{answer}}}", gold) for answer in GOLDS for gold in GOLDS]
    first = Math().judge(items)
    parse._read.cache_clear()
    assert Math().judge(items[::-1])[::-1] == first
    alike = {"1,2", "\\{1,2\\}"}
    assert [v.correct for v in first] == [a == b or {a, b} == alike for a in GOLDS for b in GOLDS]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda item: Math().judge([item])[0], items)) == first


def test_the_reason_says_what_was_missing() -> None:
    said = {
        "\\boxed{6 \\times 7}": "not worked out",
        "\\boxed{\\nonsense{42}}": "unknown command \\nonsense",
        "\\boxed{(4, 2)}": "another kind of answer",
        "\\boxed{43}": "another number",
        "\\boxed{1, \\ldots, 42}": "unknown command \\ldots",
    }
    assert {text: grade(Math(), text, "42").reason for text in said} == said
    assert grade(Math(), "42", json.dumps({"answer": "42", "tolerance": "1e-3"})).correct


def test_changed_answers_and_golds_break_nothing() -> None:
    draw = random.Random(5)
    pieces = PIECES.split()
    for _ in range(2500):
        gold = answer = draw.choice(GOLDS + HEAVY)
        for _ in range(draw.choice((1, 1, 2))):
            at, to = sorted(draw.randrange(len(answer) + 1) for _ in range(2))
            kinds = (
                answer[:at] + answer[at + 1 :],
                answer[:at] + draw.choice(pieces) + answer[at:],
                answer[:to] + answer[at:],
            )
            answer = draw.choice(kinds)
        assert grade(Math(), f"\\boxed{{{answer}}}", gold).status is not Status.ERROR
        if Math().check_gold(answer) is None:
            assert grade(Math(), f"\\boxed{{{gold}}}", answer).status is not Status.ERROR
