"""Derivations in propositional calculus as trees of rules, and the Metamath proofs that they are. A helper, no task.

A tree says which rule is applied to the results of which other trees; what is put for the variables follows by
unification, as in Meredith's condensed detachment: the tree's result is the most general statement that it proves (its
principal type), or there is none. Formulas are those of implication and negation, written as in the database that the
package ships.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from earnest.verifiers.proof.database import Assertion, Expression

Formula: TypeAlias = "str | int | tuple[Formula, ...]"
"""A variable of the database, an unknown of unification, ("~", a) or ("->", a, b)."""
IMPLIES, NOT = "->", "~"


@dataclass(frozen=True, slots=True)
class Rule:
    """An assertion as a rule of inference. Example: Rule("mp", ("p", "q"), ("p", ("->", "p", "q")), "q")."""

    label: str
    variables: tuple[str, ...]  # in the order in which a proof names what is put for them
    premises: tuple[Formula, ...]
    conclusion: Formula


@dataclass(frozen=True, slots=True)
class Tree:
    """A rule applied to what other trees prove, one for each premise."""

    rule: Rule
    children: tuple[Tree, ...] = ()

    @property
    def size(self) -> int:
        """Rules in it."""
        return 1 + sum(child.size for child in self.children)


@dataclass(frozen=True, slots=True)
class Derived:
    """What a tree proves, variables named in the order of their first appearance, and the labels of the proof."""

    statement: Formula
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Syntax:
    """Labels of the statements that build formulas, and variables in the order in which they are to be used."""

    variables: Mapping[str, str]  # variable -> label of its $f
    implication: str
    negation: str

    def write(self, formula: Formula) -> list[str]:
        """The labels that put a formula on the stack."""
        if isinstance(formula, str):
            return [self.variables[formula]]
        assert isinstance(formula, tuple), formula
        parts = [label for part in formula[1:] for label in self.write(part)]
        return [*parts, self.implication if formula[0] == IMPLIES else self.negation]


def rule(assertion: Assertion) -> Rule:
    """The rule that an assertion of the shipped database is."""
    essentials = [h for h in assertion.hypotheses if not h.floating]
    variables = tuple(h.symbols[1] for h in assertion.hypotheses if h.floating)
    premises = tuple(read(h.symbols[1:]) for h in essentials)
    return Rule(assertion.label, variables, premises, read(assertion.symbols[1:]))


def read(symbols: Expression) -> Formula:
    """Example: ("(", "p", "->", "~", "q", ")") -> ("->", "p", ("~", "q")). Asserts that it is a formula."""
    formula, end = _read(symbols, 0)
    assert end == len(symbols), symbols
    return formula


def _read(symbols: Expression, at: int) -> tuple[Formula, int]:
    if symbols[at] == NOT:
        inner, end = _read(symbols, at + 1)
        return (NOT, inner), end
    if symbols[at] != "(":
        return symbols[at], at + 1
    left, middle = _read(symbols, at + 1)
    assert symbols[middle] == IMPLIES, symbols
    right, end = _read(symbols, middle + 1)
    assert symbols[end] == ")", symbols
    return (IMPLIES, left, right), end + 1


def text(formula: Formula) -> str:
    """Example: ("->", "p", ("~", "q")) -> "( p -> ~ q )"."""
    if not isinstance(formula, tuple):
        return str(formula)
    if formula[0] == NOT:
        return f"{NOT} {text(formula[1])}"
    return f"( {text(formula[1])} {IMPLIES} {text(formula[2])} )"


def derive(tree: Tree, syntax: Syntax) -> Derived | None:
    """What the tree proves; None if its rules do not fit together, or need more variables than there are."""
    unifier = _Unifier()
    placed = unifier.place(tree)
    if placed is None:
        return None
    free, letters = unifier.unknowns_of(placed.conclusion), [*syntax.variables]
    if len(free) > len(letters):
        return None
    named: dict[int, str] = dict(zip(free, letters, strict=False))
    other = letters[0]  # what appears in no result may be anything
    return Derived(
        unifier.resolved(placed.conclusion, named, other), tuple(_labels(placed, unifier, syntax, named, other))
    )


def is_instance(formula: Formula, of: Formula) -> bool:
    """Whether a formula is what another becomes when formulas are put for its variables."""
    return _matches(of, formula, {})


def _matches(pattern: Formula, formula: Formula, by: dict[str, Formula]) -> bool:
    if isinstance(pattern, str):
        return by.setdefault(pattern, formula) == formula
    assert isinstance(pattern, tuple), pattern
    if not isinstance(formula, tuple) or formula[0] != pattern[0]:
        return False
    return all(_matches(p, f, by) for p, f in zip(pattern[1:], formula[1:], strict=True))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A tree whose rules have unknowns of their own for their variables."""

    rule: Rule
    put: tuple[int, ...]
    conclusion: Formula
    children: tuple[_Placed, ...]


