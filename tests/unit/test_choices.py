"""Multiple-choice files: the text that each format puts to a model, and what is said of a row that is none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from earnest.data.choices import Choice, Format, read_choices
from earnest.errors import DataError


def written(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def one(tmp_path: Path, form: Format, row: dict[str, Any]) -> Choice:
    (item,) = read_choices(written(tmp_path / "one.jsonl", row), form)
    return item


def test_hellaswag(tmp_path: Path) -> None:
    endings = [" runs [step] home. ", "sits  down.", "[substeps] Sings.", "flies [title] Up."]
    row = {
        "activity_label": "Sumo",
        "ctx_a": "[header] Two men [both] meet.",
        "ctx_b": "the First man",
        "endings": endings,
        "label": "3",
    }
    item = one(tmp_path, "hellaswag", row)
    assert item.context == "Sumo: Two men meet. The first man"  # capitalize() also lowers the rest
    assert item.choices == ("runs home.", "sits down.", " Sings.", "flies. Up.")
    assert (item.id, item.gold) == ("0", 3)


def test_hellaswag_with_one_context(tmp_path: Path) -> None:
    row = {"ctx": "Sumo: Two men meet. the first man", "endings": ["a", "b", "c", "d"], "label": 2}
    assert one(tmp_path, "hellaswag", row) == Choice("0", row["ctx"], ("a", "b", "c", "d"), 2)
    public = {"activity_label": "Sumo", "ctx_a": "Two men meet.", "ctx_b": "", "endings": row["endings"], "label": "2"}
    assert one(tmp_path, "hellaswag", public).context == "Sumo: Two men meet."


@pytest.mark.parametrize(("labels", "key"), [("ABC", "B"), ("123", "2"), ("123", 2)])
def test_arc(tmp_path: Path, labels: str, key: str | int) -> None:
    if key == 2:  # a place written as a number counts from 0
        labels, key = "ABC", 1
    row = {
        "question": "What is lead?",
        "choices": {"text": ["gas", "metal", "a café"], "label": list(labels)},
        "answerKey": key,
    }
    expected = Choice("0", "Question: What is lead?\nAnswer:", ("gas", "metal", "a café"), 1)
    assert one(tmp_path, "arc", row) == expected
    assert (
        one(tmp_path, "arc", {"query": "Question: What is lead?", "choices": list(expected.choices), "gold": 1})
        == expected
    )


@pytest.mark.parametrize("answer", [2, "2", "C"])
def test_mmlu(tmp_path: Path, answer: int | str) -> None:
    row = {
        "subject": "us_foreign_policy",
        "question": " Who? \n",
        "choices": ["me", "you ", "he", "she"],
        "answer": answer,
    }
    item = one(tmp_path, "mmlu", row)
    assert item.context == (
        "The following are multiple choice questions (with answers) about us foreign policy.\n\n"
        "Who?\nA. me\nB. you \nC. he\nD. she\nAnswer:"
    )
    assert item.choices == ("A", "B", "C", "D") and item.gold == 2


def test_plain_adds_nothing(tmp_path: Path) -> None:
    assert one(tmp_path, "plain", {"context": " x ", "query": "no", "choices": ["a", "b "], "gold": 0}).context == " x "
    assert one(tmp_path, "plain", {"query": "", "choices": ["a", "b "], "gold": 1}) == Choice("0", "", ("a", "b "), 1)


def test_ids_are_places_in_the_file(tmp_path: Path) -> None:
    row = {"context": "x", "choices": ["a", "b"], "gold": 0}
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress(f"{json.dumps(row)}\n\n{json.dumps(row)}\n".encode()))
    assert [item.id for item in read_choices(file, "plain")] == ["0", "1"]


GOOD = {"context": "x", "choices": ["a", "b"], "gold": 0}


@pytest.mark.parametrize(
    ("form", "row", "what"),
    [
        ("plain", GOOD | {"gold": 2}, "`gold` names none of the 2 choices"),
        ("plain", GOOD | {"gold": -1}, "`gold` names none"),
        ("plain", GOOD | {"gold": True}, "`gold` names none"),
        ("plain", GOOD | {"choices": ["a", ""]}, "an empty choice"),
        ("plain", GOOD | {"choices": ["a"]}, "`choices` must be a list of at least two"),
        ("plain", GOOD | {"choices": ["a", 3]}, "`choices` must be text"),
        ("plain", GOOD | {"context": None}, "`context` must be text"),
        ("plain", GOOD | {"context": "\ud800"}, "cannot be written as UTF-8"),
        ("plain", {"choices": ["a", "b"], "gold": 0}, "without `context`"),
        ("hellaswag", {"ctx": "x", "endings": ["a", "[b]"], "label": 0}, "an empty choice"),
        ("hellaswag", {"ctx_a": "x", "ctx_b": "y", "endings": ["a", "b"], "label": 0}, "without `activity_label`"),
        ("arc", {"question": "x", "choices": ["a", "b"], "answerKey": "A"}, "`choices` has no `text`"),
        ("mmlu", {"subject": "s", "question": "x", "choices": ["a", "b"], "answer": 0}, "four choices"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path: Path, form: Format, row: dict[str, Any], what: str) -> None:
    good = {
        "plain": GOOD, "hellaswag": {"ctx": "x", "endings": ["a", "b"], "label": 0},
        "arc": {"query": "x", "choices": ["a", "b"], "gold": 0},
        "mmlu": {"subject": "s", "question": "x", "choices": ["a", "b", "c", "d"], "answer": 0},
    }[form]  # fmt: skip
    with pytest.raises(DataError, match=what) as error:
        read_choices(written(tmp_path / "rows.jsonl", good, row), form)
    assert error.value.where == f"{tmp_path / 'rows.jsonl'}:2"


@pytest.mark.parametrize("content", ["", "\n", "{"])
def test_a_bad_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(DataError) as error:
        read_choices(tmp_path / "rows.jsonl", "plain")
    assert str(tmp_path / "rows.jsonl") in error.value.where
