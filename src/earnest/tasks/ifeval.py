"""Instructions whose keeping a program can check: IFEval, 541 prompts with one to three of 25 kinds of instruction.

The public source is instruction_following_eval/data/input_data.jsonl of https://github.com/google-research/google-research (CC BY
4.0; Zhou et al., arXiv 2311.07911). Read from $EARNEST_DATA/ifeval/input_data.jsonl, with rows `key`, `prompt`,
`instruction_id_list` and `kwargs`. A response is correct if it keeps all of a prompt's instructions ("prompt-level"), as
`verifiers/constraint/ifeval.py` translates them; how that differs from the published checks is said there.

It has no reference answers: a great many texts keep an instruction, and whether they answer the prompt is not looked at.
"""

from __future__ import annotations

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.benchmark import Benchmark
from earnest.tasks.rows import Row, fields, unreadable
from earnest.types import Problem, Solution
from earnest.verifiers import golds
from earnest.verifiers.constraint.ifeval import translate

_FORM = (
    '{"key": 1, "prompt": "…", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, as in the published file; '
    "the instructions that can be checked are its 25"
)


class Ifeval(Benchmark):
    """IFEval, strict, by prompt."""

    path: DataPath = Field("$EARNEST_DATA/ifeval/input_data.jsonl", validate_default=True)
    """Test data, used as it is."""

    @property
    def verifier_name(self) -> str:
        return "constraint"

    def problem(self, row: Row) -> Problem:
        prompt, ids, arguments = fields(row, {"prompt": str, "instruction_id_list": list, "kwargs": list}, _FORM)
        try:
            gold = golds.write(translate(ids, arguments))
        except ValueError as error:
            raise unreadable(row, f"an instruction that cannot be checked: {error}", _FORM) from None
        name = f"{self.name}/{row.fields.get('key')}"
        return Problem(id=name, task=self.name, prompt=prompt, answer=gold, meta={"instructions": ids})

    def gold(self, problem: Problem) -> None:
        return None

    def wrong(self, problem: Problem) -> list[Solution]:
        """Nothing, and what has no word."""
        return [Solution("", ""), Solution("", " \n"), Solution("", ". . .")]
