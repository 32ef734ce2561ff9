"""Checks a Metamath proof: a list of labels that, read from left to right, must leave exactly the statement on a stack.

The rules are those of section 4.2 of the Metamath book. Nothing is executed, and a proof can only use what stands
before its theorem: not the theorem itself, nothing later, no hypothesis of another statement, no theorem whose own
proof is unfinished.

Limits: MAX_STEPS labels, MAX_SYMBOLS symbols in one expression, MAX_WORK symbols written and compared in all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earnest.verifiers.proof.database import Assertion, Database, Expression, Hypothesis

MAX_STEPS = 50_000
MAX_SYMBOLS = 10_000
MAX_WORK = 4_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a list of labels is no proof. limit: it is too large to look at."""

    reason: str
    limit: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A statement to prove and the place in the database at which it is to be proved."""

    database: Database
    symbols: Expression
    order: int
    scopes: frozenset[int]
    partners: Mapping[str, frozenset[str]]  # variable -> those it may be taken to differ from


def theorem(database: Database, found: Assertion) -> Target:
    """A theorem of the database as a target: with its own hypotheses and distinct variables."""
    scopes = frozenset(found.scopes)
    return Target(database, found.symbols, found.order, scopes, _partners(database, found.order, scopes))


def new_theorem(database: Database, symbols: Expression) -> Target:
    """A statement without hypotheses that is to be proved after all else in the database."""
    scopes = frozenset([0])
    order = 1 + max((s.order for s in database.statements.values()), default=0)
    return Target(database, symbols, order, scopes, _partners(database, order, scopes))


def _partners(database: Database, order: int, scopes: frozenset[int]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for statement in database.distinct:
        if statement.order < order and statement.scope in scopes:
            for variable in statement.variables:
                found[variable] = found.get(variable, frozenset()) | (statement.variables - {variable})
    return found


def check(target: Target, labels: Sequence[str]) -> Fault | None:
    """None if the labels prove the target."""
    if len(labels) > MAX_STEPS:
        return Fault(f"more than {MAX_STEPS:,} steps", limit=True)
    run = _Run(target)
    for place, label in enumerate(labels, start=1):
        fault = run.step(label)
        if fault is not None:
            return Fault(f"step {place}, {label[:40]}: {fault.reason}", fault.limit)
    if len(run.stack) != 1:
        return Fault(f"{len(run.stack)} statements are left, not one")
    return None if run.stack[0] == target.symbols else Fault("proves another statement")


class _Run:
    """One proof being read: the stack, and what has been spent."""

    def __init__(self, target: Target) -> None:
        self.target, self.statements = target, target.database.statements
        self.stack: list[Expression] = []
        self.work = 0

    def step(self, label: str) -> Fault | None:
        found = self.statements.get(label)
        if found is None:
            return Fault("unknown label")
        if found.order >= self.target.order:
            return Fault("does not stand before the theorem")
        if isinstance(found, Hypothesis):
            if found.scope not in self.target.scopes:
                return Fault("a hypothesis of another statement")
            self.stack.append(found.symbols)
            return None
        return Fault("its own proof is unfinished") if found.unfinished else self._apply(found)

    def _apply(self, assertion: Assertion) -> Fault | None:
        stack, hypotheses = self.stack, assertion.hypotheses
        base = len(stack) - len(hypotheses)
        if base < 0:
            return Fault(f"takes {len(hypotheses)} statements, {len(stack)} are there")
        by: dict[str, Expression] = {}
        for hypothesis, given in zip(hypotheses, stack[base:], strict=True):
            symbols = hypothesis.symbols
            if hypothesis.floating:
                if given[0] != symbols[0]:
                    return Fault(f"takes a {symbols[0]} for {symbols[1]}, was given a {given[0]}")
                by[symbols[1]] = given[1:]
            elif _size(symbols, by) != len(given) or _substituted(symbols, by) != given:
                return Fault(f"its hypothesis {hypothesis.label} is not what was given")
            self.work += len(given)
        size = _size(assertion.symbols, by)
        self.work += size + 1
        if size > MAX_SYMBOLS or self.work > MAX_WORK:
            return Fault("too much to write down", limit=True)
        if assertion.distinct:
            fault = self._distinct(assertion, by)
            if fault is not None:
                return fault
        stack[base:] = [_substituted(assertion.symbols, by)]
        return None

    def _distinct(self, assertion: Assertion, by: Mapping[str, Expression]) -> Fault | None:
        variables, partners = self.target.database.variables, self.target.partners
        inside = {v: variables.intersection(by[v]) for pair in assertion.distinct for v in pair}
        for x, y in assertion.distinct:
            self.work += len(by[x]) + len(by[y])
            for variable in inside[x]:
                self.work += len(inside[y])
                if not inside[y] <= partners.get(variable, frozenset()):
                    return Fault(f"{x} and {y} must be distinct")
        return Fault("too much to compare", limit=True) if self.work > MAX_WORK else None


def _size(symbols: Expression, by: Mapping[str, Expression]) -> int:
    return sum(len(by[s]) if s in by else 1 for s in symbols)


def _substituted(symbols: Expression, by: Mapping[str, Expression]) -> Expression:
    written: list[str] = []
    for symbol in symbols:
        replacement = by.get(symbol)
        if replacement is None:
            written.append(symbol)
        else:
            written += replacement
    return tuple(written)
