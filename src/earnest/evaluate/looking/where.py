"""Conditions that a user types: `reward == 0 and not truncated`. Read with Python's grammar, never run by Python.

The expression is parsed to a syntax tree, every node of which must be one of a few kinds, and turned into closures; there
are no calls, no attributes and no arithmetic. What names mean is the caller's: it hands in each field's type, so that a
misspelt name or a comparison that can never hold is an error before anything is read.

A field may have no value (None). It equals only `None`, and no order comparison and no `in` holds for it.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from earnest.errors import ConfigError, nearest

Kind: TypeAlias = Literal["number", "text", "truth", "numbers", "none"]
"""`numbers` is a table of numbers by name, such as the parts of a reward: parts["format"] is a number."""
Scalar: TypeAlias = "bool | float | str | None"
Value: TypeAlias = "Scalar | Mapping[str, float]"
Row: TypeAlias = Mapping[str, Value]
LONGEST = 1_000
"""Characters of an expression; more is no condition a person typed, and would nest too deeply."""

_ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EXAMPLE = 'for example "reward == 0 and not truncated", "tokens > 200", "status in (\'limit\', \'error\')"'


@dataclass(frozen=True, slots=True)
class Field:
    """What an expression may ask of a name. words: every value that a text can have; empty: any."""

    kind: Kind
    doc: str
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression."""

    text: str
    holds: Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of an expression: its type, and its value for a row."""

    kind: Kind
    value: Callable[[Row], Value]
    field: Field | None = None
    constant: Value = None  # of a literal


def condition(text: str, fields: Mapping[str, Field], where: str) -> Condition:
    """The condition that an expression says. Raises ConfigError, at `where`, with the nearest name for an unknown one."""
    if len(text) > LONGEST:
        raise ConfigError("the condition is too long", where=where, why=f"more than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigError(f"not a condition: {text}", where=where, why=why, remedy=_EXAMPLE) from None
    compiled = _Reader(fields, where).part(tree.body)
    if compiled.kind != "truth":
        raise ConfigError(
            f"not a condition: {text}", where=where, why=f"it is a {compiled.kind}, neither true nor false",
            remedy="compare it with something",
        )  # fmt: skip
    return Condition(text, lambda row: bool(compiled.value(row)))


@dataclass(frozen=True, slots=True)
class _Reader:
    fields: Mapping[str, Field]
    where: str

    def part(self, node: ast.expr) -> _Part:
        match node:
            case ast.BoolOp():
                return self._joined(node)
            case ast.UnaryOp(op=ast.Not()):
                inner = self._truth(node.operand).value
                return _Part("truth", lambda row: not inner(row))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return self._literal(-number)
            case ast.Constant(value=bool() | int() | float() | str() | None as literal):
                return self._literal(literal)
            case ast.Compare():
                return self._compared(node)
            case ast.Name():
                return self._named(node.id)
            case ast.Subscript(value=ast.Name() as table, slice=ast.Constant(value=str() as key)):
                return self._entry(table, key)
        raise ConfigError(
            f"a condition cannot hold '{ast.unparse(node)}'", where=self.where,
            why="only fields, numbers, strings, comparisons, `in`, and, or, not", remedy=_EXAMPLE,
        )  # fmt: skip

    def _joined(self, node: ast.BoolOp) -> _Part:
        values = [self._truth(item).value for item in node.values]
        if isinstance(node.op, ast.And):
            return _Part("truth", lambda row: all(value(row) for value in values))
        return _Part("truth", lambda row: any(value(row) for value in values))

    def _truth(self, node: ast.expr) -> _Part:
        part = self.part(node)
        if part.kind != "truth":
            raise ConfigError(
                f"'{ast.unparse(node)}' is a {part.kind}, neither true nor false", where=self.where,
                remedy=f'compare it, as in "{ast.unparse(node)} == …"',
            )  # fmt: skip
        return part

    def _literal(self, value: Scalar) -> _Part:
        return _Part(_kind(value), lambda row: value, constant=value)

    def _named(self, name: str) -> _Part:
        if name not in self.fields:
            raise ConfigError(f"unknown field '{name}'", where=self.where, remedy=nearest(name, self.fields))
        field = self.fields[name]
        return _Part(field.kind, lambda row: row[name], field)

    def _entry(self, table: ast.Name, key: str) -> _Part:
        whole = self._named(table.id)
        if whole.kind != "numbers":
            raise ConfigError(f"'{table.id}' has no parts", where=self.where, why=f"it is a {whole.kind}")
        name = table.id

        def value(row: Row) -> Value:
            entries = row[name]
            return entries.get(key) if isinstance(entries, Mapping) else None

        return _Part("number", value)

    def _compared(self, node: ast.Compare) -> _Part:
        tests: list[Callable[[Row], bool]] = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            tests.append(self._test(left, op, right))
            left = right
        return _Part("truth", lambda row: all(test(row) for test in tests))

    def _test(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Callable[[Row], bool]:
        shown = f"{ast.unparse(left)} {_SIGNS[type(op)]} {ast.unparse(right)}"
        if isinstance(op, ast.In | ast.NotIn):
            return self._within(self.part(left), right, shown, wanted=isinstance(op, ast.In))
        a, b = self.part(left), self.part(right)
        self._check_words(a, b)
        if isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
            self._must(shown, "none" in (a.kind, b.kind) or a.kind == b.kind, a, b)
            same = isinstance(op, ast.Eq | ast.Is)
            return lambda row: (a.value(row) == b.value(row)) is same
        order = _ORDER[type(op)]
        self._must(shown, a.kind == b.kind and a.kind in ("number", "text"), a, b)

        def ordered(row: Row) -> bool:
            x, y = a.value(row), b.value(row)
            return x is not None and y is not None and order(x, y)

        return ordered

    def _within(self, a: _Part, right: ast.expr, shown: str, *, wanted: bool) -> Callable[[Row], bool]:
        if isinstance(right, ast.Tuple | ast.List):
            items = [self.part(item) for item in right.elts]
            for item in items:
                self._must(shown, item.field is None and item.kind == a.kind, a, item)
                self._check_words(a, item)
            among = tuple(item.constant for item in items)
            return lambda row: (a.value(row) in among) is wanted
        b = self.part(right)
        self._must(shown, a.kind == b.kind == "text", a, b)

        def inside(row: Row) -> bool:
            x, y = a.value(row), b.value(row)
            return isinstance(x, str) and isinstance(y, str) and (x in y) is wanted

        return inside

    def _must(self, shown: str, fits: bool, a: _Part, b: _Part) -> None:
        if not fits:
            raise ConfigError(
                f"cannot compare: {shown}", where=self.where, why=f"a {a.kind} and a {b.kind}", remedy=_EXAMPLE
            )

    def _check_words(self, a: _Part, b: _Part) -> None:
        for field, word in ((a.field, b.constant), (b.field, a.constant)):
            if field is not None and field.words and isinstance(word, str) and word not in field.words:
                raise ConfigError(f"'{word}' never occurs there", where=self.where, remedy=nearest(word, field.words))


def _kind(value: Scalar) -> Kind:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


_SIGNS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
