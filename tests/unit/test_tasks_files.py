"""Tasks from files: reading rows, shapes, equations, near misses."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from earnest.errors import DataError
from earnest.tasks import rows
from earnest.tasks.equations import EquationError, Solved, solve
from earnest.tasks.jsonl import Jsonl
from earnest.tasks.mawps import Mawps, guess_step
from earnest.tasks.near_misses import decimal, near_misses, numbers
from earnest.tasks.rows import Row
from earnest.tasks.shapes import plain, shape
from earnest.types import Message, Problem, Solution


def written(folder: Path, data: list[Any], name: str = "data.jsonl") -> Path:
    file = folder / name
    file.write_text("\n".join(json.dumps(row) for row in data), encoding="utf-8")
    return file


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.json.gz"])
def test_every_ending_reads_the_same_rows(tmp_path: Path, name: str):
    data = [{"prompt": "2+2=", "answer": "4"}, {"prompt": "ü\u2028x", "answer": "5"}]
    lines = json.dumps(data) if Path(name.removesuffix(".gz")).suffix == ".json" else "\n\n".join(map(json.dumps, data))
    content = lines.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert [dict(row.fields) for row in rows.read(str(tmp_path / name))] == data


def test_a_raw_line_separator_inside_a_string_is_no_new_row(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text(
        '{"prompt": "a\u2028b", "answer": 1}\r\n{"prompt": "c", "answer": 2}', encoding="utf-8"
    )
    assert [row.fields["prompt"] for row in rows.read(str(tmp_path / "a.jsonl"))] == ["a\u2028b", "c"]


def test_errors_name_file_line_and_column(tmp_path: Path):
    file = tmp_path / "bad.jsonl"
    file.write_text('{"prompt": "a", "answer": 1}\n\n{"prompt": oops}\n')
    with pytest.raises(DataError) as malformed:
        rows.read(str(file))
    assert malformed.value.where == f"{file}:3"
    assert "column 12" in malformed.value.why
    file.write_text('{"prompt": "a", "answer": 1}\n[1]\n')
    with pytest.raises(DataError) as listed:
        rows.read(str(file))
    assert listed.value.where == f"{file}:2" and "list" in listed.value.why


def test_missing_empty_and_foreign_files(tmp_path: Path):
    written(tmp_path, [{}], "train.jsonl")
    with pytest.raises(DataError) as missing:
        rows.read(str(tmp_path / "trian.jsonl"))
    assert missing.value.remedy == "did you mean 'train.jsonl'?"
    (tmp_path / "empty.jsonl").write_text("\n \n")
    with pytest.raises(DataError, match="no rows"):
        rows.read(str(tmp_path / "empty.jsonl"))
    with pytest.raises(DataError, match=r"cannot read a\.parquet"):
        rows.read(str(tmp_path / "a.parquet"))
    (tmp_path / "object.json").write_text('{"prompt": "a", "answer": "b"}')
    with pytest.raises(DataError, match="expected one JSON array"):
        rows.read(str(tmp_path / "object.json"))
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}' * 50)[:-12])
    with pytest.raises(DataError, match="cannot be read"):
        rows.read(str(tmp_path / "torn.jsonl.gz"))


TURN = {"role": "user", "content": "2+2?"}


@pytest.mark.parametrize(
    ("fields", "answer", "trace"),
    [
        ({"prompt": "2+2?", "answer": "4"}, "4", ""),
        ({"prompt": "2+2?", "answer": 4.0}, "4", ""),
        ({"prompt": "2+2?", "answer": None}, None, ""),
        ({"prompt": "2+2?", "solution": " 1,234 "}, "1234", ""),
        ({"prompt": "2+2?", "solution": "long", "answer": "4"}, "4", ""),
        ({"prompt": "2+2?", "trace": "two and two", "answer": "4"}, "4", "two and two"),
        ({"question": "2+2?", "answer": "It is 2+2=<<2+2=4>>4.\n#### 4"}, "4", "It is 2+2=4."),
        ({"question": "2+2?", "answer": "So $<<1*70000=70000>>70,000.\n#### 70,000\n"}, "70000", "So $70,000."),
        ({"prompt": "2+2?", "answer": "<think>two\nmore</think>\n\n4"}, "4", "two\nmore"),
        ({"prompt": "2+2?", "answer": "a << b >> c"}, "a << b >> c", ""),
        ({"prompt": [TURN], "completion": [{"role": "assistant", "content": "4"}]}, "4", ""),
        ({"messages": [TURN, {"role": "assistant", "content": "4", "reasoning_content": "two more"}]}, "4", "two more"),
        ({"messages": [TURN, {"role": "assistant", "content": "<think>two more</think>4"}]}, "4", "two more"),
        ({"messages": [TURN, {"role": "assistant", "content": "Two more: 4."}], "answer": "4"}, "4", "Two more: 4."),
        ({"messages": [TURN, {"role": "assistant", "content": "4"}], "answer": "4"}, "4", ""),
        ({"messages": [TURN], "answer": "4"}, "4", ""),
    ],
)
def test_shapes(fields: dict[str, Any], answer: str | None, trace: str):
    shaped = shape(Row("f:1", fields))
    assert (shaped.answer, shaped.trace) == (answer, trace)
    assert shaped.prompt in ("2+2?", (Message("user", "2+2?"),))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"text": "a", "label": "b"}, "it needs 'prompt' or 'question' or 'messages' and 'answer'"),
        ({"prompt": "a", "label": "b"}, "it needs 'answer' or 'solution'"),
        ({"prompt": " ", "answer": "b"}, "'prompt' is empty"),
        ({"prompt": "a", "answer": ""}, "'answer' is empty"),
        ({"prompt": "a", "answer": ["b", "c"]}, "it is a list"),
        ({"prompt": "a", "answer": True}, "it is a bool"),
        ({"prompt": [{"role": "user"}], "answer": "b"}, "'content'"),
        ({"messages": [TURN]}, "no 'answer'"),
        ({"messages": []}, "'messages' must be a list"),
        ({"messages": [{"role": "assistant", "content": "4"}]}, "'messages'"),
    ],
)
def test_unreadable_rows_name_their_place_and_keys(fields: dict[str, Any], why: str):
    with pytest.raises(DataError) as error:
        shape(Row("train.jsonl:7", fields))
    assert error.value.where == "train.jsonl:7"
    assert why in error.value.why
    assert f"keys found: {', '.join(fields)}" in error.value.why


def test_only_real_groups_of_thousands_lose_their_commas():
    assert [plain(text) for text in ("1,234,567.5", "-1,000", "1,2", "12,34", "1,234 kg")] == [
        "1234567.5", "-1000", "1,2", "12,34", "1,234 kg",
    ]  # fmt: skip


def test_jsonl_keeps_extra_columns_and_ids_follow_the_question(tmp_path: Path):
    data = [
        {"prompt": f"Name of colour {c * 5}?", "answer": c, "trace": "t", "level": 3, "id": 9} for c in "abcdefghij"
    ]
    forward = Jsonl(path=str(written(tmp_path, data, "a.jsonl")), test=None)
    backward = Jsonl(path=str(written(tmp_path, data[::-1], "b.jsonl")))

    def ids(task: Jsonl, split: str) -> set[str]:
        try:
            return {problem.id for problem in task.problems(split)}
        except DataError:
            return set()

    problem = forward.problems("train")[0]
    assert problem.meta == {"level": 3, "id": 9, "trace": "t"}
    assert forward.gold(problem) == Solution("t", str(problem.answer))
    assert all(ids(forward, split) == ids(backward, split) for split in ("train", "dev", "test"))


def test_jsonl_verifier_is_number_only_if_every_answer_can_be_read_as_one(tmp_path: Path):
    numeric = [
        {"prompt": f"question {c * 9}", "answer": a} for c, a in zip("abcd", ["1", "2.5", "$3", "1/2"], strict=True)
    ]
    assert Jsonl(path=str(written(tmp_path, numeric, "n.jsonl"))).verifier_name == "number"
    mixed = [*numeric, {"prompt": "something else", "answer": "Paris"}]
    assert Jsonl(path=str(written(tmp_path, mixed, "m.jsonl"))).verifier_name == "string"


def test_jsonl_without_a_known_answer(tmp_path: Path):
    task = Jsonl(path=str(written(tmp_path, [{"prompt": "why?", "answer": None}])), test=None)
    problem = Problem(id="jsonl/x", task="jsonl", prompt="why?", answer=None)
    assert task.gold(problem) is None and list(task.wrong(problem)) == []


def test_jsonl_sees_that_a_file_has_changed(tmp_path: Path):
    import os

    file = written(tmp_path, [{"prompt": "the only question", "answer": "1"}])
    task = Jsonl(path=str(file), dev=str(written(tmp_path, [{"prompt": "d", "answer": "1"}], "d.jsonl")), test=None)
    first = task.notices(), task.verifier_name
    file.write_text('{"prompt": "the only question", "answer": "x"}')
    os.utime(file, ns=(1, 1))
    assert (task.notices(), task.verifier_name) != first


@pytest.mark.parametrize(
    ("equation", "steps", "value"),
    [
        ("X=((32.0+42.0)-35.0)", ("32 + 42 = 74", "74 - 35 = 39"), 39),
        ("70-x=27", ("70 - 27 = 43",), 43),
        ("x-3=4", ("4 + 3 = 7",), 7),
        ("(x/3)+2=9", ("9 - 2 = 7", "7 * 3 = 21"), 21),
        ("12/x=8", ("12 / 8 = 1.5",), Fraction(3, 2)),
        ("14 = 2*x", ("14 / 2 = 7",), 7),
        ("10 - 4 - 3 = X", ("10 - 4 = 6", "6 - 3 = 3"), 3),
        ("24/4/2 = x", ("24 / 4 = 6", "6 / 2 = 3"), 3),
        ("2 + 3 * 4 = x", ("3 * 4 = 12", "2 + 12 = 14"), 14),
        ("x = -3 + 5", ("-3 + 5 = 2",), 2),
        ("x = 5", (), 5),
    ],
)
def test_equations(equation: str, steps: tuple[str, ...], value: int | Fraction):
    assert solve(equation) == Solved(steps, Fraction(value))


@pytest.mark.parametrize(
    "equation",
    ["X = 5 = 5", "x + x = 4", "2 + 3", "2 = 2", "x = (3", "x = 3)", "x = 3 +", "x = y", "x = 1 / (2 - 2)", "x=__import__",
     "x = 2 ** 3", "=", "x = -(2 + 1)", "x=" + "1+" * 400 + "1"],
)  # fmt: skip
def test_equations_that_are_refused(equation: str):
    with pytest.raises(EquationError):
        solve(equation)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3", "3"),
        ("-0.05", "-0.05"),
        ("100", "100"),
        ("1234.50", "1234.5"),
        ("1/8", "0.125"),
        ("2/3", "2/3"),
        ("0", "0"),
    ],
)
def test_decimal(value: str, text: str):
    assert decimal(Fraction(value)) == text
    assert Fraction(text) == Fraction(value)


def test_numbers_of_a_text():
    assert numbers("3 of the 1,200 cost $0.50, 7.") == [3, 1200, Fraction(1, 2), 7]


@pytest.mark.parametrize("answer", ["12", "0", "-0.5", "1", "1000000", "3/4", "-7/2", "6/3"])
def test_near_misses_of_a_number_are_other_numbers_or_hedges(answer: str):
    misses = near_misses(answer)
    singles = [m for m in misses if " " not in m]
    assert len(singles) >= 3 and all(Fraction(m) != Fraction(answer) for m in singles)
    assert len(set(misses)) == len(misses) > len(singles)


def test_a_guessed_step_must_be_the_only_one():
    assert guess_step("3 bags of 4, how many?", Fraction(12)) == "3 * 4 = 12"
    assert guess_step("4 of 12 left, how many went?", Fraction(8)) == "12 - 4 = 8"
    assert guess_step("2 and 2 make?", Fraction(4)) == ""
    assert guess_step("5 of 5, a share of?", Fraction(1)) == "5 / 5 = 1"
    assert guess_step("1, 2 and 3", Fraction(3)) == ""
    assert guess_step("0 and 7", Fraction(0)) == "", "0 * 7 and 0 / 7"


def mawps_folder(folder: Path) -> Path:
    def row(question: str, equation: str, solution: str | float) -> dict[str, Any]:
        return {"sQuestion": question, "lEquations": [equation], "lSolutions": [solution]}

    (folder / "MultiArith.json").write_text(
        json.dumps(
            [
                row(" Ann had 32 pens , then 42 . She lost 35. Left ? ", "X=((32.0+42.0)-35.0)", 39.0),
                row("Wrong equation about 5 cats and 6 dogs", "X=5+6", 12.0),
                row("Unreadable equation of many zebras", "X=5=5", 5.0),
            ]
        )
    )
    (folder / "SingleEq.json").write_text(
        json.dumps([row("Exactly 0.3333333333333333 cups", "x=0.3333333333333333+0", "0.3333333333333333")])
    )
    (folder / "AddSub.json").write_text(
        json.dumps([row("ann had 32 pens, then 42. She lost 35.  Left?", "X = 32 + 7", "40")])
    )
    (folder / "tora_singleop.jsonl").write_text(
        '{"input": "Bob starts with 7 caps. He gets 2 more. Total?", "target": 9.0}'
    )
    return folder


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"lEquations": ["X=1"], "lSolutions": [1]}, "it needs 'sQuestion'; keys found: lEquations, lSolutions"),
        (
            {"sQuestion": "q", "lEquations": ["X=1"], "lSolutions": [1, 2]},
            "'lSolutions' must be a list of one, it is [1, 2]",
        ),
    ],
)
def test_a_row_of_mawps_that_cannot_be_read_says_what_rows_look_like(tmp_path: Path, row: dict[str, Any], why: str):
    (tmp_path / "AddSub.json").write_text(json.dumps([row]))
    with pytest.raises(DataError) as caught:
        Mawps(path=str(tmp_path), sets=("addsub",)).problems("train")
    assert str(caught.value.why).startswith(why) and str(caught.value.remedy).startswith('rows look like {"sQuestion"')


def test_mawps_traces_and_what_it_drops(tmp_path: Path):
    task = Mawps(path=str(mawps_folder(tmp_path)))
    found: dict[str, Problem] = {}
    for split in ("train", "dev", "test"):
        try:
            found |= {problem.question: problem for problem in task.problems(split)}
        except DataError:
            continue
    ann = found.pop("Ann had 32 pens, then 42. She lost 35. Left?")
    assert task.gold(ann) == Solution("32 + 42 = 74\n74 - 35 = 39", "39")
    assert {"32", "42", "35"} < {solution.answer for solution in task.wrong(ann)}
    bob = found.pop("Bob starts with 7 caps. He gets 2 more. Total?")
    assert task.gold(bob) == Solution("7 + 2 = 9", "9") and bob.meta["trace_from"] == "numbers"
    assert found == {}
    text = "\n".join(task.notices())
    assert "2 rows dropped: their equation does not give" in text
    assert "1 rows dropped: their equation cannot" in text
    assert "1 rows dropped: they have rounded" in text
