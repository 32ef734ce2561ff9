"""Grades a mathematical answer of any kind against a gold in plain or LaTeX notation, and evaluates no text.

Numbers, fractions, per cent, mixed numbers, roots, constants, complex numbers, polynomials and other expressions,
tuples, sets, lists, intervals, equations, inequalities, matrices, ratios and times, numerals with a base, quantities
with a unit, option letters, words. The one answer that a text commits to (`commitment`) and the gold are read by one
grammar (`scan`, `parse`) and must be of one kind (`compare` says which kinds stand for another); what the grammar does
not know is refused and never left out. A text that marks no answer may state it in its last sentence (`conclusions`).
Values are compared exactly, or to as many digits as the sizes in them ask for (`same`), never rounded: 0.33 is not 1/3,
unless the gold declares a tolerance. Decimals that do not spell their value are in `decimals`.

A gold is a text, or a JSON object {"answer": "391", "form": "number", "tolerance": "0.01"}. `form: number` asks for a
number with nothing left to work out; without it 2^{10} is paid for 1024, while sums and products of numbers are not,
nor what is their largest or a common divisor. A tolerance is the largest absolute difference that is paid, for a
number and for each number in a structure (`tolerance`). A gold that the grammar does not know is met by the same text
alone, blanks and layout apart.

Work is bounded by counting (`exact.Budget`), so that no verdict depends on how busy the machine is; two expressions that
were not shown equal within it are graded wrong, with that reason, unless sympy is to be asked (`symbolic`).

Limits (status `limit`), before anything is parsed, unless the text is that of the gold: 4,096 characters, 64 brackets
deep, 256 digits in a run and 2,048 in all, 256 commands, 1,024 operators; then 512 terms, exponents and factorials to
10,000, and the budget.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from typing import ClassVar

from earnest.types import Item, Json, Status, Verdict
from earnest.verifiers import commitment, literal
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Candidate, Uncommitted
from earnest.verifiers.entry import given
from earnest.verifiers.literal import Literal
from earnest.verifiers.math import symbolic
from earnest.verifiers.math.claims import claim
from earnest.verifiers.math.compare import difference
from earnest.verifiers.math.conclusions import concluded, only_number
from earnest.verifiers.math.decimals import is_double, with_point
from earnest.verifiers.math.exact import Budget, Undefined
from earnest.verifiers.math.forms import is_evaluated
from earnest.verifiers.math.gold import Gold, read_gold
from earnest.verifiers.math.marks import after_is, bare, joined, only_formula, parts, unescaped, unit_after, with_equal
from earnest.verifiers.math.nodes import MAX_CHARS, MAX_NESTING, Chain, Listing, Node, Quantity, Sym, Unreadable, Words
from earnest.verifiers.math.parse import read
from earnest.verifiers.math.same import constant
from earnest.verifiers.math.tolerance import within
from earnest.verifiers.number import NUMBER, NUMBER_WORD, units_agree
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import quoted, right, unanswered, wrong

_SHORT = 64
_WHOLE_TEXT = 1000
"""A text without any mark is an answer as a whole; a longer one is no answer."""

_MOST_BOXES = 64


@dataclass(frozen=True, slots=True)
class _Said:
    """The text that was committed to, or why there is none."""

    text: str = ""
    verdict: Verdict | None = None
    in_order: bool = False  # a list whose items answer the parts of a question


class Math(Verifier):
    """Mathematics in LaTeX or plain text. Example: gold `\\frac{\\sqrt{3}}{3}` is met by `\\boxed{1/\\sqrt{3}}`."""

    version: ClassVar[str] = "4"

    symbolic: bool = False
    """Ask sympy about two real numbers that are too large to work out by counting (extra `math`)."""

    @property
    def label(self) -> str:
        return "math+sympy" if self.symbolic else self.name

    def conditions(self) -> Mapping[str, Json]:
        if not self.symbolic:
            return {}
        symbolic.open_process()
        return {"sympy": version("sympy")}

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        if self.symbolic:
            symbolic.open_process()
        return [self._judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        gold = read_gold(answer)
        return gold.reason if isinstance(gold, Refused) else None

    def _judge(self, item: Item) -> Verdict:
        found = given(item, _gold)
        if isinstance(found, Verdict):
            return found
        said = _said(unescaped(found.text), found.gold)
        budget = Budget(beyond=symbolic.Questions() if self.symbolic else None)
        return said.verdict if said.verdict is not None else _graded(said, found.gold, budget)


def _gold(answer: str | None) -> Gold | Refused:
    return Refused("there is none") if answer is None else read_gold(answer)


# ------------------------------------------------------------------------------------------------ what was said


def _said(text: str, gold: Gold) -> _Said:
    if len(text) <= _SHORT and gold.number is not None and isinstance(literal.read(text), Literal):
        return _Said(text)
    key = _key_of_words if gold.node is None or isinstance(gold.node, Words | Sym) else _key
    found = commitment.find(text)
    if isinstance(found, Uncommitted):
        return _Said(verdict=unanswered(Status.NO_ANSWER, found.reason))
    if not found:
        return _unmarked(text, gold)
    several = _side_by_side(text, found, gold)
    if several is not None:
        return several
    found += _final(text, found[-1])
    found[-1] = with_equal(text, found[-1])
    settled = commitment.settle(text, found, key)
    if isinstance(settled, Uncommitted):
        return _Said(verdict=unanswered(Status.NO_ANSWER, settled.reason))
    extracted = settled.text.strip()
    if settled.depth > MAX_NESTING and not gold.is_met_by_text(extracted):
        return _Said(verdict=unanswered(Status.LIMIT, "nested too deeply", quoted(extracted)))
    rest = commitment.retraction(text, settled)
    later = {_key(m[0]) for m in NUMBER.finditer(rest)} - {None}
    if (
        later - {_key(extracted)}
        or NUMBER_WORD.search(rest)
        or _is_contradicted(text, settled)
        or _has_rival_line(text, extracted)
    ):
        return _Said(verdict=unanswered(Status.NO_ANSWER, "several different answers", quoted(extracted)))
    if text.startswith("\\", settled.start):
        if isinstance(gold.node, Quantity) and not isinstance(read(bare(extracted)), Quantity):
            extracted += unit_after(text, settled.end)
    elif not extracted.startswith("\\") and not gold.is_met_by_text(extracted):
        said = _of_sentence(extracted)
        if text[settled.start] != "<" or not any(char.isdigit() for char in extracted[: -len(said) or None]):
            extracted = said
    return _Said(extracted)


_FINAL = re.compile(r"final answer", re.IGNORECASE)
_SAYS_FINAL = re.compile(
    r"(?:\A|[.:!?\n])[\s*_$)\]}]*(?:(?:therefore|thus|hence|so|finally),? )?(?:the |my |our )?final answer\Z",
    re.IGNORECASE,
)
_BEFORE_FINAL = 48
_HEADED = re.compile(r"^[ \t]{0,8}####[ \t]{0,8}([^\s#][^\n]{0,200})$", re.MULTILINE)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


def _has_rival_line(text: str, extracted: str) -> bool:
    """Whether a `####` line is another answer: a formula, which a heading in words is not."""
    if "####" not in text:
        return False
    formulas = {_key(m[1]) for m in deque(_HEADED.finditer(text), maxlen=_MOST_BOXES) if not _WORD.search(m[1])}
    return bool(formulas - {None, _key(extracted)})


def _is_contradicted(text: str, settled: Candidate) -> bool:
    def key(line: str) -> Hashable | None:
        found = _key(line) if any(char.isdigit() or char == "\\" for char in line[:MAX_CHARS]) else None
        return None if isinstance(found, Chain) else found  # a line of a calculation

    return commitment.is_contradicted(text, settled, key)


def _of_sentence(text: str) -> str:
    """A sentence's answer: itself, or what it says that something is."""
    if len(text) > MAX_CHARS or not isinstance(read(bare(text)), Unreadable):
        return text
    return after_is(text) or only_number(text) or text


