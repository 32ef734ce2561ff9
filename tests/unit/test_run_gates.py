"""The gates around a run: a broken template, a generous grader, a leak, a worthless stage and an unproven claim are caught."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from earnest import api
from earnest.component import BuildContext, build
from earnest.errors import ConfigError, DataError
from earnest.gates.base import Form, GateResult, Grading, Paired, Questions, Rendering, Source, Steps
from earnest.gates.claim import Claim
from earnest.gates.data import Data
from earnest.gates.learning import Learning
from earnest.gates.template import Template
from earnest.gates.verifier import Verifier as VerifierGate
from earnest.models.tiny import CHAT_TEMPLATE, byte_tokenizer
from earnest.prompts.chat import Chat
from earnest.prompts.plain import Plain
from earnest.types import Item, Message, Problem, Solution, Split, Status, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.number import Number

CHAIN = build("task", "chain")

# ------------------------------------------------------------------------------------------------ template


def tokenizer_with(template: str, bos: str | None = None) -> PreTrainedTokenizerFast:
    tokenizer = byte_tokenizer(256)
    tokenizer.chat_template = template
    if bos is not None:
        tokenizer.add_special_tokens({"bos_token": bos})
    return tokenizer


def rendered(template: str, prompt: Chat | Plain | None = None, bos: str | None = None) -> GateResult:
    form = Form(CHAIN, "train", prompt or Chat(), Number())
    return Template(problems=8).check(Rendering((form,), tokenizer_with(template, bos)))


def test_the_embedded_template_passes_and_its_prefilled_thought_is_named() -> None:
    result = rendered(CHAT_TEMPLATE)
    assert result.outcome == "passed" and "8 solutions written, read back and graded right" in result.reason
    assert "the prompt opens the thought itself in 8" in result.reason
    # 5 digits and 4 signs and "=" and the open mark; 4 steps of 6 bytes, the close mark, a digit, the stop token.
    assert result.numbers["prompt_tokens"] == 8 * 11 and result.numbers["trained_tokens"] == 8 * 27


def test_a_template_that_opens_the_thought_with_marks_the_format_does_not_close() -> None:
    result = rendered(CHAT_TEMPLATE.replace("{{ '<think>' }}", "{{ '<thinking>' }}"))
    assert (
        result.outcome == "refused"
        and "opens a thought with a mark that the prompt format does not know" in result.reason
    )
    assert "open_mark" in result.remedy
    fits = Chat(open_mark="<thinking>", close_mark="</thinking>")
    assert rendered(CHAT_TEMPLATE.replace("think>", "thinking>"), fits).outcome == "passed"


def test_a_template_that_drops_the_thought_of_an_assistant() -> None:
    drops = CHAT_TEMPLATE.replace("'<think>' + (message['reasoning_content'] or '') + '</think>' + message['content']",
                                  "message['content'].split('</think>')[-1]")  # fmt: skip
    assert drops != CHAT_TEMPLATE
    result = rendered(drops)
    assert result.outcome == "warned" and "drops the thought from an assistant's turn" in result.reason


def test_a_template_without_generation_marks() -> None:
    bare = CHAT_TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    result = rendered(bare)
    assert result.outcome == "warned" and "no {% generation %} marks" in result.reason


def test_a_gold_that_cannot_be_read_is_the_verifier_gates_question() -> None:
    class SomeUnreadable(type(CHAIN)):  # type: ignore[misc]
        def problems(self, split: Split) -> list[Problem]:
            return [replace(p, answer="n/a") if i == 0 else p for i, p in enumerate(super().problems("test"))][:20]

    form = Form(SomeUnreadable(), "test", Chat(), Number())
    assert Template().check(Rendering((form,), byte_tokenizer(256))).outcome == "passed"


def test_a_tokenizer_whose_unknown_token_is_its_end_token() -> None:
    tokenizer = tokenizer_with(CHAT_TEMPLATE.replace("{{- message['content'] -}}", "{{ message['content'] }}"))
    tokenizer.unk_token = tokenizer.eos_token
    two = replace(
        CHAIN.problems("test")[0], prompt=(Message("user", "1+1="), Message("assistant", "2"), Message("user", "3+4="))
    )

    class Turns(type(CHAIN)):  # type: ignore[misc]
        def problems(self, split: Split) -> list[Problem]:
            return [replace(two, answer=None)]

        def gold(self, problem: Problem) -> Solution:
            return Solution("3+4=7;", "7")

    assert (
        "does not know"
        not in Template().check(Rendering((Form(Turns(), "train", Chat(), Number()),), tokenizer)).reason
    )


def test_two_beginnings_of_sequence() -> None:
    once = "{{ bos_token }}" + CHAT_TEMPLATE
    assert rendered(once, bos="<s>").outcome == "passed"
    result = rendered("{{ bos_token }}" + once, bos="<s>")
    assert result.outcome == "refused" and "two beginning-of-sequence tokens" in result.reason


def test_a_template_that_drops_the_question() -> None:
    result = rendered(CHAT_TEMPLATE.replace("{{ message['content'] }}", "{{ message['content'][1:] }}"))
    assert result.outcome == "refused" and "drops a part of the question" in result.reason


def test_marks_that_a_tokenizer_does_not_keep() -> None:
    from tokenizers import normalizers

    tokenizer = byte_tokenizer(256)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("</reason>", "")
    prompt = Plain(think=True, open_mark="<reason>", close_mark="</reason>")
    result = Template(problems=4).check(Rendering((Form(CHAIN, "train", prompt, Number()),), tokenizer))
    assert result.outcome == "refused" and "the thought is not read back as it was written (4 of 4" in result.reason


def test_an_answer_that_the_verifier_cannot_read_as_it_is_written() -> None:
    result = rendered(CHAT_TEMPLATE, Chat(answer="{answer} or 11"))
    assert result.outcome == "refused" and "a right solution is graded wrong (8 of 8" in result.reason


def test_a_stop_token_within_a_solution() -> None:
    result = rendered(CHAT_TEMPLATE, Chat(after_close="<eos>"))
    assert result.outcome == "refused" and "sampling would end there" in result.reason


# ------------------------------------------------------------------------------------------------ verifier


class Lenient(Verifier):
    """Pays for any text that contains the gold."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        paid = [(item.problem.answer or "?") in (item.parsed.answer_text or "") for item in items]
        return [Verdict(status=Status.OK, correct=right, score=float(right)) for right in paid]


