"""Records on disk: one rollout, one JSON line, enough to judge it again without a model.

The text in a record is a model's, so it may hold anything: control characters, line separators, lone surrogates. Lines
are written as ASCII JSON (everything else escaped): a line is always one line, and a file always valid UTF-8. Whoever
appends to a file may be killed in the middle of a line: a torn last line is dropped on reading, and any other line that
cannot be read is an error with its number, never skipped.

Not here: where files lie and how they are rotated (the run directory), and any number made from them (evaluate).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from earnest.errors import DataError
from earnest.runlog import dump_line
from earnest.types import (
    Completion,
    Finish,
    Group,
    Json,
    Message,
    Parsed,
    Problem,
    Record,
    Rollout,
    Sampling,
    Split,
    Status,
    Verdict,
)

SCHEMA = 1

__all__ = [
    "SCHEMA",
    "dump_line",
    "from_json",
    "group_from_json",
    "group_to_json",
    "read_lines",
    "read_records",
    "read_rows",
    "to_json",
]


def to_json(record: Record) -> dict[str, Json]:
    """A record as a JSON object, keys in a fixed order. `from_json(to_json(r)) == r` for JSON-shaped `problem.meta`."""
    return {
        "schema": SCHEMA,
        "stage": record.stage,
        "step": record.step,
        "split": record.split,
        "problem": _problem_to_json(record.problem),
        "index": record.index,
        "text": record.text,
        "thought": record.thought,
        "answer_text": record.answer_text,
        "well_formed": record.well_formed,
        "tokens": record.tokens,
        "thought_tokens": record.thought_tokens,
        "finish": record.finish.value,
        "policy_version": record.policy_version,
        "sampling": {
            "temperature": record.sampling.temperature,
            "top_p": record.sampling.top_p,
            "top_k": record.sampling.top_k,
            "max_tokens": record.sampling.max_tokens,
        },
        "verdict": _verdict_to_json(record.verdict),
        "reward": record.reward,
        "reward_parts": dict(record.reward_parts),
        "prompt_ids": list(record.prompt_ids),
        "token_ids": list(record.token_ids),
        "logprob_mean": record.logprob_mean,
        "advantage": record.advantage,
        **({"given": record.given} if record.given else {}),
    }


def from_json(row: Mapping[str, Any]) -> Record:
    """The record of a JSON object. Raises DataError if a field is missing, of the wrong type or of another schema."""
    if row.get("schema") != SCHEMA:
        raise DataError(
            f"record of schema {row.get('schema')!r}",
            why=f"this version reads schema {SCHEMA}",
            remedy="read it with the version of earnest that wrote it",
        )
    try:
        return _record(row)
    except KeyError as error:
        raise DataError(f"record without the field {error}") from None
    except (TypeError, ValueError, AttributeError, AssertionError) as error:
        raise DataError("record with a malformed field", why=str(error)) from None


def read_records(path: Path) -> Iterator[Record]:
    """The records of a .jsonl or .jsonl.gz file, in order. Raises DataError with file and line."""
    for _, record in read_lines(path):
        yield record


def read_lines(path: Path) -> Iterator[tuple[dict[str, Any], Record]]:
    """`read_records` with each record's JSON object, which may hold more than this version reads."""
    for number, row in _numbered_rows(path):
        try:
            yield row, from_json(row)
        except DataError as error:
            raise DataError(error.what, where=f"{path}:{number}", why=error.why, remedy=error.remedy) from None


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a .jsonl or .jsonl.gz file, in order, under the same rules as `read_records`."""
    for _, row in _numbered_rows(path):
        yield row


def group_to_json(group: Group) -> dict[str, Json]:
    """A group with everything that learning from it needs, log-probs of the sampler included."""
    return {
        "problem": _problem_to_json(group.problem),
        "rollouts": [_rollout_to_json(rollout) for rollout in group.rollouts],
        "given": group.given,
    }


def group_from_json(row: Mapping[str, Any]) -> Group:
    """The group of a JSON object. `group_from_json(group_to_json(g)) == g` for JSON-shaped `problem.meta`."""
    problem = _problem(row["problem"])
    return Group(problem, tuple(_rollout(rollout, problem) for rollout in row["rollouts"]), row["given"])


def _numbered_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(path) as file:
        for number, line in enumerate(_lines(file), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_constant=_not_json)
                if not isinstance(row, dict):
                    raise ValueError(f"expected an object, got {type(row).__name__}")
            except (ValueError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    return  # torn by a crash: only the last line of a file has no newline
                raise DataError("line is not a JSON object", where=f"{path}:{number}", why=str(error)) from None
            yield number, row


def _open(path: Path) -> IO[bytes]:
    try:
        return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise DataError("cannot read the file", where=str(path), why=error.strerror or str(error)) from None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines by newline only; a compressed file that ends in the middle gives the lines before the tear."""
    try:
        yield from file
    except (EOFError, zlib.error):
        return
    except gzip.BadGzipFile as error:
        raise DataError("not a gzip file", where=file.name, why=str(error)) from None


