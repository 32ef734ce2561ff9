"""What every task must keep to. A new file in `tasks/` is tested by being there, as its defaults make it.

A task that cannot be made from defaults gets a line in `specs`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from earnest import component
from earnest.component import KeyedConfigError
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.tasks.clusters import masked, normalised
from earnest.types import Item, Parsed, Problem, Solution, Split
from earnest.verifiers.base import Verifier

NAMES = component.names("task")
GRADED = 200
WITHOUT_GOLDS = {"constraint"}
"""Verifiers whose tasks may know no right answer, because a great many are."""

ELSEWHERE = """
import json, random, sys
from earnest.component import build, digest
random.seed(12345)
for name, spec in json.load(sys.stdin).items():
    task = build("task", spec)
    texts = [repr(p) for split in reversed(task.splits) for p in task.problems(split)[:60]]
    print(json.dumps([name, digest(*texts)]))
"""


def specs(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of a task -> what a recipe would say, where the name alone is not enough."""
    source = random.Random(0)
    words = ["bread", "chair", "tower", "violet", "engine", "harbour", "needle", "pepper", "quartz", "saddle", "tunnel"]
    rows = [
        {"question": " ".join(source.choices(words, k=9)), "answer": str(source.randrange(900))} for _ in range(400)
    ]
    rows += [{"question": f"{row['question']} 7", "answer": "7"} for row in rows[:40]]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    gym = {"dataset": "chain_sum", "train_size": 300, "dev_size": 60, "test_size": 60}
    return {
        "jsonl": {"path": str(folder / "rows.jsonl")},
        "mix": {"of": [{"use": {"name": "jsonl", "path": str(folder / "rows.jsonl")}, "name": "own"}, "chain"]},
        "bbh": {"subset": "date_understanding"},
        "reasoning_gym": gym,
    }


def full_spec(name: str, folder: Path) -> dict[str, Any]:
    return {"name": name, **specs(folder).get(name, {})}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest, folder: Path) -> Task:
    try:
        return component.build("task", full_spec(request.param, folder))
    except KeyedConfigError as error:
        if "EARNEST_DATA" in error.what and "EARNEST_DATA" not in os.environ:
            pytest.skip(f"{request.param} reads its files from EARNEST_DATA, which is not set")
        raise


@pytest.fixture
def verifier(task: Task) -> Verifier:
    return task.own_verifier()


def some(task: Task, split: Split, most: int = 2000) -> list[Problem]:
    """The first problems of a split, and some from all over a large one."""
    problems = task.problems(split)
    spread = random.Random(0).sample(range(len(problems)), 300) if len(problems) > most + 300 else []
    return [*problems[:most], *(problems[i] for i in spread)]


def solved(task: Task) -> list[tuple[Problem, Solution]]:
    """Problems of all splits with their gold solutions, as many from one as from another."""
    pairs = [(problem, task.gold(problem)) for split in task.splits for problem in some(task, split, GRADED)]
    return [(problem, gold) for problem, gold in pairs if gold is not None]


def item(problem: Problem, solution: Solution) -> Item:
    parsed = Parsed(text=solution.answer, thought=solution.thought, answer_text=solution.answer, well_formed=True)
    return Item(problem=problem, parsed=parsed, truncated=False)


def test_there_are_tasks():
    assert {"chain", "gsm8k", "jsonl", "math500", "mawps", "skills"} <= set(NAMES)


def test_names_a_verifier_that_is_there(task: Task):
    assert task.verifier_name in component.names("verifier") and task.own_verifier().name == task.verifier_name


def test_splits_share_no_question(task: Task):
    texts = {split: {normalised(p.question) for p in some(task, split)} for split in task.splits}
    for a, b in combinations(task.splits, 2):
        assert texts[a].isdisjoint(texts[b]), (a, b)


