"""The drift items of a recipe: which settings a key asks for, what is refused while the recipe is read, which rows are drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earnest.component import BuildContext, KeyedConfigError, build
from earnest.data.select import subset
from earnest.errors import DataError
from earnest.stages.drift import ChoiceDrift, SkillDrift, TextDrift
from earnest.stages.eval import Eval
from earnest.verifiers.number import Number


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"context": f"question {i}", "choices": ["yes", "no"], "gold": i % 2} for i in range(50)]
    (tmp_path / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "text.txt").write_text("one river\ntwo rivers\nthree\n")
    return tmp_path


def stage(folder: Path, *items: object) -> Eval:
    fields = {"name": "eval", "id": "eval", "drift": list(items)}
    found = build("stage", fields, BuildContext(folder, ("stages", 3)))
    assert isinstance(found, Eval)
    return found


QUIZ = {"name": "quiz", "choices": "quiz.jsonl"}


def test_the_key_says_what_is_asked(folder: Path) -> None:
    found = stage(folder, QUIZ, {"name": "text", "text": "text.txt"}, {"name": "skill", "task": "skills"})
    assert [type(item) for item in found.drift] == [ChoiceDrift, TextDrift, SkillDrift]
    assert found.files() == (folder / "quiz.jsonl", folder / "text.txt")
    again = build("stage", found.model_dump(mode="json", by_alias=True), BuildContext(folder))
    assert again == found, "what a run has written down reads back as what it was"


@pytest.mark.parametrize(
    ("item", "what", "where", "remedy"),
    [
        ({"name": "x"}, "what should be measured", "stages[3].drift[0]", "task, choices, text"),
        (QUIZ | {"text": "text.txt"}, "what should be measured", "stages[3].drift[0]", "task, choices, text"),
        (QUIZ | {"itms": 3}, "unknown key 'itms'", "stages[3].drift[0].itms", "items"),
        (QUIZ | {"format": "arcc"}, "hellaswag", "stages[3].drift[0].format", ""),
        (QUIZ | {"format": "mmlu", "metric": "acc_norm"}, "one letter", "stages[3].drift[0]", ""),
        ({"name": "t", "text": "$NO_SUCH/x.txt"}, "not set", "stages[3].drift[0].text", "export"),
        ({"name": "s", "task": "skils"}, "unknown task", "stages[3].drift[0].task", "skills"),
    ],
)  # fmt: skip
def test_what_is_refused_names_its_place(folder: Path, item: object, what: str, where: str, remedy: str) -> None:
    with pytest.raises(KeyedConfigError, match=what) as error:
        stage(folder, item)
    assert error.value.where == where and remedy in error.value.remedy


def test_a_bad_row_is_found_before_anything_runs(folder: Path) -> None:
    with (folder / "quiz.jsonl").open("a") as file:
        file.write('{"context": "x", "choices": ["a", "b"], "gold": 2}\n')
    with pytest.raises(DataError) as error:
        stage(folder, QUIZ).check(frozenset(), Number())
    assert error.value.where == f"{folder / 'quiz.jsonl'}:51"


def test_items_are_drawn_from_the_whole_file_and_always_the_same(folder: Path) -> None:
    (item,) = stage(folder, QUIZ | {"items": 10}).drift
    assert isinstance(item, ChoiceDrift)
    ids = [choice.id for choice in item.read()]
    assert ids == subset([str(i) for i in range(50)], 10) and int(ids[-1]) > 25
    assert ids == [choice.id for choice in item.read()]


def test_documents_are_cut_by_characters(folder: Path) -> None:
    (item,) = stage(folder, {"name": "t", "text": "text.txt", "documents": 2, "max_chars": 4}).drift
    assert isinstance(item, TextDrift) and item.read() == ["one ", "two "]


@pytest.mark.parametrize(("form", "metric", "headline"), [
    ("mmlu", None, "acc"), ("mmlu", "acc", "acc"), ("arc", None, "acc_norm"), ("hellaswag", "acc", "acc"),
])  # fmt: skip
def test_which_metric_is_reported(folder: Path, form: str, metric: str | None, headline: str) -> None:
    (item,) = stage(folder, QUIZ | {"format": form, "metric": metric}).drift
    assert isinstance(item, ChoiceDrift) and item.headline == headline == item.describe()["metric"]
