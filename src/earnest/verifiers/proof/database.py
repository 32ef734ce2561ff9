"""Reads a Metamath database: what is declared in a .mm file, and under which hypotheses and distinct-variable
conditions it holds.

The grammar and the rules of scope are those of chapter 4 of the Metamath book (Megill and Wheeler, 2019). A database is
trusted: what does not keep to the rules is refused with its line, and proofs inside are kept as text and not checked
(`check.py` can). Include statements `$[ ... $]` are refused; a database is one file. Time is linear in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from sys import intern
from typing import TypeAlias

from earnest.errors import DataError

Expression: TypeAlias = tuple[str, ...]
"""A typecode, then symbols. Example: ("|-", "(", "p", "->", "p", ")")."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A $f (floating: typecode and variable) or $e statement. Example: Hypothesis("vp", ("wff", "p"), True, 3, 0)."""

    label: str
    symbols: Expression
    floating: bool
    order: int  # place among the statements of the database
    scope: int  # the block that it stands in; 0: the outermost


@dataclass(frozen=True, slots=True)
class Assertion:
    """A $a or $p statement with its mandatory hypotheses, in their order, and its mandatory distinct variables, in pairs."""

    label: str
    symbols: Expression
    hypotheses: tuple[Hypothesis, ...]
    distinct: tuple[tuple[str, str], ...]
    order: int
    scopes: tuple[int, ...]  # the blocks that it stands in, outermost first
    proof: str | None  # None: an axiom
    unfinished: bool  # its proof has a step left open


@dataclass(frozen=True, slots=True)
class Distinct:
    """A $d statement. Example: Distinct(frozenset({"x", "p"}), 12, 3)."""

    variables: frozenset[str]
    order: int
    scope: int


@dataclass(frozen=True, eq=False)
class Database:
    """All statements of a file by label, in their order. Equal to itself alone, so that it can be a key."""

    statements: Mapping[str, Hypothesis | Assertion]
    distinct: tuple[Distinct, ...]
    constants: frozenset[str]
    variables: frozenset[str]

    @property
    def theorems(self) -> list[Assertion]:
        """The $p statements."""
        return [s for s in self.statements.values() if isinstance(s, Assertion) and s.proof is not None]


def read(path: Path) -> Database:
    """The database in a file; read again when the file has changed. Raises DataError for one that is missing or malformed."""
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise DataError("the Metamath database cannot be read", where=str(path), why=error.strerror or "") from None


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> Database:
    return parse(path.read_bytes().decode("utf-8", errors="replace"), str(path))


def parse(text: str, where: str = "<text>") -> Database:
    """The database that a text is. Raises DataError with `where` and the line for what breaks the rules."""
    reader = _Reader(where)
    for line, token in _tokens(_without_comments(text, where)):
        reader.line = line
        reader.take(token)
    return reader.finished()


def _without_comments(text: str, where: str) -> str:
    kept, line = [""], 1
    for number, part in enumerate(text.split("$(")):
        comment, closed, code = part.partition("$)") if number else ("", " ", part)
        if not closed:
            raise _fault("a comment that is not closed, or another within it", where, line)
        beside = kept[-1][-1:] + comment[:1] + comment[-1:] + code[:1] if number else ""
        if beside and not beside.isspace():
            raise _fault("a comment that touches what is beside it", where, line)
        if "$)" in code:
            before = comment + code[: code.index("$)")]
            raise _fault("a comment is closed that was not opened", where, line + before.count("\n"))
        kept.append("\n" * comment.count("\n") + code)
        line += part.count("\n")
    return " ".join(kept)


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    for line, content in enumerate(text.split("\n"), start=1):
        for token in content.split():
            yield line, token


def _fault(what: str, where: str, line: int) -> DataError:
    return DataError("malformed Metamath database", where=f"{where}:{line}", why=what)


_LABEL = re.compile(r"[A-Za-z0-9._-]++")
_SYMBOL = re.compile(r"[!-#%-~]++")
_LISTS = ("$c", "$v", "$d")
_LABELLED = ("$f", "$e", "$a", "$p")


@dataclass
class _Block:
    """What a `${` must take back at its `$}`."""

    number: int
    variables: list[str] = field(default_factory=list[str])
    floating: list[str] = field(default_factory=list[str])
    essentials: int = 0  # active ones when it began
    distinct: int = 0


