"""The rollouts of a run: which files hold them, what a condition may ask of one, and which of them are shown.

Files are read line by line and nothing is kept but what will be shown, so a file may be larger than memory. What is
shown by default is drawn at random with a seed, over everything that matches: the first rollouts of a run are those of
the model before it learned. How one looks is rollout_text.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from earnest.data.store import read_lines
from earnest.errors import ConfigError, RunDirError, nearest
from earnest.evaluate.looking.where import Condition, Field, Row
from earnest.runlog import read_json
from earnest.seeding import rng
from earnest.types import Finish, Record, Status

TRAINING = "training"
"""The mode of rollouts that a stage learned from; an evaluation's are `sampled`, `greedy` and `drift_<name>`."""

FIELDS: Mapping[str, Field] = {
    "step": Field("number", "optimizer step of an RL stage, from 1; 0 in an evaluation"),
    "index": Field("number", "which sample of its problem, from 0"),
    "reward": Field("number", "what RL maximised; no value where grading failed"),
    "parts": Field("numbers", "the parts of the reward by name: parts['verifier']"),
    "advantage": Field("number", "of the first token; no value where nothing was learned from it"),
    "score": Field("number", "the verifier's; no value where grading failed"),
    "correct": Field("truth", "graded right; no value where grading failed"),
    "wrong": Field("truth", "graded wrong"),
    "status": Field("text", "how grading ended", tuple(status.value for status in Status)),
    "reason": Field("text", "why it is not right, in the grader's words"),
    "finish": Field("text", "why the engine stopped", tuple(finish.value for finish in Finish)),
    "truncated": Field("truth", "cut before its end (finish is not stop)"),
    "well_formed": Field("truth", "one thought, closed, then an answer"),
    "tokens": Field("number", "sampled tokens"),
    "thought_tokens": Field("number", "of these, in the thought"),
    "given": Field("number", "tokens of a gold's thought that it was made to begin with"),
    "logprob": Field("number", "mean log-prob of the sampled tokens"),
    "text": Field("text", "the completion"),
    "thought": Field("text", "its thought; no value where there is none"),
    "answer": Field("text", "what follows the thought; no value where it never closed"),
    "read": Field("text", "the answer as the grader read it"),
    "gold": Field("text", "the right answer"),
    "question": Field("text", "the problem's text"),
    "problem": Field("text", "the problem's id"),
    "task": Field("text", "the problem's task"),
    "split": Field("text", "", ("train", "dev", "test")),
    "stage": Field("text", "id of the stage"),
    "model": Field("text", "id of the evaluated model; no value in training"),
    "mode": Field("text", "training, sampled, greedy or drift_<name>"),
}
"""What a condition may name."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of records. Example: Source(Path("runs/x/eval/rl/greedy.jsonl"), "eval", "rl", "greedy")."""

    path: Path
    stage: str
    model: str | None  # None in training
    mode: str

    @property
    def label(self) -> str:
        return self.stage if self.model is None else f"{self.stage}/{self.model} {self.mode}"


@dataclass(frozen=True, slots=True)
class Found:
    """One rollout and where it was read. `row` is its line as it is stored."""

    source: Source
    row: Mapping[str, Any]
    record: Record

    @property
    def parts(self) -> Mapping[str, float]:
        return self.row.get("reward_parts") or {}


Unit: TypeAlias = "tuple[Found, ...]"
"""What is drawn and shown at once: one rollout, or all of a group in sampling order."""


def sources(path: Path) -> tuple[Source, ...]:
    """Every file of records of a run, of one of its stages, of an evaluation's folder, or the one file that is named.

    Raises RunDirError where there is none.
    """
    path = path.resolve()
    if path.is_file():
        return (_source(path),)
    # rollouts/x.jsonl, stage/rollouts/x.jsonl; greedy.jsonl, model/greedy.jsonl, stage/model/greedy.jsonl
    files = {file for depth in ("", "*/", "*/*/") for file in path.glob(f"{depth}*.jsonl*") if _holds_records(file)}
    if not files:
        why = "no rollouts/*.jsonl of a stage, no sampled, greedy or drift_* records of an evaluation"
        raise RunDirError("no rollouts here", where=str(path), why=why, remedy="earnest list runs")
    order = list(read_json(path / "run.json").get("stages") or ()) if (path / "run.json").is_file() else []
    return tuple(sorted((_source(file) for file in files), key=lambda s: (_place(s.stage, order), s.path)))


def choose(
    found: Sequence[Source], stage: str | None = None, model: str | None = None, mode: str | None = None
) -> tuple[Source, ...]:
    """The sources that are asked for. By default what stages trained on; of evaluations, unless `mode` is given, the sampled.

    Raises ConfigError with the nearest name where there is nothing of that stage, model or mode.
    """
    chosen = list(found)
    for option, value in (("stage", stage), ("model", model), ("mode", mode)):
        if value is not None:
            known = {str(v) for source in chosen if (v := getattr(source, option)) is not None}
            if value not in known:
                raise ConfigError(
                    f"no rollouts of {option} '{value}'", where=f"--{option}", remedy=nearest(value, known)
                )
            chosen = [source for source in chosen if getattr(source, option) == value]
    if stage is None and model is None and mode is None and any(s.mode == TRAINING for s in chosen):
        chosen = [source for source in chosen if source.mode == TRAINING]
    if mode is None and any(source.mode == "sampled" for source in chosen):
        chosen = [source for source in chosen if source.mode in ("sampled", TRAINING)]
    return tuple(chosen)


