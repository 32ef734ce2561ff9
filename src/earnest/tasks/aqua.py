"""Algebra word problems with five options and a rationale: the 254 test problems of AQuA-RAT.

The public source is test.json of https://github.com/google-deepmind/AQuA (Apache-2.0; Ling et al., arXiv 1705.04146). Read from
$EARNEST_DATA/aqua/test.jsonl unless the recipe names another file, with rows `question`, `options` ("A)…"), `correct` and
`rationale`. Seven problems have two options with one text; of these only the label of the right one is right.
"""

from __future__ import annotations

from pydantic import Field

from earnest.component import DataPath
from earnest.errors import DataError
from earnest.tasks.base import with_id
from earnest.tasks.multiple_choice import LETTERS, MultipleChoice, answer, asked
from earnest.tasks.rows import Row
from earnest.types import Problem


class Aqua(MultipleChoice):
    """AQuA-RAT."""

    path: DataPath = Field("$EARNEST_DATA/aqua/test.jsonl", validate_default=True)
    """Test data, used as it is."""

    def problem(self, row: Row) -> Problem:
        question, options, right = (row.fields.get(name) for name in ("question", "options", "correct"))
        if not isinstance(question, str) or not isinstance(options, list) or not isinstance(right, str):
            raise DataError("a row without `question`, `options` or `correct`", where=row.where)
        labelled = zip(LETTERS, options, strict=False)
        if not all(isinstance(text, str) and text.startswith(f"{label})") for label, text in labelled):
            raise DataError("the options are not A), B), C), …", where=row.where)
        texts = [text[2:].strip() for text in options]
        trace = str(row.fields.get("rationale", "")).strip()
        prompt = asked(question.strip(), texts)
        return with_id(
            Problem(id="", task=self.name, prompt=prompt, answer=answer(texts, right, row), meta={"trace": trace})
        )
