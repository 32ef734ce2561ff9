"""Mixtures: parts keep their names, ids, verdicts and golds, and what is wrong with one of them is said of that one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from earnest.component import BuildContext, KeyedConfigError, build
from earnest.data.rollouts import judge
from earnest.errors import DataError
from earnest.gates.base import Form, Grading, Questions, Rendering
from earnest.gates.data import Data
from earnest.gates.template import Template
from earnest.gates.verifier import Verifier as VerifierGate
from earnest.models.tiny import byte_tokenizer
from earnest.prompts.chat import Chat
from earnest.stages.base import Stage
from earnest.stages.evidence import gathered, held_out_questions
from earnest.stages.rolling import dealt_out
from earnest.tasks.base import Task
from earnest.tasks.mix import Mix
from earnest.types import Item, Parsed, Problem, Solution, Status, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.by_task import ByTask
from earnest.verifiers.math import Math
from earnest.verifiers.number import Number

OWN = '''
from earnest.tasks.base import Task
from earnest.types import Problem, Solution

class Letters(Task):
    """Ids are its own, and its gold is found by them."""

    @property
    def verifier_name(self):
        return "string"

    def problems(self, split):
        prompts = [f"letter {i} of {split}?" for i in range(20)]
        return [Problem(id=f"{split}-{i}", task="letters", prompt=p, answer=chr(97 + i)) for i, p in enumerate(prompts)]

    def gold(self, problem):
        assert problem.task == "letters" and problem.id.startswith(("train-", "dev-", "test-"))
        return Solution("", chr(97 + int(problem.id.rpartition("-")[2])))

    def wrong(self, problem):
        return [Solution("", "z")]
'''


@pytest.fixture
def algebra(tmp_path: Path) -> dict[str, Any]:
    words = ["ship", "tower", "violet", "engine", "harbour", "needle", "pepper", "quartz", "saddle", "tunnel", "bread"]
    draw = Random(0)
    rows = [{"question": " ".join(draw.choices(words, k=9)), "answer": f"x^2+{i}"} for i in range(1, 120)]
    (tmp_path / "algebra.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {"use": {"name": "jsonl", "path": str(tmp_path / "algebra.jsonl")}, "verifier": "math", "name": "algebra"}


@pytest.fixture
def mix(algebra: dict[str, Any]) -> Mix:
    return build("task", {"name": "mix", "of": [{"use": {"name": "chain", "length": 4}, "weight": 3}, algebra]})


def item(problem: Problem, text: str, *, truncated: bool = False) -> Item:
    parsed = Parsed(text=text, thought="", answer_text=text, well_formed=True)
    return Item(problem=problem, parsed=parsed, truncated=truncated)


def refusal(spec: Any) -> str:
    with pytest.raises(KeyedConfigError) as error:
        build("task", {"name": "mix", "of": spec})
    return str(error.value)


# ---------------------------------------------------------------------------------------- the recipe's words


def test_what_cannot_be_a_mixture_is_refused_in_a_sentence() -> None:
    assert "two parts or more" in refusal(["chain"])
    assert "two parts are named 'chain'" in refusal(["chain", {"use": {"name": "chain", "length": 7}}])
    assert "of[1]" in refusal(["chain", {"use": "chan", "name": "b"}]) and "chain" in refusal(["skills", "chan"])
    assert "without `use:`" in refusal(["chain", {"task": "skills"}])
    assert "greater than 0" in refusal(["chain", {"use": "skills", "weight": 0}])
    assert "finite" in refusal(["chain", {"use": "skills", "weight": float("inf")}])
    assert "a mixture within a mixture" in refusal(["chain", {"use": {"name": "mix", "of": ["chain", "skills"]}}])
    assert "made of letters" in refusal(["chain", {"use": "skills", "name": "a/b"}])
    assert "not 'missing'" in refusal(["chain", {"use": "skills", "name": "missing"}])


def test_it_survives_its_own_serialisation(mix: Mix) -> None:
    assert build("task", mix.model_dump()) == mix
    verifier = mix.own_verifier()
    assert build("verifier", verifier.model_dump()) == verifier


# ---------------------------------------------------------------------------------------- problems


def test_parts_keep_their_tasks_names_and_a_name_of_its_own_is_in_the_ids() -> None:
    plain = {"name": "chain", "length": 3, "dev_size": 20, "test_size": 190}
    short = {"use": {**plain, "test_size": 40}, "name": "short"}
    mix = build("task", {"name": "mix", "of": [{"use": plain, "weight": 2}, short]})
    a, b = mix.problems("test").portions
    assert {p.task for p in a.problems} == {"chain"} and {p.task for p in b.problems} == {"short"}
    assert list(a.problems) == list(build("task", plain).problems("test"))
    ids = [p.id for p in mix.problems("test")]
    assert len(set(ids)) == len(ids) == 230  # the same chains are in both parts
    assert all(p.id.startswith("short/chain/") for p in b.problems)
    for problem in (mix.problems("train")[0], mix.problems("train")[-1], b.problems[3]):
        gold = mix.gold(problem)
        assert gold is not None and gold.answer == problem.answer and mix.wrong(problem)


def test_a_task_of_ones_own_sees_its_problems_as_it_made_them(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    mix = build("task", {"name": "mix", "of": ["chain", "own.py:Letters"]}, BuildContext(tmp_path))
    problems = mix.problems("dev").portions[1].problems
    assert [p.id for p in problems[:2]] == ["Letters/dev-0", "Letters/dev-1"] and problems[0].task == "Letters"
    assert mix.gold(problems[2]) == Solution("", "c") and mix.wrong(problems[2]) == [Solution("", "z")]
    (verdict,) = mix.own_verifier().judge([item(problems[2], "c")])
    assert verdict.correct


def test_a_split_is_the_union_and_one_that_a_part_lacks_is_said(algebra: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"problem": f"how many towers stand in harbour {'abcdefghijkl'[i]}?", "answer": str(i),
             "subject": "s", "level": 1, "solution": "so",
             "unique_id": f"u{i}"} for i in range(12)]  # fmt: skip
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    test_only = {"name": "math500", "path": str(tmp_path / "test.jsonl")}
    mix: Mix = build("task", {"name": "mix", "of": [{"use": test_only}, algebra]})
    assert mix.splits == ("dev", "test") and [p.name for p in mix.problems("dev").portions] == ["algebra"]
    assert {p.task for p in mix.problems("test")} == {"math500", "algebra"}
    with pytest.raises(DataError, match="no train split: math500"):
        mix.problems("train")
    assert mix.notices() == ["math500 has no dev split: what is measured there says nothing about it"]


# ---------------------------------------------------------------------------------------- verdicts


def test_verdicts_are_the_parts_own(mix: Mix) -> None:
    """A number for chain and a formula for algebra: each verifier would get the other's answers wrong, or could not read them."""
    chain, algebra = mix.problems("test").portions[0].problems[0], mix.problems("test").portions[1].problems[0]
    assert algebra.answer is not None and algebra.answer.startswith("x^2+")
    last = algebra.answer.removeprefix("x^2+")
    texts = [str(chain.answer), "17", "", "x", f"{last}+x^2", f"\\frac{{2x^2+2\\cdot{last}}}{{2}}", f"x^2+{last}7"]
    items = [item(p, t, truncated=cut) for t in texts for p in (algebra, chain) for cut in (False, True)]
    verifier = mix.own_verifier()
    found = verifier.judge(items)
    alone = {"chain": Number(), "algebra": Math()}
    assert found == [alone[i.problem.task].judge([i])[0] for i in items]
    right = [v.correct for i, v in zip(items, found, strict=True) if i.problem is algebra and not i.truncated]
    assert right == [False, False, False, False, True, True, False]
    assert Number().check_gold(algebra.answer) is not None
    assert verifier.label == f"by_task(chain: number {Number.version}, algebra: math {Math.version})"


