"""Metamath's side of the proof verifier: which theorem a gold means, and whether an answer proves it.

The answer is a normal proof, a list of labels and nothing else. A compressed proof is refused, as is whatever declares,
includes or comments: one form is enough, and the smaller the language of answers, the less can go wrong in reading it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from earnest.errors import DataError
from earnest.types import Status, Verdict
from earnest.verifiers.proof import check
from earnest.verifiers.proof.check import Target
from earnest.verifiers.proof.database import Assertion, Database, read
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import quoted, right, unanswered, wrong

SHIPPED = Path(__file__).with_name("propositional.mm")
"""A small database of this project's own: implication and negation."""
MAX_CHARS = 500_000

_LABELS = re.compile(r"[A-Za-z0-9._\s-]*+")


def target(gold: Mapping[str, Any], folder: str | None) -> Target | Refused:
    """What a gold asks to prove. Without a label: the statement, after all else in the database and without hypotheses."""
    unknown = gold.keys() - {"system", "db", "label", "statement"}
    if unknown:
        return Refused(f"unknown key '{min(unknown)}'")
    name, label, statement = gold.get("db"), gold.get("label"), gold.get("statement")
    if not isinstance(name, str) or Path(name).name != name:
        return Refused("'db' must be the name of a file")
    if not isinstance(statement, str) or not statement.strip():
        return Refused("'statement' must be the statement to prove")
    if label is not None and not isinstance(label, str):
        return Refused("'label' must be the label of a theorem")
    file = SHIPPED if name == SHIPPED.name else Path(folder) / name if folder else None
    if file is None or not file.is_file():
        where = f"in {folder}" if folder else "and no folder was named"
        return Refused(
            f"no database {name} {where}: give the verifier proof `databases: FOLDER`, the folder that has it"
        )
    try:
        return _target(read(file), label, statement)
    except DataError as error:
        return Refused(f"{error.what}: {error.why}")


@lru_cache(maxsize=4096)
def _target(database: Database, label: str | None, statement: str) -> Target | Refused:
    symbols = tuple(statement.split())
    if label is None:
        typed = {
            s.symbols[1]
            for s in database.statements.values()
            if not isinstance(s, Assertion) and s.floating and not s.scope
        }
        strange = [s for s in symbols if s not in database.constants and s not in typed]
        if strange or symbols[0] not in database.constants:
            return Refused(
                f"'{(strange or symbols)[0][:40]}' in the statement is no symbol of the database, or not in its place"
            )
        return check.new_theorem(database, symbols)
    found = database.statements.get(label)
    if not isinstance(found, Assertion) or found.proof is None:
        return Refused(f"the database has no theorem {label[:40]}")
    if found.symbols != symbols:
        return Refused(f"the database's {label[:40]} states another thing: {quoted(' '.join(found.symbols))}")
    return check.theorem(database, found)


def grade(goal: Target, proof: str) -> Verdict:
    """The verdict on the text of a proof."""
    extracted = quoted(proof)
    if len(proof) > MAX_CHARS:
        return unanswered(Status.LIMIT, f"more than {MAX_CHARS:,} characters", extracted)
    if not _LABELS.fullmatch(proof):
        return unanswered(Status.NO_ANSWER, "not a list of labels", extracted)
    fault = check.check(goal, proof.split())
    if fault is None:
        return right(extracted)
    return unanswered(Status.LIMIT, fault.reason, extracted) if fault.limit else wrong(extracted, fault.reason)
