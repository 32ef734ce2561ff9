"""Algebra word problems with five options and a rationale: the 254 test problems of AQuA-RAT.

The public source is test.json of https://github.com/google-deepmind/AQuA (Apache-2.0; Ling et al., arXiv 1705.04146). Read from
$EARNEST_DATA/aqua/test.jsonl unless the recipe names another file, with rows `question`, `options` ("A)…"), `correct` and
`rationale`. Seven problems have two options with one text; of these only the label of the right one is right.
"""

from __future__ import annotations

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.base import with_id
from earnest.tasks.multiple_choice import LETTERS, MultipleChoice, answer, asked
from earnest.tasks.rows import Row, fields, unreadable
from earnest.types import Problem

_FORM = '{"question": "…", "options": ["A)…", "B)…"], "correct": "B", "rationale": "…"}, as in the published file'


class Aqua(MultipleChoice):
    """AQuA-RAT."""

    path: DataPath = Field("$EARNEST_DATA/aqua/test.jsonl", validate_default=True)
    """Test data, used as it is."""

    def problem(self, row: Row) -> Problem:
        question, options, right = fields(row, {"question": str, "options": list, "correct": str}, _FORM)
        labelled = zip(LETTERS, options, strict=False)
        if not all(isinstance(text, str) and text.startswith(f"{label})") for label, text in labelled):
            raise unreadable(row, f"'options' must be texts that begin A), B), C), …, they are {options!r:.60}", _FORM)
        texts = [text[2:].strip() for text in options]
        trace = str(row.fields.get("rationale", "")).strip()
        prompt = asked(question.strip(), texts)
        return with_id(
            Problem(
                id="", task=self.name, prompt=prompt, answer=answer(texts, right, row, _FORM), meta={"trace": trace}
            )
        )