class _Unifier:
    """Unknowns and what is known of them."""

    def __init__(self) -> None:
        self.bound: dict[int, Formula] = {}
        self.count = 0

    def place(self, tree: Tree) -> _Placed | None:
        children: list[_Placed] = []
        for child in tree.children:
            placed = self.place(child)
            if placed is None:
                return None
            children.append(placed)
        put = tuple(range(self.count, self.count + len(tree.rule.variables)))
        self.count += len(put)
        by: dict[str, int] = dict(zip(tree.rule.variables, put, strict=True))
        for premise, child in zip(tree.rule.premises, children, strict=True):
            if not self.unify(_renamed(premise, by), child.conclusion):
                return None
        return _Placed(tree.rule, put, _renamed(tree.rule.conclusion, by), tuple(children))

    def unify(self, a: Formula, b: Formula) -> bool:
        a, b = self._found(a), self._found(b)
        if a == b:
            return True
        if isinstance(a, int) or isinstance(b, int):
            unknown, value = (a, b) if isinstance(a, int) else (b, a)
            assert isinstance(unknown, int)
            if unknown in self.unknowns_of(value):
                return False
            self.bound[unknown] = value
            return True
        if isinstance(a, str) or isinstance(b, str) or a[0] != b[0]:
            return False
        return all(self.unify(x, y) for x, y in zip(a[1:], b[1:], strict=True))

    def unknowns_of(self, formula: Formula) -> dict[int, None]:
        """In the order of their first appearance."""
        formula = self._found(formula)
        if isinstance(formula, int):
            return {formula: None}
        found: dict[int, None] = {}
        for part in formula[1:] if isinstance(formula, tuple) else ():
            found |= self.unknowns_of(part)
        return found

    def resolved(self, formula: Formula, named: Mapping[int, str], other: str) -> Formula:
        formula = self._found(formula)
        if isinstance(formula, int):
            return named.get(formula, other)
        if isinstance(formula, str):
            return formula
        return (formula[0], *(self.resolved(part, named, other) for part in formula[1:]))

    def _found(self, formula: Formula) -> Formula:
        while isinstance(formula, int) and formula in self.bound:
            formula = self.bound[formula]
        return formula


def _renamed(formula: Formula, by: Mapping[str, int]) -> Formula:
    if isinstance(formula, str):
        return by.get(formula, formula)
    assert isinstance(formula, tuple), formula
    return (formula[0], *(_renamed(part, by) for part in formula[1:]))


def _labels(placed: _Placed, unifier: _Unifier, syntax: Syntax, named: Mapping[int, str], other: str) -> Sequence[str]:
    put = [label for unknown in placed.put for label in syntax.write(unifier.resolved(unknown, named, other))]
    proofs = [label for child in placed.children for label in _labels(child, unifier, syntax, named, other)]
    return [*put, *proofs, placed.rule.label]
