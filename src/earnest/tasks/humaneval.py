"""HumanEval: 164 Python functions to be written from their signature and description, each with tests. For testing only.

The public source is HumanEval.jsonl.gz of https://github.com/openai/human-eval (MIT; Chen et al., arXiv 2107.03374), read from
$EARNEST_DATA/humaneval. What stands before the function in a prompt (imports, helpers) is run before the program and before its
tests, as the original does; the tests are the original `check`, which is called with the function.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.benchmark import Benchmark
from earnest.tasks.programs import fenced, gold, wrong
from earnest.tasks.rows import Row, fields, unreadable
from earnest.types import Problem, Solution

SECONDS = 5.0
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
_FORM = (
    '{"task_id": "HumanEval/0", "prompt": "def f(x):…", "entry_point": "f", "canonical_solution": "…", '
    '"test": "def check(candidate):…"}, as in the published file'
)


class Humaneval(Benchmark):
    """Functions from their descriptions; the answer is the whole function in a fenced block."""

    path: DataPath = Field("$EARNEST_DATA/humaneval/HumanEval.jsonl.gz", validate_default=True)
    """The file."""

    @property
    def verifier_name(self) -> str:
        return "code"

    def problem(self, row: Row) -> Problem:
        number, prompt, name, solution, test = fields(row, dict.fromkeys(_FIELDS, str), _FORM)
        return Problem(
            id=f"{self.name}/{number.rpartition('/')[2]}",
            task=self.name,
            prompt=f"Complete this Python function. Answer with the whole function in one block of code.\n\n{fenced(prompt)}",
            answer=gold(name, _before(prompt, name, row), [f"{test}\n\ncheck({name})\n"], SECONDS),
            meta={"solution": prompt + solution},
        )

    def gold(self, problem: Problem) -> Solution:
        return Solution("", fenced(str(problem.meta["solution"])))

    def wrong(self, problem: Problem) -> Sequence[Solution]:
        return wrong(problem)


def _before(prompt: str, name: str, row: Row) -> str:
    """What a prompt holds before its function."""
    try:
        functions = {node.name: node for node in ast.parse(prompt).body if isinstance(node, ast.FunctionDef)}
        return "".join(prompt.splitlines(keepends=True)[: functions[name].lineno - 1])
    except (SyntaxError, KeyError):
        why = f"'prompt' must be Python that begins a function of the name in 'entry_point', {name!r:.40}, and is not"
        raise unreadable(row, why, _FORM) from None
