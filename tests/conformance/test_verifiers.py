"""What every verifier must keep to, and the public adversarial cases for those there are.

A new file in `verifiers/` is tested by being there. The adversarial cases are a file beside the data sets; a verdict that differs
from theirs is either a fault or stands, with its reason, in agreed_exceptions.json (conventions only).
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import EXACT
from earnest import component
from earnest.sandbox import levels
from earnest.types import Status
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.code import Code
from earnest.verifiers.number import Number
from earnest.verifiers.string import String
from grading import grade, make_item

GYM = {
    "dataset": "leg_counting",
    "config": {"seed": 1, "size": 1},
    "index": 0,
    "package": "reasoning_gym==0.1.25",
}
ADD = {"kind": "functional", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}]}
SAMPLES = {text: text for text in ("42", "Paris", "x^2+1", "A", "7")} | {
    golds.write({"answer": "B", "choices": {"A": "red", "B": "blue"}}): "B",
    golds.write({"constraints": [{"type": "keywords", "keywords": ["Paris"]}]}): "Paris",
    golds.write({"numbers": [11, 13], "target": 24}): "11 + 13",
    golds.write({"system": "metamath", "db": "propositional.mm", "statement": "|- ( p -> p )"}): "vp refl",
    golds.write(GYM): "<answer>292</answer>",
    golds.write(ADD): "```python\ndef add(a, b):\n    return a + b\n```",
}
"""Gold answers, and a right answer to each; with a 7 after it, it is wrong."""
AGREED = {
    case["id"]: case for case in json.loads((Path(__file__).parent / "agreed_exceptions.json").read_text("utf-8"))
}
DOMAINS: dict[str, Verifier] = {
    name: component.build("verifier", name)
    for name in ("math", "string", "choice", "constraint", "proof", "reasoning_gym")
}
PIECES = (
    "\\boxed{ } { \\frac <answer> </answer> <think> </think> #### Answer: 1 3 05 . , - / ^ % $ \\ or ² ½ ( ) e "
    "\\text{ \\overline{ \u200b"
)
ANYTHING = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from([*PIECES.split(), " ", "\n"]), max_size=40).map("".join)
)


GRADERS = [
    name for name in component.names("verifier") if vars(component.find("verifier", name)).get("needs_gold", True)
]
"""Verifiers of an answer; one that reads no gold answer has tests of its own."""


@pytest.fixture(params=GRADERS)
def verifier(request: pytest.FixtureRequest, tmp_path: Path) -> Verifier:
    (tmp_path / "rewards.py").write_text(EXACT, encoding="utf-8")
    spec = {"function": "rewards.py:exact", "combine": {"name": "combine", "of": ["number", "string"]}}
    spec |= {"by_task": {"name": "by_task", "of": [{"task": "t", "use": "number"}, {"task": "u", "use": "math"}]}}
    return component.build("verifier", spec.get(request.param, request.param), component.BuildContext(tmp_path))


def gold_for(verifier: Verifier) -> str:
    readable = [gold for gold in SAMPLES if verifier.check_gold(gold) is None]
    assert readable, "a verifier of golds of a new form needs one in SAMPLES"
    return readable[0]


def test_the_gold_itself_is_right_and_another_answer_is_wrong(verifier: Verifier) -> None:
    gold = gold_for(verifier)
    right = SAMPLES[gold]
    for text in (right, f"<think>so</think>\n{right}"):
        assert grade(verifier, text, gold).correct, text
    assert grade(verifier, f"{right}7", gold).correct is False


@pytest.mark.parametrize("domain", ["math", "string"])
def test_a_boxed_answer_is_read(domain: str) -> None:
    gold = gold_for(DOMAINS[domain])
    assert grade(DOMAINS[domain], f"so \\boxed{{{SAMPLES[gold]}}}", gold).correct


def test_nothing_is_no_answer_and_a_cut_is_truncated(verifier: Verifier) -> None:
    gold = gold_for(verifier)
    for text in ("", " \n", f"<think>{SAMPLES[gold]}"):
        assert grade(verifier, text, gold).status is Status.NO_ANSWER, text
    assert grade(verifier, SAMPLES[gold], gold, truncated=True).status is Status.TRUNCATED


def test_a_gold_that_cannot_be_read_is_an_error_and_no_zero(verifier: Verifier) -> None:
    assert verifier.check_gold("") is not None
    for gold in ("", None):
        verdict = grade(verifier, "42", gold)
        assert verdict.status is Status.ERROR and verdict.correct is None and verdict.score is None


def test_one_verdict_per_item_in_order_from_any_thread(verifier: Verifier) -> None:
    gold = gold_for(verifier)
    right = SAMPLES[gold]
    items = [make_item(text, gold) for text in (right, "", right + "7", f"<think>{right}", right) * 20]
    expected = verifier.judge(items)
    assert [v.correct for v in expected[:5]] == [True, False, False, False, True]
    with ThreadPoolExecutor(4) as pool:
        for verdicts in pool.map(verifier.judge, [items] * 8):
            assert verdicts == expected
    assert verifier.judge([]) == []


def test_it_survives_its_own_serialisation(verifier: Verifier) -> None:
    assert component.build("verifier", verifier.model_dump()) == verifier


@settings(max_examples=300, deadline=None, database=None)
@given(ANYTHING)
def test_random_text_breaks_nothing_and_earns_nothing(text: str) -> None:
    (number,) = Number().judge([make_item(text, "842")])
    assert "8" in text or number.correct is False, (text, number)
    (string,) = String().judge([make_item(text, "Zanzibar")])
    assert "anzibar" in text.casefold() or string.correct is False, (text, string)


@settings(max_examples=200, deadline=None, database=None)
@given(ANYTHING)
def test_random_gold_is_read_or_refused(gold: str) -> None:
    for verifier in DOMAINS.values():
        verdict = grade(verifier, "1", gold)
        assert (verdict.status is Status.ERROR) == (verifier.check_gold(gold) is not None)


def adversarial() -> list[dict[str, object]]:
    """The public cases of domains that a verifier here can grade; empty without the data."""
    root = os.environ.get("EARNEST_DATA")
    file = Path(root).parent / "verify" / "cases.jsonl" if root else None
    if file is None or not file.is_file():
        return []
    cases = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    cases = [case | {"gold": g if isinstance(g := case["gold"], str) else golds.write(g)} for case in cases]
    return [
        case
        for case in cases
        if case["domain"] in DOMAINS and ('"coq"' not in case["gold"] or shutil.which("coqc") is not None)
    ]


@pytest.mark.skipif(not adversarial(), reason="EARNEST_DATA is not set, or has no adversarial cases beside it")
def test_the_adversarial_cases_are_graded_as_agreed() -> None:
    cases = adversarial()
    assert len(cases) >= 100
    ids = {str(case["id"]) for case in cases}
    grade(DOMAINS["reasoning_gym"], "<answer>1</answer>", golds.write(GYM))  # starts the process that makes rows
    false_pass, false_reject, slow = [], [], []
    for case in cases:
        start = perf_counter()
        verdict = grade(DOMAINS[str(case["domain"])], str(case["response"]), str(case["gold"]))
        if perf_counter() - start > (10 if '"coq"' in str(case["gold"]) else 2):  # four starts of a program of 0.2 s
            slow.append(case["id"])
        if case["id"] in AGREED:
            assert case["tag"] == "policy", f"{case['id']} is no convention"
        elif verdict.correct and not case["expect"]:
            false_pass.append(case["id"])
        elif not verdict.correct and case["expect"]:
            false_reject.append(case["id"])
    assert (false_pass, false_reject, slow) == ([], [], [])
    assert AGREED.keys() <= ids, "agreed_exceptions.json names a case that is not graded"


@pytest.mark.skipif(not adversarial(), reason="EARNEST_DATA is not set, or has no adversarial cases beside it")
def test_the_adversarial_programs_are_graded_as_agreed() -> None:
    """Each is put to its tests; the time of one is the gold's own limit, twice on the wall clock, and a little."""
    if levels.probe().level is None:
        pytest.skip("no sandbox level holds on this machine")
    lines = (Path(os.environ["EARNEST_DATA"]).parent / "verify" / "cases.jsonl").read_text("utf-8").splitlines()
    cases = [case for case in map(json.loads, lines) if case["domain"] == "code"]

    def found(case: dict[str, Any]) -> tuple[bool, bool]:
        start = perf_counter()
        verdict = grade(Code(), case["response"], golds.write(case["gold"]))
        assert verdict.status is not Status.ERROR, (case["id"], verdict)
        return verdict.correct is case["expect"], perf_counter() - start < 3 * case["gold"]["time_limit_s"]

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = dict(zip((case["id"] for case in cases), pool.map(found, cases), strict=True))
    assert len(results) >= 60 and {name: result for name, result in results.items() if result != (True, True)} == {}
    assert not list(Path("/tmp").glob("rlvr_pwned_*"))
