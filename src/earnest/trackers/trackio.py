"""trackio: a local tracker without an account. Its database lies in the run's folder; nothing is sent anywhere.

TRACKIO_DIR=runs/chain-…/trackers/trackio trackio show
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

from earnest.trackers.base import Level, TrackedRun, Tracker, TrackerSession
from earnest.types import Json, Record


class Trackio(Tracker):
    """trackio, a local tracker: a database in the run's folder, no account, no network."""

    package: ClassVar[str | None] = "trackio"

    project: str | None = None
    """By default the recipe's name."""

    def open(self, run: TrackedRun) -> TrackerSession:
        run.folder.mkdir(parents=True, exist_ok=True)
        os.environ["TRACKIO_DIR"] = str(run.folder)  # read once, while it is imported
        for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_WEBHOOK_URL"):
            os.environ.pop(name, None)
        os.environ["HF_HUB_OFFLINE"] = "1"  # it asks the hub for the user's name
        opened = import_module("trackio").init(
            project=self.project or run.name, name=run.id, config=dict(run.config), resume="allow", embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
        return TrackioSession(opened)


class TrackioSession(TrackerSession):
    """A trackio run."""

    def __init__(self, run: Any) -> None:
        self.run = run

    def log(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        self.run.log({f"{stage}/{name}": value for name, value in metrics.items()}, step=step)

    def rollouts(self, stage: str, step: int, records: Sequence[Record]) -> None:
        trace = import_module("trackio").Trace
        traces = {
            f"{stage}/rollout {place}": trace(_messages(record), metadata=_about(record))
            for place, record in enumerate(records)
        }
        self.run.log(traces, step=step)

    def alert(self, stage: str, step: int, text: str, level: Level) -> None:
        levels = import_module("trackio").AlertLevel
        found = {"info": levels.INFO, "warning": levels.WARN, "error": levels.ERROR}[level]
        self.run.alert(title=stage, text=text, level=found, step=step)

    def finish(self, status: str, summary: Mapping[str, Json]) -> None:
        numbers = {name: value for name, value in summary.items() if isinstance(value, (int, float))}
        if numbers:
            self.run.log({f"report/{name}": value for name, value in numbers.items()}, step=1)
        import_module("trackio").finish()


def _messages(record: Record) -> list[dict[str, Any]]:
    prompt = record.problem.prompt
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [
        {"role": message.role, "content": message.content} for message in prompt
    ]  # fmt: skip
    return [*asked, {"role": "assistant", "content": record.text}]


def _about(record: Record) -> dict[str, Any]:
    return {
        "problem": record.problem.id, "gold": record.problem.answer, "answer": record.answer_text,
        "verdict": record.verdict.status.value, "correct": record.verdict.correct, "reward": record.reward,
        "advantage": record.advantage, "tokens": record.tokens,
    }  # fmt: skip
