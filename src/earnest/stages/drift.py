"""What an evaluation asks beside its own task: skills the base had, multiple choice, plain text. Settings of the stage `eval`.

Each is put to every model in the same form, so that models can be compared item by item. Comparing is `evaluate/drift.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from earnest.component import BuildContext, DataPath, KeyedConfigError, build, plug, validate
from earnest.data.choices import Choice, Format, read_choices
from earnest.data.documents import read_documents
from earnest.data.select import subset
from earnest.evaluate.items import Answered, Document
from earnest.evaluate.likelihood import document_bits, score_choices
from earnest.models.base import Policy
from earnest.prompts.base import Prompt
from earnest.runlog import AppendLog
from earnest.tasks.base import Task
from earnest.types import Json

MICRO_BATCH_TOKENS = 4096


class _Drift(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    """Names it in the report."""


class SkillDrift(_Drift):
    """A skill of the base, asked again of every later model: greedy pass rate on a task of its own."""

    task: Annotated[Task, plug("task")]
    """Problems of the skill."""
    prompt: Annotated[Prompt, plug("prompt")] = Field(default_factory=lambda: build("prompt", "plain"))
    """In which form they are put."""
    problems: int = Field(300, gt=1)
    """How many."""
    max_tokens: int = Field(32, gt=0)
    """Completion tokens at most."""
    chance: float | None = None
    """What guessing would score; a base within its interval of that cannot show drift."""

    def describe(self) -> dict[str, Json]:
        return {"name": self.name, "chance": self.chance, "metric": "greedy"}


class ChoiceDrift(_Drift):
    """Multiple choice by log-likelihood, as lm-eval does it without examples: nothing is generated."""

    choices: DataPath
    """A .jsonl, .jsonl.gz or .json file of questions."""
    format: Format = "plain"
    """How its rows are put: hellaswag, arc, mmlu, or plain (fields `context`, `choices`, `gold`)."""
    items: int = Field(200, gt=1)
    """How many, drawn without regard to their order in the file; the same ones for every model, run and seed."""
    metric: Literal["acc", "acc_norm"] | None = None
    """acc: the likeliest choice is right; acc_norm: per character. By default acc_norm, but acc for mmlu. Both are stored."""

    @model_validator(mode="after")
    def _letters_have_one_length(self) -> ChoiceDrift:
        if self.format == "mmlu" and self.metric == "acc_norm":
            raise ValueError("acc_norm of mmlu is acc: every choice is one letter")
        return self

    @property
    def headline(self) -> Literal["acc", "acc_norm"]:
        return self.metric or ("acc" if self.format == "mmlu" else "acc_norm")

    @property
    def file(self) -> Path:
        return Path(self.choices)

    def read(self) -> list[Choice]:
        return subset(read_choices(self.file, self.format), self.items)

    def measure(self, policy: Policy, folder: Path) -> dict[str, float]:
        """Accuracy, and the number of items whose context was cut if there are any; the rows are written to `folder`."""
        found = score_choices(self.read(), policy, micro_batch_tokens=MICRO_BATCH_TOKENS)
        _write(folder / f"drift_{self.name}.choices.jsonl", found)
        cut = sum(item.cut > 0 for item in found)
        rates = {self.name: sum(item.right(self.headline) for item in found) / len(found)}
        return rates | ({f"{self.name} contexts cut": cut} if cut else {})

    def describe(self) -> dict[str, Json]:
        return {"name": self.name, "chance": None, "metric": self.headline, "format": self.format, "items": self.items}


class TextDrift(_Drift):
    """Plain text: bits per byte of documents under every model, as lm-eval's `loglikelihood_rolling` measures them."""

    text: DataPath
    """A .txt file (one document a line) or .jsonl (field `text`)."""
    documents: int = Field(100, gt=1)
    """How many, the first ones."""
    max_chars: int = Field(1000, gt=0)
    """Characters of each that are read; the rest is left out."""

    @property
    def file(self) -> Path:
        return Path(self.text)

    def read(self) -> list[str]:
        return [text[: self.max_chars] for text in read_documents(self.file)[: self.documents]]

    def measure(self, policy: Policy, folder: Path) -> dict[str, float]:
        """Bits per byte; the rows are written to `folder`."""
        found = document_bits(self.read(), policy, micro_batch_tokens=MICRO_BATCH_TOKENS)
        _write(folder / f"drift_{self.name}.bytes.jsonl", found)
        return {self.name: sum(d.bits for d in found) / sum(d.bytes for d in found)}

    def describe(self) -> dict[str, Json]:
        return {"name": self.name, "chance": None, "metric": "bits_per_byte", "max_chars": self.max_chars}


KINDS: Mapping[str, type[_Drift]] = {"task": SkillDrift, "choices": ChoiceDrift, "text": TextDrift}
"""The key that says what is asked -> the settings it comes with."""


def _by_key(value: Any, info: ValidationInfo) -> Any:
    """Mappings to the settings their key asks for, so that an error names the item and its nearest key."""
    if not isinstance(value, list | tuple):
        return value
    context = info.context if isinstance(info.context, BuildContext) else BuildContext()
    found: list[Any] = []
    for place, item in enumerate(value):
        path = (*context.path, info.field_name or "drift", place)
        if not isinstance(item, Mapping):
            found.append(item)
            continue
        kinds = [kind for key, kind in KINDS.items() if key in item]
        if len(kinds) != 1:
            raise KeyedConfigError("what should be measured?", path, remedy=f"one of the keys {', '.join(KINDS)}")
        found.append(validate(kinds[0], item, BuildContext(context.base_dir, path)))
    return tuple(found)


DriftItems: TypeAlias = Annotated[tuple[SkillDrift | ChoiceDrift | TextDrift, ...], BeforeValidator(_by_key)]


def _write(path: Path, rows: Sequence[Answered] | Sequence[Document]) -> None:
    log = AppendLog(path)
    log.cut(0)
    log.append([row.to_json() for row in rows])