class Partly(Verifier):
    """Is right about right answers, but gives a little for everything."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [
            replace(v, score=max(v.score or 0.0, 0.1)) if v.correct is not None else v for v in Number().judge(items)
        ]


class Blind(Verifier):
    """Cannot read one gold in ten."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        unread = Verdict(status=Status.ERROR, correct=None, score=None, reason="unreadable")
        return [unread if i.problem.answer == "7" else Number().judge([i])[0] for i in items]


def graded(verifier: Verifier) -> GateResult:
    return VerifierGate(problems=100, attacked=3).check(Grading((Form(CHAIN, "train", Chat(), verifier),)))


def test_a_strict_verifier_passes_with_its_counts() -> None:
    result = graded(Number())
    assert result.outcome == "passed" and result.numbers["golds"] == 100
    assert result.numbers["false_passes"] == 0 == result.numbers["grader_failures"]
    assert isinstance(result.numbers["attacks"], int) and result.numbers["attacks"] >= 90
    assert "100 of 100 right solutions paid, 0 of" in result.reason


def test_a_verifier_that_looks_for_the_gold_anywhere_is_refused_with_an_example() -> None:
    result = graded(Lenient())
    assert result.outcome == "refused" and "or" in result.reason and "for gold" in result.reason
    assert isinstance(result.numbers["false_passes"], int) and result.numbers["false_passes"] > 100


def test_a_little_reward_for_anything_is_paid_too() -> None:
    assert graded(Partly()).outcome == "refused"


def test_golds_that_cannot_be_read_are_counted_and_refused() -> None:
    result = graded(Blind())
    assert result.outcome == "refused" and "unreadable" in result.reason
    assert 0 < result.numbers["golds_not_paid"] < 30  # type: ignore[operator]
    assert VerifierGate(gold_floor=0.5).check(Grading((Form(CHAIN, "train", Chat(), Blind()),))).outcome == "warned"


# ------------------------------------------------------------------------------------------------ data


def source(name: str, questions: Sequence[str], *, templated: bool = False) -> Source:
    problems = [Problem(id=f"{name}/{i}", task="t", prompt=text, answer="1") for i, text in enumerate(questions)]
    return Source(name=name, problems=problems, templated=templated)


TRAIN = [f"What colour is the {a} of the {b}, and who {c} it?" for a in ["sky", "sea", "car", "dog", "hat"]
         for b in ["north", "south", "king", "queen", "child"] for c in ["saw", "made", "sold"]]  # fmt: skip
