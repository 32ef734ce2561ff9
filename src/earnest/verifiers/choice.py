"""Grades an answer that must be one of several options.

The gold is a JSON object, `{"answer": "B", "choices": {"A": "Paris", "B": "London"}}`; labels are letters or numbers. Exactly one
option is committed to: by its label, its text, or both, in the last box, tag or "answer is" line, else as the last line. A
label with another option's text, several options, `AB`, a list of all of them, `B or C` and `not B` commit to none. An
option that is named only to be ruled out ("B, not A") does not count. In what explains the answer ("B because …") other
options' texts may stand, their labels may not unless they are ruled out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from earnest.types import Item, Status, Verdict
from earnest.verifiers import commitment, options
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Candidate, Uncommitted
from earnest.verifiers.entry import given
from earnest.verifiers.options import Named, Options
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import right, unanswered, wrong

MAX_LINES = 200
SEVERAL = Uncommitted("several different options, or a label with another option's text")


class Choice(Verifier):
    """One option of several. Example: gold B, "London", is met by `(B)`, `\\boxed{B}` and `Answer: London`, not by `B) Paris`."""

    version: ClassVar[str] = "1"

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [_judge(item) for item in items]

    def check_gold(self, answer: str) -> str | None:
        gold = options.read(answer)
        return gold.reason if isinstance(gold, Refused) else None


def _judge(item: Item) -> Verdict:
    found = given(item, options.read)
    if isinstance(found, Verdict):
        return found
    label = _committed(found.text, found.gold)
    if isinstance(label, Uncommitted):
        return unanswered(Status.NO_ANSWER, label.reason)
    return right(label) if label == found.gold.answer else wrong(label, "another option")


def _committed(text: str, gold: Options) -> str | Uncommitted:
    """The label of the one option that the text commits to."""
    whole = gold.exact(text)
    if whole:
        return whole
    found = commitment.find_marked(text)
    if isinstance(found, Uncommitted):
        return found
    found = found or _phrases(text, gold)
    if not found:
        return _last_line(text, gold)
    for candidate in found[-commitment.MAX_CONSIDERED :]:
        if len(candidate.text) > options.MAX_CHARS:
            return Uncommitted("too long for an option")

    def key(candidate: str) -> str | None:
        label = _read(candidate, gold)
        if isinstance(label, Uncommitted):
            return label.reason if label is SEVERAL else None
        return label

    settled = commitment.settle(text, found, key)
    if isinstance(settled, Uncommitted):
        return settled
    label = _read(settled.text, gold)
    if isinstance(label, Uncommitted):
        return label
    return SEVERAL if _has_rival(text, settled, label, gold) else label


def _read(statement: str, gold: Options) -> str | Uncommitted:
    """The one option of a statement that is marked as the answer."""
    whole = gold.exact(statement)
    if whole is not None:
        return whole or SEVERAL
    text = options.plain(statement)
    because = _BECAUSE.search(text)
    head = text[: because.start()] if because else text
    alone = gold.exact(head) if because else None  # "2, because …": a number as a label is none within a sentence
    if alone is not None and not gold.named(head):
        return alone or SEVERAL
    names = gold.named(head)
    kept = [name for name in names if not _is_ruled_out(head, name)]
    labels = {name.label for name in kept}
    if not labels:
        return Uncommitted("the answer is denied" if names else "no option is named")
    if len(labels) > 1 or _HEDGE.search(_outside(head, names)) or text.rstrip(" *_)").endswith("?"):
        return SEVERAL
    if because:
        tail = text[because.start() :]
        if {n.label for n in gold.named(tail) if n.by_label and not _is_ruled_out(tail, n)} - labels:
            return SEVERAL
    (label,) = labels
    return label if label in gold.texts else Uncommitted("none of the options")


def _last_line(text: str, gold: Options) -> str | Uncommitted:
    """The option that an unmarked text ends with: a label in its last line, or an option's text as the whole of it."""
    lines = _without_echo([line for line in text.splitlines() if line.strip()][-MAX_LINES:], gold)
    if not lines:
        return Uncommitted("the options again, and no answer")
    last = lines[-1] if len(lines[-1]) <= options.MAX_CHARS else ""
    concluded = _SENTENCES.split(last)[-1]
    last = _LEAD_IN.sub("", concluded if _CONCLUDES.match(concluded) else last, count=1)
    label = gold.exact(last)
    if label is None:
        contrast = _CONTRAST.fullmatch(last)
        label = gold.exact(contrast[1]) if contrast and gold.exact(contrast[2]) is not None else None
    if label is None:
        plain = options.plain(last)
        if not any(name.by_label and not _is_ruled_out(plain, name) for name in gold.named(plain)):
            return _first_line(text, gold)
        read = _read(last, gold)
        if isinstance(read, Uncommitted):
            return read
        label = read
    others = {gold.exact(line) for line in lines[:-1]} - {None, label}
    return label if label and not others else SEVERAL


def _first_line(text: str, gold: Options) -> str | Uncommitted:
    """The option that an unmarked text begins with as a line of its own, if what explains it names no other label."""
    line = text.partition("\n")[0]
    label = gold.exact(line)
    if not label:
        return Uncommitted("no answer was marked, and neither the first line nor the last is an option")
    rest = options.plain(text[len(line) :])
    others = {name.label for name in gold.named(rest) if name.by_label and not _is_ruled_out(rest, name)}
    has_rival = others - {label} or _has_rival(text, Candidate(line, 0, len(line)), label, gold)
    return SEVERAL if has_rival else label


