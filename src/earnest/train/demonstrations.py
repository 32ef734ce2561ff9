"""Supervised fine-tuning's source: gold solutions of a task, rendered as the model should write them.

A share of the examples keeps its trace (*worked*), the rest answers at once (*direct*), and a share of the batch may be replayed
from another task against forgetting; all are counted out in every batch, not drawn, so that the mixture is exact. The probe
asks how often the worked branch ends right on dev problems: every completion is made to start with the first token that sets
a worked solution apart from a direct one, and is otherwise sampled freely at T = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from earnest.data.rollouts import Roller
from earnest.data.samples import demonstrations
from earnest.data.select import among, order_of
from earnest.engines.base import EngineSession
from earnest.errors import DataError
from earnest.prompts.base import Prompt
from earnest.tasks.base import Task
from earnest.train.loop import Source, Work
from earnest.types import Json, Problem, Sampling, Solution
from earnest.verifiers.steps import wrong_steps

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Pair: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
Show: TypeAlias = Literal["worked", "direct", "as_is"]


class Pool:
    """Gold solutions of one task in a seeded order, as (prompt ids, completion ids). Its place is what a checkpoint saves."""

    def __init__(
        self,
        task: Task,
        prompt: Prompt,
        tokenizer: PreTrainedTokenizerBase,
        seed: int,
        context: int,
        held_out: frozenset[str] = frozenset(),
        drop_wrong_steps: bool = False,
    ) -> None:
        self.task, self.prompt, self.tokenizer, self.context = task, prompt, tokenizer, context
        self.problems = task.problems("train")
        self.order = order_of(self.problems, seed)
        self.held_out = held_out  # questions of evaluations, normalised
        self.drop_wrong_steps = drop_wrong_steps
        self.overlong, self.leaked, self.wrong_steps = 0, 0, 0

    def take(self, count: int, show: Show) -> list[Pair]:
        """The next `count` examples that fit the context. Raises DataError if none does.

        show: "worked" takes those with a trace and shows it, "direct" leaves it out, "as_is" takes all as they are.
        """
        return [self._next(show) for _ in range(count)]

    def _next(self, show: Show) -> Pair:
        index = self.order.take(1)[0]
        for _ in range(self.order.rivals(index) + 1):
            problem = self.problems[index]
            pair = self._pair(problem, show)
            if pair is not None:
                self.leaked += among([problem], self.held_out)
                return pair
            index = self.order.instead()
        raise DataError(
            "no training example is usable", where=f"task {self.problems[index].task}",
            why=f"each has no {'trace' if show == 'worked' else 'solution'}, or more than the context's "
            f"{self.context} tokens{', or a wrong step' if self.drop_wrong_steps else ''}",
            remedy="examples that fit; worked_share: 0 where there are no traces to imitate",
        )  # fmt: skip

    def _pair(self, problem: Problem, show: Show) -> Pair | None:
        solution = self.task.gold(problem)
        if solution is None or (show == "worked" and not solution.thought):
            return None
        if self.drop_wrong_steps and show != "direct" and wrong_steps(solution.thought):
            self.wrong_steps += 1
            return None
        rendered = self.prompt.render(problem, self.tokenizer)
        shown = Solution("", solution.answer) if show == "direct" else solution
        completion = self.prompt.complete(shown, rendered, self.tokenizer)
        if len(rendered.ids) + len(completion) > self.context:
            self.overlong += 1
            return None
        return rendered.ids, completion

    def state_dict(self) -> dict[str, Json]:
        return {**self.order.state_dict(), "overlong": self.overlong, "wrong_steps": self.wrong_steps}

    def load_state_dict(self, state: Json) -> None:
        assert isinstance(state, Mapping)
        self.order.load_state_dict(state)
        overlong, wrong = state["overlong"], state["wrong_steps"]
        assert isinstance(overlong, int) and isinstance(wrong, int)
        self.overlong, self.wrong_steps = overlong, wrong


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
    """Batches of gold solutions: so many worked, so many direct, so many replayed."""

    shown = ("loss", "grad_norm", "dev/worked_accuracy")

    def __init__(
        self, pool: Pool, *, batch_size: int, worked_share: float = 1.0, replay: Pool | None = None,
        replay_share: float = 0.0, probe: Probe | None = None, show: Literal["worked", "as_is"] = "worked",
    ) -> None:  # fmt: skip
        assert (replay is None) == (replay_share == 0.0)
        self.pool, self.replay, self.probe = pool, replay, probe
        self.show: Show = show
        self.replayed = round(batch_size * replay_share)
        self.worked = round((batch_size - self.replayed) * worked_share)
        self.direct = batch_size - self.replayed - self.worked

    def work(self, step: int) -> Work:
        before = self._leaked()
        pairs = self.pool.take(self.worked, self.show) + self.pool.take(self.direct, "direct")
        if self.replay is not None:
            pairs += self.replay.take(self.replayed, "as_is")
        leaked = float(self._leaked() - before)
        metrics = {"data/overlong": float(self.pool.overlong), "data/held_out": leaked}
        if self.pool.drop_wrong_steps:
            metrics["data/wrong_steps"] = float(self.pool.wrong_steps)
        return Work([demonstrations(pairs)], metrics)

    def _leaked(self) -> int:
        return self.pool.leaked + (self.replay.leaked if self.replay is not None else 0)

    def after(self, step: int) -> Mapping[str, float]:
        if self.probe is None or (step + 1) % self.probe.every:
            return {}
        rights = worked_outcomes(self.probe, self.pool.task)
        return {
            "dev/worked_accuracy": sum(rights) / len(rights) if rights else 0.0,
            "dev/problems": float(len(rights)),
        }

    def is_done(self, row: Mapping[str, float]) -> bool:
        reached = row.get("dev/worked_accuracy")
        target = self.probe.target if self.probe is not None else None
        return reached is not None and target is not None and reached >= target

    def state_dict(self) -> dict[str, Json]:
        return {
            "pool": self.pool.state_dict(),
            "replay": self.replay.state_dict() if self.replay else None,
            "engine": self.probe.engine.state_dict() if self.probe else None,
        }

    def load_state_dict(self, state: dict[str, Json]) -> None:
        self.pool.load_state_dict(state["pool"])
        if self.replay is not None:
            self.replay.load_state_dict(state["replay"])
        engine = state["engine"]
        if self.probe is not None and isinstance(engine, dict):
            self.probe.engine.load_state_dict(engine)


def worked_outcomes(probe: Probe, task: Task) -> list[bool]:
    """Right or wrong at T = 1 when the first step towards a worked solution is given, per dev problem that could be graded."""
    collected = probe.roller.collect(
        probe.problems, probe.engine, n=1, seed=probe.seed,
        sampling=Sampling(temperature=1.0, max_tokens=probe.max_tokens),
        forced=[_first_step(problem, task, probe.roller) for problem in probe.problems],
    )  # fmt: skip
    return [r.verdict.correct for group in collected.groups for r in group.rollouts if r.verdict.correct is not None]


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