TEST = [f"On a {day} {who} walked {n} miles to {place}. How far is it there and back again in all, in miles?"
        for n, (day, who, place) in enumerate([("cold day", "Ann", "a school by the sea"), ("holiday", "two old friends",
        "the market hall"), ("Monday", "the baker's son", "his uncle's mill upstream")])]  # fmt: skip


def measured(train: Sequence[str], test: Sequence[str], *, templated: bool = False) -> GateResult:
    return Data().check(
        Questions(trained=(source("sft", train, templated=templated),), watched=(), held_out=(source("eval", test),))
    )


def test_questions_that_are_new_pass_with_counts() -> None:
    result = measured(TRAIN, TEST)
    assert result.outcome == "passed" and "3 of eval" in result.reason and "75 of 75 of sft" in result.reason
    assert result.numbers["eval in sft"] == {
        "problems": 3, "trained_on": 75, "looked_at": 75, "verbatim": 0, "near_twins": 0, "13_grams": 0,
    }  # fmt: skip


def test_a_test_question_in_the_training_data_is_refused() -> None:
    result = measured([*TRAIN, TEST[1].upper() + " "], TEST)
    assert result.outcome == "refused" and "1 as they stand" in result.reason and "old friends" in result.reason
    assert "templated" not in result.remedy


def test_a_test_question_with_other_numbers_is_refused() -> None:
    result = measured([*TRAIN, TEST[2].replace("2 miles", "17 miles")], TEST)
    assert result.outcome == "refused" and "1 as near twins" in result.reason and "templated" in result.remedy


def test_a_test_question_in_a_longer_training_text_is_found_by_its_words() -> None:
    hidden = f"{' '.join(f'word{chr(97 + i)} and' for i in range(26))} {TEST[0]}"
    result = measured([*TRAIN, hidden], TEST)
    assert result.numbers["eval in sft"]["13_grams"] == 1  # type: ignore[index,call-overload]
    assert result.outcome == "warned" and "share 13 words in a row" in result.reason


def test_problems_that_differ_in_numbers_by_design_are_compared_as_they_stand() -> None:
    swapped = TEST[2].replace("2 miles", "17 miles")
    assert measured([*TRAIN, swapped], TEST, templated=True).numbers["eval in sft"]["near_twins"] is None  # type: ignore[index,call-overload]
    assert measured([*TRAIN, TEST[0]], TEST, templated=True).outcome == "refused"


def test_a_leak_into_dev_warns_because_no_claim_rests_on_it() -> None:
    questions = Questions(trained=(source("sft", [*TRAIN, TEST[0]]),), watched=(source("rl", TEST),), held_out=())
    result = Data().check(questions)
    assert result.outcome == "warned" and "1 as they stand" in result.reason


def test_many_questions_of_one_template_take_no_longer_than_others() -> None:
    """All twins of each other: found by their mask, not by comparing every pair."""
    import time

    many = [
        f"Ann has {i} apples and buys {3 * i} more at the market of the town. How many has she now?"
        for i in range(3000)
    ]
    begun = time.process_time()
    result = measured(many[:1500], many[1500:])
    assert result.outcome == "refused" and "1500 as near twins" in result.reason
    assert time.process_time() - begun < 20  # every pair: more than a minute


def test_messages_are_compared_by_what_they_say() -> None:
    chat = Problem(id="1", task="t", prompt=(Message("user", TEST[0]),), answer="1")
    held = Source(name="eval", problems=[chat], templated=False)
    assert Data().check(Questions(trained=(held,), watched=(), held_out=(held,))).outcome == "refused"


# ------------------------------------------------------------------------------------------------ learning and claim


def rows(count: int, **values: float | None) -> list[dict[str, float | None]]:
    return [{"step": float(i + 1), "update/taken": 1.0, "grad_norm": 0.5, **values} for i in range(count)]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"update/taken": 0.0, "groups/all_right": 0.0}, "no group carried a signal"),
        ({"update/taken": 0.0, "update/live": 1.0, "groups/all_right": 0.0}, "such steps are skipped here"),
        ({"update/taken": 0.0, "grad_norm": None}, "no gradient was finite"),
        ({"update/taken": 0.0, "grad_norm": math.nan}, "no gradient was finite"),
        ({"grad_norm": 0.0}, "every gradient was exactly zero"),
        ({"completions/clipped_ratio": 0.99, "pass_rate": 0.0}, "cut at the token limit"),
        ({"completions/clipped_ratio": 1.0, "pass_rate": 0.0, "update/taken": 0.0}, "cut at the token limit"),
        ({"sampler/ratio_error": 0.9}, "another policy"),
    ],
)
def test_a_worthless_stage_is_stopped_once_it_has_been_so_for_long_enough(
    values: dict[str, float | None], told: str
) -> None:
    gate = Learning(patience=20)
    assert gate.check(Steps("rl", rows(19, **values))).outcome == "passed"
    result = gate.check(Steps("rl", rows(5) + rows(20, **values)))
    assert result.outcome == "refused" and told in result.reason and result.remedy
    assert gate.check(Steps("rl", rows(19, **values) + rows(1))).outcome == "passed"


