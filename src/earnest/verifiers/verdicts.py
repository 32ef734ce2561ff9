"""The four kinds of verdict that verifiers of one right answer give. A helper, no verifier."""

from __future__ import annotations

from earnest.types import Status, Verdict

QUOTED_CHARS = 200
"""Characters of an answer that a verdict quotes."""


def quoted(text: str) -> str:
    """What was extracted, as a verdict quotes it: the beginning and "..." of a long one."""
    return text if len(text) <= QUOTED_CHARS else text[: QUOTED_CHARS - 3] + "..."


def right(extracted: str) -> Verdict:
    """The answer is the gold answer."""
    return Verdict(status=Status.OK, correct=True, score=1.0, extracted=extracted)


def wrong(extracted: str, reason: str) -> Verdict:
    """An answer was read, and it is another one."""
    return Verdict(status=Status.OK, correct=False, score=0.0, extracted=extracted, reason=reason)


def unanswered(status: Status, reason: str, extracted: str | None = None) -> Verdict:
    """No answer could be read: NO_ANSWER, TRUNCATED or LIMIT. Graded wrong."""
    assert status not in (Status.OK, Status.ERROR), status
    return Verdict(status=status, correct=False, score=0.0, extracted=extracted, reason=reason)


def ungradable(reason: str) -> Verdict:
    """Our side failed. No reward and no punishment."""
    return Verdict(status=Status.ERROR, correct=None, score=None, reason=reason)
