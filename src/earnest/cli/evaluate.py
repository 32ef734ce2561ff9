"""`earnest eval`: sample a model on a task, grade the answers, print rates with their intervals."""

from __future__ import annotations

from pathlib import Path

from earnest.cli import say
from earnest.types import Split


def evaluate(
    model: str,
    /,
    *,
    task: str,
    prompt: str = "chat",
    k: int = 4,
    limit: int = 200,
    max_tokens: int = 256,
    seed: int = 0,
    split: Split = "test",
    out: Path | None = None,
    json: say.AsJson = False,
) -> None:
    """Sample a model on a task, grade the answers, and print rates with their intervals.

    Parameters
    ----------
    model
        A Hugging Face folder (RUN/STAGE/model is one) or a hub id.
    task
        One of `earnest list task`, or FILE.py:CLASS.
    prompt
        One of `earnest list prompt`.
    k
        Samples per problem.
    limit
        At most this many problems.
    max_tokens
        Cut each answer here; a cut answer is counted as truncated, and wrong.
    seed
        Of the sampling.
    split
        Which problems. Looks at the test split are counted and reported.
    out
        Also write every answer and its verdict to this folder.
    """
    from earnest import api

    result = api.evaluate(
        model, task=task, prompt=prompt, k=k, limit=limit, max_tokens=max_tokens, seed=seed, split=split, out=out,
        echo=say.progress(json),
    )  # fmt: skip
    if json:
        say.result(result.to_json())
    else:
        say.lines(result.lines())
