"""Weights & Biases. Offline unless this machine is logged in there or the recipe says otherwise.

Metrics are `<stage>/<metric>` over an axis `<stage>/step` of each stage. What is sent is what the run directory has: no terminal
output, no source code, no figures of the machine. Offline runs lie in the run's folder; `wandb sync` sends them later.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlparse

from earnest.errors import ConfigError
from earnest.trackers.base import Level, TrackedRun, Tracker, TrackerSession
from earnest.types import Json, Record

Mode: TypeAlias = Literal["auto", "online", "offline"]

COLUMNS = ("problem", "question", "gold", "completion", "answer", "status", "correct", "reward", "advantage", "tokens")


class Wandb(Tracker):
    """Weights & Biases: online where this machine is logged in, else offline in the run's folder."""

    package: ClassVar[str | None] = "wandb"

    project: str | None = None
    """By default the recipe's name."""
    entity: str | None = None
    """A team's name; by default the account's own."""
    mode: Mode = "auto"
    """auto: online with WANDB_API_KEY or a login of this machine, unless WANDB_MODE says otherwise; else offline."""

    def open(self, run: TrackedRun) -> TrackerSession:
        wandb = import_module("wandb")
        online = self.is_online()
        run.folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, save_code=False, x_disable_stats=True,
            x_disable_machine_info=True, x_save_requirements=False,
        )  # fmt: skip
        opened = wandb.init(
            project=self.project or run.name, entity=self.entity, id=run.id, name=run.id, config=dict(run.config),
            dir=str(run.folder), mode="online" if online else "offline", resume="allow" if online else None,
            settings=settings,
        )  # fmt: skip
        return WandbSession(opened, online)

    def is_online(self) -> bool:
        """Whether to send at once. Raises ConfigError if that is wanted and nobody is logged in: wandb would ask."""
        logged_in = _logged_in()
        if self.mode == "auto":
            return logged_in and os.environ.get("WANDB_MODE", "online") == "online"
        if self.mode == "online" and not logged_in:
            raise ConfigError(
                "wandb: not logged in", where="track", why="mode is online",
                remedy="`wandb login`, or export WANDB_API_KEY, or mode: offline",
            )  # fmt: skip
        return self.mode == "online"


class WandbSession(TrackerSession):
    """A wandb run."""

    def __init__(self, run: Any, online: bool) -> None:
        self.run, self.online = run, online
        self.stages: set[str] = set()

    def log(self, stage: str, step: int, metrics: Mapping[str, float]) -> None:
        self._send(stage, step, metrics)

    def rollouts(self, stage: str, step: int, records: Sequence[Record]) -> None:
        table = import_module("wandb").Table(columns=list(COLUMNS), data=[_row(record) for record in records])
        self._send(stage, step, {"rollouts": table})

    def alert(self, stage: str, step: int, text: str, level: Level) -> None:
        if self.online:
            name = {"info": "INFO", "warning": "WARN", "error": "ERROR"}[level]
            self.run.alert(title=f"{self.run.id}: {stage}", text=text, level=name)

    def finish(self, status: str, summary: Mapping[str, Json]) -> None:
        self.run.summary.update({"status": status, **summary})
        self.run.finish(exit_code=0 if status == "done" else 1)

    def _send(self, stage: str, step: int, values: Mapping[str, Any]) -> None:
        axis = f"{stage}/step"
        if stage not in self.stages:
            self.run.define_metric(axis, hidden=True)
            self.run.define_metric(f"{stage}/*", step_metric=axis)
            self.stages.add(stage)
        self.run.log({**{f"{stage}/{name}": value for name, value in values.items()}, axis: step})


def _row(record: Record) -> list[str | float | None]:
    prompt = record.problem.prompt
    question = prompt if isinstance(prompt, str) else "\n".join(f"{m.role}: {m.content}" for m in prompt)
    correct = record.verdict.correct
    return [
        record.problem.id, question, record.problem.answer, record.text, record.answer_text, record.verdict.status.value,
        None if correct is None else float(correct), record.reward, record.advantage, record.tokens,
    ]  # fmt: skip


def _logged_in() -> bool:
    """Whether there is a key for the server: in the environment, or in the file that `wandb login` writes."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    file = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(file).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
