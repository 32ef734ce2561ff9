"""The theorems of a Metamath database as problems: prove what the database proves, from what stands before it.

The public databases are https://github.com/metamath/set.mm (mostly CC0) and Debian's package `metamath-databases`.
`ql.mm`, quantum logic with 1,138 theorems, is read from `verify/metamath` beside $EARNEST_DATA unless the recipe names
another file; then the verifier needs the folder too: `verifier: {name: proof, databases: FOLDER}`.

Sides are stretches of the file: the last fifth of all theorems is for test, the tenth before it for dev, the rest for
train. What may be used in a proof stands before it, so that no training question names a theorem that is asked in dev
or test, and variants of a theorem, which stand side by side, are mostly on one side. Later theorems are harder: compare
within a split. A theorem said again on another side, but for the names of its variables, is dropped from the earlier
side, as are questions that are alike when numbers are masked. The side of a theorem does not depend on the settings, so
`max_steps` can grow from stage to stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from earnest.component import DataPath, digest
from earnest.errors import DataError
from earnest.tasks.base import Task
from earnest.tasks.clusters import masked
from earnest.tasks.proving import Known, gold, no_proofs, question
from earnest.tasks.rows import stamp
from earnest.types import Problem, Solution, Split
from earnest.verifiers import golds
from earnest.verifiers.proof.database import Assertion, read
from earnest.verifiers.proof.expand import proof

TRAIN, DEV = 0.7, 0.8
"""Where train and dev end, as a share of all theorems of the file."""


class Metamath(Task):
    """Proofs of a database's theorems."""

    templated: ClassVar[bool] = True

    path: DataPath = Field("$EARNEST_DATA/../verify/metamath/ql.mm", validate_default=True)
    """The database."""
    max_steps: int = Field(100, ge=1)
    """Theorems whose proof in the database has at most this many labels."""
    distractors: int = Field(4, ge=0, le=50)
    """Statements listed in a question that the database's proof does not use."""

    def files(self) -> tuple[Path, ...]:
        return (Path(self.path),)

    @property
    def verifier_name(self) -> str:
        return "proof"

    def problems(self, split: Split) -> Sequence[Problem]:
        found = self._corpus().splits[split]
        if not found:
            raise DataError(
                f"the {split} split is empty", where=self.path, why=f"no theorem has a proof of at most {self.max_steps} labels",
                remedy="a larger `max_steps`, or a larger database",
            )  # fmt: skip
        return found

    def gold(self, problem: Problem) -> Solution:
        return gold(problem)

    def wrong(self, problem: Problem) -> list[Solution]:
        """The theorem itself, and its proof with a label more or less, twice, or unfinished."""
        label = problem.meta["label"]
        assert isinstance(label, str), problem
        return no_proofs(read(Path(self.path)), self.gold(problem).answer.split(), label)

    def notices(self) -> Sequence[str]:
        return self._corpus().notices

    def _corpus(self) -> _Theorems:
        file = Path(self.path)
        return _read(file, self.max_steps, self.distractors, stamp(file))


@dataclass(frozen=True, slots=True)
class _Theorems:
    splits: dict[Split, tuple[Problem, ...]]
    notices: tuple[str, ...]


@lru_cache(maxsize=8)
def _read(file: Path, max_steps: int, distractors: int, changed: int) -> _Theorems:
    """changed: when the file was, so that another content is read anew."""
    database = read(file)
    theorems = database.theorems
    known: list[_Side] = []
    for place, theorem in enumerate(theorems):
        labels = proof(database, theorem, max_steps)
        if labels is not None:
            share = place / len(theorems)
            found = Known(database, theorem.symbols, theorem.order, theorem.hypotheses, theorem.distinct, labels)
            problem = _problem(file.name, theorem.label, found, distractors)
            known.append(
                _Side("train" if share < TRAIN else "dev" if share < DEV else "test", _canonical(theorem), problem)
            )
    splits = _divided(known)
    dropped = len(known) - sum(map(len, splits.values()))
    told = [
        f"{len(theorems) - len(known)} of {len(theorems)} theorems left out: their proof has more than {max_steps} labels"
    ]
    told += [f"{dropped} theorems dropped: said again, or in a held-out split alike but for numbers"] if dropped else []
    return _Theorems(splits, tuple(told))


@dataclass(frozen=True, slots=True)
class _Side:
    """A problem, where it stands, and its statement whatever its variables are called."""

    split: Split
    statement: str
    problem: Problem


def _divided(known: Sequence[_Side]) -> dict[Split, tuple[Problem, ...]]:
    held: tuple[Split, ...] = ("test", "dev", "train")
    seen: set[str] = set()  # statements, and masked questions of the splits before
    splits: dict[Split, tuple[Problem, ...]] = {}
    for split in held:
        mine: list[Problem] = []
        for entry in known:
            if entry.split == split and seen.isdisjoint((entry.statement, masked(entry.problem.question))):
                seen.add(entry.statement)
                mine.append(entry.problem)
        seen |= {masked(problem.question) for problem in mine}
        splits[split] = tuple(mine)
    return splits


def _problem(file: str, label: str, known: Known, distractors: int) -> Problem:
    prompt = question(known, distractors)
    return Problem(
        id=f"metamath/{label}-{digest(prompt)[:8]}",
        task="metamath",
        prompt=prompt,
        answer=golds.write({"system": "metamath", "db": file, "label": label, "statement": " ".join(known.symbols)}),
        meta={
            "difficulty": known.difficulty, "steps": len(known.labels), "label": label, "proof": " ".join(known.labels),
        },
    )  # fmt: skip


def _canonical(theorem: Assertion) -> str:
    """Hypotheses and statement, variables named by their type and the order of their first appearance."""
    types = {h.symbols[1]: h.symbols[0] for h in theorem.hypotheses if h.floating}
    names: dict[str, str] = {}
    said: list[str] = []
    for symbols in (*(h.symbols for h in theorem.hypotheses if not h.floating), theorem.symbols):
        said += [names.setdefault(s, f"{types[s]}.{len(names)}") if s in types else s for s in symbols]
        said.append("&")
    return " ".join(said)
