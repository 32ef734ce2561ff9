"""What runs beside the package `reasoning-gym`, never beside a trainer: makes rows again, and runs its scorers. No verifier.

As a program it answers requests for rows, one JSON array a line. Its interpreter has a fixed hash seed, because some data sets
draw from sets, whose order that seed decides. `score` is called in a sandbox job of its own: the scorer reads what a model wrote.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
from functools import lru_cache
from itertools import islice, permutations
from typing import Any

MAX_ORDERS = 120
"""Orders of monomials that are tried for a row of polynomial_multiplication."""


def made(dataset: str, config: dict[str, Any], index: int) -> tuple[Any, dict[str, Any]]:
    """The data set and its row. The seed is part of the configuration; the global random state is fixed as well."""
    source = _source(dataset, json.dumps(config))
    random.seed(0)
    return source, source[index]


@lru_cache(maxsize=4)
def _source(dataset: str, config: str) -> Any:
    """Some read a file of words or grids when they are made, so a few are kept; a row does not depend on those before it."""
    import reasoning_gym

    return reasoning_gym.create_dataset(dataset, **json.loads(config))


def plain(entry: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON: question, answer (None: it has none) and metadata; what is no JSON in it becomes text."""
    return json.loads(json.dumps({key: entry[key] for key in ("question", "answer", "metadata")}, default=str))


def rows(dataset: str, config: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """The row, and for polynomial_multiplication every other row that another hash seed could have made of it."""
    if dataset != "polynomial_multiplication":
        return [plain(made(dataset, config, index)[1])]
    from reasoning_gym.algebra import polynomial_multiplication as module

    original = module.itermonomials
    count = 0
    order: tuple[int, ...] = ()
    found: list[dict[str, Any]] = []

    def drawn(*arguments: Any) -> list[Any]:
        nonlocal count
        monomials = sorted(original(*arguments), key=str)
        count = len(monomials)
        return [monomials[place] for place in order] if len(order) == count else monomials

    try:
        module.itermonomials = drawn
        made(dataset, config, index)
        for candidate in islice(permutations(range(count)), MAX_ORDERS):
            order = candidate
            entry = plain(made(dataset, config, index)[1])
            found += [entry] if all(entry["question"] != other["question"] for other in found) else []
    finally:
        module.itermonomials = original
    return found


def score(dataset: str, config: dict[str, Any], index: int, text: str) -> float:
    """What the package's scorer gives a text. What it raises on a text is a score of 0; its prints are swallowed."""
    source, entry = made(dataset, config, index)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return float(source.score_answer(text, entry))
        except Exception:
            return 0.0


def main() -> None:
    """Requests on standard input, answers on standard output, until the input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the package prints is no answer
    for line in sys.stdin:
        dataset, config, index = json.loads(line)
        try:
            told: Any = {"rows": rows(dataset, config, index)}
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"[:400]}
        answers.write(json.dumps(told) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
