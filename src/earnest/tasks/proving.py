"""What tasks that ask for a Metamath proof share: the text of a question, and answers near a proof that are none.

A helper, no task.

A question lists what may be used: the hypotheses, what the known proof uses, and as many other statements that stand
before the theorem as the task wants, drawn by a seed from the question itself. Whatever else of the database a proof
uses is as good, since the verifier knows all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earnest.seeding import rng
from earnest.types import Problem, Solution
from earnest.verifiers.proof.database import Assertion, Database, Expression, Hypothesis

TASK = """\
Prove a statement in the formal system below. A proof is a list of labels, read from left to right with a stack of \
statements. A label takes what stands before its "=>" from the top of the stack, in that order, and puts what stands \
after it there; its variables may stand for any expressions, the same ones throughout. A label without "=>" puts its \
statement there as it is. At the end the statement to prove must be on the stack and nothing else. Answer with the \
labels, separated by spaces, and nothing else.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A statement with a proof. Example: Known(database, ("|-", ...), 57, (), ("vp", ..., "mp"))."""

    database: Database
    symbols: Expression
    order: int  # the proof may use what has a smaller one
    hypotheses: tuple[Hypothesis, ...]  # its mandatory ones
    distinct: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]

    @property
    def difficulty(self) -> int:
        """How many axioms and theorems the known proof applies; what only builds a formula does not count."""
        used = (self.database.statements[label] for label in self.labels)
        return sum(isinstance(s, Assertion) and s.symbols[0] == self.symbols[0] for s in used)


def question(known: Known, distractors: int) -> str:
    """The prompt. distractors: statements in it that the known proof does not use."""
    statements = known.database.statements
    shown = {label: statements[label] for label in (*known.labels, *(h.label for h in known.hypotheses))}
    others = [
        s
        for s in statements.values()
        if isinstance(s, Assertion)
        and s.order < known.order
        and s.symbols[0] == known.symbols[0]
        and s.label not in shown
    ]
    random = rng("proving", " ".join(known.symbols), *known.labels)
    shown |= {s.label: s for s in random.sample(others, min(distractors, len(others)))}
    lines = [TASK, *(line(s) for s in sorted(shown.values(), key=lambda s: s.order))]
    return "\n".join([*lines, "", f"Prove: {' '.join(known.symbols)}{_apart(known.distinct)}"])


def line(statement: Hypothesis | Assertion) -> str:
    """Example: "mp: wff p & wff q & |- p & |- ( p -> q ) => |- q"."""
    said = " ".join(statement.symbols)
    if isinstance(statement, Hypothesis):
        return f"{statement.label}: {said}"
    premises = " & ".join(" ".join(h.symbols) for h in statement.hypotheses)
    return f"{statement.label}: {premises + ' => ' if premises else ''}{said}{_apart(statement.distinct)}"


def _apart(pairs: Sequence[tuple[str, str]]) -> str:
    said = ", ".join(f"{a} and {b}" for a, b in pairs)
    return f"   (no variable in common: {said})" if said else ""


def no_proofs(database: Database, labels: Sequence[str], own: str) -> list[Solution]:
    """Answers near a proof that cannot prove anything, by counting alone. own: the label of the theorem itself.

    A label that needs n statements makes the stack 1 - n higher, and a proof leaves one: so leaving out or repeating a label that
    needs another number than one breaks it, whatever the labels mean.
    """
    proof = " ".join(labels)
    last = database.statements[labels[-1]]
    needs = len(last.hypotheses) if isinstance(last, Assertion) else 0
    answers = [own, "?", f"{proof} {labels[0]}", f"{proof} {proof}", f"{proof} ?", f"$= {proof} $.", f"( {proof} ) ABC"]
    answers += [f"{proof} {labels[-1]}", " ".join(labels[:-1])] if needs != 1 else []
    answers += [" ".join([*labels[:-1], f"{labels[-1]}-unheard-of"])]
    return [Solution("", answer) for answer in dict.fromkeys(answers) if answer != proof]


def gold(problem: Problem) -> Solution:
    """The known proof, from the problem's meta data."""
    proof = problem.meta["proof"]
    assert isinstance(proof, str), problem
    return Solution("", proof)