def test_a_policy_that_can_do_nothing_any_more_is_stopped_sooner() -> None:
    gate, many = Learning(), {"completions/count": 128.0}
    able, lost = rows(1, pass_rate=0.3, **many), rows(10, pass_rate=0.0, **many)
    result = gate.check(Steps("rl", able + lost))
    assert result.outcome == "refused" and "30% before the first update" in result.reason and "lr" in result.remedy
    assert gate.check(Steps("rl", able + lost[:9])).outcome == "passed"
    assert gate.check(Steps("rl", able + lost[:9] + rows(1, pass_rate=0.01, **many))).outcome == "passed"
    idle = rows(1, pass_rate=0.3, **many, **{"update/taken": 0.0})
    assert gate.check(Steps("rl", idle + lost)).outcome == "passed"  # nothing was changed that could have done it


@pytest.mark.parametrize(
    ("rate", "count", "outcome"), [(0.02, 128.0, "passed"), (0.25, 4.0, "passed"), (0.1, 128.0, "refused")]
)
def test_a_lucky_first_step_is_no_collapse(rate: float, count: float, outcome: str) -> None:
    few = {"completions/count": count}
    begun, after = rows(1, pass_rate=rate, **few), rows(10, pass_rate=0.0, **few)
    assert Learning().check(Steps("rl", begun + after)).outcome == outcome


def test_steps_without_an_update_for_different_reasons_are_worthless_too() -> None:
    mixed = rows(19, **{"update/taken": 0.0, "grad_norm": math.nan}) + rows(1, **{"update/taken": 0.0})
    assert "no gradient was finite" in Learning(patience=20).check(Steps("rl", mixed)).reason


def test_a_solved_task_and_a_few_cut_answers_are_not_worthless() -> None:
    gate = Learning(patience=20)
    solved = {"update/taken": 0.0, "groups/all_right": 1.0}
    assert gate.check(Steps("rl", rows(50, **solved))).outcome == "passed"
    some = {"completions/clipped_ratio": 0.99, "pass_rate": 0.01}
    assert gate.check(Steps("rl", rows(50, **some))).outcome == "passed"


@pytest.mark.parametrize(
    ("ci95", "outcome"),
    [((0.01, 0.2), "passed"), ((0.0, 0.2), "warned"), ((-0.1, 0.1), "warned"), ((-0.2, -0.01), "refused")],
)
def test_a_claim_needs_an_interval_above_zero(ci95: tuple[float, float], outcome: str) -> None:
    found = Paired(stage="rl", before="sft", metric="sampled", diff=0.05, ci95=ci95, problems=40, split="test")
    assert Claim().check(found).outcome == outcome


# ------------------------------------------------------------------------------------------------ in a run

RECIPE = """
name: gated
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task: {name: jsonl, path: train.jsonl, dev: dev.jsonl, test: own_test.jsonl}
stages:
  - {stage: sft, batch_size: 4, steps: 4, lr: 2e-3}
  - {stage: eval, task: {name: jsonl, path: dev.jsonl, dev: own_test.jsonl, test: test.jsonl}, problems: 3, k: 2, max_tokens: 4}
  - report
"""


def run(folder: Path, train: Sequence[str], *allow: str, recipe: str = RECIPE) -> api.RunResult:
    files = {"train": train, "dev": ["Which river is long?"], "own_test": ["Who wrote this down?"], "test": TEST}
    for name, questions in files.items():
        lines = [json.dumps({"prompt": q, "trace": "so", "answer": "1"}) for q in questions]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "recipe.yaml").write_text(recipe)
    return api.run(
        folder / "recipe.yaml", runs=folder / "runs", allow=allow, command="earnest run", echo=lambda line: None
    )


