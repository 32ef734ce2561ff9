"""The one answer that a text commits to. A helper of the verifiers, no verifier.

In order of strength: the last `\\boxed{}` or `\\fbox{}`, the last `<answer>` tag, the last `#### x` line, the last "answer is"
or "Answer:". Several answers are no answer: side by side (with nothing but a restatement between them), joined as
alternatives, more than three of them, or contradicted by what follows. A later answer replaces an earlier one only where text
between the two says more than that. A box or tag that never closes commits to nothing.

What "different" means is the caller's: it gives a key for a candidate's text. One pass over the text, linear.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from earnest.verifiers import latex

MAX_CANDIDATE = 4200
MAX_CONSIDERED = 64
MAX_DIFFERENT = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of text put forward as the answer, and where its markup begins and ends."""

    text: str
    start: int
    end: int
    depth: int = 1  # deepest nesting of braces inside


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """Why a text commits to no answer."""

    reason: str


def find(text: str) -> list[Candidate] | Uncommitted:
    """The candidates of the strongest kind there is, in order; empty if the text marks none."""
    marked = find_marked(text)
    if marked:
        return marked
    if "####" in text:
        lines = _hashes(text)
        if lines:
            return lines
    return _phrases(text)


def find_marked(text: str) -> list[Candidate] | Uncommitted:
    """As `find`, of boxes and tags alone: marks that no answer is written with by chance."""
    if "\\boxed" in text or "\\fbox" in text:
        boxes = _boxes(text)
        if boxes:
            return boxes
    return _tags(text) if "<answer>" in text else []


@dataclass(frozen=True, slots=True)
class Mark:
    """A phrase that announces an answer. begin: where the answer does; end: where the next phrase stands, or the text ends."""

    said: str
    start: int
    begin: int
    end: int

    def line_end(self, text: str, most: int | None = None) -> int:
        """Where the line ends that the answer begins on; at most so many characters on."""
        end = self.end if most is None else min(self.end, self.begin + most)
        line = text.find("\n", self.begin, end)
        return line if line >= 0 else end


BLANKS = re.compile(r"\s*+")
BLANKS_AND_EMPHASIS = re.compile(r"[\s*_]*+")


def marks(text: str, phrase: re.Pattern[str], passed_over: re.Pattern[str] = BLANKS_AND_EMPHASIS) -> list[Mark]:
    """The last places where such a phrase stands. passed_over: what may stand between it and the answer, new lines as well."""
    found = deque(phrase.finditer(text), maxlen=MAX_CONSIDERED)
    ends = [*(match.start() for match in found), len(text)][1:]
    between = [passed_over.match(text, m.end(), end) for m, end in zip(found, ends, strict=False)]
    return [Mark(m[0], m.start(), b.end(), end) for m, b, end in zip(found, between, ends, strict=False) if b]


def settle(
    text: str, candidates: Sequence[Candidate], key: Callable[[str], Hashable | None]
) -> Candidate | Uncommitted:
    """The last candidate, if it stands alone or replaces the others. `key`: equal for equal answers, None for no answer."""
    last = candidates[-1]
    if _DENIED.search(text, max(0, last.start - _BEFORE), last.start):
        return Uncommitted("the answer is denied")
    several = Uncommitted("several different answers")
    if _ALTERNATIVE.match(text, last.end) or _has_alternative(text, last, key):
        return several
    if _CALLED_WRONG.match(text, last.end):
        return Uncommitted("the answer is denied")
    if len(candidates) > 1:
        mine = key(last.text)
        keys = [(c, key(c.text)) for c in candidates[-MAX_CONSIDERED:-1]]
        others = [(c, theirs) for c, theirs in keys if theirs not in (None, mine)]
        if len({theirs for _, theirs in others}) >= MAX_DIFFERENT:
            return several
        if others and _is_restatement(text[others[-1][0].end : last.start]):
            return several
    return last


def _has_alternative(text: str, last: Candidate, key: Callable[[str], Hashable | None]) -> bool:
    """True if the answer is the second of two ("41 or x"), or another follows it in brackets ("x (or 41)")."""
    before = _FIRST_OF_TWO.search(text, max(0, last.start - _BEFORE), last.start)
    after = _IN_BRACKETS.match(text, last.end)
    others = {key(found[1]) for found in (before, after) if found} - {None, key(last.text)}
    return bool(others)