def _side_by_side(text: str, found: Sequence[Candidate], gold: Gold) -> _Said | None:
    """Boxes side by side as a list, where the gold is one; None otherwise."""
    if len(found) < 2 or not gold.is_many:
        return None
    if isinstance(commitment.settle(text, found[-1:], _key), Uncommitted):
        return None
    rest = commitment.retraction(text, found[-1])
    later = {_key(m[0]) for m in NUMBER.finditer(rest)}
    if later - {_key(box.text) for box in found[-_MOST_BOXES:]} or NUMBER_WORD.search(rest):
        return None
    several = joined(text, found[-_MOST_BOXES:])
    if several:
        return _Said(several)
    several = parts(text, found, trusted=False) if len(found) <= _MOST_BOXES else ""
    return _Said(several, in_order=True) if several else None


def _final(text: str, box: Candidate) -> list[Candidate]:
    """The sentence after the last box that calls its answer the final one, where that is another answer."""
    if not text.startswith("\\", box.start):
        return []
    after = text[box.end :]
    found = commitment.find(after) if _FINAL.search(after) else []
    if isinstance(found, Uncommitted) or not found:
        return []
    start = found[-1].start
    if not _SAYS_FINAL.search(after, max(0, start - _BEFORE_FINAL), start + len("answer")):
        return []
    last = found[-1]
    value = _key(_of_sentence(last.text))
    if value is None or value == _key(box.text):
        return []
    return [Candidate(last.text, box.end + last.start, box.end + last.end)]


