"""A recipe's data before anything is trained on it: sizes, lengths, what the gates say of it, and examples token by token.

Reads the recipe, its files and the model's tokenizer; no model is opened and nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from earnest.data.samples import demonstrations
from earnest.data.select import subset
from earnest.errors import ConfigError, DataError, nearest
from earnest.gates.base import Form, GateResult, Questions, Rendering, looking_at
from earnest.models.base import Model
from earnest.prompts.base import Prompt
from earnest.recipe import Recipe, load, read
from earnest.stages.base import Reading, Stage
from earnest.stages.evidence import gathered
from earnest.stages.road import check
from earnest.stages.rolling import RolloutStage
from earnest.tasks.base import Task
from earnest.types import Json, Problem, Split
from earnest.verifiers.base import Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MEASURED = 2_000
"""Problems whose lengths are measured."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of some texts. Example: Lengths(median=11, p95=11, longest=11)."""

    median: int
    p95: int
    longest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSummary:
    """A task as one or more stages read it."""

    stages: str
    task: str
    sizes: dict[Split, int]
    notices: tuple[str, ...]
    measured: int  # train problems whose solutions were written out
    without_solution: int
    without_trace: int
    prompt: Lengths | None
    completion: Lengths | None
    overlong: int  # of those measured, more tokens than the tokenizer says the model can read


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that `earnest data check` prints."""

    sources: tuple[SourceSummary, ...]
    gates: tuple[GateResult, ...]

    @property
    def refused(self) -> bool:
        return any(gate.outcome == "refused" for gate in self.gates)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a training example: its own text, and whether the loss is on it."""

    id: int
    text: str
    trained: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A problem and its solution as a stage trains on them."""

    stage: str
    task: str
    problem: str
    tokens: tuple[Token, ...]


def recipe_of(source: Path, model: str | None, prompt: str) -> Recipe:
    """A recipe's file or folder; a file of rows becomes the recipe that would imitate it."""
    if source.is_dir() or source.suffix in (".yaml", ".yml"):
        if model is not None:
            raise ConfigError("--model has no effect: the recipe names one", where=str(source))
        recipe = load(source).recipe
    else:
        path = str(Path(model).resolve()) if model is not None and Path(model).is_dir() else model
        rows: dict[str, Json] = {
            "name": "data", "model": "tiny" if path is None else {"name": "hf", "path": path}, "prompt": prompt,
            "task": {"name": "jsonl", "path": str(source.resolve())},
            "stages": [{"stage": "sft", "steps": 1, "lr": 1e-3}, {"stage": "eval"}],
        }  # fmt: skip
        recipe = read(json.dumps(rows), source, ()).recipe
    check(recipe)
    return recipe


def inspect(recipe: Recipe) -> Inspection:
    """Sizes, lengths and what the template gate and the data gate say. Raises ConfigError, DataError."""
    own, model, stages = _own(recipe), _model(recipe), _stages(recipe)
    tokenizer = model.open_tokenizer()
    read: dict[tuple[Task, Prompt], list[str]] = {}
    for stage, reading in _readings(stages, own):
        read.setdefault((reading.task, reading.prompt or own.prompt), []).append(stage.id)
    sources = tuple(
        _summary(", ".join(dict.fromkeys(ids)), task, prompt, tokenizer) for (task, prompt), ids in read.items()
    )
    gates = recipe.gates
    evidence = [e for e in gathered(stages, gates, model, own) if isinstance(e, Rendering | Questions)]
    return Inspection(sources, tuple(gate.check(e) for e in evidence for gate in looking_at(gates, type(e))))


