"""The gold answer of `math`, read once, and the form that its problem asks for. A helper, no verifier.

A gold is a text in plain or LaTeX notation, with or without `$…$` and `\\boxed{}`, or a JSON object {"answer", "form",
"tolerance"}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from earnest.verifiers import commitment, golds, literal
from earnest.verifiers.literal import Literal
from earnest.verifiers.math.compare import items_of
from earnest.verifiers.math.decimals import with_point
from earnest.verifiers.math.exact import Budget
from earnest.verifiers.math.forms import number_of
from earnest.verifiers.math.marks import bare, joined, normal, parts, unescaped
from earnest.verifiers.math.nodes import Listing, Node, Quantity, Unreadable
from earnest.verifiers.math.parse import read
from earnest.verifiers.math.tolerance import has_value
from earnest.verifiers.refused import Refused

MAX_GOLD = 50_000
_AROUND = 200
_PROSE = 200
"""From this length a gold that is no answer of the grammar is taken for a worked solution that states its answer."""
_KEYS = {"answer", "form", "tolerance"}


@dataclass(frozen=True, slots=True)
class Gold:
    """node None: it is no answer of the grammar, and met by the same text alone."""

    text: str
    normal: str
    node: Node | None
    number: Literal | None = None  # a plain number, which the reader of the number verifier knows
    comma: Literal | None = None  # what a list of two whole numbers is as one number, with a decimal comma
    evaluated: bool = False
    tolerance: Fraction | None = None

    def is_met_by_text(self, said: str) -> bool:
        """True if the text is that of the gold: to the letter, or for a text that is no answer of the grammar but for layout."""
        if len(said) > 2 * len(self.text) + _AROUND:
            return False
        return bare(said) == self.text or (self.node is None and self.normal in (normal(said), normal(bare(said))))

    @property
    def is_list(self) -> bool:
        """Items without brackets: commas part them, and group no digits."""
        return isinstance(self.node, Listing)

    @property
    def is_many(self) -> bool:
        """More than one item, so that several boxes side by side can be meant."""
        return self.node is not None and len(items_of(self.node, Budget()) or ()) > 1


@lru_cache(maxsize=16384)
def read_gold(answer: str) -> Gold | Refused:
    """The gold answer, or why nothing can be graded against it."""
    answer = answer.strip()
    if not answer:
        return Refused("empty")
    spec = golds.read(answer) if answer.startswith("{") and '"' in answer else None
    if isinstance(spec, Mapping):
        return _of_spec(spec)
    if len(answer) > MAX_GOLD:
        return Refused("too long")
    return _of_text(answer)


def _of_spec(spec: Mapping[str, Any]) -> Gold | Refused:
    unknown = sorted(spec.keys() - _KEYS)
    if unknown:
        return Refused(f"unknown key '{unknown[0]}'")
    answer = spec.get("answer")
    if not isinstance(answer, str) or not answer.strip():
        return Refused("no text for 'answer'")
    if spec.get("form") not in (None, "number"):
        return Refused("the form is not 'number'")
    gold = _of_text(answer.strip())
    wants_number = spec.get("form") == "number" or "tolerance" in spec
    if isinstance(gold, Refused) or not wants_number:
        return gold
    evaluated = spec.get("form") == "number"
    tolerance = literal.read(str(spec["tolerance"])) if "tolerance" in spec else None
    if isinstance(tolerance, Refused) or (tolerance is not None and tolerance.value <= 0):
        return Refused("the tolerance is no number above 0")
    try:
        value = None if gold.node is None else number_of(gold.node, Budget())
        if value is None and gold.number is None:
            if evaluated:
                return Refused("the form is 'number', and the answer is none")
            if gold.node is None or not has_value(gold.node, Budget()):
                return Refused("a tolerance, and no number in the answer")
    except Unreadable as refused:
        return Refused(refused.reason)
    return replace(gold, evaluated=evaluated, tolerance=None if tolerance is None else tolerance.value)


def _of_text(answer: str) -> Gold | Refused:
    text = answer = unescaped(answer)
    in_order = False
    if "\\boxed" in answer or "\\fbox" in answer:
        boxes = commitment.find_marked(answer)
        if isinstance(boxes, list) and boxes:
            side_by_side, in_parts = joined(answer, boxes), parts(answer, boxes, trusted=True)
            text, in_order = side_by_side or in_parts or boxes[-1].text, not side_by_side and bool(in_parts)
    text = bare(text)
    if not text:
        return Refused("empty")
    node = read(text)
    if isinstance(node, Unreadable) and len(text) > _PROSE:
        said = commitment.find(text)
        if isinstance(said, list) and said:
            text = bare(said[-1].text)
            node = read(text)
    if in_order and isinstance(node, Listing):
        node = replace(node, joiner="parts")
    number = None if in_order or "=" in text or isinstance(node, Quantity) else _number(text)
    return Gold(text, normal(text), None if isinstance(node, Unreadable) else node, number, _comma(text, number))


def _comma(text: str, number: Literal | None) -> Literal | None:
    """The number of a gold like `1,22`. Two numbers of one digit, like `2,3`, are a list and nothing else."""
    pointed = with_point(text) if number is None else ""
    return _number(pointed) if len(pointed.rpartition(".")[2]) > 1 else None


def _number(text: str) -> Literal | None:
    """One number without a unit in words, as the number verifier reads it."""
    number = literal.read(text, max_chars=MAX_GOLD, max_digits=20_000)
    return number if isinstance(number, Literal) and not number.unit else None