def retraction(text: str, answer: Candidate) -> str:
    """What follows a word that takes the answer back ("wait", "no", "actually"); "" if none follows it."""
    found = _RETRACTS.search(text, answer.end, answer.end + MAX_CANDIDATE)
    return text[found.end() : answer.end + MAX_CANDIDATE] if found else ""


def is_contradicted(text: str, answer: Candidate, key: Callable[[str], Hashable | None]) -> bool:
    """True if another answer follows the one that was settled on: as a line of its own, or as one that is marked."""
    after = text[answer.end :]
    if not after or after.isspace():
        return False
    lines = [line for line in after[:MAX_CANDIDATE].splitlines()[1:] if line.strip()][:_LINES_AFTER]
    marked = [*_hashes(after)[-1:], *_phrases(after)[-1:]]
    keys = {key(rest) for rest in (*lines, *(c.text for c in marked))} - {None}
    return bool(keys and keys != {key(answer.text)})


_RETRACTS = re.compile(
    r"\b(?:wait|no|nope|actually|wrong|incorrect|instead|rather|correction|corrected|sorry|hm+|mistake|oops"
    r"|on second thought|i meant?|make (?:that|it)|(?:should|could|might|must) (?:be|have))\b",
    re.IGNORECASE,
)
_IT_IS = (
    r"(?:[ \t]+(?:the|a|an|be|it|to|my|final|right|correct|best|just|simply|equal|answer|result|value|is|equals|would))*"
    r"[ \t$*(:]*\Z"
)
_DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|wrong|incorrect|false|than|(?:anything|everything|all) but|instead of|except|excluding|besides"
    rf"|apart from)|n['’]t|\\neq?|≠|!=){_IT_IS}"
    r"|(?:\b(?:do not|does not|cannot|can not|never)|n['’]t)[ \t]+(?:think|believe|say|mean|claim|agree|suppose)(?:[ \t]+that)?"
    rf"{_IT_IS}|\b(?:doubt|wrong to (?:say|think|claim)|false|untrue)(?:[ \t]+that)?{_IT_IS}",
    re.IGNORECASE,
)
_CALLED_WRONG = re.compile(
    r"[ \t$)*_\]\\,]{0,8}(?:text ?\{ ?)?(?:(?:which|that|it) )?"
    r"(?:(?:is|was|seems|looks|must be) (?:[a-z]{1,12} ){0,1}(?:not|wrong|incorrect|false|mistaken)\b|isn['’]t\b|cannot be\b)",
    re.IGNORECASE,
)
_FIRST_OF_TWO = re.compile(
    r"(?<![*/+^=×·\w.-])(?<![*/+^=×·-] )([-+]?[0-9][0-9,./]{0,20})[ \t$)]{0,4},? or[ \t$(]{0,4}\Z", re.IGNORECASE
)
_IN_BRACKETS = re.compile(
    r"[ \t$]{0,4}\([ \t]?(?:or|alternatively|perhaps|maybe|possibly)\b,?[ \t$]{0,4}([-+]?[0-9][0-9,./]{0,20})",
    re.IGNORECASE,
)
_BEFORE = 60
_BRACES = re.compile(r"\\(?:boxed|fbox) {0,3}\{|\\.|[{}]", re.DOTALL)


def _boxes(text: str) -> list[Candidate] | Uncommitted:
    found: list[Candidate] = []
    depth = deepest = start = inner = 0
    for match in _BRACES.finditer(text):
        token = match[0]
        if len(token) > 2:
            if depth == 0:
                start, inner, deepest = match.start(), match.end(), 1
            depth += 1
        elif depth and token == "{":
            depth += 1
        elif depth and token == "}":
            depth -= 1
            if depth == 0:
                found.append(_with_percent(text, Candidate(text[inner : match.start()], start, match.end(), deepest)))
        deepest = max(deepest, depth)
    return Uncommitted("a box that never closes") if depth else found


_PERCENT = re.compile(r"[ $]{0,4}(?:\\?%|(?:percent|pct)\b)")


def _with_percent(text: str, box: Candidate) -> Candidate:
    """`\\boxed{42}\\%` answers 42 %, not 42."""
    after = _PERCENT.match(text, box.end)
    return Candidate(box.text + "%", box.start, after.end(), box.depth) if after and box.text.strip() else box


