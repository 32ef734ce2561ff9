"""The cases of an audit: what they are, when one would be unsound, what a user adds, and what is counted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from earnest import api
from earnest.cli.main import outcome
from earnest.component import BuildContext, build
from earnest.data.select import subset
from earnest.errors import DataError
from earnest.evaluate.audit import SomeGolds
from earnest.gates.cases import KINDS, PLACEHOLDERS, Case, examples, item_of, kinds_of, load, shipped, texts
from earnest.gates.trials import is_paid, own_trials, trials
from earnest.tasks.base import Task
from earnest.tasks.near_misses import is_number
from earnest.types import Parsed, Problem, Solution, Split, Status, Verdict
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.number import Number

CHOICE = golds.write({"answer": "B", "choices": {"A": "Paris", "B": "London", "C": "Rome"}})
CODE = golds.write({"kind": "functional", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}]})
CONSTRAINT = golds.write({"constraints": [{"type": "word_count", "relation": "at least", "n": 3}]})
PROOF = golds.write({"system": "coq", "header": "", "name": "goal", "statement": "True"})


def asked(gold: str, question: str = "What is it?") -> Problem:
    return Problem(id="p", task="t", prompt=question, answer=gold)


def case(response: str, **fields: Any) -> Case:
    return Case(**{"id": "c", "expect": False, "why": "", "tag": "t", "response": response, **fields})


def filled(response: str, gold: str, wrong: str = "7", question: str = "What is it?", **fields: Any) -> Parsed | None:
    problem = asked(gold, question)
    solution = Solution("", fields.pop("solution", gold))
    item = item_of(case(response, **fields), problem, texts(problem, solution, wrong))
    return None if item is None else item.parsed


# ------------------------------------------------------------------------------------------------ the shipped cases


def test_every_class_has_a_file_and_every_case_a_name_of_its_own_and_a_reason() -> None:
    found = shipped()
    assert {c.tag for c in found} == {
        "blowups", "choice", "code", "constraint", "empty", "formats", "hedges", "injections", "overlong", "proof", "thoughts",
        "tricks",
    }  # fmt: skip
    assert len({(c.tag, c.id) for c in found}) == len(found) and all(c.why and c.kinds for c in found)
    assert all(c.expect == (c.tag == "formats") and c.gold is None and not c.own for c in found)


def test_every_case_is_tried_on_some_gold() -> None:
    task = SomeGolds(golds=tuple(e.gold for e in examples()))
    tried = {t.name for t in trials(Bare(), task, task.problems("train"), 99, shipped())}
    never = {c.id for c in shipped()} - tried
    assert never == set()


def test_the_slow_ones_are_tried_on_one_problem() -> None:
    task = build("task", "chain")
    found = trials(Bare(), task, subset(task.problems("train"), 30), 5, shipped())
    counts = {name: sum(t.name == name for t in found) for name in ("long digits", "hedge, gold last", "gold")}
    assert counts == {"long digits": 1, "hedge, gold last": 5, "gold": 30}


@pytest.mark.parametrize(
    ("gold", "kinds"),
    [
        ("42", {"number"}), ("-0.5", {"number"}), ("Paris", {"text"}), ("3/4", {"text"}), ("{1, 2}", {"text"}),
        (golds.write({"answer": "42", "form": "number"}), {"number"}), (CHOICE, {"choice"}), (CODE, {"code", "function"}),
        (golds.write({"kind": "stdio", "tests": [{"input": "1", "output": "2"}]}), {"code"}),
        (golds.write({"kind": "functional", "entry_point": "f", "tests": [{"args": [], "expected": None}]}), {"code"}),
        (golds.write({"kind": "assert", "entry_point": "f", "tests": ["assert f(1) is None"]}), {"code"}),
        (CONSTRAINT, {"constraint"}), (PROOF, {"proof"}), (golds.write({"dataset": "x", "index": 0}), {"reasoning_gym"}),
    ],
)  # fmt: skip
def test_kinds_of_gold(gold: str, kinds: set[str]) -> None:
    assert kinds_of(gold) == kinds and kinds <= set(KINDS)


# ------------------------------------------------------------------------------------------------ filling in


def test_placeholders_and_nothing_else_are_filled_in() -> None:
    assert filled("\\boxed{{gold}} {wrong} {answer} {x} {}", "42") is not None
    parsed = filled("\\boxed{{gold}} {wrong} {answer} {x} {}", "42")
    assert parsed is not None and parsed.answer_text == "\\boxed{42} 7 {answer} {x} {}" and parsed.thought == ""
    injected = filled("{gold} or {wrong}", "42", wrong="{question}")
    assert injected is not None and injected.answer_text == "42 or {question}", (
        "what was filled in is not filled in again"
    )
    assert filled("<think>{gold}", "42") == Parsed(text="<think>42", thought="42", answer_text=None, well_formed=False)


@pytest.mark.parametrize(
    ("response", "gold", "answer"),
    [
        ("{gold.commas}", "1234567", "1,234,567"), ("{gold.commas}", "-1234.5678", "-1,234.5678"), ("{gold.commas}", "999", None),
        ("{gold.point}", "42", "42.0"), ("{gold.point}", "0.5", "0.50"), ("{gold.wide}", "-4.2", "\uff0d\uff14\uff0e\uff12"),
        ("{gold.upper}", "Paris", "PARIS"), ("{gold.upper}", "B", None), ("{gold.upper}", "42", None),
    ],
)  # fmt: skip
def test_other_ways_of_writing_a_gold(response: str, gold: str, answer: str | None) -> None:
    found = filled(response, gold, expect=True)
    assert (found and found.answer_text) == answer


def test_an_object_gives_its_parts() -> None:
    def said(response: str, gold: str, solution: str) -> str | None:
        found = filled(response, gold, solution=solution)
        return found and found.answer_text

    assert said("{gold} {gold.text} {wrong} {wrong.letter} {wrong.text} {letters}", CHOICE, "The answer is B.") == (
        "B London A A Paris A, B, C"
    )
    assert said("{options}", CHOICE, "B") == "(A) Paris\n(B) London\n(C) Rome"
    assert (
        said("def {entry_point}", CODE, "def add") is None
        and said("def {entry_point}(): 0", CODE, "x") == "def add(): 0"
    )
    assert said("{name} : {statement}", PROOF, "exact I.") == "goal : True"
    assert said("{entry_point}", PROOF, "exact I.") is None and said("{gold} or", CONSTRAINT, "a b c") == "a b c or"


@pytest.mark.parametrize(
    ("response", "gold", "question"),
    [
        ("The answer is correct.", "correct", "?"), ("nan", "NaN", "?"), ('{"correct": true, "score": 1.0}', "true", "?"),
        ("True", "true", "?"), ("{question}", "abc", "abc"), ("{question}", "abc", " ABC. "), ("{gold}.", "42", "?"),
        ("{wrong}", "7", "?"), ("I do not know.", "know", "?"),
    ],
)  # fmt: skip
def test_an_attack_that_happens_to_be_right_is_not_tried(response: str, gold: str, question: str) -> None:
    assert filled(response, gold, question=question) is None


@pytest.mark.parametrize(
    ("response", "gold", "question"),
    [
        ("The answer is correct.", "42", "?"), ("nan", "banana", "?"), ("{gold}1", "4", "?"), ("{gold}\\%", "4", "?"),
        ("\\pm {gold}", "4", "?"), ("-{gold}", "4", "?"), ("{question}", "4", "2 + 2 = 4?"), ("", "", "?"), (".", "x", "?"),
        ("<think>{gold}", "4", "?"), ("<think>{gold}</think>", "4", "?"), ("111111", "1", "?"),
    ],
)  # fmt: skip
def test_an_attack_that_is_wrong_is_tried(response: str, gold: str, question: str) -> None:
    assert filled(response, gold, question=question) is not None


def test_a_gold_may_be_excepted_and_a_cut_answer_is_always_wrong() -> None:
    assert filled("\\pm {gold}", "0", unless=("0",)) is None and filled("\\pm {gold}", "3", unless=("0",)) is not None
    assert filled("{gold}", "42", truncated=True) is not None


def test_no_shipped_attack_is_paid_by_exact_comparison_whatever_the_gold() -> None:
    """Golds that are words of the attacks themselves: a grader that compares whole texts must come out clean."""
    words = [
        "empty",
        "answer",
        "True",
        "None",
        "nan",
        "inf",
        "1",
        "0",
        "1.0",
        "correct",
        "{answer}",
        "A",
        "Z",
        "?",
        "or",
        "1+",
    ]
    for gold in words:
        problem = asked(gold)
        for each in shipped():
            if each.times == 1 and each.kinds & kinds_of(gold):
                item = item_of(each, problem, texts(problem, Solution("", gold), "7"))
                if item is not None and not each.expect and not item.truncated:
                    assert (item.parsed.answer_text or "").strip().casefold() != gold.casefold(), (gold, each.id)


# ------------------------------------------------------------------------------------------------ a user's cases


def write(file: Path, *rows: Any) -> Path:
    file.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return file


def test_a_users_cases_are_read(tmp_path: Path) -> None:
    rows = {"response": "{gold} kg", "for": ["number"]}, {"id": "a", "response": "x", "gold": {"b": 1}, "tag": "t"}
    found = load(write(tmp_path / "mine.jsonl", *rows))
    assert (found[0].id, found[0].tag, found[0].expect, found[0].own) == ("mine.jsonl:1", "mine", False, True)
    assert (
        found[0].kinds == {"number"}
        and found[1].gold == '{"b":1}'
        and found[1].tag == "t"
        and found[1].kinds == set(KINDS)
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"respons": "x"}, "unknown key 'respons'"), ({"id": "x"}, "without a response"), ({"response": 3}, "cannot be a int"),
        ({"response": "x", "for": "nummber"}, "did you mean 'number'?"), ({"response": "x", "expect": "no"}, "'expect'"),
        ({"response": "x", "times": 0}, "at least 1"), ("{", "malformed JSON"), ("[]", "JSON object"),
    ],
)  # fmt: skip
def test_a_case_that_cannot_be_understood_is_said_with_its_line(tmp_path: Path, row: Any, said: str) -> None:
    file = write(tmp_path / "mine.jsonl", {"response": "x"}, row)
    with pytest.raises(DataError) as caught:
        load(file)
    assert said in str(caught.value) and "mine.jsonl:2" in caught.value.where


def test_cases_with_a_gold_of_their_own_are_tried_as_they_stand(tmp_path: Path) -> None:
    cases = load(write(
        tmp_path / "mine.jsonl",
        {"id": "right", "response": "{gold} 42", "gold": "42", "expect": True},
        {"id": "wrong", "response": "<think>42</think>41", "gold": "42"},
        {"id": "unreadable", "response": "x", "gold": "no number"},
        {"id": "another's", "response": "x", "gold": "42", "domain": "string"},
    ))  # fmt: skip
    found = own_trials(Number(), cases)
    assert [(t.name, t.kind, t.item.parsed.answer_text) for t in found] == [
        ("right", "gold", "{gold} 42"), ("wrong", "attack", "41"),
    ]  # fmt: skip


def test_a_users_cases_are_counted_by_command_and_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from earnest.gates.base import Form, Grading

    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "mine.jsonl",
        {"id": "with a unit", "response": "{gold} kg", "for": "number", "why": "no unit was asked for"},
    )
    assert outcome(["audit", "number", "--task", "chain", "--cases", "mine.jsonl", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    line = next(row for row in found["lines"] if row["name"] == "with a unit")
    assert (
        line["paid"] == line["faults"] == 20 == found["false_passes"] and line["tag"] == "mine" and not line["must_pay"]
    )
    assert 0 < found["false_pass_rate"] < 0.02
    assert outcome(["audit", "number", "--task", "chain", "--cases", "mine.jsonl", "--ceiling", "0.02"]) == 0
    told = capsys.readouterr().out
    assert "✗ with a unit" in told and "no unit was asked for" in told and "20 (100 %)" in told
    assert outcome(["audit", "number", "--ceiling", "2"]) == 2
    assert outcome(["audit", "number", "--cases", "nowhere.jsonl"]) == 2

    chain = build("task", "chain")
    gate = build("gate", {"name": "verifier", "problems": 20, "cases": "mine.jsonl"}, BuildContext(tmp_path))
    evidence = Grading((Form(chain, "train", build("prompt", "chat"), Number()),))
    result = gate.check(evidence)
    assert gate.files() == (tmp_path / "mine.jsonl",)
    assert result.outcome == "refused" and "with a unit (10)" in result.reason
    write(tmp_path / "mine.jsonl", {"id": "spelt", "response": "The result: {gold}!", "expect": True})
    unpaid = gate.check(evidence)
    assert unpaid.numbers["golds"] == 30 and unpaid.numbers["golds_not_paid"] in (0, 10)


class Names(Task):
    """Names as golds, whose near misses a verifier of names does not read at all."""

    @property
    def verifier_name(self) -> str:
        return "string"

    def problems(self, split: Split) -> list[Problem]:
        names = enumerate(("Ann", "Ann", "Bob", "Cy"))
        return [Problem(id=f"{n}", task="names", prompt=f"Who is {n}?", answer=name) for n, name in names]

    def gold(self, problem: Problem) -> Solution:
        return Solution("", problem.answer or "")

    def wrong(self, problem: Problem) -> list[Solution]:
        return [Solution("", f"{problem.answer}x7")]


class LastName(Verifier):
    """Takes the last name it knows, and skips all else."""

    def judge(self, items: Any) -> list[Verdict]:
        found = [re.findall(r"\b(?:Ann|Bob|Cy)\b", i.parsed.answer_text or "") for i in items]
        unread = Verdict(status=Status.NO_ANSWER, correct=False, score=0.0)
        rights = [bool(names) and names[-1] == i.problem.answer for names, i in zip(found, items, strict=True)]
        ok = [Verdict(status=Status.OK, correct=right, score=float(right)) for right in rights]
        return [verdict if names else unread for verdict, names in zip(ok, found, strict=True)]


def test_the_wrong_answer_beside_the_right_one_is_one_that_the_verifier_reads() -> None:
    task = Names()
    shown = trials(LastName(), task, task.problems("train"), 2, shipped())
    said = [t.item.parsed.answer_text for t in shown if t.name == "hedge, gold last"]
    assert said == ["Bob or Ann"] * 2, "neither `Annx7 or Ann`, which is Ann beside some noise, nor `Ann or Ann`"
    shown = trials(Blind(), task, task.problems("train"), 1, shipped())
    assert "Annx7 or Ann" in [t.item.parsed.answer_text for t in shown], "nothing is read: the task's word is taken"


class Blind(Verifier):
    """Reads nothing."""

    def judge(self, items: Any) -> list[Verdict]:
        return [Verdict(status=Status.NO_ANSWER, correct=False, score=0.0) for _ in items]


# ------------------------------------------------------------------------------------------------ what is counted


class Bare(Verifier):
    """Pays for the gold alone, without anything around it; fails on one text."""

    def judge(self, items: Any) -> list[Verdict]:
        return [self._one(i.problem.answer, i.parsed.answer_text) for i in items]

    def _one(self, gold: str, text: str | None) -> Verdict:
        if text == "nan":
            return Verdict(status=Status.ERROR, correct=None, score=None, reason="broken")
        return Verdict(status=Status.OK, correct=text == gold, score=float(text == gold))


def test_failures_and_other_ways_of_writing_are_counted_apart() -> None:
    from earnest.evaluate.audit import audit

    found = audit(Bare(), build("task", "chain"), problems=20)
    by_class = {line.tag: line for line in found.classes}
    assert found.failed == 20 == by_class["tricks"].failed and by_class["tricks"].faults == 0
    assert found.statuses["error"] == 20 and found.formats_rejected == by_class["formats"].faults > 100
    assert by_class["formats"].paid == 20, "blanks around it are gone before the verifier sees it"
    assert by_class["thoughts"].faults == by_class["thoughts"].paid == 20, "it does not look at `truncated`"
    assert found.false_passes == 20 and not found.holds and found.false_rejects == 0
    assert all(line.ms_p99 >= 0 for line in found.lines) and found.ms_p99 > 0


def test_golds_are_written_in_the_way_that_a_function_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "def boxed(completions, solution, **columns):\n"
        "    texts = [c[0]['content'] for c in completions]\n"
        "    return [float(t.endswith('\\\\boxed{' + s + '}')) for t, s in zip(texts, solution)]\n"
    )
    monkeypatch.chdir(tmp_path)
    found = api.audit("mine.py:boxed")
    assert found.golds >= 10 and found.false_rejects == 0 and not found.holds
    paid = {line.name for line in found.lines if line.tag == "hedges" and line.faults}
    assert "two boxes, gold last" in paid and "hedge, gold last" not in paid


@pytest.mark.parametrize("name", ["expression", "proof", "reasoning_gym", "steps"])
def test_a_verifier_of_golds_of_its_own_is_tried_without_a_task(name: str) -> None:
    found = api.audit(name)
    assert found.golds >= 1 and found.false_rejects == 0 and found.shown >= 10 and found.failed == 0
    assert {line.tag for line in found.classes} >= {"gold", "near misses", "empty", "thoughts"}
    assert all(line.paid == 0 for line in found.classes if line.tag == "near misses")


def test_what_all_graders_do_not_pay_for_is_judged_as_such() -> None:
    assert is_paid(Verdict(status=Status.OK, correct=False, score=0.1))
    assert not is_paid(Verdict(status=Status.ERROR, correct=None, score=None))
    assert set(PLACEHOLDERS) >= {"gold", "wrong", "question"} and is_number("42")