def examples(recipe: Recipe, stage_id: str | None, count: int) -> list[Example]:
    """The first solutions that a stage trains on, by default the last stage that imitates any, token by token."""
    own, stages = _own(recipe), _stages(recipe)
    found = [(stage, reading) for stage, reading in _readings(stages, own) if reading.trains]
    if stage_id is not None:
        if stage_id not in {stage.id for stage, _ in found}:
            known = {stage.id for stage, _ in found}
            raise ConfigError(f"no stage '{stage_id}' trains on data", where="--stage", remedy=nearest(stage_id, known))
        found = [(stage, reading) for stage, reading in found if stage.id == stage_id]
    elif found:
        imitating = [stage.id for stage, _ in found if not isinstance(stage, RolloutStage)] or [found[-1][0].id]
        found = [(stage, reading) for stage, reading in found if stage.id == imitating[-1]]
    tokenizer = _model(recipe).open_tokenizer()
    return [
        example for stage, reading in found
        for example in _written(stage.id, reading.task, reading.prompt or own.prompt, tokenizer, count)
    ]  # fmt: skip


def _written(
    stage: str, task: Task, prompt: Prompt, tokenizer: PreTrainedTokenizerBase, count: int
) -> Iterator[Example]:
    for problem in subset(task.problems("train"), count):
        pair = _pair(task, prompt, problem, tokenizer)
        if pair is None:
            continue
        (sample,) = demonstrations([pair])
        tokens = zip(sample.token_ids, _texts(sample.token_ids, tokenizer), sample.mask, strict=True)
        yield Example(stage, task.name, problem.id, tuple(Token(i, text, trained) for i, text, trained in tokens))


def _texts(ids: tuple[int, ...], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """What each token adds to the text: a character of several tokens is shown whole with its last one."""
    texts: list[str] = []
    waiting: list[int] = []
    for i in ids:
        waiting.append(i)
        text = str(tokenizer.decode(waiting, skip_special_tokens=False, clean_up_tokenization_spaces=False))
        whole = not text.endswith("\ufffd") or len(waiting) == 4
        texts.append(text if whole else "")
        waiting = [] if whole else waiting
    return texts


def _summary(stages: str, task: Task, prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> SourceSummary:
    sizes = {split: _size(task, split) for split in get_args(Split)}
    problems = subset(task.problems("train"), MEASURED) if sizes["train"] else []
    solutions = [task.gold(problem) for problem in problems]
    pairs = [pair for problem in problems if (pair := _pair(task, prompt, problem, tokenizer)) is not None]
    return SourceSummary(
        stages=stages, task=task.name, sizes=sizes, notices=tuple(task.notices()), measured=len(problems),
        without_solution=sum(solution is None for solution in solutions),
        without_trace=sum(solution is not None and not solution.thought for solution in solutions),
        prompt=_lengths([len(shown) for shown, _ in pairs]), completion=_lengths([len(told) for _, told in pairs]),
        overlong=sum(len(shown) + len(told) > tokenizer.model_max_length for shown, told in pairs),
    )  # fmt: skip


def _pair(
    task: Task, prompt: Prompt, problem: Problem, tokenizer: PreTrainedTokenizerBase
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    solution = task.gold(problem)
    if solution is None:
        return None
    rendered = prompt.render(problem, tokenizer)
    return rendered.ids, prompt.complete(solution, rendered, tokenizer)


def _lengths(tokens: list[int]) -> Lengths | None:
    if not tokens:
        return None
    return Lengths(int(np.median(tokens)), int(np.percentile(tokens, 95)), max(tokens))


def _size(task: Task, split: Split) -> int:
    try:
        return len(task.problems(split))
    except DataError:
        return 0


def _readings(stages: list[Stage], own: Form) -> Iterator[tuple[Stage, Reading]]:
    for stage in stages:
        for reading in stage.reads(own.task):
            for leaf in reading.leaves():
                yield stage, leaf


def _own(recipe: Recipe) -> Form:
    task, prompt = recipe.task, recipe.prompt
    assert isinstance(task, Task) and isinstance(prompt, Prompt)
    verifier = recipe.verifier or task.own_verifier()
    assert isinstance(verifier, Verifier)
    return Form(task, "train", prompt, verifier)


def _model(recipe: Recipe) -> Model:
    assert isinstance(recipe.model, Model)
    return recipe.model


def _stages(recipe: Recipe) -> list[Stage]:
    found = [stage for stage in recipe.stages if isinstance(stage, Stage)]
    assert len(found) == len(recipe.stages)
    return found
