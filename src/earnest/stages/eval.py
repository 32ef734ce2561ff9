"""Evaluation of every policy on the road: the same held-out problems, sampled and greedy, and what the base could do before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from earnest.component import digest, plug
from earnest.data.select import subset
from earnest.errors import ConfigError, Interrupted, nearest
from earnest.evaluate.run import (
    Protocol,
    check_grader,
    count_look,
    greedy,
    pass_rate,
    sampled,
    write_records,
)
from earnest.evaluate.summary import tasks_of
from earnest.models.base import Policy
from earnest.runlog import write_json
from earnest.seeding import derive
from earnest.stages.base import BASE, Context, Outcome, Reading, Stage
from earnest.stages.drift import DriftItems, SkillDrift
from earnest.stages.training import own_verifier, roller
from earnest.tasks.base import Task
from earnest.types import Json, Problem, Split
from earnest.verifiers.base import Verifier


class Eval(Stage):
    """Verifier-pass, trace-format and drift of every model, on problems nothing was trained on."""

    reads_all: ClassVar[bool] = True

    task: Annotated[Task, plug("task")] | None = None
    """Where problems come from, if not from the recipe's task."""
    split: Split = "test"
    """Which side of the split."""
    problems: int = Field(400, gt=1)
    """Problems at most."""
    k: int = Field(4, gt=0)
    """Samples of each."""
    temperature: float = Field(1.0, gt=0)
    """Of the samples; one greedy completion stands beside them."""
    max_tokens: int = Field(256, gt=0)
    """Completion tokens at most; what is cut counts as wrong."""
    models: tuple[str, ...] | None = None
    """Ids of the policies to evaluate; by default the base and every stage that made one."""
    error_ceiling: float = Field(0.05, ge=0, le=1)
    """Share of completions on which the grader may fail; above it there are no numbers to report."""
    drift: DriftItems = ()
    """What the base could do before: measured again on every model."""

    def files(self) -> tuple[Path, ...]:
        return tuple(item.file for item in self.drift if not isinstance(item, SkillDrift))

    def reads(self, task: Task) -> tuple[Reading, ...]:
        skills = [item for item in self.drift if isinstance(item, SkillDrift)]
        return (
            Reading(task=self.task or task, split=self.split, trains=False),
            *(
                Reading(task=s.task, split="test", trains=False, prompt=s.prompt, verifier=own_verifier(s.task))
                for s in skills
            ),
        )

    def check(self, policies: frozenset[str], verifier: Verifier) -> None:
        for model in self.models or ():
            if model not in policies:
                raise ConfigError(
                    f"no policy '{model}' to evaluate", where=f"{self.id}.models", remedy=nearest(model, policies)
                )
        named = [item.name for item in self.drift]
        for name in named:
            if named.count(name) > 1:
                raise ConfigError(f"two drift measurements are named '{name}'", where=f"{self.id}.drift")
        for item in self.drift:
            if not isinstance(item, SkillDrift):
                item.read()

    def run(self, context: Context, start: str) -> Outcome:
        task = self.task or context.task
        problems = subset(task.problems(self.split), self.problems)
        models = list(self.models or context.policies)
        look = count_look(context.run.parent, problems, context.run.name)  # before anything is seen
        protocol = Protocol(
            stage=self.id, split=self.split, k=self.k, temperature=self.temperature, max_tokens=self.max_tokens,
            seed=context.seed,
        )  # fmt: skip
        for model in models:
            if context.stop.requested:
                raise Interrupted(f"stopped before {model} was evaluated")
            policy = context.open_policy(model)
            rates = self._one(context, policy, model, problems, protocol)
            context.echo(f"[{self.id}] {model}  " + "  ".join(f"{name} {value:.4g}" for name, value in rates.items()))
        self._write_protocol(context, task, problems, models, *look)
        return Outcome()

    def _one(
        self, context: Context, policy: Policy, model: str, problems: list[Problem], protocol: Protocol
    ) -> dict[str, float]:
        folder = context.log.folder / model
        reader = roller(context, policy)
        rates: dict[str, float] = {}
        with context.engine.open(policy) as engine:
            for mode, ask in (("sampled", sampled), ("greedy", greedy)):
                records = ask(problems, reader, engine, protocol)
                write_records(folder / f"{mode}.jsonl", records)
                check_grader(records, self.error_ceiling, reader.verifier.name)
                rates[mode] = pass_rate(records)
                tasks = tasks_of(records)
                for part in tasks if len(tasks) > 1 else ():
                    rates[f"{mode} {part}"] = pass_rate([r for r in records if r.problem.task == part])
                rates[f"{mode} format"] = sum(r.well_formed for r in records) / len(records)
            for item in self.drift:
                if isinstance(item, SkillDrift):
                    asked = subset(item.task.problems("test"), item.problems)
                    short = Protocol(
                        stage=self.id,
                        split="test",
                        k=1,
                        temperature=1.0,
                        max_tokens=item.max_tokens,
                        seed=protocol.seed,
                    )
                    records = greedy(
                        asked, roller(context, policy, item.prompt, own_verifier(item.task)), engine, short
                    )
                    write_records(folder / f"drift_{item.name}.jsonl", records)
                    rates[item.name] = pass_rate(records)
                else:
                    rates |= item.measure(policy, folder)
        return rates

    def _write_protocol(
        self, context: Context, task: Task, problems: list[Problem], models: list[str], split_hash: str, looks: int
    ) -> None:
        prompt = context.prompt.model_dump(mode="json")
        tasks = list(dict.fromkeys(problem.task for problem in problems))
        protocol: dict[str, Json] = {
            "task": task.name, **({"tasks": tasks} if len(tasks) > 1 else {}), "split": self.split,
            "problems": len(problems), "k": self.k,
            "temperature": self.temperature, "max_tokens": self.max_tokens, "prompt": prompt,
            "prompt_hash": digest(json.dumps(prompt, sort_keys=True)),
            "template_hash": _template_hash(context, models[-1]),
            "verifier": context.verifier.label, "verifier_version": context.verifier.version,
            "seed": context.seed, "sampling_seed": derive(context.seed, "evaluation", "sampled"),
            "engine": context.engine.name, "split_hash": split_hash,
            "looks": looks, "models": list(models), "base": BASE,
            "drift": [item.describe() for item in self.drift],
        }  # fmt: skip
        write_json(context.log.folder / "protocol.json", protocol)


def _template_hash(context: Context, model: str) -> str | None:
    artefact = context.policies.get(model)
    template = artefact.path / "chat_template.jinja" if artefact is not None else None
    return digest(template.read_bytes()) if template is not None and template.is_file() else None
