"""Works out again every equation and arithmetic claim in a text: the trace of a solution, or the whole of it.

`steps(text)` says of each claim where it stands and whether it is right, wrong or not checkable; filters of training data and
makers of step labels use it. The verifier reads no gold answer: `correct` means that something could be checked and nothing
checked was wrong. That is no proof of the answer, and `1 + 1 = 2` earns it, so it belongs beside a verifier of the answer
(`combine`), not in its place. Not for algebra: whatever holds a variable is not checkable.

A claim is two sums with `=`, `≈`, `≡ … (mod n)`, "is" or "equals" between them; a chain `3 + 4 = 7 * 2 = 14` is several, each
link on its own. Sums hold numbers with commas, decimals, `$`, per cent, fractions and mixed numbers, `+ - − * × · x ÷ / ^ **`,
`\\frac`, `\\sqrt`, `!`, mod, brackets, units, and these words: plus, minus, times, multiplied by, divided by, squared, of (after
a share), twice, double, thrice, triple, half of, a third of, two … ninety-nine, dozen, hundred … trillion, percent. GSM8K's
`<<48/2=24>>` is a claim of its own, and the text around it is read as if it were not there.

A rounded value: after `≈`, "about" and the like every correct rounding is right. After a plain `=` it is right if it shows at
least two decimals of a value that never ends, or cents of an amount of money, and not checkable if it has three digits or more;
`10/3 = 3.3` is wrong. Units are converted within one measure where that makes a claim right. Linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.entry import given, no_gold
from earnest.verifiers.steps import tokens
from earnest.verifiers.steps.links import Link, Outcome, judge
from earnest.verifiers.steps.runs import Run
from earnest.verifiers.steps.scan import runs
from earnest.verifiers.steps.tokens import ABOUT, BREAK, OPERATOR, RELATION, UNKNOWN, WORD, Token
from earnest.verifiers.verdicts import unanswered

MAX_CHARS = 200_000
ROUNDS_WITHIN = 80
_LEADS_WORDS = "so then because that thus since as hence therefore if know sum total product result"
_LEADS = frozenset(_LEADS_WORDS.split())
_ROUNDS = re.compile(
    r"round|remain|left ?over|leftover|whole|full|complete|rest\b|truncat|integer|quotient|floor|ceil|estimat",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StepCheck:
    """One claim of a text. Example: StepCheck(12, 22, "wrong", "21 and not 22") of "so they get 3 * 7 = 22 apples"."""

    start: int
    end: int  # text[start:end] is the claim
    outcome: Outcome
    reason: str = ""


def steps(text: str) -> list[StepCheck]:
    """Every claim in the text, in the order in which they end. Never raises; linear in the text."""
    plain, annotations = tokens.plain(text)
    found = _claims(text, tokens.read(plain))
    for start, end in annotations:
        inner, _ = tokens.plain(text[start:end], start)
        found += _claims(text, tokens.read(inner))
    return sorted(found, key=lambda check: (check.end, check.start))


def wrong_steps(text: str) -> list[StepCheck]:
    """The claims of the text that are wrong."""
    return [check for check in steps(text) if check.outcome == "wrong"]


class Steps(Verifier):
    """No wrong arithmetic, and some that is right. Reads thought and answer, and no gold."""

    version: ClassVar[str] = "1"
    needs_gold: ClassVar[bool] = False
    scores_steps: ClassVar[bool] = True

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict:
        found = given(item, no_gold)
        if isinstance(found, Verdict):
            return found
        text = item.parsed.text
        if len(text) > MAX_CHARS:
            return unanswered(Status.LIMIT, "too long")
        checks = steps(text)
        counts: dict[Outcome, int] = {"right": 0, "wrong": 0, "not checkable": 0}
        for check in checks:
            counts[check.outcome] += 1
        checked = [check for check in checks if check.outcome != "not checkable"]
        if not checked:
            return unanswered(Status.NO_ANSWER, "nothing that can be checked")
        wrong = next((check for check in checked if check.outcome == "wrong"), None)
        parts = {name.replace(" ", "_"): float(count) for name, count in counts.items()}
        return Verdict(
            status=Status.OK, correct=wrong is None, score=float(wrong is None),
            extracted=None if wrong is None else text[wrong.start : wrong.end][:200],
            reason="" if wrong is None else f"a wrong step: {wrong.reason}", parts=parts,
            steps=tuple((check.end, float(check.outcome == "right")) for check in checked),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Segment:
    """What stands between two relations, and the relation before it (None: a break)."""

    relation: Token | None
    found: tuple[Run, ...]


def _claims(text: str, found: list[Token]) -> list[StepCheck]:
    """The claims that the tokens of a text make."""
    checks: list[StepCheck] = []
    chain: list[_Segment] = []
    for segment in _segments(found):
        if segment.relation is None and chain:
            checks += _links(text, chain)
            chain = []
        chain.append(segment)
    return checks + _links(text, chain)


def _segments(found: list[Token]) -> list[_Segment]:
    """The text cut at relations and breaks. A single line break beside a relation is none."""
    segments: list[_Segment] = []
    relation: Token | None = None
    begin = 0
    for at in range(len(found) + 1):
        token = found[at] if at < len(found) else None
        if token is not None and token.kind is not BREAK and token.kind is not RELATION:
            continue
        after = found[at + 1] if at + 1 < len(found) else None
        if token is not None and token.text == "\n":
            before = found[at - 1] if at else None
            joined = before is not None and before.kind in (RELATION, OPERATOR)
            if joined or (after is not None and after.kind is RELATION):
                found[at] = replace(token, kind=WORD, text="a")  # a word without meaning
                continue
        if token is not None and token.kind is RELATION and at and found[at - 1].kind is RELATION:
            if relation is not None:
                relation = (
                    replace(relation, text="is~" if relation.text.startswith("is") else "~")
                    if "~" in token.text
                    else relation
                )
            begin = at + 1
            continue
        piece = found[begin:at]
        if begin > 1 and found[begin - 1].kind is BREAK and found[begin - 2].kind is OPERATOR:
            piece = [replace(found[begin - 2], kind=UNKNOWN), *piece]  # the rest of a sum that was cut: 1 + 2 + . 3
        to_relation = token is not None and token.kind is RELATION
        if relation is not None and piece and piece[0].kind is WORD and piece[0].text.lower() in ABOUT:
            relation = replace(relation, text="is~" if relation.text.startswith("is") else "~")
            piece = piece[1:]
        found_runs = runs(piece, from_relation=relation is not None, to_relation=to_relation)
        segments.append(_Segment(relation, tuple(found_runs)))
        relation = token if to_relation else None
        begin = at + 1
    return segments


def _links(text: str, chain: list[_Segment]) -> list[StepCheck]:
    """The claims of segments that are joined by relations."""
    if len(chain) < 2:
        return []
    worked = any(run.worked for segment in chain for run in segment.found[:1] + segment.found[-1:])
    modulus = chain[-1].found[0].modulus if chain[-1].found else None
    checks: list[StepCheck] = []
    for place, (before, after) in enumerate(pairwise(chain)):
        relation = after.relation
        assert relation is not None
        left = before.found[-1] if before.found and before.found[-1].last else None
        right = after.found[0] if after.found and after.found[0].first else None
        said = before.relation is not None and before.relation.text.startswith("is")
        if relation.text.startswith("is") and not _is_said(before.relation, left, right):
            continue
        if left is None or right is None:
            start, end = (left.start if left else relation.start), (right.end if right else relation.end)
            checks.append(StepCheck(start, end, "not checkable", "a side is no sum"))
            continue
        link = Link(
            replace(left, before="is") if said else left, right, relation.text, modulus,
            begins=before.relation is None or said or not left.first, goes_on=place + 2 < len(chain),
            in_chain=worked and len(chain) > 2,
            rounds=_ROUNDS.search(text, right.start, right.end + ROUNDS_WITHIN) is not None,
        )  # fmt: skip
        judged = judge(link)
        checks.append(StepCheck(left.start, right.end, judged.outcome, judged.reason))
    return checks


def _is_said(before: Token | None, left: Run | None, right: Run | None) -> bool:
    """Whether a sentence with "is" is about a sum: `3 + 4 is 7`, or `12 is 15% of 80` with nothing before it."""
    if left is None or right is None or (before is not None and left.first):
        return False
    if not left.worked and (not right.worked or left.before or before is not None):
        return False
    if left.before and left.before not in _LEADS:
        return False  # the last digit of 7 * 3 is 1
    units = [{t.text.lower().removesuffix("s") for t in run.tokens if t.kind is WORD} for run in (left, right)]
    return not (units[0] and units[1]) or bool(units[0] & units[1])
