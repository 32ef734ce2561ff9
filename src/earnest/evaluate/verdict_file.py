"""Rows of one file graded into another, so that it can be stopped at any moment and go on. What a row means is in `grading.py`.

One verdict a line, in the order of the rows. With `resume` the verdicts that are there are kept, if their ids are those of the
first rows; a last line that was cut is dropped. `-` is standard input or output, `.gz` is read and written compressed.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from earnest.component import BuildContext, Spec, build
from earnest.errors import ConfigError, DataError, Interrupted
from earnest.evaluate.grading import Asked, Summary, graded, read_rows
from earnest.prompts.parse import Thought
from earnest.runlog import disk_full_is_an_error, dump_line

STANDARD = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to grade, with what, and where to. Example: Job(verifier="math", source="answers.jsonl", out="verdicts.jsonl")."""

    verifier: Spec
    source: str
    out: str
    workers: int = 1
    resume: bool = False
    thought: Thought = "optional"


def verify_file(job: Job) -> Summary:
    """Grade all rows. Raises ConfigError, DataError; Interrupted on Ctrl-C: then every line that was written is whole."""
    _check(job)
    built = build("verifier", job.verifier, BuildContext(Path.cwd(), ("--verifier",)))
    summary = Summary(f"{built.label} (version {built.version})")
    with _lines(job.source) as lines:
        rows = read_rows(lines, "stdin" if job.source == STANDARD else job.source, job.thought)
        if job.resume:
            for row in _kept(Path(job.out), rows):
                summary.add(row)
        try:
            with disk_full_is_an_error(Path(job.out)), _sink(job) as sink:
                for each in graded(rows, job.verifier, job.workers):
                    row = each.to_json()
                    summary.add(row)
                    sink.write(dump_line(row) + "\n")
                    if job.out == STANDARD or not job.out.endswith(".gz"):
                        sink.flush()
        except KeyboardInterrupt:
            remedy = "" if job.out == STANDARD else "the same command with --resume goes on from there"
            raise Interrupted(f"interrupted after {summary.rows} rows", remedy=remedy) from None
    return summary


def _check(job: Job) -> None:
    if job.workers < 1:
        raise ConfigError("at least one process must grade", where=f"--workers {job.workers}")
    if job.out == STANDARD:
        if job.resume:
            raise ConfigError(
                "--resume has no effect: standard output keeps nothing", where="--resume", remedy="--out FILE"
            )
        return
    out = Path(job.out)
    if job.source != STANDARD and out.exists() and out.samefile(job.source):
        raise ConfigError("the verdicts would be written over the answers", where=f"--out {job.out}")
    if out.is_file() and not job.resume:
        raise ConfigError(
            "the file of verdicts exists", where=f"--out {job.out}", why="nothing is written over",
            remedy="--resume to go on after its last line, or another name",
        )  # fmt: skip


@contextmanager
def _lines(source: str) -> Generator[Iterator[str]]:
    if source == STANDARD:
        yield _decoded(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig"), "stdin")
        return
    file = Path(source)
    if file.name.endswith((".json", ".json.gz")):
        raise DataError(
            "answers are read line by line", where=source, remedy="one JSON object a line, in a .jsonl file"
        )
    try:
        opened = _open(file, "rt", "utf-8-sig")
    except OSError as error:
        raise DataError("the answers cannot be read", where=source, why=error.strerror or str(error)) from None
    with opened as stream:
        yield _decoded(stream, source)


def _decoded(stream: IO[str], source: str) -> Iterator[str]:
    try:
        yield from stream
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise DataError("the answers cannot be read as UTF-8 text", where=source, why=str(error)) from None


@contextmanager
def _sink(job: Job) -> Generator[IO[str]]:
    if job.out == STANDARD:
        yield sys.stdout
        return
    out = Path(job.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _open(out, "at", "ascii") as stream:
        yield stream


def _open(file: Path, mode: Literal["rt", "at"], encoding: str) -> IO[str]:
    return (gzip.open if file.suffix == ".gz" else open)(file, mode, encoding=encoding)


def _kept(out: Path, rows: Iterator[Asked]) -> Iterator[dict[str, Any]]:
    """The verdicts that are there, each held against the next row; at the end, what was cut is dropped from the file.

    A compressed file is written anew, because the end of a stream that was cut cannot be written on.
    """
    if not out.is_file():
        return
    if out.suffix == ".gz":
        whole = out.with_name(f".{out.name}.tmp{os.getpid()}")
        try:
            with gzip.open(out, "rb") as old, gzip.open(whole, "wb") as new:
                for line, row in _whole_lines(old, out):
                    _compare(out, row, next(rows, None))
                    new.write(line)
                    yield row
            os.replace(whole, out)
        finally:
            whole.unlink(missing_ok=True)
        return
    size = 0
    with open(out, "rb") as old:
        for line, row in _whole_lines(old, out):
            _compare(out, row, next(rows, None))
            size += len(line)
            yield row
    os.truncate(out, size)


def _whole_lines(stream: Iterable[bytes], out: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every line that ends, with the verdict on it. Raises DataError for one that is none."""
    number = 0
    try:
        for line in stream:
            number += 1
            if not line.endswith(b"\n"):
                return
            yield line, _verdict_row(line, f"{out}:{number}")
    except EOFError:  # a compressed stream that was cut
        return


def _verdict_row(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not {"id", "correct", "status", "reason", "ms"} <= set(row):
        raise DataError("this line is no verdict", where=where, remedy="another --out; nothing was changed")
    return row


def _compare(out: Path, row: dict[str, Any], asked: Asked | None) -> None:
    if asked is None or asked.id != row["id"]:
        why = "there are no more rows" if asked is None else f"{asked.where} has the id {asked.id!r}"
        raise DataError(
            "these verdicts are on other answers", where=str(out), why=f"a verdict is on {row['id']!r:.80}, but {why}",
            remedy="another --out; nothing was changed",
        )  # fmt: skip