def _tags(text: str) -> list[Candidate] | Uncommitted:
    found: list[Candidate] = []
    at = 0
    while (start := text.find("<answer>", at)) >= 0:
        at = text.find("</answer>", start)
        if at < 0:
            return Uncommitted("an answer tag that never closes")
        found.append(Candidate(text[start + len("<answer>") : at], start, at + len("</answer>")))
    return found


_HASHES = re.compile(r"^[ \t]{0,8}####[ \t]{0,8}([^\sA-Za-z#].{0,4200})", re.MULTILINE)
_PHRASE = re.compile(
    r"\banswers?[ *_]{0,4}(?:is\b[ *_]{0,4}:?|[:=：])|^[ *_]{0,4}A[ *_]{0,4}:", re.IGNORECASE | re.MULTILINE
)
_SENTENCE = re.compile(r"\.(?=\s)")
_REASON = re.compile(r",? (?:(?:because|since)\b|not (?=[-$\\]{0,3}[0-9]))", re.IGNORECASE)
_DOUBT = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|probably|might|may|could|either|but|wait|no|actually|unless|if|unsure|guess|also)\b|[?]",
    re.IGNORECASE,
)


def _hashes(text: str) -> list[Candidate]:
    marks = deque(_HASHES.finditer(text), maxlen=MAX_CONSIDERED)
    return [Candidate(m[1], m.start(), m.end()) for m in marks]


def _phrases(text: str) -> list[Candidate]:
    return [_phrase(text, mark) for mark in marks(text, _PHRASE)]


def _phrase(text: str, mark: Mark) -> Candidate:
    """The rest of the sentence; of the next line that has any text if the line of the mark has none. Without "because …" and
    "not 41", if nothing there is a doubt."""
    stop = mark.line_end(text, MAX_CANDIDATE)
    sentence = _SENTENCE.search(text, mark.begin, stop)
    stop = sentence.end() if sentence else stop
    reason = _REASON.search(text, mark.begin, stop)
    if reason and not _DOUBT.search(text, reason.end(), stop):
        stop = reason.start()
    return Candidate(text[mark.begin : stop], mark.start, stop)


_WORD = re.compile(r"[^\W\d_]+")
_HEDGES = frozenset(["or", "alternatively", "either", "maybe", "perhaps", "possibly", "might", "could"])
_RESTATING_WORDS = """
    a an the my final answer answers is are so and also it be may possible candidate candidates option options another
    other guess guesses try attempt therefore thus hence result value equals then next
    second third i say box can we case cases part solution
"""
_RESTATING = frozenset(_RESTATING_WORDS.split()) | latex.BOXES | latex.LETTERS | {"text"}
_CORRECTS = re.compile(
    r"\b(?:(?:double[- ]?|re)?check\w*|again|error|fix\w*|redo\w*|revis\w*|better|finally|not|but|however)\b|n['’]t\b",
    re.IGNORECASE,
)
_ON_CONDITION = re.compile(r"[ \t$)*_.,]{0,6}(?:if|when|in case|unless|provided)\b", re.IGNORECASE)
_FEW_WORDS = 3
LONG_GAP = 200


def _is_restatement(gap: str) -> bool:
    """True if the text between two answers gives no reason to drop the first for the second."""
    if len(gap) > LONG_GAP:
        return False
    if _ON_CONDITION.match(gap):
        return True
    words = [word.lower() for word in _WORD.findall(gap)]
    if any(word in _HEDGES for word in words):
        return True
    others = [word for word in words if word not in _RESTATING]
    return len(others) < _FEW_WORDS and not _RETRACTS.search(gap) and not _CORRECTS.search(gap)


_ALTERNATIVE = re.compile(
    r"[ \t$)*_\]\\]{0,8}[.,;:/&?]?[ \t]{0,4}"
    r"(?:(?:or|alternatively|perhaps|maybe|possibly|either)\b|(?:and\b)?[ \t$\\+-]{0,4}[0-9]|[=^+×±≈]"
    r"|\\(?:times|cdot|pm|div|to|approx|neq?)\b)",
    re.IGNORECASE,
)
_LINES_AFTER = 16
