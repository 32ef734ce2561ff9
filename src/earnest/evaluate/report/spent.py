"""Where the time went, and what it cost to ask: seconds of a stage by phase, tokens of an evaluation by model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from earnest.evaluate.load import EvalRun, StageRun
from earnest.types import Json

WHOLES = ("time/step", "time/source", "time/train")
"""The step, and the two halves of it; every other time/* is a part of time/source."""
RESTS = ("other work on data", "train", "between steps")


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of a training stage. Example: {"generate": 40.0, "grade": 1.0, "train": 9.0, "between steps": 3.0}."""

    stage: str
    seconds: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """What one model wrote in one evaluation, drift benchmarks included."""

    evaluation: str
    model: str
    completions: int
    tokens: int

    def to_json(self) -> dict[str, Json]:
        return {
            "evaluation": self.evaluation, "model": self.model, "completions": self.completions, "tokens": self.tokens,
        }  # fmt: skip


def phases(stage: StageRun) -> Phases | None:
    """None if the stage timed no step. `between steps` is what its wall time holds besides: gates, loading, checkpoints."""
    if not any("time/step" in row for row in stage.metrics):
        return None
    sums: dict[str, float] = {}
    for row in stage.metrics:
        for key, value in row.items():
            if key.startswith("time/") and value is not None:
                sums[key] = sums.get(key, 0.0) + float(value)
    parts = {key.removeprefix("time/"): value for key, value in sums.items() if key not in WHOLES}
    stepped, source, trained = (sums.get(key, 0.0) for key in WHOLES)
    rest = source - sum(parts.values())
    wall = float(stage.info.get("wall_s") or 0.0)
    seconds = {**parts, "other work on data": rest, "train": trained, "between steps": wall - stepped}
    return Phases(stage.id, {name: max(0.0, value) for name, value in seconds.items()})


def asked(evaluation: EvalRun) -> tuple[Asked, ...]:
    """One entry a model, in the protocol's order."""
    found = []
    for name, model in evaluation.models.items():
        records = [*model.sampled, *model.greedy, *(r for rows in model.drift.values() for r in rows)]
        found.append(Asked(evaluation.id, name, len(records), sum(r.tokens for r in records)))
    return tuple(found)