def labels(chosen: Sequence[Source]) -> str:
    """Sources in a few words. Example: "rl, eval (base, rl; sampled, greedy)"."""
    words: list[str] = []
    for stage in dict.fromkeys(source.stage for source in chosen):
        mine = [source for source in chosen if source.stage == stage]
        models = ", ".join(dict.fromkeys(source.model for source in mine if source.model is not None))
        modes = ", ".join(dict.fromkeys(source.mode for source in mine if source.model is not None))
        words += [stage] if any(source.model is None for source in mine) else []
        words += [f"{stage} ({models}; {modes})"] if models else []
    return ", ".join(words)


class Reading:
    """One pass over sources, which counts what it passes."""

    def __init__(
        self, chosen: Sequence[Source], conditions: Sequence[Condition] = (), *, grouped: bool = False
    ) -> None:
        self.chosen, self.conditions, self.grouped = chosen, conditions, grouped
        self.read, self.matching = 0, 0
        """Units so far: rollouts, or groups."""

    def units(self) -> Iterator[Unit]:
        """What matches, in file order. A group matches if one of its rollouts does, and comes whole."""
        for source in self.chosen:
            for unit in _groups(source) if self.grouped else _singles(source):
                self.read += 1
                if any(self._holds(found) for found in unit):
                    self.matching += 1
                    yield unit

    def draw(self, count: int, seed: int) -> list[Unit]:
        """`count` of all that match, each equally likely, in file order."""
        random, kept = rng("rollouts", seed), dict[int, Unit]()  # slot -> unit; a slot is refilled, as in algorithm R
        places = dict[int, int]()
        for place, unit in enumerate(self.units()):
            slot = place if place < count else random.randrange(place + 1)
            if slot < count:
                kept[slot], places[slot] = unit, place
        return [kept[slot] for slot in sorted(kept, key=lambda slot: places[slot])]

    def _holds(self, found: Found) -> bool:
        if not self.conditions:
            return True
        row = fields_of(found)
        return all(condition.holds(row) for condition in self.conditions)


def fields_of(found: Found) -> Row:
    """The values that a condition sees; exactly the names of FIELDS."""
    record, source = found.record, found.source
    problem, verdict = record.problem, record.verdict
    return {
        "step": record.step, "index": record.index, "reward": record.reward, "parts": found.parts,
        "advantage": record.advantage, "score": verdict.score, "correct": verdict.correct,
        "wrong": verdict.correct is False, "status": verdict.status.value, "reason": verdict.reason,
        "finish": record.finish.value, "truncated": record.finish is not Finish.STOP,
        "well_formed": record.well_formed, "tokens": record.tokens, "thought_tokens": record.thought_tokens,
        "given": record.given, "logprob": record.logprob_mean, "text": record.text, "thought": record.thought,
        "answer": record.answer_text, "read": verdict.extracted, "gold": problem.answer,
        "question": problem.question, "problem": problem.id, "task": problem.task, "split": record.split,
        "stage": source.stage, "model": source.model, "mode": source.mode,
    }  # fmt: skip


def _singles(source: Source) -> Iterator[Unit]:
    for row, record in read_lines(source.path):
        yield (Found(source, row, record),)


def _groups(source: Source) -> Iterator[Unit]:
    """Neighbouring lines of one problem in one step; an index that does not grow begins another group of the same."""
    group: list[Found] = []
    for row, record in read_lines(source.path):
        last = group[-1].record if group else None
        same = last is not None and (last.step, last.problem.id) == (record.step, record.problem.id)
        if last is not None and not (same and last.index < record.index):
            yield tuple(group)
            group = []
        group.append(Found(source, row, record))
    if group:
        yield tuple(group)


def _holds_records(file: Path) -> bool:
    if not file.is_file() or not file.stat().st_size or not file.name.endswith((".jsonl", ".jsonl.gz")):
        return False
    return file.parent.name == "rollouts" or _mode(file) in ("sampled", "greedy") or _is_drift(file)


def _is_drift(file: Path) -> bool:
    return file.name.startswith("drift_") and ".bytes." not in file.name


def _mode(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".jsonl")


def _source(file: Path) -> Source:
    stage = file.parent.parent.name
    if file.parent.name == "rollouts":
        return Source(file, stage, None, TRAINING)
    if _mode(file) in ("sampled", "greedy") or _is_drift(file):
        return Source(file, stage, file.parent.name, _mode(file))
    return Source(file, file.name, None, TRAINING)  # a file that the user names, of no known place


def _place(stage: str, order: Sequence[str]) -> int:
    return order.index(stage) if stage in order else len(order)
