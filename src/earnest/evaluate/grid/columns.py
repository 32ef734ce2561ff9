"""Ways to ask a model, side by side: each column of an evaluation is a prompt, made from the one the model was trained with.

The examples of `few_shot` come from the task's own train split, never from what is evaluated, are drawn with a seed, and are part
of the prompt's settings, so a protocol holds them. With a chat prompt columns are conversations; with any other they are
plain text in which an answer is one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from earnest.component import build
from earnest.errors import ConfigError, DataError, nearest
from earnest.prompts.base import Prompt
from earnest.prompts.chat import Chat, knows_thinking
from earnest.prompts.few_shot import Example, FewShot
from earnest.prompts.plain import Plain
from earnest.seeding import rng
from earnest.tasks.base import Task
from earnest.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COLUMNS: Mapping[str, str] = {
    "trained": "the prompt as it is given, by default the chat template alone",
    "direct": "the answer alone, without a thought",
    "zero_shot": "asked to think step by step in the answer itself",
    "few_shot": "worked examples of the train split before the question",
    "thinking": "the prompt as it is given, with the template's own thinking on",
    "no_thinking": "the same with it off",
}
"""What `--column` may name."""

ANSWER = "The answer is {answer}."
DIRECT = "Give the final answer only, without any explanation."
STEPS = 'Think step by step. Then write the final answer on a line of its own: "The answer is …".'
LOOKED_AT = 1_000
"""Train problems that are looked at for worked examples."""


def check_columns(columns: Sequence[str]) -> None:
    """Raises ConfigError for an unknown column, with the nearest name, and for one that is named twice."""
    for name in columns:
        if name not in COLUMNS:
            raise ConfigError(f"unknown column '{name}'", where=f"--column {name}", remedy=nearest(name, COLUMNS))
        if columns.count(name) > 1:
            raise ConfigError(f"the column '{name}' is named twice", where=f"--column {name}")


def column(name: str, trained: Prompt, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example] = ()) -> Prompt:
    """The prompt of a column. examples: for `few_shot`.

    Raises ConfigError for `thinking` and `no_thinking` where the chat template cannot be told.
    """
    if name == "trained":
        return trained
    if name in ("thinking", "no_thinking"):
        return _switched(name, trained, tokenizer)
    if not isinstance(trained, Chat):
        lead = {"direct": " The answer is", "zero_shot": " Let's think step by step."}.get(name, "")
        return FewShot(prompt=Plain(answer=ANSWER), examples=tuple(examples), lead=lead)
    off = False if trained.can_stop_thinking(tokenizer) else None
    asked = {"direct": DIRECT, "zero_shot": STEPS}.get(name)
    changed = {"think": False, "thinking": off, "instruction": asked}
    if name == "few_shot":
        inner = build("prompt", {**trained.model_dump(), **changed, "answer": ANSWER})
        return FewShot(prompt=inner, examples=tuple(examples))
    return build("prompt", {**trained.model_dump(), **changed})


def _switched(name: str, trained: Prompt, tokenizer: PreTrainedTokenizerBase) -> Prompt:
    on = name == "thinking"
    can = isinstance(trained, Chat) and (knows_thinking(tokenizer) if on else trained.can_stop_thinking(tokenizer))
    if not can:
        raise ConfigError(
            f"this model cannot be told by its template to {'think' if on else 'leave out its thought'}",
            where=f"--column {name}",
            why="the prompt is no chat prompt, or its template does not know enable_thinking",
            remedy="compare --column direct with --column zero_shot",
        )
    return build("prompt", {**trained.model_dump(), "think": on, "thinking": on})


def draw_examples(task: Task, count: int, seed: int, evaluated: Sequence[Problem]) -> tuple[Example, ...]:
    """Worked examples of a task's train split, the same ones for the same seed. Where it has no worked solutions, answers alone.

    Raises DataError if there are fewer than `count`, or if what is evaluated is of the train split (ConfigError).
    """
    train = task.problems("train")
    seen = {problem.question for problem in evaluated}
    order = rng("few_shot", seed).sample(range(len(train)), min(len(train), LOOKED_AT))
    worked: dict[str, Example] = {}
    bare: dict[str, Example] = {}
    for place in order:
        problem = train[place]
        solution = task.gold(problem)
        if solution is None or problem.question in seen:
            continue
        example = Example(id=problem.id, question=asked(problem), thought=solution.thought, answer=solution.answer)
        (worked if solution.thought.strip() else bare).setdefault(problem.question, example)
        if len(worked) == count:
            break
    found = tuple([*worked.values(), *bare.values()][:count])
    if len(found) < count:
        raise DataError(
            f"{len(found)} examples for few_shot, {count} asked for", where=f"task {task.name}, split train",
            why="problems with a known answer that are not evaluated", remedy="a smaller --shots",
        )  # fmt: skip
    return found


def asked(problem: Problem) -> str:
    """What a user says: the prompt, or the last user message of one."""
    if isinstance(problem.prompt, str):
        return problem.prompt
    return next((m.content for m in reversed(problem.prompt) if m.role == "user"), problem.question)
