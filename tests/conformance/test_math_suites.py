"""The verifiers `math` and `number` on labelled answers of other projects, and against themselves on the golds of MATH-500.

A verdict that differs from a label is a fault, or stands in suite_exceptions.json with its reason (lines count from 1).
"""

from __future__ import annotations

import gzip
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from earnest.types import Item, Status
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.math import Math
from earnest.verifiers.number import Number
from grading import grade, make_item

DATA = Path(os.environ.get("EARNEST_DATA", "no-data"))
VERIFY = DATA.parent / "verify"
AGREED = json.loads((Path(__file__).parent / "suite_exceptions.json").read_text("utf-8"))
PAIRS = 8000
needs_data = pytest.mark.skipif(not VERIFY.is_dir(), reason="EARNEST_DATA is not set, or has no suites beside it")


def lines(file: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def math_cases() -> list[tuple[dict[str, Any], Item]]:
    cases = [case for case in lines(VERIFY / "cases.jsonl") if case["domain"] == "math"]
    return [
        (
            case,
            make_item(case["response"], case["gold"] if isinstance(case["gold"], str) else golds.write(case["gold"])),
        )
        for case in cases
    ]


@needs_data
@pytest.mark.parametrize("verifier", [Math(), Math(symbolic=True), Number()], ids=["math", "sympy", "number"])
def test_adversarial_answers(verifier: Verifier) -> None:
    verifier.conditions()
    cases = [(c, item) for c, item in math_cases() if verifier.check_gold(str(item.problem.answer)) is None]
    assert len(cases) >= (80 if verifier.name == "math" else 50)
    verdicts = verifier.judge([item for _, item in cases])
    wrong = [(case["id"], v) for (case, _), v in zip(cases, verdicts, strict=True) if v.correct is not case["expect"]]
    assert wrong == []


@needs_data
def test_adversarial_answers_all_at_once_from_many_threads() -> None:
    items = [item for _, item in math_cases()]
    expected = Math().judge(items)

    def timed(item: Item) -> tuple[float, Any]:
        start = perf_counter()
        verdict = Math().judge([item])[0]
        return perf_counter() - start, verdict

    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(timed, items * 3))
    assert [verdict for _, verdict in found] == expected * 3
    assert max(took for took, _ in found) <= 2


def with_tolerance(case: dict[str, Any]) -> str:
    """The gold with the tolerance that the row declares, half a unit of its last place, if it has a number."""
    if "precision" not in case["opts"]:
        return case["gold"]
    gold = golds.write({"answer": case["gold"], "tolerance": f"5e-{case['opts']['precision'] + 1}"})
    return gold if Math().check_gold(gold) is None else case["gold"]


@needs_data
@pytest.mark.parametrize("verifier", [Math(), Math(symbolic=True)], ids=["math", "sympy"])
def test_pairs_of_math_verify(verifier: Math) -> None:
    verifier.conditions()
    cases = lines(VERIFY / "suites" / "math_verify" / "cases.jsonl")
    assert len(cases) == 269
    agreed = {line for entry in AGREED if entry["suite"] == "math_verify" for line in entry["lines"]}
    verdicts = [grade(verifier, case["pred"], with_tolerance(case)) for case in cases]
    assert not [v for v in verdicts if v.status is Status.ERROR]
    differs = [
        n for n, (c, v) in enumerate(zip(cases, verdicts, strict=True), 1) if bool(v.correct) != bool(c["expected"])
    ]
    assert [(n, cases[n - 1], verdicts[n - 1]) for n in differs if n not in agreed] == []
    assert agreed <= set(differs), "suite_exceptions.json names a line that is graded as its label says"
    assert len(differs) == 23 and sum(with_tolerance(case) != case["gold"] for case in cases) == 9
    paid = [n for n in differs if verdicts[n - 1].correct]
    assert paid == [188], "of the exceptions one is paid: its twin on the line before is labelled right"


@needs_data
@pytest.mark.parametrize("verifier", [Math(), Number()], ids=["math", "number"])
def test_labelled_model_solutions(verifier: Verifier) -> None:
    cases = lines(VERIFY / "suites" / "gsm8k_model_solutions" / "cases.jsonl.gz")
    assert len(cases) == 5276
    verdicts = verifier.judge([make_item(case["response"], case["gold"]) for case in cases])
    assert [c["id"] for c, v in zip(cases, verdicts, strict=True) if v.correct is not c["expect"]] == []


@needs_data
def test_every_gold_of_math500_meets_itself() -> None:
    answers = [row["answer"] for row in lines(DATA / "math500" / "math500.jsonl")]
    assert len(answers) == 500 and [a for a in answers if Math().check_gold(a) is not None] == []
    failed = [a for a in answers if not grade(Math(), f"It is $\\boxed{{{a}}}$.", a).correct]
    assert failed == []


@needs_data
@pytest.mark.parametrize("answer", [r"e^{1000}\sin\pi+0i", r"9^{99}\sin\pi", r"\tanh(200)", "f(1)", "0!+0i"])
def test_no_one_answer_is_paid_for_many_golds(answer: str) -> None:
    golds = sorted({row["answer"] for row in lines(DATA / "math500" / "math500.jsonl")})
    verdicts = Math().judge([make_item(f"$\\boxed{{{answer}}}$", gold) for gold in golds])
    assert [gold for gold, v in zip(golds, verdicts, strict=True) if v.correct is not False] == []


EQUAL = [
    {"-2,1", "1,-2"}, {"10,\\!080", "10080"}, {"120", "120^\\circ"}, {"15", "15\\mbox{ cm}^2"}, {"180^\\circ", "\\pi"},
    {"2 \\sqrt{5}", "2\\sqrt{5}"}, {"30", "30^\\circ"}, {"36", "36^\\circ"}, {"36", "\\$36"}, {"5", "x=5"},
    {"90", "90^\\circ"}, {"\\frac14", "\\frac{1}{4}"},
]  # fmt: skip
"""All pairs of different golds of MATH-500 that are one answer, looked at by hand. A unit may be stated on one side alone."""


@needs_data
@pytest.mark.parametrize("count", [PAIRS, pytest.param(None, marks=pytest.mark.slow)], ids=["some", "all"])
def test_different_golds_of_math500_meet_only_where_they_are_equal(count: int | None) -> None:
    answers = sorted({row["answer"] for row in lines(DATA / "math500" / "math500.jsonl")})
    pairs = [(a, b) for a in answers for b in answers if a != b]
    if count is not None:
        pairs = random.Random(0).sample(pairs, count) + [(a, b) for a, b in pairs if {a, b} in EQUAL]
    verdicts = Math().judge([make_item(f"$\\boxed{{{b}}}$", a) for a, b in pairs])
    met = [(a, b) for (a, b), v in zip(pairs, verdicts, strict=True) if v.correct is not False]
    assert [pair for pair in met if set(pair) not in EQUAL] == []
    assert {frozenset(pair) for pair in met} == {frozenset(pair) for pair in EQUAL}
