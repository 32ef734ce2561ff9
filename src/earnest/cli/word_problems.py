"""Sixty small word problems for `earnest init jsonl`, made here and nowhere else: a file in the format to replace by one's own.

One JSON object a line: the prompt, the worked trace (which may be missing) and the answer. The same file every time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from earnest.seeding import rng

ROWS = 60

STORIES = (
    "{who} keeps {a} {things} in {place}. A friend brings {b} more, and {c} get lost. How many are left?",
    "In {place} there are {a} {things}; {who} puts in {b} and later takes out {c}. How many {things} does it hold then?",
    "{who} bought {a} {things} on Monday and {b} on Friday, then gave {c} of all the {things} to {place}. What remains?",
    "Yesterday {who} counted {a} {things}. Today {b} arrive at {place}, but {c} turn out broken. How many good ones?",
    "For {place}, {who} packs {a} {things} and another {b}, then unpacks {c}. How many {things} travel?",
    "{a} {things} belong to {who}. After {b} new ones come from {place}, {c} are sold. How many does {who} own now?",
)
WHO = ("Amal", "Bram", "Chidi", "Dora", "Emre", "Freya", "Goran", "Hana", "Ines", "Jonas", "Kaori", "Luca")
THINGS = ("lamps", "books", "stamps", "kites", "bowls", "coins", "ropes", "maps", "shells", "nails", "pears", "tiles")
PLACES = (
    "a shed",
    "the attic",
    "one drawer",
    "the school",
    "a market",
    "the boat",
    "our cellar",
    "a museum",
    "the camp",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. Example: Row("Amal keeps 9 lamps …", "9+4=13;13-2=11;", "11")."""

    prompt: str
    trace: str
    answer: str


def rows() -> Sequence[Row]:
    random = rng("word problems")
    return [_row(STORIES[i % len(STORIES)], random) for i in range(ROWS)]


def write(path: Path) -> Path:
    """The rows as a JSONL file; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows()), encoding="utf-8")
    return path


def _row(story: str, random: Random) -> Row:
    a, b = random.randrange(5, 50), random.randrange(2, 30)
    c = random.randrange(1, a)
    who, things, place = random.choice(WHO), random.choice(THINGS), random.choice(PLACES)
    prompt = story.format(who=who, things=things, place=place, a=a, b=b, c=c)
    return Row(prompt, f"{a}+{b}={a + b};{a + b}-{c}={a + b - c};", str(a + b - c))
