"""`earnest eval`: sample a model on tasks, asked in several ways, grade the answers, print rates with their intervals."""

from __future__ import annotations

from pathlib import Path

from earnest.cli import paging, say
from earnest.types import Split


def evaluate(
    model: str,
    /,
    *,
    task: list[str],
    column: list[str] | None = None,
    prompt: str = "chat",
    k: int = 4,
    limit: int = 200,
    max_tokens: int = 256,
    seed: int = 0,
    split: Split = "test",
    shots: int | None = None,
    out: Path | None = None,
    json: say.AsJson = False,
) -> None:
    """Sample a model on tasks, grade the answers, and print rates with their intervals.

    Parameters
    ----------
    model
        A Hugging Face folder (RUN/STAGE/model is one) or a hub id.
    task
        One of `earnest list task`, FILE.py:CLASS, or {name: jsonl, path: …}. May be repeated.
    column
        A way to ask; may be repeated, and the others are compared with the first. trained: --prompt as it is (the
        default). direct: the answer alone. zero_shot: asked to think step by step. few_shot: worked examples of the
        train split. thinking, no_thinking: the chat template's own thinking on or off.
    prompt
        One of `earnest list prompt`: how the model was trained to be asked.
    k
        Samples per problem.
    limit
        At most this many problems of each task.
    max_tokens
        Cut each answer here; a cut answer is counted as truncated, and wrong.
    seed
        Of the sampling, and of the choice of examples.
    split
        Which problems. Every look at them is counted, in ./runs/looks.jsonl, and printed.
    shots
        Worked examples of few_shot, by default 4.
    out
        Also write every answer and its verdict, and how it was asked, to OUT/TASK/COLUMN.
    """
    from earnest import api
    from earnest.evaluate.grid.text import lines

    result = api.evaluate(
        model, task=[say.plugin(each, "--task") for each in task], columns=column or ["trained"],
        prompt=say.plugin(prompt, "--prompt"), k=k, limit=limit, max_tokens=max_tokens, seed=seed, split=split,
        shots=shots, out=out, echo=say.progress(json),
    )  # fmt: skip
    if json:
        say.result(result.to_json())
    else:
        paging.page(lines(result))
