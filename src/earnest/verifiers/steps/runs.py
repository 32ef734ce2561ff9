"""What a sum in a text is: its tokens, and what touches it. A helper of the verifier `steps`, no verifier."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from earnest.verifiers.steps.tokens import BANG, OPERATOR, PERCENT, PREFIX, WORD, Token


@dataclass(frozen=True, slots=True)
class Run:
    """A sum. Example: `5 km + 3 km` in "so 5 km + 3 km" is a run of five tokens with last=True."""

    tokens: tuple[Token, ...]  # words left in are units or scales
    first: bool  # nothing but a filler stands before it
    last: bool  # nothing stands after it
    before: str  # the word that stands before it; "" for none
    unknown: bool  # part of something that is not known
    doubt: bool  # may be part of something larger, or be read in another way
    modulus: Fraction | None = None  # of `(mod 5)` after it

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end

    @property
    def worked(self) -> bool:
        """True if there is something to work out."""
        return any(t.kind in (OPERATOR, PREFIX, BANG) for t in self.tokens[1:]) or self.tokens[0].kind is PREFIX

    @property
    def words(self) -> bool:
        return any(t.kind is WORD for t in self.tokens)

    @property
    def share(self) -> bool:
        """True if it may be the name of a part: `3/4` or `10%`, with or without a unit."""
        tokens = [t for t in self.tokens if t.kind is not WORD]
        if len(tokens) == 3 and tokens[1].text == "/":
            top, bottom = tokens[0].value, tokens[2].value
            return top is not None and bottom is not None and top < bottom
        return len(tokens) == 2 and tokens[1].kind is PERCENT
