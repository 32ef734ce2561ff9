"""A model on several tasks, asked in several ways: every pair of a task and a column is sampled, graded, counted and kept.

All columns of a task see the same problems with the same seeds, so each is compared with the first, paired. What is
printed is grid_text.py's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earnest.component import digest
from earnest.data.rollouts import Roller
from earnest.data.select import subset
from earnest.engines.base import EngineSession
from earnest.errors import ConfigError
from earnest.evaluate import run as asking
from earnest.evaluate.claim import METRICS
from earnest.evaluate.compare import Comparison, compare
from earnest.evaluate.grid.cells import Cell, EvalResult
from earnest.evaluate.grid.columns import check_columns, column, draw_examples
from earnest.evaluate.summary import summarize
from earnest.models.base import Policy
from earnest.prompts.base import Prompt
from earnest.prompts.few_shot import FewShot
from earnest.runlog import write_json
from earnest.sampling.base import Strategy
from earnest.seeding import derive
from earnest.tasks.base import Task
from earnest.types import Json, Problem, Record, Split
from earnest.verifiers.base import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked, of whom, how often. shots: examples of the column few_shot, drawn with `seed`."""

    model: str
    tasks: tuple[Task, ...]
    columns: tuple[str, ...]
    prompt: Prompt  # of the column `trained`
    verifier: Verifier | None  # None: each task's own
    k: int
    limit: int
    max_tokens: int
    seed: int
    split: Split
    shots: int

    def check(self) -> None:
        """Raises ConfigError for what could not be asked, before anything is."""
        check_columns(self.columns)
        names = [task.name for task in self.tasks]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"the task '{name}' is named twice", where=f"--task {name}")
        if not names or not self.columns:
            raise ConfigError("nothing to ask", where="earnest eval", remedy="one --task at least")
        if "few_shot" in self.columns and self.split == "train":
            raise ConfigError(
                "few_shot cannot be evaluated on the train split", where="--column few_shot",
                why="its examples come from there", remedy="--split dev",
            )  # fmt: skip


def evaluate(
    plan: Plan,
    policy: Policy,
    engine: EngineSession,
    strategy: Strategy,
    *,
    runs: Path,
    out: Path | None,
    echo: Callable[[str], None],
) -> EvalResult:
    """Ask everything that is planned. runs: where looks are counted. out: the folder for records, `<task>/<column>/` each."""
    prompts = {
        task.name: _prompts(plan, task, subset(task.problems(plan.split), plan.limit), policy) for task in plan.tasks
    }  # before the first question: a column that is impossible for the last task must not cost an hour
    cells: list[Cell] = []
    for task in plan.tasks:
        problems = subset(task.problems(plan.split), plan.limit)
        look = asking.count_look(runs, problems, f"eval {plan.model}")
        first: tuple[list[Record], list[Record]] | None = None
        for name, prompt in prompts[task.name].items():
            echo(f"{task.name}, {name}: {len(problems)} problems, {plan.k} samples each and one greedy")
            verifier = plan.verifier or task.own_verifier()
            reader = Roller(prompt, verifier, strategy, policy.tokenizer)
            answers = _answers(plan, problems, reader, engine)
            protocol = _protocol(plan, task, name, reader, len(problems), look)
            if out is not None:
                _write(out / _folder(task.name) / name, answers, protocol)
            against = _against(plan.columns[0], first, name, answers) if first is not None else ()
            first = first or answers
            cells.append(Cell(task.name, name, len(problems), look[1], summarize(*answers), against, protocol))
    return EvalResult(plan.model, plan.split, plan.k, plan.max_tokens, tuple(cells))


def _prompts(plan: Plan, task: Task, problems: Sequence[Problem], policy: Policy) -> dict[str, Prompt]:
    """The columns of a task."""
    examples = draw_examples(task, plan.shots, plan.seed, problems) if "few_shot" in plan.columns else ()
    return {
        name: column(name, plan.prompt, policy.tokenizer, examples if name == "few_shot" else ())
        for name in plan.columns
    }


def _answers(
    plan: Plan, problems: Sequence[Problem], reader: Roller, engine: EngineSession
) -> tuple[list[Record], list[Record]]:
    """(sampled, greedy)."""
    protocol = asking.Protocol(
        stage="eval", split=plan.split, k=plan.k, temperature=1.0, max_tokens=plan.max_tokens, seed=plan.seed
    )
    return (
        asking.sampled(problems, reader, engine, protocol),
        asking.greedy(problems, reader, engine, protocol),
    )


def _against(
    first_name: str, first: tuple[list[Record], list[Record]], name: str, answers: tuple[list[Record], list[Record]]
) -> tuple[Comparison, ...]:
    rows = [
        compare(first_name, a, name, b, metric) for metric, a, b in zip(METRICS, first, answers, strict=True)
    ]  # fmt: skip
    return tuple(row for row in rows if row is not None)


def _protocol(
    plan: Plan, task: Task, name: str, reader: Roller, problems: int, look: tuple[str, int]
) -> dict[str, Json]:
    """As an evaluation stage writes it, so that `earnest compare` reads both."""
    prompt = reader.prompt.model_dump(mode="json")
    template = reader.tokenizer.chat_template if _uses_template(reader.prompt) else None
    return {
        "model": plan.model, "task": task.name, "column": name, "split": plan.split, "problems": problems, "k": plan.k,
        "temperature": 1.0, "max_tokens": plan.max_tokens, "prompt": prompt,
        "prompt_hash": digest(json.dumps(prompt, sort_keys=True)),
        "template_hash": digest(str(template)) if template else None,
        "verifier": reader.verifier.name, "verifier_version": reader.verifier.version, "seed": plan.seed,
        "sampling_seed": derive(plan.seed, "evaluation", "sampled"), "engine": "torch", "split_hash": look[0],
        "looks": look[1], "models": [name], "drift": [],
    }  # fmt: skip


def _uses_template(prompt: Prompt) -> bool:
    return (prompt.prompt if isinstance(prompt, FewShot) else prompt).name == "chat"


def _write(folder: Path, answers: tuple[list[Record], list[Record]], protocol: Mapping[str, Json]) -> None:
    for metric, records in zip(METRICS, answers, strict=True):
        asking.write_records(folder / f"{metric}.jsonl", records)
    write_json(folder / "protocol.json", protocol)


def _folder(task: str) -> str:
    """A task's name as the name of a folder: `mine.py:Mine` -> `mine.py-Mine`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", task)
