"""Records survive the disk, whatever a model wrote into them; damage is found, except a torn last line, which is dropped."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earnest.data.store import dump_line, from_json, read_records, read_rows, to_json
from earnest.errors import DataError
from earnest.types import Finish, Message, Record, Status, Verdict
from report_runs import record

HOSTILE = "\ud800 alone\x00\x1b[31m\r\n\u2028\u2029\x85\u202e \ufeff \U0001f600 </script>\x7f"


def full() -> Record:
    plain = record("p1", 3, True, text=HOSTILE)
    problem = dataclasses.replace(
        plain.problem,
        prompt=(Message("system", HOSTILE), Message("user", "2+2?")),
        meta={"trace": HOSTILE, "n": [1, None, 0.5]},
    )
    verdict = Verdict(
        status=Status.OK,
        correct=True,
        score=0.5,
        extracted=HOSTILE,
        parts={"exact": 1.0},
        steps=((3, 0.5), (9, 1.0)),
        ms=1.25,
    )
    return dataclasses.replace(
        plain, problem=problem, verdict=verdict, thought=None, answer_text=HOSTILE, finish=Finish.ABORT, split="dev",
        prompt_ids=(1, 2), token_ids=(3, 4, 5), logprob_mean=-0.125, advantage=1.5, reward=0.5, given=2,
    )  # fmt: skip


def test_round_trip_of_every_field():
    line = dump_line(to_json(full()))
    assert line.isascii() and "\n" not in line
    assert from_json(json.loads(line)) == full()
    assert set(to_json(full())) == {"schema", *(f.name for f in dataclasses.fields(Record))}


@given(st.text(st.characters(codec=None)))
def test_any_text_survives(text: str):
    lone = "".join("?" if 0xDC00 <= ord(c) < 0xE000 else c for c in text)  # a pair would be read as its character
    row = json.loads(dump_line(to_json(record("p", 0, False, text=lone))))
    assert from_json(row).text == lone


def test_failed_grading_keeps_its_nones():
    failed = record("p", 0, None, reason="gold is unreadable")
    assert from_json(json.loads(dump_line(to_json(failed)))) == failed


def test_what_is_no_number_becomes_null():
    assert dump_line({"a": float("nan"), "b": [float("inf"), 1.0], "c": {"d": -float("inf")}}) == (
        '{"a":null,"b":[null,1.0],"c":{"d":null}}'
    )


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files(tmp_path: Path, suffix: str):
    rows = [full(), record("p2", 0, False), record("p2", 1, None)]
    write(tmp_path / f"r.jsonl{suffix}", "".join(dump_line(to_json(r)) + "\n" for r in rows).encode())
    assert list(read_records(tmp_path / f"r.jsonl{suffix}")) == rows


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_torn_last_line_is_dropped(tmp_path: Path, suffix: str):
    line = dump_line(to_json(full())).encode() + b"\n"
    for cut in (1, 40, len(line) - 2):
        write(tmp_path / f"r.jsonl{suffix}", line + line[:cut])
        assert list(read_records(tmp_path / f"r.jsonl{suffix}")) == [full()]
    write(tmp_path / f"r.jsonl{suffix}", line + line[:-1])
    assert len(list(read_records(tmp_path / f"r.jsonl{suffix}"))) == 2


def test_torn_gzip_gives_what_is_whole(tmp_path: Path):
    line = dump_line(to_json(full())).encode() + b"\n"
    data = gzip.compress(line * 500)
    (tmp_path / "r.jsonl.gz").write_bytes(data[: len(data) // 2])
    found = list(read_records(tmp_path / "r.jsonl.gz"))
    assert 0 < len(found) < 500 and set(map(repr, found)) == {repr(full())}


def change(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update(fields)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda row: row.pop("text"), "without the field 'text'"),
        (change(schema=2), "record of schema 2"),
        (change(tokens="many"), "malformed"),
        (change(well_formed=1), "malformed"),
        (change(split="validation"), "malformed"),
        (change(finish="eos"), "malformed"),
        (change(problem=[]), "malformed"),
        (lambda row: row["verdict"].update(correct=None), "malformed"),
        (lambda row: row["verdict"].update(status="limit"), "malformed"),
        (lambda row: row["sampling"].update(heat=1), "malformed"),
    ],
)
def test_damage_names_file_and_line(tmp_path: Path, damage: Callable[[dict[str, Any]], Any], what: str):
    good = dump_line(to_json(full()))
    row = json.loads(good)
    damage(row)
    (tmp_path / "r.jsonl").write_text(f"{good}\n{json.dumps(row)}\n{good}\n")
    with pytest.raises(DataError, match=what) as raised:
        list(read_records(tmp_path / "r.jsonl"))
    assert raised.value.where == f"{tmp_path / 'r.jsonl'}:2"


@pytest.mark.parametrize("bad", ['{"a": 1', "[1]", "null", '{"a": NaN}', "\x00\x00"])
def test_a_bad_line_that_is_not_torn_is_an_error(tmp_path: Path, bad: str):
    (tmp_path / "r.jsonl").write_text(f'{{"a": 0}}\n{bad}\n{{"a": 2}}\n')
    with pytest.raises(DataError) as raised:
        list(read_rows(tmp_path / "r.jsonl"))
    assert raised.value.where.endswith("r.jsonl:2")


def test_missing_and_not_gzip(tmp_path: Path):
    with pytest.raises(DataError, match="cannot read"):
        list(read_rows(tmp_path / "none.jsonl"))
    (tmp_path / "r.jsonl.gz").write_text('{"a": 1}\n')
    with pytest.raises(DataError, match="not a gzip"):
        list(read_rows(tmp_path / "r.jsonl.gz"))


def write(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
