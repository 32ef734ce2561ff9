"""MATH-500: 500 competition problems with worked solutions and answers in LaTeX, for testing alone.

The public source is HuggingFaceH4/MATH-500 on the Hugging Face hub, a part of the test set of hendrycks/math (MIT; Hendrycks et
al., arXiv 2103.03874) that was chosen by Lightman et al., arXiv 2305.20050. A row has `problem`, `solution`, `answer`, `subject`,
`level` and `unique_id`.
"""

from __future__ import annotations

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.benchmark import Benchmark
from earnest.tasks.near_misses import is_number, near_misses
from earnest.tasks.rows import Row, fields, unreadable
from earnest.types import Problem, Solution

_TEXTS = ("problem", "solution", "answer", "subject", "unique_id")
_FORM = (
    '{"problem": "…", "solution": "…", "answer": "…", "subject": "Algebra", "level": 2, "unique_id": "test/algebra/1.json"}, '
    "as in the published file"
)


class Math500(Benchmark):
    """MATH-500, graded by `math`."""

    path: DataPath = Field("$EARNEST_DATA/math500/math500.jsonl", validate_default=True)
    """The file."""

    @property
    def verifier_name(self) -> str:
        return "math"

    def problem(self, row: Row) -> Problem:
        found = fields(row, {**dict.fromkeys(_TEXTS, str), "level": int}, _FORM)
        empty = [key for key in _TEXTS if not row.fields[key].strip()]
        if empty:
            raise unreadable(row, f"'{empty[0]}' is empty", _FORM)
        problem, solution, answer, subject, name, level = found
        return Problem(
            id=f"{self.name}/{name.removeprefix('test/').removesuffix('.json')}", task=self.name, prompt=problem,
            answer=answer, meta={"trace": solution, "subject": subject, "level": level},
        )  # fmt: skip

    def gold(self, problem: Problem) -> Solution:
        assert problem.answer is not None, problem
        return Solution(str(problem.meta["trace"]), problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        """Neighbours of the answer and hedges, each after the right trace."""
        right = self.gold(problem)
        answer = right.answer
        if is_number(answer):
            answers = near_misses(answer)
        else:  # a letter beside it may change nothing: 0x is 0
            answers = [f"{answer} + 1", f"not {answer}", f"{answer} or not {answer}", f"{answer}, {answer} + 1"]
        return [Solution(right.thought, text) for text in answers]
