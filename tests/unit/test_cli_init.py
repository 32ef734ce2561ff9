"""`earnest init`: what is written, what is refused, and that what was written is a recipe that can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from earnest.cli.init import TEMPLATES, init
from earnest.cli.word_problems import ROWS, rows
from earnest.component import BuildContext, build
from earnest.errors import RunDirError
from earnest.prompts.parse import split_thought
from earnest.recipe import load
from earnest.tasks.base import Task
from earnest.types import Item, Message, Parsed, Problem, Status

ROOT = Path(__file__).parents[2]

FILES = {
    "chain": {"recipe.yaml", "README.md"},
    "jsonl": {"recipe.yaml", "README.md", "rewards.py", "data/train.jsonl"},
    "verifier": {"recipe.yaml", "README.md", "verifier.py"},
    "task": {"recipe.yaml", "README.md", "task.py"},
}


@pytest.mark.parametrize("template", FILES)
def test_writes_a_recipe_that_loads(template, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "mine"
    init(template, folder)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == FILES[template]
    assert f"earnest run {folder / 'recipe.yaml'}" in capsys.readouterr().out
    recipe = load(folder).recipe
    assert [stage.name for stage in recipe.stages][-2:] == ["eval", "report"]
    if template == "verifier":
        assert recipe.verifier is not None and type(recipe.verifier).__name__ == "MyVerifier"
    if template == "task":
        assert type(recipe.task).__name__ == "MyTask"


def test_recipes_chain_is_the_template():
    assert (ROOT / "recipes" / "chain.yaml").read_text() == (TEMPLATES / "chain" / "recipe.yaml").read_text()


def test_a_folder_with_files_is_refused_by_name(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunDirError) as error:
        init("chain", tmp_path)
    assert error.value.exit_code == 2 and "thesis.tex" in error.value.why and "--force" in error.value.remedy
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_force_keeps_other_files(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "recipe.yaml").write_text("old")
    init("chain", tmp_path, force=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "recipe.yaml").read_text() != "old"


def test_a_file_is_refused(tmp_path: Path):
    (tmp_path / "x").write_text("")
    with pytest.raises(RunDirError):
        init("chain", tmp_path / "x", force=True)


def test_word_problems_are_right_and_the_same_every_time(tmp_path: Path):
    init("jsonl", tmp_path / "a")
    init("jsonl", tmp_path / "b")
    text = (tmp_path / "a/data/train.jsonl").read_text()
    assert text == (tmp_path / "b/data/train.jsonl").read_text()
    assert json.loads(text.splitlines()[0]) == {
        "prompt": rows()[0].prompt, "trace": rows()[0].trace, "answer": rows()[0].answer,
    }  # fmt: skip
    assert len(rows()) == len({row.prompt for row in rows()}) == ROWS
    for row in rows():
        for equation in row.trace.rstrip(";").split(";"):
            left, right = equation.split("=")
            assert eval(left) == int(right) >= 0
        assert row.trace.endswith(f"={row.answer};")


@pytest.mark.parametrize("prompt", ["?", (Message("user", "?"),)])
def test_own_function_is_a_verifier_and_a_reward_term(tmp_path: Path, prompt: Any):
    init("jsonl", tmp_path)
    text = (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    used = text.replace("# verifier:", "verifier:").replace(
        "steps: 20,", "steps: 20, reward: [correct, {use: rewards.py:exact}],"
    )
    assert used.count("rewards.py:exact") == 3
    (tmp_path / "recipe.yaml").write_text(used, encoding="utf-8")
    recipe = load(tmp_path).recipe
    assert [term.name for term in recipe.stages[1].reward] == ["correct", "exact"]
    problem = Problem(id="x", task="t", prompt=prompt, answer="7")
    texts = {"<think>3+4=7;</think>7": True, " 7\n": True, "<think>7</think>8": False, "77": False, "7 or 8": False}
    items = [Item(problem=problem, parsed=split_thought(t, opened=False), truncated=False) for t in texts]
    assert recipe.verifier is not None
    assert [v.correct for v in recipe.verifier.judge(items)] == list(texts.values())


def test_own_task_keeps_splits_apart_and_its_walks_are_right(tmp_path: Path):
    init("task", tmp_path)
    task = build("task", {"name": "task.py:MyTask", "train_size": 2000}, BuildContext(tmp_path))
    assert isinstance(task, Task)
    sides = [{p.question for p in task.problems(split)} for split in ("train", "dev", "test")]
    assert [len(side) for side in sides] == [2000, 256, 400]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    walk = Problem(id="x", task="my_task", prompt="c+3-1+5-2=", answer="h")
    solution = task.gold(walk)
    assert solution is not None and (solution.thought, solution.answer) == ("c+3=f;f-1=e;e+5=b;b-2=h;", "h")


@pytest.mark.parametrize(
    ("answer", "gold", "truncated", "status", "correct"),
    [
        ("7", "7", False, Status.OK, True),
        (" 7\n", "7", False, Status.OK, True),
        ("8", "7", False, Status.OK, False),
        ("7 8", "7", False, Status.NO_ANSWER, False),
        ("", "7", False, Status.NO_ANSWER, False),
        ("٧", "7", False, Status.NO_ANSWER, False),
        (None, "7", False, Status.NO_ANSWER, False),
        ("7", "7", True, Status.TRUNCATED, False),
        ("7", "seven", False, Status.ERROR, None),
    ],
)
def test_own_verifier(
    tmp_path: Path, answer: str | None, gold: str, truncated: bool, status: Status, correct: bool | None
):
    init("verifier", tmp_path)
    verifier = build("verifier", "verifier.py:MyVerifier", BuildContext(tmp_path))
    parsed = Parsed(text="", thought="", answer_text=answer, well_formed=True)
    item = Item(problem=Problem(id="x", task="t", prompt="", answer=gold), parsed=parsed, truncated=truncated)
    (verdict,) = verifier.judge([item])
    assert (verdict.status, verdict.correct) == (status, correct)
