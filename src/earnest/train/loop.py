"""The training loop: steps, accumulation, metrics, checkpoints, resume and interruption, for any source and any loss.

A source says what to learn from at step i, a loss says what it costs; neither knows the loop, and the loop knows no
algorithm. What is resumed continues byte for byte: a step is a function of the weights, the source's state and the step number.
"""

from __future__ import annotations

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor

from earnest.data.store import read_rows, to_json
from earnest.distributed.ranks import ALONE, Ranks, largest
from earnest.errors import Interrupted
from earnest.gates.asking import tell
from earnest.gates.base import Gate, Steps
from earnest.models.base import Policy
from earnest.runlog import StageLog
from earnest.train import checkpoint
from earnest.train.health import Health, Monitor
from earnest.train.losses import Loss
from earnest.train.optim import Optim, build_optimizer
from earnest.train.step import accumulate, update
from earnest.types import Json, Record, Sample


@dataclass(frozen=True, slots=True)
class Work:
    """What a source brings to one step. No updates: nothing can be learned, and no weight changes."""

    updates: Sequence[Sequence[Sample]]
    """The samples of each optimizer update, one after the other."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    records: Sequence[Record] = ()
    generated_tokens: int = 0
    lr_scale: float = 1.0  # of this step's learning rate
    heads_only: bool = False  # the policy stays as it is, and only what the loss has beside it learns
    supervised: Sequence[Sample] = ()
    """Imitated besides in each update (-log p, weights fixed), where the policy learns."""


class Source(ABC):
    """Where an optimizer step's samples come from."""

    shown: tuple[str, ...] = ("loss",)
    """Metrics of the plain progress line."""

    @abstractmethod
    def work(self, step: int) -> Work:
        """Samples of step `step` (from 0), with their weights in each update's loss fixed."""

    def after(self, step: int) -> Mapping[str, float]:
        """Measurements once step `step` has been taken, for the metrics of that step."""
        return {}

    def is_done(self, row: Mapping[str, float]) -> bool:
        """Whether the step with these metrics was the last one, before the budget is spent."""
        return False

    def state_dict(self) -> dict[str, Json]:
        return {}

    def load_state_dict(self, state: dict[str, Json]) -> None:
        assert not state, state

    def tensors(self) -> dict[str, Tensor]:
        """State that is no JSON, such as the weights of another model that changes."""
        return {}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        assert not tensors, list(tensors)


class StopRequest:
    """Set by a signal handler; the loop answers it with a checkpoint."""

    requested = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One stage's training."""

    name: str
    policy: Policy
    source: Source
    loss: Loss
    optim: Optim
    steps: int
    log: StageLog
    stop: StopRequest
    echo: Callable[[str], None]
    max_tokens: int  # of a micro-batch, padding included
    checkpoint_every: int
    log_every: int
    health: Health
    gates: Sequence[Gate] = ()
    """Those that look at the metrics of the last steps."""
    allow: frozenset[str] = frozenset()
    head_lr: float | None = None
    max_flops: float | None = None
    ranks: Ranks = ALONE


@dataclass(slots=True)
class Totals:
    """What a stage has spent so far."""

    steps: int = 0
    updates: int = 0
    skipped: int = 0  # updates whose gradient was not finite
    trained_tokens: int = 0
    generated_tokens: int = 0
    flops: float = 0.0
    done: bool = False  # ended before its steps were spent; kept, so that a resumed stage does not go on

    def to_json(self) -> dict[str, Json]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class _Flops:
    """What a token costs a model of N parameters of which M are trained."""

    generated: float  # 2 N
    trained: float  # forward and backward: 4 N + 2 M

    @classmethod
    def of(cls, policy: Policy) -> _Flops:
        return cls(2.0 * policy.size, 4.0 * policy.size + 2.0 * sum(p.numel() for _, p in policy.parameters()))


def train(job: Job) -> Totals:
    """Run the job from its newest checkpoint, or from the start. Raises Interrupted after a clean checkpoint on request."""
    with _settled():
        return _train(job)