class _Reader:
    """The state between tokens: the statement being read, and what is active."""

    def __init__(self, where: str) -> None:
        self.where, self.line = where, 0
        self.label = self.keyword = ""
        self.symbols: list[str] = []
        self.proof: list[str] | None = None
        self.statements: dict[str, Hypothesis | Assertion] = {}
        self.constants: set[str] = set()
        self.variables: set[str] = set()  # all that ever were
        self.active: set[str] = set()
        self.floating: dict[str, Hypothesis] = {}  # by variable
        self.essentials: list[Hypothesis] = []
        self.distinct: list[Distinct] = []
        self.all_distinct: list[Distinct] = []
        self.blocks, self.opened, self.order = [_Block(0)], 0, 0

    def take(self, token: str) -> None:
        """The next token."""
        if self.keyword:
            self._inside(token)
        elif token == "${":
            self._expect(not self.label, "a label before ${")
            self.opened += 1
            self.blocks.append(_Block(self.opened, essentials=len(self.essentials), distinct=len(self.distinct)))
        elif token == "$}":
            self._close()
        elif token in _LISTS:
            self._expect(not self.label, f"a label before {token}")
            self.keyword = token
        elif token in _LABELLED:
            self._expect(bool(self.label), f"{token} without a label")
            self.keyword = token
        else:
            self._expect(not token.startswith("$"), f"'{token[:40]}' is not known here")
            self._expect(not self.label, "two labels in a row")
            self._expect(_LABEL.fullmatch(token) is not None, f"'{token[:40]}' is no label")
            self._expect(token not in self.statements, f"the label {token} is there twice")
            self.label = token

    def finished(self) -> Database:
        self._expect(not self.keyword and not self.label, "the last statement does not end")
        self._expect(len(self.blocks) == 1, "a block that is not closed")
        both = self.statements.keys() & (self.constants | self.variables)
        self._expect(not both, f"'{min(both, default='')}' is both a label and a symbol")
        return Database(self.statements, tuple(self.all_distinct), frozenset(self.constants), frozenset(self.variables))

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise _fault(otherwise, self.where, self.line)

    def _inside(self, token: str) -> None:
        if token == "$.":
            self._end()
        elif token == "$=" and self.keyword == "$p" and self.proof is None:
            self.proof = []
        elif self.proof is not None:
            self._expect("$" not in token, f"'{token[:40]}' in a proof")
            self.proof.append(token)
        else:
            self._expect(_SYMBOL.fullmatch(token) is not None, f"'{token[:40]}' is no symbol")
            self.symbols.append(intern(token))

    def _end(self) -> None:
        keyword, label, symbols = self.keyword, self.label, tuple(self.symbols)
        proof = None if self.proof is None else " ".join(self.proof)
        self.keyword, self.label, self.symbols, self.proof = "", "", [], None
        if keyword in ("$c", "$v"):
            self._declare(keyword, symbols)
        elif keyword == "$d":
            self._distinct(symbols)
        elif keyword == "$f":
            self._float(label, symbols)
        else:
            self._check(symbols)
            if keyword == "$e":
                hypothesis = Hypothesis(label, symbols, False, self.order, self.blocks[-1].number)
                self.essentials.append(hypothesis)
                self.statements[label] = hypothesis
            else:
                self._expect(
                    bool(proof) == (keyword == "$p"), f"{label}: {keyword} with an empty proof, or without one"
                )
                self._assert(label, symbols, proof)
        self.order += 1

    def _declare(self, keyword: str, symbols: Expression) -> None:
        self._expect(bool(symbols), f"an empty {keyword}")
        for symbol in symbols:
            self._expect(symbol not in self.constants and symbol not in self.active, f"{symbol} is declared twice")
            if keyword == "$c":
                self._expect(len(self.blocks) == 1, "$c within a block")
                self._expect(symbol not in self.variables, f"{symbol} is a constant and a variable")
                self.constants.add(symbol)
            else:
                self.active.add(symbol)
                self.variables.add(symbol)
                self.blocks[-1].variables.append(symbol)

    def _distinct(self, symbols: Expression) -> None:
        self._expect(len(symbols) > 1 and len({*symbols}) == len(symbols), "$d needs two or more different variables")
        self._expect(self.active.issuperset(symbols), "$d with a symbol that is no active variable")
        found = Distinct(frozenset(symbols), self.order, self.blocks[-1].number)
        self.distinct.append(found)
        self.all_distinct.append(found)

    def _float(self, label: str, symbols: Expression) -> None:
        self._expect(len(symbols) == 2, f"{label}: $f needs a typecode and a variable")
        typecode, variable = symbols
        self._expect(typecode in self.constants, f"{label}: {typecode} is no constant")
        self._expect(variable in self.active, f"{label}: {variable} is no active variable")
        self._expect(variable not in self.floating, f"{label}: {variable} has a type already")
        hypothesis = Hypothesis(label, symbols, True, self.order, self.blocks[-1].number)
        self.floating[variable] = hypothesis
        self.blocks[-1].floating.append(variable)
        self.statements[label] = hypothesis

    def _check(self, symbols: Expression) -> None:
        """Raises if these are not a typecode and symbols that are active, variables with a type."""
        self._expect(bool(symbols) and symbols[0] in self.constants, "a statement that does not begin with a constant")
        for symbol in symbols:
            self._expect(
                symbol in self.constants or symbol in self.floating, f"{symbol} is no constant and has no type here"
            )

    def _assert(self, label: str, symbols: Expression, proof: str | None) -> None:
        used = {
            s for statement in (symbols, *(e.symbols for e in self.essentials)) for s in statement
        } & self.floating.keys()
        hypotheses = sorted((*(self.floating[v] for v in used), *self.essentials), key=lambda h: h.order)
        pairs = {pair for d in self.distinct for pair in combinations(sorted(d.variables & used), 2)}
        scopes = tuple(block.number for block in self.blocks)
        self.statements[label] = Assertion(
            label, symbols, tuple(hypotheses), tuple(sorted(pairs)), self.order, scopes, proof, "?" in (proof or "")
        )

    def _close(self) -> None:
        self._expect(not self.label, "a label before $}")
        self._expect(len(self.blocks) > 1, "$} without ${")
        block = self.blocks.pop()
        self.active.difference_update(block.variables)
        for variable in block.floating:
            del self.floating[variable]
        del self.essentials[block.essentials :]
        del self.distinct[block.distinct :]
