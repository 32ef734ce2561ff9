"""Commands with arguments: fractions, roots, binomials, sums, matrices. A helper of `math`; `terms` goes on from here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction

from earnest.verifiers.math.nodes import Grid, Group, Node, Num, Op, Sym, Unreadable
from earnest.verifiers.math.scan import Token

_MATRICES = frozenset(["matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"])
_AHEAD = 8
"""How far the grammar may look past the last token, and step."""
_TWO = Num(Fraction(2))


class Commands(ABC):
    """Where the parser stands in the tokens, and what begins with a backslash."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at, self.depth, self.bars = tokens + tokens[-1:] * _AHEAD, 0, 0, 0

    @abstractmethod
    def sum(self) -> Node: ...

    @abstractmethod
    def term(self) -> Node: ...

    @abstractmethod
    def power(self, base: Node) -> Node: ...

    @abstractmethod
    def argument(self, *, signed: bool = False) -> Node: ...

    @abstractmethod
    def bracketed(self) -> Node: ...

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def is_op(self, *names: str) -> bool:
        return self.now.kind == "op" and self.now.text in names

    def command(self, token: Token) -> Node:
        match token.text:
            case "frac":
                return Op("/", (self._digit(), self._digit()))
            case "binom" | "tbinom":
                return Op("binom", (self._digit(), self._digit()))
            case "sqrt":
                index = self.bracketed() if self.now.text == "[" else _TWO
                return Op("root", (self._digit(whole=True), index))
            case "surd":
                return Op("root", (self.power(self.argument()), _TWO))
            case "overline" | "bar" | "hat":
                inside = self.argument()
                if isinstance(inside, Sym):
                    return Sym(f"{token.text} {inside.name}")
            case "angle" | "triangle" | "measuredangle":
                inside = self.argument()
                if isinstance(inside, Sym):
                    return Sym(f"{token.text} {inside.name}")
            case "sum" | "prod":
                return self._big(token.text)
            case "begin":
                return self._matrix()
            case _:
                pass
        raise Unreadable(f"\\{token.text} where it means nothing")

    def _digit(self, *, whole: bool = False) -> Node:
        """An argument of a command; of a number without braces LaTeX takes one digit. whole: refuse where that matters."""
        token = self.now
        if token.kind != "num" or token.width < 2 or self.tokens[self.at - 1].text == "[":
            return self.argument()
        number = token.value
        assert isinstance(number, Num)
        if whole or number.places is not None or number.value.denominator != 1:
            raise Unreadable("an argument without braces")
        first, rest = divmod(int(number.value), 10 ** (token.width - 1))
        left = Token("num", "", False, Num(Fraction(rest)), token.width - 1)
        self.tokens[self.at] = left
        return Num(Fraction(first))

    def _big(self, name: str) -> Node:
        """A sum or product with its index and bounds."""
        lower: Node | None = None
        upper: Node | None = None
        index = None
        for _ in range(2):
            if self.is_op("_") and lower is None:
                self.take()
                if self.take().text != "{" or self.now.kind != "letter":
                    raise Unreadable("a sum without its index")
                index = Sym(self.take().text)
                if self.now.text != "=":
                    raise Unreadable("a sum without its bound")
                self.take()
                lower = self.sum()
                if self.take().text != "}":
                    raise Unreadable("a sum without its bound")
            elif self.is_op("^") and upper is None:
                self.take()
                upper = self.argument()
        if index is None or lower is None or upper is None:
            raise Unreadable("a sum without its bounds")
        return Op(name, (index, lower, upper, self.term()))

    def _matrix(self) -> Node:
        name = self._environment()
        if name == "array":  # its columns
            self.group_of_letters()
        if name not in _MATRICES:
            raise Unreadable(f"an environment of {name}"[:40])
        rows: list[list[Node]] = [[]]
        while not (self.now.kind == "cmd" and self.now.text == "end"):
            if self.is_op("row"):
                self.take()
                rows.append([])
            elif self.is_op("&") and rows[-1]:
                self.take()
                rows[-1].append(self.sum())
            elif not rows[-1]:
                rows[-1].append(self.sum())
            else:
                raise Unreadable("a matrix that is none")
        self.take()
        if self._environment() != name:
            raise Unreadable("an environment that never ends")
        if not rows[-1]:
            rows.pop()
        if not rows or len({len(row) for row in rows}) != 1 or any(isinstance(x, Group) for row in rows for x in row):
            raise Unreadable("a matrix that is none")
        return Grid(tuple(tuple(row) for row in rows))

    def _environment(self) -> str:
        parts = [self.take() for _ in range(3)]
        if parts[0].text != "{" or parts[1].kind != "word" or parts[2].text != "}":
            raise Unreadable("an environment without a name")
        return parts[1].text

    def group_of_letters(self) -> None:
        """Takes the column specification of an array, as in {cc} or {c|c}."""
        if self.take().text != "{":
            raise Unreadable("an array without columns")
        while self.now.text != "}":
            token = self.take()
            if token.kind not in ("letter", "word", "op"):
                raise Unreadable("an array without columns")
        self.take()


def negated(node: Node) -> Node:
    """The node with a minus sign, which a plain number takes into itself."""
    if isinstance(node, Num):
        return Num(-node.value, node.places, node.mixed)
    return Op("neg", (node,))
