"""BIG-Bench Hard: 27 sets of at most 250 problems each that language models of 2022 did worse on than people.

The public source is the folder bbh/ of https://github.com/suzgunmirac/BIG-Bench-Hard (MIT; Suzgun et al., arXiv 2210.09261).
Read from $EARNEST_DATA/bbh/bbh: one JSON file per set, with `examples` of `input` and `target`. The verifier is `choice` where a
set's options are lettered, `number` for counting and arithmetic, else `string`, which wants the target exactly ("Yes",
"] ]", the sorted words with a blank between them). Four lettered problems are dropped: the target of one in movie_recommendation
and of two in ruin_names is none of their options, and one in snarks has a single option. Four problems are there twice (two in
causal_judgement, two in sports_understanding) and stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pydantic import Field

from earnest.component import DataPath
from earnest.errors import DataError
from earnest.tasks.multiple_choice import LETTERS, MultipleChoice, answer
from earnest.tasks.near_misses import near_misses
from earnest.tasks.rows import Row
from earnest.types import Problem, Solution

Lettered: TypeAlias = Literal[
    "date_understanding", "disambiguation_qa", "geometric_shapes", "hyperbaton", "logical_deduction_five_objects",
    "logical_deduction_seven_objects", "logical_deduction_three_objects", "movie_recommendation", "penguins_in_a_table",
    "reasoning_about_colored_objects", "ruin_names", "salient_translation_error_detection", "snarks",
    "temporal_sequences", "tracking_shuffled_objects_five_objects", "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
]  # fmt: skip
Counted: TypeAlias = Literal["multistep_arithmetic_two", "object_counting"]
Worded: TypeAlias = Literal[
    "boolean_expressions", "causal_judgement", "dyck_languages", "formal_fallacies", "navigate", "sports_understanding",
    "web_of_lies", "word_sorting",
]  # fmt: skip
REMEDY = "`path`: the folder bbh/ of https://github.com/suzgunmirac/BIG-Bench-Hard"
_FORM = '{"input": "…\\nOptions:\\n(A) …\\n(B) …", "target": "(A)"}, as in the published files'
_OPTION = re.compile(r"^\(([A-Z])\) ?(.*)$", re.MULTILINE)


class Bbh(MultipleChoice):
    """One set of BIG-Bench Hard."""

    path: DataPath = Field("$EARNEST_DATA/bbh/bbh", validate_default=True)
    """The folder with the files."""
    subset: Lettered | Counted | Worded
    """Which set."""

    @property
    def verifier_name(self) -> str:
        kinds = ((Lettered, "choice"), (Counted, "number"), (Worded, "string"))
        return next(verifier for kind, verifier in kinds if self.subset in get_args(kind))

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path) / f"{self.subset}.json",)

    def rows(self) -> Sequence[Row]:
        return [row for row in self._all_rows() if self._has_its_target(row)]

    def notices(self) -> Sequence[str]:
        dropped = [row for row in self._all_rows() if not self._has_its_target(row)]
        return (
            [f"{len(dropped)} problems dropped: a single option, or a target that is none of them"] if dropped else []
        )

    def problem(self, row: Row) -> Problem:
        question, target = row.fields["input"], row.fields["target"]
        gold = answer(_options(question), target.strip("()"), row, _FORM) if self.verifier_name == "choice" else target
        name = f"{self.name}/{self.subset}/{row.fields['number']}"
        return Problem(id=name, task=self.name, prompt=question, answer=gold, meta={"subset": self.subset})

    def gold(self, problem: Problem) -> Solution:
        if self.verifier_name == "choice":
            return super().gold(problem)
        assert problem.answer is not None, problem
        return Solution("", problem.answer)

    def wrong(self, problem: Problem) -> list[Solution]:
        """Other options and hedges; for a number its neighbours, for a text what is near it."""
        if self.verifier_name == "choice":
            return super().wrong(problem)
        assert problem.answer is not None, problem
        return [Solution("", text) for text in near_misses(problem.answer)]

    def _all_rows(self) -> list[Row]:
        file = self.files()[0]
        try:
            content: Any = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                "no file of a set, or one that cannot be read", where=str(file), why=str(error), remedy=REMEDY
            ) from None
        examples = content.get("examples") if isinstance(content, dict) else None
        if not isinstance(examples, list) or not all(map(_is_example, examples)):
            raise DataError("expected `examples`, each with `input` and `target`", where=str(file), remedy=REMEDY)
        return [Row(f"{file} example {n}", {**example, "number": n}) for n, example in enumerate(examples)]

    def _has_its_target(self, row: Row) -> bool:
        labels = [f"({label})" for label in LETTERS[: len(_options(row.fields["input"]))]]
        return self.verifier_name != "choice" or (len(labels) > 1 and row.fields["target"] in labels)


def _is_example(example: Any) -> bool:
    return isinstance(example, dict) and all(isinstance(example.get(key), str) for key in ("input", "target"))


def _options(question: str) -> list[str]:
    """The texts of the lettered options at the end of a question; [] unless they are A, B, C, … in order."""
    found = _OPTION.findall(question.rpartition("Options:")[2])
    in_order = [label for label, _ in found] == [*LETTERS[: len(found)]]
    return [text.strip() for _, text in found] if in_order else []