def _without_echo(lines: list[str], gold: Options) -> list[str]:
    """The lines without those that list all options, each with its label and text, in their order."""
    size = len(gold.texts)
    for start in range(len(lines) - size + 1):
        if [_echoed(line, gold) for line in lines[start : start + size]] == list(gold.texts):
            return _without_echo(lines[:start] + lines[start + size :], gold)
    return lines


def _echoed(line: str, gold: Options) -> str | None:
    return gold.exact(line) if len(options.plain(line).strip("().[]*-: ")) > 1 else None


def _has_rival(text: str, answer: Candidate, label: str, gold: Options) -> bool:
    """True if what follows the answer is another option, or takes the answer back and names another."""
    after = text[answer.end : answer.end + commitment.MAX_CANDIDATE]
    pieces = [piece for line in after.splitlines()[:MAX_LINES] for piece in _SENTENCES.split(line)]
    exact = {gold.exact(piece) for piece in pieces if piece.strip()}
    later = {_read(candidate.text, gold) for candidate in _phrases(after, gold)[-1:]}
    back = _BECAUSE.split(options.plain(commitment.retraction(text, answer)), maxsplit=1)[0]
    named = {name.label for name in gold.named(back) if not _is_ruled_out(back, name)}
    rivals = {found for found in (*exact, *later, *named) if isinstance(found, str)} | (later & {SEVERAL})
    return bool(rivals - {label})


_PHRASE = re.compile(
    r"\b(?:answers?|options?|choices?)[ *_]{0,4}(?:(?:must|should|would|has to) be\b|(?:is|are)\b)[ *_]{0,4}:?"
    r"(?! *(?:correct|right|best|true|wrong|false|incorrect) ?\?)|\b(?:answer|option|choice)[ *_]{0,4}[:：]|^ {0,3}####(?!#)"
    r"|\bI(?:['’]ll|['’]d| will| would)? (?:choose|pick|select|go with|went with)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_END = re.compile(r"[.!](?=\s)|\n")


def _phrases(text: str, gold: Options) -> list[Candidate]:
    """What follows each "the answer is", "option:", "I choose", to the end of the sentence; the next line if nothing does.
    To the end of the line where the whole of that is an option, which may hold a full stop itself."""
    found: list[Candidate] = []
    for mark in commitment.marks(text, _PHRASE):
        sentence, stop = _END.search(text, mark.begin, mark.end), mark.line_end(text)
        if sentence and gold.exact(text[mark.begin : stop]) is None:
            stop = sentence.start() + 1
        found.append(Candidate(text[mark.begin : stop], mark.start, stop))
    return found


_BECAUSE = re.compile(
    r"\b(?:because|since|as|which|where|due to|given that|for the reason|whereas|while|so that)\b", re.IGNORECASE
)
_HEDGE = re.compile(
    r"\b(?:or|either|both|all|any|none|neither|nor|alternatively|and/or|otherwise|between|each|every|no idea|not sure)\b|[/|]",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(r"[ *_]*(?:so|thus|therefore|hence|finally)\b", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"[ *_]*(?:(?:so|thus|therefore|hence|finally),? )?(?:(?:i (?:think|believe|say|guess)|it|this|that)(?: (?:it|this|that))?"
    r"(?: (?:must|should|would) be| is|['’]s)?:? )?",
    re.IGNORECASE,
)
_CONTRAST = re.compile(r"([^,;]{1,400}?),? (?:not|rather than|instead of) ([^,;]{1,400})", re.IGNORECASE)
_NOT = (
    r"(?:\b(?:not|never|cannot|without|unlike|except|excluding|nor|neither|wrong|incorrect|false|doubt"
    r"|(?:rather|other|better|more) than|instead of|as opposed to|rul(?:e|es|ed|ing) out|eliminat(?:e|es|ed|ing))\b|n['’]t\b)"
)
_DENIED = re.compile(_NOT, re.IGNORECASE)
_ALL_BUT = re.compile(
    r"\b(?:anything|everything|any|all|none|nothing)(?: of (?:them|these))? but (?:the )?(?:option )?\(?\Z",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:.!?\n]|\b(?:but|so|and|then|therefore|thus)\b", re.IGNORECASE)
_RULED_OUT = re.compile(
    r"[)\]*_.\"'”’]{0,4} (?:is|are|was|were|can|cannot|could|does|do|would|has been|have been|must|isn|aren|doesn|can['’]t)"
    r"[^,;.!?]{0,40}?(?:\b(?:not|cannot|wrong|incorrect|false|out|eliminated|impossible|excluded|mistaken)\b|n['’]t\b)"
    r"|[)\]*_.\"'”’]{0,4} (?:cannot|can['’]t|isn['’]t|aren['’]t|doesn['’]t|don['’]t)\b",
    re.IGNORECASE,
)
_NEAR = 80


def _clause_before(text: str, at: int) -> str:
    """What stands before a place in its own clause."""
    before = text[max(0, at - _NEAR) : at]
    breaks = list(_CLAUSE.finditer(before))
    return before[breaks[-1].end() :] if breaks else before


def _is_ruled_out(text: str, name: Named) -> bool:
    """True if the option is named only to say that it is not the answer."""
    before = text[max(0, name.start - _NEAR) : name.start]
    return bool(
        _DENIED.search(_clause_before(text, name.start)) or _ALL_BUT.search(before) or _RULED_OUT.match(text, name.end)
    )


def _outside(text: str, names: Sequence[Named]) -> str:
    """The text without the option texts in it."""
    for name in sorted(names, key=lambda name: -name.start):
        if not name.by_label:
            text = text[: name.start] + " " + text[name.end :]
    return text
