"""Multiple-choice items from files: a context, the choices that may follow it after one space, and which of them is right.

Not how they are scored (`evaluate/likelihood.py`). The texts of the named formats are those that lm-eval 0.4.13 puts to a
model without examples (its tasks hellaswag, arc_easy and mmlu), so that numbers can be compared. Public sources, all on the
Hugging Face hub: Rowan/hellaswag (MIT), allenai/ai2_arc (CC BY-SA 4.0), cais/mmlu (MIT). Each format also reads the shorter
rows in which these sets are passed around as JSON lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from earnest.errors import DataError
from earnest.tasks.rows import Row, read

Format: TypeAlias = Literal["hellaswag", "arc", "mmlu", "plain"]

LETTERS = ("A", "B", "C", "D")
_BRACKETS = re.compile(r"\[.*?\]")


@dataclass(frozen=True, slots=True)
class Choice:
    """One item. Example: Choice("12", "Question: What is lead?\\nAnswer:", ("a metal", "a gas"), gold=0)."""

    id: str  # number of the row in its file, from 0
    context: str
    choices: tuple[str, ...]  # two at least, none empty
    gold: int  # into choices


def read_choices(path: Path, form: Format) -> list[Choice]:
    """The items of a .jsonl, .jsonl.gz or .json file, in order.

    hellaswag  {activity_label, ctx_a, ctx_b, endings, label}, or {ctx, endings, label} with the label and both parts in `ctx`
    arc        {question, choices: {text, label}, answerKey}, or {query, choices, gold} with "Question: …" in `query`
    mmlu       {subject, question, choices, answer}, the answer as a number or a letter
    plain      {context, choices, gold}, or `query` instead of `context`; nothing is added to the text

    Raises DataError with file and line for a row that is none of these.
    """
    return [_item(str(number), row, FORMATS[form]) for number, row in enumerate(read(str(path)))]


@dataclass(frozen=True, slots=True)
class _Fields:
    """A row whose fields are asked for by name and type; whatever is wrong with them names the place."""

    row: Row

    def has(self, name: str) -> bool:
        return name in self.row.fields

    def raw(self, name: str) -> Any:
        if name not in self.row.fields:
            found = ", ".join(self.row.fields)
            raise DataError(f"a row without `{name}`", where=self.row.where, why=f"it has: {found}"[:200])
        return self.row.fields[name]

    def text(self, name: str) -> str:
        return self._checked(name, self.raw(name))

    def texts(self, name: str) -> tuple[str, ...]:
        return self._list(name, self.raw(name))

    def inner(self, name: str, key: str) -> tuple[str, ...]:
        """The list under `key` of the object under `name`."""
        value = self.raw(name)
        if not isinstance(value, Mapping) or key not in value:
            raise DataError(f"`{name}` has no `{key}`", where=self.row.where)
        return self._list(f"{name}.{key}", value[key])

    def index(self, name: str, names: tuple[str, ...], count: int) -> int:
        """A place below `count`, written as a number or as one of `names`."""
        value = self.raw(name)
        place = names.index(value) if value in names else value
        if isinstance(place, str) and place.isdecimal():
            place = int(place)
        if type(place) is not int or not 0 <= place < count:
            raise DataError(
                f"`{name}` names none of the {count} choices", where=self.row.where, why=f"it is {value!r:.60}"
            )
        return place

    def _list(self, name: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) < 2:
            raise DataError(
                f"`{name}` must be a list of at least two", where=self.row.where, why=f"it is {value!r:.60}"
            )
        return tuple(self._checked(name, text) for text in value)

    def _checked(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise DataError(f"`{name}` must be text", where=self.row.where, why=f"it is {value!r:.60}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"`{name}` cannot be written as UTF-8", where=self.row.where, why=error.reason) from None
        return value


_Parts: TypeAlias = tuple[str, tuple[str, ...], int]


def _item(number: str, row: Row, form: Callable[[_Fields], _Parts]) -> Choice:
    context, choices, gold = form(_Fields(row))
    if not all(choices):
        raise DataError("an empty choice", where=row.where, remedy="drop the row: nothing has no likelihood")
    return Choice(number, context, choices, gold)


def _hellaswag(fields: _Fields) -> _Parts:
    if fields.has("ctx_a"):
        context = f"{fields.text('activity_label')}: {fields.text('ctx_a')} {fields.text('ctx_b').capitalize()}"
    else:
        context = fields.text("ctx")
    endings = tuple(_without_markup(ending) for ending in fields.texts("endings"))
    return _without_markup(context), endings, fields.index("label", (), len(endings))


def _without_markup(text: str) -> str:
    """ "How to fly [title] Jump. [step] Now." -> "How to fly. Jump.  Now." -> single spaces; what WikiHow left in HellaSwag."""
    return _BRACKETS.sub("", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def _arc(fields: _Fields) -> _Parts:
    if fields.has("query"):
        question, choices = fields.text("query"), fields.texts("choices")
        gold = fields.index("gold", (), len(choices))
    else:
        question, choices = f"Question: {fields.text('question')}", fields.inner("choices", "text")
        gold = fields.index("answerKey", fields.inner("choices", "label"), len(choices))
    return f"{question}\nAnswer:", choices, gold


def _mmlu(fields: _Fields) -> _Parts:
    choices = fields.texts("choices")
    if len(choices) != len(LETTERS):
        raise DataError("an MMLU row has four choices", where=fields.row.where, why=f"this one has {len(choices)}")
    lines = [fields.text("question").strip(), *(f"{a}. {text}" for a, text in zip(LETTERS, choices, strict=True))]
    subject = fields.text("subject").replace("_", " ")
    head = f"The following are multiple choice questions (with answers) about {subject}.\n\n"
    return head + "\n".join([*lines, "Answer:"]), LETTERS, fields.index("answer", LETTERS, len(LETTERS))


def _plain(fields: _Fields) -> _Parts:
    choices = fields.texts("choices")
    context = fields.text("query" if fields.has("query") and not fields.has("context") else "context")
    return context, choices, fields.index("gold", (), len(choices))


FORMATS: Mapping[Format, Callable[[_Fields], _Parts]] = {
    "hellaswag": _hellaswag,
    "arc": _arc,
    "mmlu": _mmlu,
    "plain": _plain,
}