@pytest.mark.parametrize("leak", [TEST[0], TEST[1].replace("1 miles", "23 miles")], ids=["verbatim", "number-swapped"])
def test_a_planted_leak_ends_the_run_with_3_before_anything_is_trained(tmp_path: Path, leak: str) -> None:
    result = run(tmp_path, [*TRAIN, leak])
    assert (result.exit_code, result.status, result.verdict) == (3, "refused", "not shown")
    assert "The data gate refused the run" in result.sentence
    assert not (result.run_dir / "sft" / "metrics.jsonl").exists()
    report = json.loads((result.run_dir / "report" / "report.json").read_text())
    gate = next(g for g in report["gates"] if g["gate"] == "data")
    assert gate["outcome"] == "refused" and gate["remedy"] and not gate["allowed"]


def test_a_leak_that_is_allowed_by_name_stands_in_the_report(tmp_path: Path) -> None:
    result = run(tmp_path, [*TRAIN, TEST[0]], "data")
    assert result.status == "done"
    report = json.loads((result.run_dir / "report" / "report.json").read_text())
    assert any("The data gate refused the run and was overridden by name" in c for c in report["caveats"])
    asked = {g["gate"]: g["outcome"] for g in report["gates"]}
    assert asked == {
        "template": "passed",
        "verifier": "passed",
        "data": "refused",
        "learning": "passed",
        "claim": "warned",
    }


STRICT = """
from earnest.gates.base import Gate, Paired

class Strict(Gate):
    \"\"\"Wants more.\"\"\"
    looks_at = Paired

    def check(self, evidence):
        return self.result(evidence.stage, "refused", "too little", "more")
"""


def test_a_gate_of_ones_own_may_refuse_the_end_and_the_others_are_asked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "strict.py").write_text(STRICT)
    own = RECIPE.replace("stages:", "gates: [strict.py:Strict, claim]\nstages:")
    result = run(tmp_path, TRAIN, recipe=own)
    assert (result.exit_code, result.status) == (3, "done")
    report = json.loads((result.run_dir / "report" / "report.json").read_text())
    assert {g["gate"] for g in report["gates"]} == {"strict.py:Strict", "claim", "learning"}
    assert [f.name for f in (result.run_dir / "code").glob("*/*")] == ["strict.py"]
    assert run(tmp_path, TRAIN, "strict.py:Strict", recipe=own).exit_code == 0


def test_allowing_one_gate_does_not_train_again_what_it_has_no_part_in(tmp_path: Path) -> None:
    first = run(tmp_path, TRAIN)
    second = run(tmp_path, TRAIN, "data")
    note = json.loads((second.run_dir / "sft" / "stage.json").read_text())
    assert note["cached_from"] == first.run_dir.name


def test_an_empty_split_that_a_stage_reads_is_told_before_anything_is_spent(tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text("".join(json.dumps({"prompt": q, "answer": "1"}) + "\n" for q in TRAIN[:2]))
    few = RECIPE.replace(
        "{name: jsonl, path: dev.jsonl, dev: own_test.jsonl, test: test.jsonl}", "{name: jsonl, path: few.jsonl}"
    )
    with pytest.raises(DataError, match="the test split is empty"):
        run(tmp_path, TRAIN, recipe=few)
    assert not list((tmp_path / "runs").glob("gated-*"))


def test_an_evaluation_on_dev_claims_nothing(tmp_path: Path) -> None:
    dev = RECIPE.replace("problems: 3, k: 2", "split: dev, problems: 3, k: 2")
    result = run(tmp_path, TRAIN, recipe=dev)
    assert result.verdict == "not shown" and "the evaluation is on dev problems" in result.sentence
    report = json.loads((result.run_dir / "report" / "report.json").read_text())
    assert "claim" not in {g["gate"] for g in report["gates"]}


def test_a_gate_where_it_is_never_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gate 'support' has no effect here"):
        run(tmp_path, TRAIN, recipe=RECIPE.replace("stages:", "gates: [support]\nstages:"))
    with pytest.raises(ConfigError, match="gate 'data' has no effect here"):
        run(tmp_path, TRAIN, recipe=RECIPE.replace("lr: 2e-3}", "lr: 2e-3, gates: [data]}"))


def test_a_stage_that_takes_no_step_is_stopped(tmp_path: Path) -> None:
    huge = RECIPE.replace("steps: 4, lr: 2e-3}", "steps: 9, lr: 1e30, gates: [{name: learning, patience: 3}]}")
    result = run(tmp_path, TRAIN, recipe=huge)
    assert (result.exit_code, result.verdict) == (3, "no signal") and "no gradient was finite" in result.sentence
    build("gate", {"name": "learning", "patience": 3}, BuildContext(tmp_path))
