"""Grade-school science questions with four options: the test sets of ARC, 1,172 hard ones and 2,376 easy ones.

The public source is allenai/ai2_arc on the Hugging Face hub (CC BY-SA 4.0; Clark et al., arXiv 1803.05457). Read from the folder
$EARNEST_DATA/arc as https://github.com/mosaicml/llm-foundry passes them around, arc_challenge.jsonl and arc_easy.jsonl with rows
`query` ("Question: …"), `choices`, `gold` (the place of the right one). The rows have lost the labels that the questions had
at school, some of which were numbers: here all options are lettered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from earnest.component import DataPath
from earnest.tasks.base import with_id
from earnest.tasks.multiple_choice import LETTERS, MultipleChoice, answer, asked
from earnest.tasks.rows import Row, fields, read, unreadable
from earnest.types import Problem

_FORM = '{"query": "Question: …", "choices": ["…", "…"], "gold": 1}, as in the published file'


class Arc(MultipleChoice):
    """The AI2 Reasoning Challenge."""

    path: DataPath = Field("$EARNEST_DATA/arc", validate_default=True)
    """The folder with the files."""
    subset: Literal["challenge", "easy"] = "challenge"
    """`challenge`: what both a retrieval and a co-occurrence method of 2018 got wrong; `easy`: the others."""

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path) / f"arc_{self.subset}.jsonl",)

    def rows(self) -> Sequence[Row]:
        return read(str(self.files()[0]))

    def problem(self, row: Row) -> Problem:
        query, texts, gold = fields(row, {"query": str, "choices": list, "gold": int}, _FORM)
        if not 0 <= gold < len(texts):
            raise unreadable(row, f"'gold' must be a place among {len(texts)} choices, from 0, it is {gold}", _FORM)
        texts = [str(text) for text in texts]
        prompt = asked(query.removeprefix("Question: ").strip(), texts)
        right = answer(texts, LETTERS[gold : gold + 1], row, _FORM)
        return with_id(Problem(id="", task=self.name, prompt=prompt, answer=right, meta={"subset": self.subset}))
