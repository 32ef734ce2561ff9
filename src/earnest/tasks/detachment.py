"""Theorems of propositional calculus to prove in Metamath, as many as are asked for, each with a known proof.

A problem is made by drawing a tree of rules from the small database that the package ships (axioms, earlier theorems,
detachment and other rules of inference), and is the most general theorem that the tree proves (`derivations.py`).
Nothing is read from disk. The proof is checked by the verifier `proof`, and any proof counts.

The known proof is one of many: `difficulty`, its number of axioms, theorems and rules applied, and `steps`, its labels,
say how long a proof is enough, not how long it must be. A theorem that is an instance of one line of the database is
left out.

Two theorems that differ in the names of their variables are one, and a side of the split is the hash of a theorem: a
theorem is on one side only, whichever proofs of it there are. What can be a special case of a training problem is in
test all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from random import Random
from typing import ClassVar

from pydantic import Field

from earnest.component import digest
from earnest.seeding import rng
from earnest.tasks.base import Task
from earnest.tasks.derivations import Derived, Rule, Syntax, Tree, derive, is_instance, rule, text
from earnest.tasks.generated import LazyProblems, distinct, split_of
from earnest.tasks.proving import Known, gold, no_proofs, question
from earnest.types import Problem, Solution, Split
from earnest.verifiers import golds
from earnest.verifiers.proof.database import Assertion, Database, read
from earnest.verifiers.proof.metamath import SHIPPED

MOST_RULES, LABELS_PER_RULE = 8, 10
"""Trees have two rules or more, each size as often as another, up to as many as `max_steps` has room for."""
PATIENCE = 50
"""Trees of one size that are drawn before another size is: fewer of the large ones fit together."""
MOST_SYMBOLS = 40
"""Symbols in a theorem: one that nobody can read teaches little."""
_FORMULA, _PROVED = "wff", "|-"


class Detachment(Task):
    """Proofs from axioms, theorems and rules; a tenth of all theorems, by hash, is kept for dev and a tenth for test."""

    templated: ClassVar[bool] = True

    max_steps: int = Field(60, ge=30)
    """Labels in the longest known proof."""
    distractors: int = Field(3, ge=0, le=50)
    """Statements listed in a question that the known proof does not use."""
    train_size: int = Field(1_000_000, ge=1)
    """Training problems, made when asked for. Each is a draw of its own, so short ones repeat."""
    dev_size: int = Field(100, ge=1, le=500)
    """Problems of the dev split, all different."""
    test_size: int = Field(200, ge=1, le=500)
    """Problems of the test split, all different."""

    @property
    def verifier_name(self) -> str:
        return "proof"

    def problems(self, split: Split) -> Sequence[Problem]:
        if split == "train":
            return LazyProblems(self.train_size, self._train)
        return _held_out(self.max_steps, self.distractors, split, self.dev_size if split == "dev" else self.test_size)

    def gold(self, problem: Problem) -> Solution:
        return gold(problem)

    def wrong(self, problem: Problem) -> list[Solution]:
        """The proof with a label more or less, twice, or unfinished; and the labels that build the formula and prove nothing."""
        labels = self.gold(problem).answer.split()
        formula = problem.meta["formula"]
        return [*no_proofs(read(SHIPPED), labels, "theorem"), Solution("", str(formula))]

    def _train(self, index: int) -> Problem:
        seed = rng("detachment", self.max_steps, "train", index)
        return _problem(_draw(self.max_steps, "train", seed), self.distractors)


@lru_cache(maxsize=32)
def _held_out(max_steps: int, distractors: int, split: Split, size: int) -> tuple[Problem, ...]:
    return distinct(
        size,
        lambda i: _problem(_draw(max_steps, split, rng("detachment", max_steps, split, i)), distractors),
        key=lambda problem: problem.answer,  # another proof of a theorem would list other statements
    )


def _draw(max_steps: int, split: Split, random: Random) -> Derived:
    """A theorem of this split."""
    _, by_premises, syntax = _system()
    closed = by_premises[0]
    while True:
        size = random.randint(2, min(MOST_RULES, max_steps // LABELS_PER_RULE))
        for _ in range(PATIENCE):
            found = derive(_tree(size, by_premises, random), syntax)
            if found is None or len(found.labels) > max_steps:
                continue
            statement = text(found.statement)
            if len(statement.split()) > MOST_SYMBOLS or split_of(statement) != split:
                continue
            if not any(is_instance(found.statement, known.conclusion) for known in closed):
                return found


def _tree(size: int, by_premises: Sequence[Sequence[Rule]], random: Random) -> Tree:
    """A tree of this many rules; which of them fit together is found out later."""
    premises = 0 if size == 1 else 1 if size == 2 else random.choice((1, 2))
    sizes = [size - 1] if premises == 1 else []
    if premises == 2:
        first = random.randint(1, size - 2)
        sizes = [first, size - 1 - first]
    return Tree(random.choice(by_premises[premises]), tuple(_tree(n, by_premises, random) for n in sizes))


def _problem(found: Derived, distractors: int) -> Problem:
    database, _, syntax = _system()
    symbols = (_PROVED, *text(found.statement).split())
    order = 1 + max(s.order for s in database.statements.values())
    known = Known(database, symbols, order, (), (), found.labels)
    prompt = question(known, distractors)
    return Problem(
        id=f"detachment/{digest(prompt)[:12]}",
        task="detachment",
        prompt=prompt,
        answer=golds.write({"system": "metamath", "db": SHIPPED.name, "statement": " ".join(symbols)}),
        meta={
            "difficulty": known.difficulty,
            "steps": len(found.labels),
            "proof": " ".join(found.labels),
            "formula": " ".join(syntax.write(found.statement)),
        },
    )


@cache
def _system() -> tuple[Database, tuple[tuple[Rule, ...], ...], Syntax]:
    """The shipped database; its rules with no, one and two premises; and how it writes formulas."""
    database = read(SHIPPED)
    assertions = [s for s in database.statements.values() if isinstance(s, Assertion)]
    rules = [rule(a) for a in assertions if a.symbols[0] == _PROVED]
    variables = {
        s.symbols[1]: s.label for s in database.statements.values() if not isinstance(s, Assertion) and s.floating
    }
    formulas = {len(a.hypotheses): a.label for a in assertions if a.symbols[0] == _FORMULA}
    by_premises = tuple(tuple(r for r in rules if len(r.premises) == n) for n in range(3))
    return database, by_premises, Syntax(variables, implication=formulas[2], negation=formulas[1])