def _unmarked(text: str, gold: Gold) -> _Said:
    """A text without marks: an answer as a whole, or the one formula of a short sentence."""
    if gold.is_met_by_text(text):
        return _Said(text)
    if len(text) <= _WHOLE_TEXT:
        if not isinstance(read(bare(text)), Unreadable) or with_point(text):
            return _Said(text)
        formula = only_formula(text)
        if formula.strip():
            return _Said(formula)
        if gold.node is None:
            return _Said(text)
    end = concluded(text, _key) if gold.node is not None else None
    if isinstance(end, Candidate):
        return _Said(end.text)
    refused = read(bare(text)) if len(text) <= _WHOLE_TEXT else None
    status = Status.LIMIT if isinstance(refused, Unreadable) and refused.limit else Status.NO_ANSWER
    return _Said(verdict=unanswered(status, "no answer was marked, and the text is not one answer"))


def _key(text: str) -> Hashable | None:
    """As `_key_of_words`, of mathematics alone."""
    found = _key_of_words(text)
    return None if isinstance(found, Words) else found


@lru_cache(maxsize=2048)
def _key_of_words(text: str) -> Hashable | None:
    """Equal for answers that are plainly the same: one rational value, one number, or one tree. None: no answer."""
    if len(text) > MAX_CHARS:
        return None
    number = literal.read(text)
    if isinstance(number, Literal):
        return number.value
    node = read(bare(text))
    if isinstance(node, Unreadable):
        return None
    try:
        found = constant(node, Budget())
    except Unreadable:
        return node
    return node if found is None else found


# ------------------------------------------------------------------------------------------------ and is it right


def _graded(answer: _Said, gold: Gold, budget: Budget) -> Verdict:
    said = answer.text
    shown = quoted(said.strip())
    if not said.strip():
        return unanswered(Status.NO_ANSWER, "nothing there")
    if gold.is_met_by_text(said):
        return right(shown)
    if len(said) > MAX_CHARS:
        return unanswered(Status.LIMIT, "too long", shown)
    reason = _by_number(said, gold)
    if reason is None:
        node = read(bare(said), grouping=not gold.is_list or ", " in said)
        if isinstance(node, Unreadable):
            return unanswered(Status.LIMIT if node.limit else Status.NO_ANSWER, node.reason, shown)
        if gold.node is None:
            return wrong(shown, "another answer")
        if answer.in_order and isinstance(node, Listing):
            node = replace(node, joiner="parts")
        try:
            reason = _why_not(gold, gold.node, node, budget)
        except Undefined:
            reason = "a value that is not defined"
        except Unreadable as refused:
            return unanswered(Status.LIMIT, refused.reason, shown) if refused.limit else wrong(shown, refused.reason)
    return wrong(shown, reason) if reason else right(shown)


def _by_number(said: str, gold: Gold) -> str | None:
    """Why one number is not the other, by the reader of the number verifier; None if it does not read both."""
    if gold.number is None and gold.comma is None:
        return None
    number, pointed = literal.read(said), with_point(said)
    if pointed and isinstance(number, Refused):
        number = literal.read(pointed)
    if isinstance(number, Refused):
        return None
    if gold.number is None:
        is_met = gold.comma is not None and "." in (pointed or said) and number == gold.comma
        return "" if is_met else None
    off = abs(number.value - gold.number.value)
    if off > (gold.tolerance or 0):
        is_exact = gold.node is not None and is_double(gold.node) and "." not in (pointed or said)
        return None if is_exact and gold.tolerance is None else "another number"
    if not units_agree(number, gold.number):
        return "another unit"
    return "not worked out" if gold.evaluated and not number.evaluated else ""


def _why_not(gold: Gold, gold_node: Node, node: Node, budget: Budget) -> str:
    stated = claim(node, budget)
    if gold.evaluated and not is_evaluated(node if stated is None else stated.value):
        return "not worked out"
    if gold.tolerance is None:
        return difference(gold_node, node, budget)
    return within(gold_node, node, gold.tolerance, budget)
