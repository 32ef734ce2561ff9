"""`earnest eval` over tasks and columns: what each column asks, what is written, what is compared with what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chat_tokenizers import CHATML, PREFILLED, SWITCHED, make_tokenizer
from earnest import api
from earnest.component import build
from earnest.engines.scripted import Scripted, ScriptedSession
from earnest.errors import ConfigError, DataError
from earnest.evaluate.grid import asking as grid
from earnest.evaluate.grid import columns
from earnest.evaluate.grid.columns import COLUMNS, column, draw_examples
from earnest.evaluate.grid.text import lines
from earnest.evaluate.versus.checkpoints import versus
from earnest.evaluate.versus.sides import side
from earnest.models.tiny import EOS_ID, byte_tokenizer
from earnest.prompts.chat import Chat
from earnest.prompts.few_shot import FewShot
from earnest.prompts.plain import Plain
from earnest.tasks.chain import Chain, work
from earnest.types import Message, Problem, Request, Solution
from policies import policy_of

CHAIN = Chain(length=5)
PROBLEM = Problem(id="p", task="t", prompt="3+4=", answer="7")


def ends(name: str, trained: Any, tokenizer: Any) -> str:
    return column(name, trained, tokenizer).render(PROBLEM, tokenizer).text.split("3+4=")[-1]


def test_columns_of_a_template_with_a_switch():
    tokenizer = make_tokenizer(SWITCHED)
    off, on = "<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_start|>assistant\n"
    trained = Chat(system="Be brief.")
    assert column("trained", trained, tokenizer) is trained
    assert ends("direct", trained, tokenizer) == f"\n\n{columns.DIRECT}<|im_end|>\n{off}"
    assert ends("zero_shot", trained, tokenizer) == f"\n\n{columns.STEPS}<|im_end|>\n{off}"
    assert ends("few_shot", trained, tokenizer) == f"<|im_end|>\n{off}"
    assert ends("thinking", trained, tokenizer) == f"<|im_end|>\n{on}"
    assert ends("no_thinking", trained, tokenizer) == f"<|im_end|>\n{off}"
    for name in COLUMNS:
        assert "Be brief." in column(name, trained, tokenizer).render(PROBLEM, tokenizer).text


def test_columns_of_other_templates():
    opened, plain = make_tokenizer(PREFILLED), make_tokenizer(CHATML)
    assert ends("direct", Chat(), opened).endswith("assistant\n<think>\n</think>")
    assert ends("no_thinking", Chat(), opened).endswith("assistant\n<think>\n</think>")
    assert ends("direct", Chat(), plain) == f"\n\n{columns.DIRECT}<|im_end|>\n<|im_start|>assistant\n"
    for name, tokenizer in (("thinking", opened), ("thinking", plain), ("no_thinking", plain)):
        with pytest.raises(ConfigError, match="cannot be told by its template"):
            column(name, Chat(), tokenizer)


def test_columns_without_a_chat():
    tokenizer = byte_tokenizer(512)
    examples = draw_examples(CHAIN, 1, 0, ())
    assert ends("direct", Plain(), tokenizer) == "\nAnswer: The answer is"
    assert ends("zero_shot", Plain(), tokenizer) == "\nAnswer: Let's think step by step."
    few = column("few_shot", Plain(), tokenizer, examples).render(PROBLEM, tokenizer).text
    assert few.count("Question:") == 2 and few.startswith(f"Question: {examples[0].question}\nAnswer: ")
    with pytest.raises(ConfigError, match="cannot be told"):
        column("no_thinking", Plain(), tokenizer)


def test_examples_are_of_the_train_split_seeded_and_solved():
    train, test = {p.id for p in CHAIN.problems("dev")}, {p.id for p in CHAIN.problems("test")}
    drawn = draw_examples(CHAIN, 6, 0, CHAIN.problems("test"))
    assert len({e.id for e in drawn}) == 6 and not {e.id for e in drawn} & (train | test)
    assert all((e.thought, e.answer) == work(e.question) for e in drawn)
    assert draw_examples(CHAIN, 6, 0, ()) == drawn and draw_examples(CHAIN, 6, 1, ()) != drawn


class Few(Chain):
    """Five problems, of which one has no known answer and one no thought."""

    def problems(self, split: Any) -> Sequence[Problem]:
        ask = (Message("system", "s"), Message("user", "u0"))
        prompts = [ask, "u1", "u2", "u3", "u4"]
        return [
            Problem(id=f"x{i}", task="few", prompt=p, answer=None if i == 4 else "1") for i, p in enumerate(prompts)
        ]

    def gold(self, problem: Problem) -> Any:
        return Solution("" if problem.id == "x1" else "t", "1") if problem.answer else None


def test_worked_examples_come_first_and_what_is_evaluated_never():
    evaluated = [p for p in Few().problems("train") if p.id == "x2"]
    assert {e.question for e in draw_examples(Few(), 2, 0, evaluated)} == {"u0", "u3"}
    assert [e.question for e in draw_examples(Few(), 3, 0, evaluated)][-1] == "u1"
    with pytest.raises(DataError, match="3 examples for few_shot, 4 asked for"):
        draw_examples(Few(), 4, 0, evaluated)


def plan(**changes: Any) -> grid.Plan:
    fields: dict[str, Any] = {
        "model": "m", "tasks": (CHAIN,), "columns": ("trained", "direct", "few_shot"), "prompt": Chat(),
        "verifier": None, "k": 2, "limit": 6, "max_tokens": 40, "seed": 0, "split": "test", "shots": 2, **changes,
    }  # fmt: skip
    return grid.Plan(**fields)


def answer(request: Request, index: int) -> list[int]:
    """Right where the thought is open, else right in the first of two samples, and always in greedy ones."""
    text = bytes(i for i in request.prompt_ids if i < 256).decode()
    chain = text.split("\n\n")[0].rsplit("=", 1)[0][-9:] + "="
    right = work(chain)[1]
    opened = request.prompt_ids[-1] == byte_tokenizer(64).convert_tokens_to_ids("<think>")
    written = f"{right}" if opened or index == 0 else f"{(int(right) + 1) % 10}"
    close = byte_tokenizer(64).convert_tokens_to_ids("</think>")
    return [*([close] if opened else []), *written.encode(), EOS_ID]


def evaluated(tmp_path: Path, asked: grid.Plan, out: Path | None = None) -> Any:
    policy = policy_of("llama")
    with ScriptedSession(policy, Scripted(completions=((EOS_ID,),)), answer) as engine:
        return grid.evaluate(
            asked, policy, engine, build("strategy", "plain"), runs=tmp_path, out=out, echo=lambda line: None
        )


def test_a_grid(tmp_path: Path):
    result = evaluated(tmp_path, plan(), tmp_path / "out")
    assert [(c.task, c.column) for c in result.cells] == [("chain", name) for name in ("trained", "direct", "few_shot")]
    rates = [(c.summary.sampled.value, c.summary.sampled.n, c.summary.greedy.value) for c in result.cells]
    assert rates == [(1.0, 12, 1.0), (0.5, 12, 1.0), (0.5, 12, 1.0)]
    assert result.cells[0].versus_first == ()
    for cell in result.cells[1:]:
        assert [(c.a, c.b, c.metric, c.diff, c.n) for c in cell.versus_first] == [
            ("trained", cell.column, "sampled", -0.5, 6), ("trained", cell.column, "greedy", 0.0, 6)
        ]  # fmt: skip
    assert [cell.looks for cell in result.cells] == [1, 1, 1]
    assert len((tmp_path / "looks.jsonl").read_text().splitlines()) == 1  # a task is looked at once
    drawn = tuple(e.id for e in draw_examples(CHAIN, 2, 0, ()))
    assert [cell.examples for cell in result.cells] == [(), (), drawn]
    shown = "\n".join(lines(result))
    assert "few_shot − trained" in shown and f"2 examples of the train split: {', '.join(drawn)}" in shown
    assert json.loads(json.dumps(result.to_json()))["cells"][1]["versus_first"][0]["diff"] == -0.5


def test_the_parts_of_a_mixture_stand_below_it(tmp_path: Path):
    parts = [  # what is answered here is right for chains of five
        {"use": {"name": "chain", "length": 5}, "name": "first", "weight": 2},
        {"use": {"name": "chain", "length": 6}, "name": "second"},
    ]
    asked = plan(tasks=(build("task", {"name": "mix", "of": parts}),), columns=("trained", "direct"))
    result = evaluated(tmp_path, asked, tmp_path / "out")
    shown = [line.split() for line in "\n".join(lines(result)).split("\n\n")[1].splitlines()]
    rows = {(line[0], line[1]): line for line in shown}
    for name, right in (("trained", 100.0), ("direct", 50.0)):
        for part, problems in (("mix", 6), ("first", 4), ("second", 2)):
            assert rows[part, name][-2:] == [str(2 * problems), str(problems)]
        first, second, whole = (float(rows[part, name][2]) for part in ("first", "second", "mix"))
        assert first == right > second and whole == pytest.approx((2 * first + second) / 3, abs=0.1)


def test_what_is_written_can_be_compared(tmp_path: Path):
    evaluated(tmp_path, plan(limit=20), tmp_path / "out")
    sides = [side(str(tmp_path / "out" / "chain" / name)) for name in ("trained", "few_shot")]
    found = versus(*sides)
    assert found.outcome == "B is worse than A" and found.comparisons[0].diff == -0.5
    (warning,) = found.warnings
    assert warning.startswith("They were not asked alike: ")
    protocol = sides[1].protocol
    examples = protocol["prompt"]["examples"]
    assert [e["id"] for e in examples] == [e.id for e in draw_examples(CHAIN, 2, 0, ())]
    assert isinstance(build("prompt", protocol["prompt"]), FewShot)  # the protocol alone asks the same again


def test_several_tasks_and_none_that_cannot_be_asked(tmp_path: Path):
    other = Chain(length=4)
    with pytest.raises(ConfigError, match="the task 'chain' is named twice"):
        plan(tasks=(CHAIN, other)).check()
    skills = build("task", "skills")
    result = evaluated(tmp_path, plan(tasks=(CHAIN,), columns=("trained",)))
    assert [c.column for c in result.cells] == ["trained"]
    with pytest.raises(ConfigError, match="cannot be told"):
        evaluated(tmp_path / "none", plan(tasks=(CHAIN, skills), columns=("trained", "thinking")))
    assert not (tmp_path / "none" / "looks.jsonl").exists()  # refused before anything was looked at


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": ("trained", "few-shot")}, "did you mean 'few_shot'?"),
        ({"columns": ("direct", "direct")}, "named twice"),
        ({"split": "train"}, "--split dev"),
        ({"tasks": ()}, "one --task at least"),
    ],
)
def test_refused(changes: dict[str, Any], said: str):
    with pytest.raises(ConfigError) as error:
        plan(**changes).check()
    assert said in str(error.value)


def test_shots_without_few_shot_are_refused():
    with pytest.raises(ConfigError, match="shots has no effect"):
        api.evaluate("nowhere", task="chain", shots=3)


def test_a_real_model_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    policy_of("llama").save(tmp_path / "model")
    result = api.evaluate(
        str(tmp_path / "model"), task=["chain", {"name": "skills"}], columns=("trained", "no_thinking"), k=2, limit=3,
        max_tokens=3, out=tmp_path / "out",
    )  # fmt: skip
    assert [(c.task, c.column, c.problems) for c in result.cells] == [
        (task, name, 3) for task in ("chain", "skills") for name in ("trained", "no_thinking")
    ]
    assert all(c.summary.statuses["sampled"].total == 6 for c in result.cells)
    written = sorted(str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*.json*"))
    assert len(written) == 12 and "skills/no_thinking/protocol.json" in written
