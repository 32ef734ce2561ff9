"""What a page of the report is made of: sections of paragraphs, tables, figures and rollouts, as plain text.

Cells hold text, trusted or not; escaping is the templates' work.
"""

from __future__ import annotations

from dataclasses import dataclass

from earnest.evaluate.report.figures import Figure


@dataclass(frozen=True, slots=True)
class Cell:
    """What a table shows: the value, and in small print what it rests on. `strong` marks what the reader came for."""

    text: str
    small: str = ""
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first column names the row. Numeric columns are set to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: bool = True  # all columns but the first
    caption: str = ""
    folded: bool = False  # shown on request, under its caption


@dataclass(frozen=True, slots=True)
class Shown:
    """A rollout as the report prints it: hostile text, cut to a length that is said."""

    title: str
    right: bool
    question: str
    gold: str
    read: str
    reason: str
    text: str
    left_out: int


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what is under it, in this order."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    rollouts: tuple[Shown, ...] = ()
    folded: str = ""  # the rollouts are shown on request, under this
    bullets: tuple[str, ...] = ()
    code: str = ""
    appendix: str = ""  # long code, shown on request
    short: str = ""  # for the list of sections
    closed: bool = False  # shown on request, under its title

    @property
    def label(self) -> str:
        return self.short or self.title


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the three numbers: the final model's, the base's beside it, and what it rests on."""

    title: str
    value: str
    unit: str
    detail: str
    base: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the templates need."""

    title: str
    verdict: str
    sentence: str
    facts: str
    caveats: tuple[str, ...]
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...] = ()
