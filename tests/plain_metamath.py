"""A second Metamath checker, as plain as can be and sharing no line with the first: what the two must agree on.

It copies everything that is active into every statement, and keeps no stack: it takes a proof from its end, finds the steps that
the last label needs by counting back, and works out each of them by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product, takewhile


class NoProof(Exception):
    """Why the labels do not prove the statement."""


@dataclass(frozen=True)
class Said:
    """One labelled statement, and all that was active where it stands."""

    kind: str
    symbols: list[str]
    active: list[str]  # labels of hypotheses
    apart: list[frozenset[str]]
    number: int
    unfinished: bool


class Plain:
    """A database that keeps to the rules; nothing about it is checked."""

    def __init__(self, text: str) -> None:
        self.said: dict[str, Said] = {}
        self.variables: set[str] = set()
        tokens = self._tokens(text)
        blocks: list[tuple[list[str], list[frozenset[str]]]] = [([], [])]
        for token in tokens:
            hypotheses, apart = blocks[-1]
            if token == "${":
                blocks.append(([*hypotheses], [*apart]))
            elif token == "$}":
                blocks.pop()
            elif token.startswith("$"):
                listed = [*takewhile("$.".__ne__, tokens)]
                self.variables |= {*listed} if token == "$v" else set()
                if token == "$d":
                    apart += [frozenset((a, b)) for a, b in product(listed, listed) if a != b]
            else:
                kind = next(tokens)
                symbols = [*takewhile("$=".__ne__, takewhile("$.".__ne__, tokens))]
                proof = [*takewhile("$.".__ne__, tokens)] if kind == "$p" else []
                self.said[token] = Said(kind, symbols, [*hypotheses], [*apart], len(self.said), "?" in "".join(proof))
                if kind in ("$f", "$e"):
                    hypotheses.append(token)

    @staticmethod
    def _tokens(text: str) -> Iterator[str]:
        comment = False
        for token in text.split():
            if token in ("$(", "$)"):
                comment = token == "$("
            elif not comment:
                yield token

    def needs(self, label: str) -> list[str]:
        """The mandatory hypotheses of an assertion."""
        said = self.said[label]
        if said.kind in ("$f", "$e"):
            return []
        used = {*said.symbols}.union(*(self.said[h].symbols for h in said.active if self.said[h].kind == "$e"))
        return [h for h in said.active if self.said[h].kind == "$e" or self.said[h].symbols[1] in used]

    def proves(self, label: str, proof: list[str], *, apart: bool = True) -> bool:
        """Whether the steps prove the statement. apart False: as if it had no $d conditions of its own."""
        try:
            self.prove(label, proof, apart=apart)
        except NoProof:
            return False
        return True

    def prove(self, label: str, proof: list[str], *, apart: bool = True) -> None:
        """Raises NoProof."""
        target = self.said[label] if apart else replace(self.said[label], apart=[])
        for step in proof:
            if step not in self.said or self.said[step].number >= target.number:
                raise NoProof(f"{step} is not known yet")
            if self.said[step].unfinished:
                raise NoProof(f"{step} is not proved")
            if self.said[step].kind in ("$f", "$e") and step not in target.active:
                raise NoProof(f"{step} is not active")
        value, begin = self._last(proof, len(proof), target)
        if begin != 0 or value != target.symbols:
            raise NoProof("something is left, or it is another statement")

    def _last(self, proof: list[str], end: int, target: Said) -> tuple[list[str], int]:
        """What the steps before `end` come to at their end, and where these steps begin. Iterative, as proofs are long."""
        frames: list[tuple[str, list[list[str]]]] = []
        at = end
        while True:
            if at == 0:
                raise NoProof("too few steps")
            at -= 1
            frames.append((proof[at], []))
            while len(frames[-1][1]) == len(self.needs(frames[-1][0])):
                label, given = frames.pop()
                value = self._value(label, given[::-1], target)
                if not frames:
                    return value, at
                frames[-1][1].append(value)

    def _value(self, label: str, given: list[list[str]], target: Said) -> list[str]:
        said = self.said[label]
        if said.kind in ("$f", "$e"):
            return said.symbols
        put: dict[str, list[str]] = {}
        for name, value in zip(self.needs(label), given, strict=True):
            if self.said[name].kind == "$f":
                put[self.said[name].symbols[1]] = value[1:]
                if value[0] != self.said[name].symbols[0]:
                    raise NoProof("another type")
        for name, value in zip(self.needs(label), given, strict=True):
            if self.said[name].kind == "$e" and self._put(self.said[name].symbols, put) != value:
                raise NoProof("another hypothesis")
        for pair in said.apart:
            if pair <= put.keys():
                a, b = pair
                for x, y in product(self.variables & {*put[a]}, self.variables & {*put[b]}):
                    if frozenset((x, y)) not in target.apart:
                        raise NoProof(f"{x} and {y} may be the same")
        return self._put(said.symbols, put)

    @staticmethod
    def _put(symbols: list[str], put: dict[str, list[str]]) -> list[str]:
        return [s for symbol in symbols for s in put.get(symbol, [symbol])]