def test_a_task_without_a_verifier_is_an_error_and_no_zero(mix: Mix) -> None:
    stranger = Problem(id="other/1", task="other", prompt="?", answer="1")
    (verdict,) = mix.own_verifier().judge([item(stranger, "1")])
    assert verdict.status is Status.ERROR and "no verifier for the task 'other'" in verdict.reason


class Crashes(Verifier):
    """Cannot grade."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        raise RuntimeError("broken")

    def conditions(self) -> dict[str, Any]:
        return {"crashes": True}


def test_a_verifier_that_fails_takes_no_other_part_with_it(mix: Mix) -> None:
    whole = ByTask.model_validate({"of": [{"task": "chain", "use": Number()}, {"task": "algebra", "use": Crashes()}]})
    a, b = (portion.problems[0] for portion in mix.problems("test").portions)
    found = judge(whole, [item(a, str(a.answer)), item(b, "1"), item(a, "x")])
    assert [v.correct for v in found] == [True, None, False] and "broken" in found[1].reason
    assert whole.conditions() == {"crashes": True}


def test_two_verifiers_for_one_task_are_refused() -> None:
    with pytest.raises(KeyedConfigError, match="two verifiers for the task 'a'"):
        build("verifier", {"name": "by_task", "of": [{"task": "a", "use": "number"}, {"task": "a", "use": "math"}]})


# ---------------------------------------------------------------------------------------- gates


def stages() -> list[Stage]:
    sft = build("stage", {"name": "sft", "id": "sft", "steps": 1, "lr": 1e-3})
    return [sft, build("stage", {"name": "eval", "id": "eval"})]


def evidence(task: Task, kind: type, verifier: Verifier | None = None) -> Any:
    own = Form(task, "train", Chat(), verifier or task.own_verifier())
    gates = [build("gate", name) for name in ("template", "verifier", "data")]
    found = {type(e): e for e in gathered(stages(), gates, build("model", "tiny"), own)}
    return found[kind]


def test_gates_are_shown_the_parts_with_their_own_verifiers(mix: Mix) -> None:
    forms = evidence(mix, Grading).forms
    shown = {(f.task.name, f.split, f.verifier.name) for f in forms}
    assert shown == {(n, s, v) for n, v in (("chain", "number"), ("algebra", "math")) for s in ("train", "test")}
    over = {f.verifier.name for f in evidence(mix, Grading, build("verifier", "string")).forms}
    assert over == {"string"}  # a recipe's own verifier is that of all parts


def test_the_verifier_gate_passes_a_mixture_and_names_the_part_that_fails(mix: Mix) -> None:
    gate = VerifierGate(problems=12, attacked=2)
    good = gate.check(evidence(mix, Grading))
    assert good.outcome == "passed", good.reason
    tasks: Any = good.numbers["tasks"]
    assert set(tasks) == {"chain", "algebra"} and tasks["algebra"] == {
        "golds": 24, "golds_not_paid": 0, "false_passes": 0,
    }  # fmt: skip
    bad = gate.check(evidence(mix, Grading, Number()))  # which can read no x
    assert bad.outcome == "refused" and "(algebra); first" in bad.reason, bad.reason


def test_the_other_parts_golds_do_not_make_up_for_one_that_is_not_read(mix: Mix) -> None:
    """One unread gold of 2 in a part is half of them, and 1 of 202 in all, which the floor of 0.98 would let through."""
    forms = evidence(mix, Grading).forms
    chain = next(f for f in forms if f.task.name == "chain" and f.split == "train")
    few = replace(next(f for f in forms if f.task.name == "algebra" and f.split == "train"), task=OneUnread())
    result = VerifierGate(problems=200, attacked=1).check(Grading((chain, few)))
    counts: Any = result.numbers["tasks"]
    assert counts["chain"]["golds"] == 200 and counts[few.task.name] == {
        "golds": 2, "golds_not_paid": 1, "false_passes": 0,
    }  # fmt: skip
    assert result.outcome == "refused" and "OneUnread" in result.reason


class OneUnread(Task):
    """Two problems; the verifier cannot read the gold of one."""

    @property
    def verifier_name(self) -> str:
        return "math"

    def problems(self, split: str) -> list[Problem]:
        return [Problem(id=f"one/{a}", task="one", prompt=f"what is {a}?", answer=a) for a in ("7", "")]

    def gold(self, problem: Problem) -> Solution:
        return Solution("", problem.answer or "")

    def wrong(self, problem: Problem) -> list[Solution]:
        return [Solution("", "8")]


def test_the_template_gate_names_the_part(algebra: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "algebra.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("\n".join(json.dumps({**row, "answer": "12 or 13 ships"}) for row in rows))
    mix = build("task", {"name": "mix", "of": ["chain", {**algebra, "verifier": "number"}]})
    assert (
        Template(problems=4).check(evidence(mix, Rendering)).outcome == "passed"
    )  # golds that cannot be read are not its
    mix = build("task", {"name": "mix", "of": ["chain", algebra | {"verifier": {"name": "string"}}]})
    shown = evidence(mix, Rendering)
    forms = tuple(replace(f, verifier=Never()) if f.task.name == "algebra" else f for f in shown.forms)
    result = Template(problems=4).check(Rendering(forms, byte_tokenizer(256)))
    assert result.outcome == "refused" and "a right solution is graded wrong (8 of 16; algebra: never" in result.reason


class Never(Verifier):
    """Pays nothing."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [Verdict(status=Status.OK, correct=False, score=0.0, reason="never") for _ in items]


