"""The proof that a database gives for one of its theorems, as a plain list of labels.

Most databases keep proofs in the compressed format (Metamath book, appendix B): the labels in parentheses, then letters
that count into the mandatory hypotheses, these labels, and the parts that a `Z` has marked. Nothing here says that a
proof is right.
"""

from __future__ import annotations

from earnest.errors import DataError
from earnest.verifiers.proof.database import Assertion, Database, Hypothesis


def proof(database: Database, theorem: Assertion, most: int) -> tuple[str, ...] | None:
    """The labels of the theorem's proof; None if they are more than `most`, or a step is left open.

    Raises DataError for a proof that cannot be read.
    """
    assert theorem.proof is not None, theorem.label
    tokens = theorem.proof.split()
    if theorem.unfinished:
        return None
    if tokens[0] != "(":
        return tuple(tokens) if len(tokens) <= most else None
    if ")" not in tokens:
        raise _malformed(theorem, "its list of labels does not end")
    end = tokens.index(")")
    labels = [*(h.label for h in theorem.hypotheses), *tokens[1:end]]
    return _expanded(database, theorem, labels, "".join(tokens[end + 1 :]), most)


def _expanded(
    database: Database, theorem: Assertion, labels: list[str], letters: str, most: int
) -> tuple[str, ...] | None:
    written: list[str] = []
    starts: list[int] = []  # where in `written` the proof of each entry of the stack begins
    marked: list[tuple[str, ...]] = []
    number = 0
    for letter in letters:
        if letter == "Z":
            if not starts:
                raise _malformed(theorem, "it marks a part before there is one")
            marked.append(tuple(written[starts[-1] :]))
        elif "U" <= letter <= "Y":
            number = 5 * number + ord(letter) - ord("U") + 1
        elif "A" <= letter <= "T":
            number = 20 * number + ord(letter) - ord("A")
            if number < len(labels):
                if not _wrote(database, labels[number], written, starts):
                    raise _malformed(theorem, f"the step {labels[number]} cannot be taken")
            elif number - len(labels) < len(marked):
                starts.append(len(written))
                written += marked[number - len(labels)]
            else:
                raise _malformed(theorem, "it counts past its labels")
            number = 0
        else:
            raise _malformed(theorem, f"{letter!r} in a compressed proof")
        if len(written) > most:
            return None
    return tuple(written)


def _wrote(database: Database, label: str, written: list[str], starts: list[int]) -> bool:
    """Adds a step; False if there is no such label, or too little on the stack for it."""
    found = database.statements.get(label)
    takes = 0 if isinstance(found, Hypothesis) else len(found.hypotheses) if found else 0
    if found is None or takes > len(starts):
        return False
    start = starts[-takes] if takes else len(written)
    del starts[len(starts) - takes :]
    starts.append(start)
    written.append(label)
    return True


def _malformed(theorem: Assertion, what: str) -> DataError:
    return DataError(f"the database's proof of {theorem.label} is malformed", why=what)
