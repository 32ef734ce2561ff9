"""Several verifiers as one: scores, what counts as correct, golds of the members, and failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from earnest.component import BuildContext, KeyedConfigError, build, parts
from earnest.types import Item, Status, Verdict
from earnest.verifiers.base import Verifier
from grading import grade, make_item

STUB = '''
from earnest.types import Status, Verdict
from earnest.verifiers.base import Verifier

class Stub(Verifier):
    """Correct if its word is in the text; half a point if it is there in capitals; fails if it is `broken`."""

    word: str = "a"

    def judge(self, items):
        return [self.one(item.parsed.answer_text or "") for item in items]

    def one(self, text):
        if self.word == "broken":
            return Verdict(status=Status.ERROR, correct=None, score=None, reason="broken")
        right = self.word in text
        score = 1.0 if right else 0.5 if self.word.upper() in text else 0.0
        reason = "" if right else f"no {self.word}"
        return Verdict(status=Status.OK, correct=right, score=score, reason=reason, parts={"x": score})
'''


@pytest.fixture
def stub(tmp_path: Path) -> Any:
    (tmp_path / "stub.py").write_text(STUB, encoding="utf-8")

    def make(how: str, *members: Any) -> Verifier:
        of = [
            {"use": {"name": "stub.py:Stub", "word": m}, "name": m}
            if isinstance(m, str)
            else {"use": {"name": "stub.py:Stub", "word": m[0]}, "weight": m[1], "name": m[0]}
            for m in members
        ]
        return build("verifier", {"name": "combine", "how": how, "of": of}, BuildContext(tmp_path))

    return make


@pytest.mark.parametrize(
    ("how", "text", "correct", "score"),
    [
        ("all", "ab", True, 1.0),
        ("all", "a", False, 0.0),
        ("all", "aB", False, 0.0),
        ("all", "b", False, 0.0),
        ("sum", "ab", True, 1.0),
        ("sum", "a", False, 0.75),
        ("sum", "b", False, 0.25),
        ("sum", "aB", False, 0.875),
        ("gate", "ab", True, 1.0),
        ("gate", "a", False, 0.75),
        ("gate", "b", False, 0.0),
        ("gate", "Ab", False, 0.0),
    ],
)
def test_scores(stub: Any, how: str, text: str, correct: bool, score: float) -> None:
    verdict = grade(stub(how, ("a", 3.0), ("b", 1.0)), text, "g")
    assert (verdict.status, verdict.correct, verdict.score) == (Status.OK, correct, score)


def test_a_perfect_score_is_exactly_one(stub: Any) -> None:
    for weights in ((0.1, 0.2, 0.7), (1e-9, 3.0, 0.3)):
        members = list(zip("abc", weights, strict=True))
        assert grade(stub("sum", *members), "abc", "g").score == 1.0


def test_parts_and_reasons_name_the_member(stub: Any) -> None:
    verdict = grade(stub("sum", "a", "b"), "aB", "g")
    assert verdict.parts == {"a": 1.0, "b": 0.5, "a/x": 1.0, "b/x": 0.5} and verdict.reason == "b: no b"
    shut = grade(stub("gate", "a", "b"), "b", "g")
    assert shut.parts == {"a": 0.0, "a/x": 0.0} and shut.reason == "a: no a"


def test_a_failure_of_a_member_that_is_asked_is_one_of_the_whole(stub: Any) -> None:
    for how in ("all", "sum"):
        for members in (("a", "broken"), ("broken", "a")):
            for text in ("a", "nothing"):
                verdict = grade(stub(how, *members), text, "g")
                assert verdict.status is Status.ERROR and verdict.reason == "broken: broken"
    assert grade(stub("gate", "a", "broken"), "a", "g").status is Status.ERROR
    assert grade(stub("gate", "a", "broken"), "b", "g").correct is False


def test_nothing_is_asked_about_what_was_not_answered(stub: Any) -> None:
    verifier = stub("all", "broken", "a")
    assert grade(verifier, "a", "g", truncated=True).status is Status.TRUNCATED
    assert grade(verifier, "<think>a", "g").status is Status.NO_ANSWER


def test_the_first_status_that_is_not_ok_is_that_of_the_whole() -> None:
    both = build("verifier", {"name": "combine", "of": ["steps", "number"]})
    assert grade(both, "3 + 4 = 7\n#### 7", "7").correct
    assert grade(both, "3 + 4 = 8\n#### 7", "7").reason == "steps: a wrong step: 7 and not 8"
    assert grade(both, "3 + 4 = 7\n#### 8", "7").reason == "number: another number"
    assert grade(both, "7", "7").status is Status.NO_ANSWER
    verdict = grade(both, "3 + 4 = 7\n#### 7", "7")
    assert verdict.steps == ((9, 1.0),) and verdict.extracted == "7"
    assert both.check_gold("x") == "number: not one number" and both.check_gold("7") is None
    assert both.label == "all(steps 1, number 2)"


def test_each_member_may_have_a_gold_of_its_own() -> None:
    spec = {"name": "combine", "of": [{"use": "number", "gold": "n"}, {"use": "string", "gold": "s", "name": "s"}]}
    both = build("verifier", spec)
    gold = json.dumps({"n": 7, "s": "7"})
    assert both.check_gold(gold) is None and grade(both, "7", gold).correct
    assert grade(both, "7.0", gold).reason == "s: another text"
    assert both.check_gold('{"n": 7}') == "s: no 's' in it" and "no object" in (both.check_gold("7") or "")
    for broken in ('{"n": 7}', "7", "[7]", "", None, '{"n": "x", "s": "7"}'):
        verdict = grade(both, "7", broken)
        assert verdict.status is Status.ERROR and verdict.correct is None, broken


def test_combinations_nest_and_their_parts_are_found() -> None:
    inner = {"name": "combine", "how": "sum", "of": ["number", "string"]}
    outer = build("verifier", {"name": "combine", "how": "gate", "of": [{"use": inner, "name": "in"}, "steps"]})
    assert {part.name for part in parts(outer)} == {"combine", "number", "string", "steps"}
    verdict = grade(outer, "7", "7")
    assert verdict.status is Status.NO_ANSWER and verdict.parts["in/number"] == 1.0 and verdict.score == 0.5


def test_verdicts_keep_their_order(stub: Any) -> None:
    verifier = stub("gate", "a", "b")
    items: Sequence[Item] = [make_item(text, "g") for text in ("ab", "", "a", "<think>ab", "b", "ab")]
    verdicts: list[Verdict] = verifier.judge(items)
    assert [v.score for v in verdicts] == [1.0, 0.0, 0.5, 0.0, 0.0, 1.0] and verifier.judge([]) == []


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({}, "'of' is missing"),
        ({"of": []}, "two verifiers"),
        ({"of": ["number"]}, "two verifiers"),
        ({"of": "number"}, "two verifiers"),
        ({"of": ["number", "number"]}, "are named 'number'"),
        ({"of": ["number", {"weight": 2}]}, "without `use:`"),
        ({"of": ["number", "nmber"]}, "unknown verifier"),
        ({"of": ["number", {"use": "string", "weight": 0}]}, "greater than 0"),
        ({"of": ["number", {"use": "string", "wieght": 1}]}, "unknown key"),
        ({"of": ["number", "string"], "how": "any"}, "'all', 'sum'"),
        ({"of": ["number", {"use": "string", "weight": float("nan")}]}, "number|greater|finite"),
    ],
)
def test_what_cannot_work_is_refused(spec: dict[str, Any], what: str) -> None:
    with pytest.raises(KeyedConfigError, match=what):
        build("verifier", {"name": "combine", **spec})