def test_the_data_gate_names_the_part_and_sees_across_parts(algebra: dict[str, Any], tmp_path: Path) -> None:
    """A question of algebra's test split stands in the other part's training data."""
    asked = build("task", algebra["use"]).problems("test")[0].question
    files: dict[str, str] = {}
    for name, texts in {"path": [asked, "one tall ship"], "dev": ["bread and salt"], "test": ["a quiet place"]}.items():
        file = tmp_path / f"leaky_{name}.jsonl"
        file.write_text("\n".join(json.dumps({"question": text, "answer": "1"}) for text in texts))
        files[name] = str(file)
    clean = build("task", {"name": "mix", "of": ["chain", algebra]})
    assert Data().check(evidence(clean, Questions)).outcome == "passed"
    mix = build("task", {"name": "mix", "of": [algebra, {"use": {"name": "jsonl", **files}, "name": "leaky"}]})
    found = Data().check(evidence(mix, Questions))
    assert found.outcome == "refused"
    assert "problems of eval (algebra test), 1 as they stand" in found.reason and "in sft (leaky train)" in found.reason
    questions = held_out_questions(stages(), Form(mix, "train", Chat(), mix.own_verifier()))
    assert len(questions) == len(mix.problems("test"))


def test_golds_are_dealt_out_within_a_task() -> None:
    problems = [
        Problem(id=f"{t}/{i}", task=t, prompt=f"{t}{i}", answer=f"{t}{i}") for i in range(9) for t in ("a", "b")
    ]
    found = dealt_out(problems, Random(3))
    assert [(p.id, p.task) for p in found] == [(p.id, p.task) for p in problems]
    for task in ("a", "b"):
        answers = [p.answer for p in found if p.task == task]
        assert sorted(map(str, answers)) == sorted(str(p.answer) for p in problems if p.task == task)
    assert all(p.answer != q.answer for p, q in zip(found, problems, strict=True))
    alone = dealt_out(problems[:2], Random(3))
    assert [p.answer for p in alone] == ["a0", "b0"]  # one of a task keeps its own: chance is then no less than skill
