"""Reading data files row by row: .jsonl, .jsonl.gz, and .json or .json.gz with one array. What a row means is not known here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earnest.errors import DataError, nearest

ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")


@dataclass(frozen=True, slots=True)
class Row:
    """One row and its place. Example: Row("train.jsonl:3", {"prompt": "2+2=", "answer": "4"})."""

    where: str
    fields: Mapping[str, Any]


def stamp(file: Path) -> int:
    """When a file was last changed, 0 if there is none: part of the key under which what was read of it is kept."""
    return file.stat().st_mtime_ns if file.is_file() else 0


def read(path: str) -> list[Row]:
    """All rows of a file, in order; blank lines are passed over.

    Raises DataError with file and line for a file that is missing, is no JSON, or has no rows.
    """
    file = Path(path)
    if not file.name.endswith(ENDINGS):
        raise DataError(f"cannot read {file.name}", where=path, why="known endings: " + ", ".join(ENDINGS))
    if not file.is_file():
        there = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        why = "" if there else f"the folder {file.parent} does not exist or is empty"
        raise DataError("no such data file", where=path, why=why, remedy=nearest(file.name, there) if there else "")
    try:
        text = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise DataError("the data file cannot be read as UTF-8 text", where=path, why=str(error)) from None
    rows = list(_lines(file, text) if ".jsonl" in file.suffixes else _array(file, text))
    if not rows:
        raise DataError("the data file has no rows", where=path, remedy="one JSON object per line, or another file")
    return rows


def unreadable(row: Row, why: str, form: str) -> DataError:
    """The error of a row that a task cannot read. why: what was expected, and what is there. form: what rows look like."""
    found = ", ".join(row.fields) or "none"
    return DataError(
        "a row cannot be read", where=row.where, why=f"{why}; keys found: {found}", remedy=f"rows look like {form}"
    )


def fields(row: Row, kinds: Mapping[str, type], form: str) -> list[Any]:
    """The values of a row under these keys, each of its type. Raises DataError for the first that is missing or of another."""
    for key, kind in kinds.items():
        if key not in row.fields:
            raise unreadable(row, f"it needs '{key}'", form)
        if type(row.fields[key]) is not kind:
            raise unreadable(row, f"'{key}' must be {_NAMES[kind]}, it is {row.fields[key]!r:.60}", form)
    return [row.fields[key] for key in kinds]


_NAMES: Mapping[type, str] = {str: "text", int: "a whole number", list: "a list"}


def _lines(file: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _row(f"{file}:{number}", _parse(line, f"{file}:{number}"))


def _array(file: Path, text: str) -> Iterator[Row]:
    array = _parse(text, str(file))
    if not isinstance(array, list):
        raise DataError(
            "expected one JSON array of rows", where=str(file), why=f"the file holds a {type(array).__name__}",
            remedy="one object per line belongs into a file that ends in .jsonl",
        )  # fmt: skip
    for number, fields in enumerate(array, start=1):
        yield _row(f"{file} row {number}", fields)


def _row(where: str, fields: Any) -> Row:
    if not isinstance(fields, dict):
        raise DataError("a row must be a JSON object", where=where, why=f"it is a {type(fields).__name__}")
    return Row(where, fields)


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        raise DataError(
            "malformed JSON", where=where, why=f"{error.msg} at {place}", remedy="mend or drop it"
        ) from None