def _not_json(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _problem_to_json(problem: Problem) -> dict[str, Json]:
    prompt: Json = problem.prompt if isinstance(problem.prompt, str) else [
        {"role": m.role, "content": m.content} for m in problem.prompt
    ]  # fmt: skip
    return {
        "id": problem.id,
        "task": problem.task,
        "prompt": prompt,
        "answer": problem.answer,
        "meta": dict(problem.meta),
    }


def _rollout_to_json(rollout: Rollout) -> dict[str, Json]:
    completion = asdict(rollout.completion)
    return {
        "prompt_ids": list(rollout.prompt_ids),
        "completion": {**completion, "finish": rollout.completion.finish.value},
        "parsed": asdict(rollout.parsed),
        "verdict": _verdict_to_json(rollout.verdict),
        "reward": rollout.reward,
        "reward_parts": dict(rollout.reward_parts),
    }


def _rollout(row: Mapping[str, Any], problem: Problem) -> Rollout:
    given = row["completion"]
    packed = {name: None if given[name] is None else tuple(given[name]) for name in ("token_ids", "logprobs")}
    completion = Completion(
        **{
            **given, **packed, "sampled": tuple(given["sampled"]), "finish": Finish(given["finish"]),
            "sampling": Sampling(**given["sampling"]),
        }
    )  # fmt: skip
    return Rollout(
        problem=problem, prompt_ids=tuple(row["prompt_ids"]), completion=completion, parsed=Parsed(**row["parsed"]),
        verdict=_verdict(row["verdict"]), reward=row["reward"], reward_parts=row["reward_parts"],
    )  # fmt: skip


def _verdict_to_json(verdict: Verdict) -> dict[str, Json]:
    return {
        "status": verdict.status.value,
        "correct": verdict.correct,
        "score": verdict.score,
        "extracted": verdict.extracted,
        "reason": verdict.reason,
        "parts": dict(verdict.parts),
        "steps": [[end, score] for end, score in verdict.steps],
        "ms": verdict.ms,
    }


def _record(row: Mapping[str, Any]) -> Record:
    split = row["split"]
    if split not in ("train", "dev", "test"):
        raise ValueError(f"split {split!r}")
    parts = row.get("reward_parts", {})  # not in records of before there were several
    return Record(
        problem=_problem(row["problem"]),
        index=_typed(row, "index", int),
        text=_typed(row, "text", str),
        thought=_typed(row, "thought", str, None),
        answer_text=_typed(row, "answer_text", str, None),
        well_formed=_typed(row, "well_formed", bool),
        tokens=_typed(row, "tokens", int),
        thought_tokens=_typed(row, "thought_tokens", int),
        finish=Finish(row["finish"]),
        policy_version=_typed(row, "policy_version", int),
        sampling=Sampling(**row["sampling"]),
        verdict=_verdict(row["verdict"]),
        reward=_typed(row, "reward", float, None),
        stage=_typed(row, "stage", str),
        step=_typed(row, "step", int),
        split=cast(Split, split),
        prompt_ids=tuple(row["prompt_ids"]),
        token_ids=tuple(row["token_ids"]),
        logprob_mean=_typed(row, "logprob_mean", float, None),
        advantage=_typed(row, "advantage", float, None),
        reward_parts={name: _typed(parts, name, float, None) for name in parts},
        given=_typed(row, "given", int) if "given" in row else 0,
    )


def _problem(row: Mapping[str, Any]) -> Problem:
    prompt = row["prompt"]
    if not isinstance(prompt, str):
        prompt = tuple(Message(_typed(m, "role", str), _typed(m, "content", str)) for m in prompt)
    return Problem(
        id=_typed(row, "id", str),
        task=_typed(row, "task", str),
        prompt=prompt,
        answer=_typed(row, "answer", str, None),
        meta=dict(row["meta"]),
    )


def _verdict(row: Mapping[str, Any]) -> Verdict:
    return Verdict(
        status=Status(row["status"]),
        correct=_typed(row, "correct", bool, None),
        score=_typed(row, "score", float, None),
        extracted=_typed(row, "extracted", str, None),
        reason=_typed(row, "reason", str),
        parts=dict(row["parts"]),
        steps=tuple((end, score) for end, score in row["steps"]),
        ms=_typed(row, "ms", float),
    )


def _typed(row: Mapping[str, Any], key: str, *kinds: type | None) -> Any:
    """row[key] if its type is one of `kinds` (None: may be null; float takes an int too, bool is no int)."""
    value = row[key]
    allowed = {type(None) if kind is None else kind for kind in kinds}
    if type(value) in allowed or (type(value) is int and float in allowed):
        return value
    raise TypeError(f"{key} is {value!r:.60}")
