"""Grades a proof by checking it: nothing is compared with a model solution, and there is no partial credit.

The gold says what is to be proved. For Metamath, checked here and now by code of our own (`check.py`):

    {"system": "metamath", "db": "ql.mm", "label": "id", "statement": "|- a = a"}

The answer is the list of labels of a normal proof, in a fenced block or alone. `db` is a file in the folder
`databases`, or `propositional.mm`, which the package ships. Without `label`, the statement is to be proved after all
else in the database.

For Coq, a program of the system that is run in the sandbox (`coq.py`):

    {"system": "coq", "header": "Require Import Arith.", "name": "goal", "statement": "forall n : nat, n + 0 = n"}

The answer is the script of tactics. Where there is no Coq, nothing can be graded (status `error`).

It is not for proofs in words.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

from pydantic import BeforeValidator, Field

from earnest.component import DataPath
from earnest.types import Item, Status, Verdict
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Uncommitted
from earnest.verifiers.entry import given
from earnest.verifiers.proof import coq, metamath
from earnest.verifiers.proof.answer import proof_text
from earnest.verifiers.proof.check import Target
from earnest.verifiers.proof.coq import CoqGoal
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import unanswered

Goal: TypeAlias = "Target | CoqGoal"
JOBS = 4
"""Proofs that are put to Coq at the same time, if the machine has the processors."""


BESIDE_THE_DATA = "$EARNEST_DATA/../verify/metamath"


def _if_there(value: object) -> object:
    """None for the default where it is no folder, so that golds of the shipped database need none."""
    return None if value == BESIDE_THE_DATA and not Path(os.path.expandvars(BESIDE_THE_DATA)).is_dir() else value


class Proof(Verifier):
    """A formal proof. Example: gold {"system": "metamath", "db": "demo0.mm", ...} is met by `tt tze tpl tt weq ... mp`."""

    version: ClassVar[str] = "1"

    databases: Annotated[DataPath | None, BeforeValidator(_if_there)] = Field(
        default=BESIDE_THE_DATA, validate_default=True
    )
    """Folder of the Metamath databases that golds name. The default is taken where it is a folder, and is null elsewhere."""

    seconds: float = Field(20.0, gt=0)
    """Seconds of processor time that Coq may take for each of its steps; five times as long on the wall clock."""

    def files(self) -> tuple[Path, ...]:
        return tuple(sorted(Path(self.databases).glob("*.mm"))) if self.databases else ()

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        if not any('"coq"' in (item.problem.answer or "") for item in items):
            return [self._judge(item) for item in items]
        with ThreadPoolExecutor(JOBS) as pool:
            return list(pool.map(self._judge, items))

    def check_gold(self, answer: str) -> str | None:
        goal = self._goal(answer)
        return goal.reason if isinstance(goal, Refused) else None

    def _judge(self, item: Item) -> Verdict:
        found = given(item, self._goal)
        if isinstance(found, Verdict):
            return found
        goal, proof = found.gold, proof_text(found.text)
        if isinstance(proof, Uncommitted):
            return unanswered(Status.NO_ANSWER, proof.reason)
        if not proof:
            return unanswered(Status.NO_ANSWER, "nothing there")
        return coq.grade(goal, proof) if isinstance(goal, CoqGoal) else metamath.grade(goal, proof)

    def _goal(self, answer: str | None) -> Goal | Refused:
        gold = golds.read(answer)
        if isinstance(gold, Refused):
            return gold
        if gold.get("system") == "metamath":
            return metamath.target(gold, self.databases)
        if gold.get("system") == "coq":
            return coq.target(gold, self.seconds)
        return Refused('\'system\' must be "metamath" or "coq"')