def test_splits_of_files_share_no_question_when_numbers_are_masked(task: Task):
    if not task.files() or task.templated:
        return
    texts = {split: {masked(p.question) for p in task.problems(split)} for split in task.splits}
    for a, b in combinations(task.splits, 2):
        assert texts[a].isdisjoint(texts[b]), (a, b)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_held_out_problems_are_distinct(task: Task, split: Split):
    if split not in task.splits:
        return
    problems = task.problems(split)
    assert len({normalised(p.question) for p in problems}) == len(problems) >= 20
    assert len({p.id for p in problems}) == len(problems)


def test_problems_name_their_task_and_are_json(task: Task):
    for split in task.splits:
        for problem in some(task, split, 50):
            assert problem.task in {leaf.name for leaf in task.leaves()} and problem.id.startswith(f"{problem.task}/")
            assert json.loads(json.dumps(problem.meta)) == problem.meta


def test_an_index_means_one_problem(task: Task):
    for split in task.splits:
        problems: Sequence[Problem] = task.problems(split)
        assert problems[0] == problems[-len(problems)] == next(iter(problems)) == problems[:1][0]
        assert problems[len(problems) - 1] == problems[-1]
        with pytest.raises(IndexError):
            problems[len(problems)]


def test_the_random_state_of_the_process_is_neither_used_nor_changed(task: Task):
    random.seed(1)
    before = random.getstate()
    first = [p.question for p in some(task, task.splits[0], 30)]
    assert random.getstate() == before
    random.seed(2)
    assert [p.question for p in some(task, task.splits[0], 30)] == first


def test_another_process_makes_the_same_problems(folder: Path):
    wanted = {name: full_spec(name, folder) for name in NAMES}
    if "EARNEST_DATA" not in os.environ:
        wanted = {name: spec for name, spec in wanted.items() if not needs_data(spec)}
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=json.dumps(wanted), capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    theirs = dict(json.loads(line) for line in run.stdout.splitlines())
    ours = {}
    for name, spec in wanted.items():
        task: Task = component.build("task", spec)
        texts = [repr(p) for split in reversed(task.splits) for p in task.problems(split)[:60]]
        ours[name] = component.digest(*texts)
    assert theirs == ours and len(ours) >= 3


def needs_data(spec: dict[str, Any]) -> bool:
    try:
        component.build("task", spec)
    except KeyedConfigError:
        return True
    return False


def test_gold_solutions_pass(task: Task, verifier: Verifier):
    pairs = solved(task)
    if task.verifier_name in WITHOUT_GOLDS and not pairs:
        return
    assert len(pairs) >= min(GRADED, sum(len(task.problems(split)) for split in task.splits))
    verdicts = verifier.judge([item(problem, gold) for problem, gold in pairs])
    failed = [(p.question, g, v) for (p, g), v in zip(pairs, verdicts, strict=True) if v.correct is not True]
    assert failed == []
    assert [p.answer for p, _ in pairs if verifier.check_gold(p.answer or "") is not None] == []


def test_wrong_solutions_fail(task: Task, verifier: Verifier):
    wrongs = [(problem, task.wrong(problem)) for split in task.splits for problem in some(task, split, GRADED)]
    assert all(solutions or task.gold(problem) is None for problem, solutions in wrongs)
    assert any(solutions for _, solutions in wrongs)
    pairs = [(problem, solution) for problem, solutions in wrongs for solution in solutions]
    verdicts = verifier.judge([item(problem, solution) for problem, solution in pairs])
    paid = [(p.question, p.answer, s, v) for (p, s), v in zip(pairs, verdicts, strict=True) if v.correct is not False]
    assert paid == []


def test_files_are_named_and_there(task: Task):
    assert all(file.is_absolute() and file.is_file() for file in task.files())


def test_a_missing_source_is_a_data_error(task: Task, tmp_path: Path):
    if not task.files():
        return
    broken = component.build(
        "task", {"name": task.name, **task.model_dump(exclude={"name"}), "path": str(tmp_path / "no")}
    )
    with pytest.raises(DataError):
        broken.problems(task.splits[0])


def test_a_split_that_it_does_not_have_is_a_data_error(task: Task):
    assert "test" in task.splits
    absent: set[Split] = {"train", "dev", "test"} - set(task.splits)
    for split in absent:
        with pytest.raises(DataError):
            task.problems(split)