@contextmanager
def _settled() -> Generator[None]:
    """Python's collector looks for garbage among what the block makes only, not among all that was there before.

    Of the hundreds of thousands of objects that the libraries hold none becomes garbage; a look at them all takes longer than a
    step of a small model, and the rollouts of every few dozen steps cause one.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _train(job: Job) -> Totals:
    optimizer = build_optimizer(job.policy, job.loss, job.optim, job.head_lr)
    totals = Totals()
    saved = checkpoint.latest(job.log.checkpoints)
    if saved is None:
        job.log.clear()
    else:
        position = checkpoint.restore(saved, job.policy, job.loss, optimizer)
        job.source.load_state_dict(position.source)
        job.source.load_tensors(position.tensors)
        job.log.cut(position.logs)
        totals = Totals(**position.totals)  # type: ignore[arg-type]
        job.log.step = position.step
        job.log.event("resumed", f"continued from step {position.step}")
        job.echo(f"[{job.name}] continued from step {position.step}")
    cost = _Flops.of(job.policy)
    monitor = Monitor(job.health, job.steps)
    rows = list(read_rows(job.log.metrics.path))
    for row in rows:
        monitor.observe(row)
    spoken = {
        e.get("gate") for e in read_rows(job.log.events.path) if e.get("event") == "gate" and e["outcome"] != "passed"
    }
    gates = [gate for gate in job.gates if gate.name not in spoken]  # before the stage was interrupted: once is enough
    while totals.steps < job.steps and not totals.done:
        row = _step(job, optimizer, totals, cost)
        _watch(job, monitor, row)
        rows.append(row)
        _judge(job, gates, rows)
        totals.done = job.source.is_done(row) or (job.max_flops is not None and totals.flops >= job.max_flops)
        last = totals.done or totals.steps == job.steps
        if totals.steps % job.log_every == 0 or last:
            job.echo(_line(job, row))
        if last or job.stop.requested or totals.steps % job.checkpoint_every == 0:
            _checkpoint(job, optimizer, totals)
        if job.stop.requested and not last:
            raise Interrupted(f"stopped after step {totals.steps} of {job.name}, with a checkpoint")
    for gate in gates:
        tell(gate.check(Steps(job.name, rows)), job.log, job.allow, echo=lambda line: None)
    if totals.skipped:
        message = f"{totals.skipped} of {totals.updates + totals.skipped} updates were left out: their gradient was not finite"
        job.log.event("skipped_updates", message, level="warning", skipped=totals.skipped)
        job.echo(f"[{job.name}] {message}")
    return totals


def _step(job: Job, optimizer: torch.optim.Optimizer, totals: Totals, cost: _Flops) -> dict[str, float]:
    started = time.perf_counter()
    step = totals.steps
    work = job.source.work(step)
    row: dict[str, float] = {"step": step + 1, **work.metrics}
    working = time.perf_counter()
    lr = job.optim.lr_at(step, job.steps) * work.lr_scale
    row |= _learn(job, optimizer, work, lr, totals, cost)
    totals.steps += 1
    totals.generated_tokens += work.generated_tokens
    totals.flops += cost.generated * work.generated_tokens
    row |= job.source.after(step)
    ended = time.perf_counter()
    row |= {"time/source": working - started, "time/train": ended - working, "time/step": ended - started}
    job.log.rollouts.append([to_json(record) for record in work.records])
    job.log.metrics.append([row])
    job.log.step = totals.steps
    return row


def _learn(
    job: Job, optimizer: torch.optim.Optimizer, work: Work, lr: float, totals: Totals, cost: _Flops
) -> dict[str, float]:
    """Take the updates of a step. Metrics of the first are means over all that have them; a maximum stays one."""
    found: list[dict[str, float]] = []
    for samples in work.updates:
        imitated = () if work.heads_only else work.supervised
        gradient = accumulate(job.policy, job.loss, samples, job.max_tokens, job.ranks, imitated)
        taken = update(job.policy, optimizer, lr, job.optim.max_grad_norm, heads_only=work.heads_only)
        totals.updates += taken.taken
        totals.skipped += not taken.taken
        totals.trained_tokens += gradient.tokens
        totals.flops += cost.trained * gradient.processed
        found.append({"loss": gradient.loss, **gradient.metrics, "grad_norm": taken.grad_norm})
        found[-1]["update/taken"] = float(taken.taken)
    if not found:
        return {"update/taken": 0.0}
    together = {name: _over(found, name, largest if "/max_" in name else fmean) for name in found[0]}
    return {**together, "lr": lr, "update/count": float(len(found))}


def _over(rows: Sequence[Mapping[str, float]], name: str, fold: Callable[[Iterable[float]], float]) -> float:
    return fold(row[name] for row in rows if name in row)


def _watch(job: Job, monitor: Monitor, row: Mapping[str, float]) -> None:
    for found in monitor.observe(row):
        job.log.event(
            "health", found.message, level=found.level, rule=found.rule, name=found.name, step=found.step,
            holds=found.holds,
        )  # fmt: skip
        job.echo(f"[{job.name}] step {int(row['step'])}  {found.rule} {found.message}")


def _judge(job: Job, gates: list[Gate], rows: Sequence[Mapping[str, float | None]]) -> None:
    """Ask the gates about the steps so far. One that has something against them says so once. Raises GateRefused."""
    for gate in list(gates):
        result = gate.check(Steps(job.name, rows))
        if result.outcome != "passed":
            gates.remove(gate)
            tell(result, job.log, job.allow, job.echo)


def _checkpoint(job: Job, optimizer: torch.optim.Optimizer, totals: Totals) -> None:
    position = checkpoint.Position(
        totals.steps, job.policy.version, job.source.state_dict(), job.log.lengths(), totals.to_json(), job.source.tensors(),
    )  # fmt: skip
    checkpoint.save(job.log.checkpoints, job.policy, job.loss, optimizer, position)


def _line(job: Job, row: Mapping[str, float]) -> str:
    shown = "  ".join(f"{name} {row[name]:.4g}" for name in job.source.shown if name in row)
    return f"[{job.name}] step {int(row['step'])}/{job.steps}  {shown}  {row['time/step']:.2f} s/step"
