"""Supervised fine-tuning's source: gold solutions of a task, rendered as the model should write them.

A share of the examples keeps its trace (*worked*), the rest answers at once (*direct*); both are counted out in every batch, not
drawn, so that the mixture is exact. The probe asks how often the worked branch ends right on dev problems: every completion is
made to start with the first token that sets a worked solution apart from a direct one, and is otherwise free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earnest.data.rollouts import Roller
from earnest.data.samples import demonstrations
from earnest.data.select import Order
from earnest.engines.base import EngineSession
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.train.loop import Source, Work
from earnest.types import Json, Problem, Sampling, Solution


@dataclass(frozen=True, slots=True)
class Probe:
    """A measurement of the worked branch on dev problems, every `every` steps."""

    roller: Roller
    engine: EngineSession
    problems: Sequence[Problem]
    every: int
    max_tokens: int
    seed: int
    target: float | None  # training is done once it is reached


class Demonstrations(Source):
    """Batches of gold solutions in a seeded order."""

    shown = ("loss", "grad_norm", "dev/worked_accuracy")

    def __init__(
        self, task: Task, roller: Roller, *, batch_size: int, worked_share: float, seed: int, context: int,
        probe: Probe | None,
    ) -> None:  # fmt: skip
        self.task, self.roller, self.batch_size, self.context, self.probe = task, roller, batch_size, context, probe
        self.worked = round(batch_size * worked_share)
        self.problems = task.problems("train")
        self.order = Order(len(self.problems), seed)
        self.overlong = 0

    def work(self, step: int) -> Work:
        pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        misses = 0
        while len(pairs) < self.batch_size:
            problem = self.problems[self.order.take(1)[0]]
            pair = self._pair(problem, worked=len(pairs) < self.worked)
            if pair is not None:
                pairs.append(pair)
                continue
            misses += 1
            if misses > 10 * len(self.problems):
                raise DataError(
                    "no training example fits", where=f"task {self.task.name}",
                    why=f"each has no solution or is longer than the {self.context} tokens of the context",
                    remedy="shorter examples, or a model with a longer context",
                )  # fmt: skip
        return Work(demonstrations(pairs), {"data/overlong": float(self.overlong)})

    def after(self, step: int) -> Mapping[str, float]:
        if self.probe is None or (step + 1) % self.probe.every:
            return {}
        return {"dev/worked_accuracy": worked_accuracy(self.probe, self.task)}

    def is_done(self, row: Mapping[str, float]) -> bool:
        reached = row.get("dev/worked_accuracy")
        target = self.probe.target if self.probe is not None else None
        return reached is not None and target is not None and reached >= target

    def _pair(self, problem: Problem, *, worked: bool) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        solution = self.task.gold(problem)
        if solution is None:
            return None
        shown = solution if worked else Solution("", solution.answer)
        prompt, tokenizer = self.roller.prompt, self.roller.tokenizer
        rendered = prompt.render(problem, tokenizer)
        completion = prompt.complete(shown, rendered, tokenizer)
        if len(rendered.ids) + len(completion) > self.context:
            self.overlong += 1
            return None
        return rendered.ids, completion

    def state_dict(self) -> dict[str, Json]:
        return {"position": self.order.position, "overlong": self.overlong}

    def load_state_dict(self, state: dict[str, Json]) -> None:
        position, overlong = state["position"], state["overlong"]
        assert isinstance(position, int) and isinstance(overlong, int)
        self.order.position, self.overlong = position, overlong


def worked_accuracy(probe: Probe, task: Task) -> float:
    """Greedy pass rate on dev problems when the first step towards a worked solution is given."""
    collected = probe.roller.collect(
        probe.problems, probe.engine, n=1, seed=probe.seed,
        sampling=Sampling(temperature=0.0, max_tokens=probe.max_tokens),
        forced=[_first_step(problem, task, probe.roller) for problem in probe.problems],
    )  # fmt: skip
    verdicts = [r.verdict for group in collected.groups for r in group.rollouts]
    return sum(v.correct is True for v in verdicts) / len(verdicts)


def _first_step(problem: Problem, task: Task, roller: Roller) -> tuple[int, ...]:
    """The shortest beginning of the gold completion that a direct answer does not share."""
    solution = task.gold(problem)
    if solution is None or not solution.thought:
        return ()
    rendered = roller.prompt.render(problem, roller.tokenizer)
    worked = roller.prompt.complete(solution, rendered, roller.tokenizer)
    direct = roller.prompt.complete(Solution("", solution.answer), rendered, roller.tokenizer)
    shared = next((i for i, (a, b) in enumerate(zip(worked, direct, strict=False)) if a != b), 0)
    return worked[: shared + 1]
