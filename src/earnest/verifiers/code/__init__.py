"""Grades a program by running it against tests, behind walls (`sandbox/jobs.py`), and never where the tests are.

The gold is a JSON object (`gold.py`): functions called with arguments, asserts, or whole programs with input and output. The
answer is the last fenced block (`fence.py`). A program is correct if it passes every test; it is stopped at the first that it
fails, unless the share of passed tests is asked for. A wrong value, an exception and a crash are wrong; time, memory and output
beyond the gold's limits are `limit`; tests that cannot be run, and a sandbox that is lost or not to be had, are `error`.

Processor time is what `time_limit_s` limits: for all the tests of a program, in `stdio` for each run; twice as long on the wall
clock, so that a busy machine does not decide. Values are compared by their exact types (`compare.py`). What a program prints is
looked at in `stdio` alone, where its exit status must be 0 as well. Arguments are copies: a test that looks at what a function
did to its argument sees nothing. A program may import whatever is
installed, and start threads, but no process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Literal

from pydantic import Field

from earnest.errors import MissingDependency
from earnest.sandbox.levels import settled
from earnest.types import Item, Json, Status, Verdict
from earnest.verifiers.base import Verifier
from earnest.verifiers.code.fence import program
from earnest.verifiers.code.gold import Gold, read
from earnest.verifiers.code.trial import Outcome, tried
from earnest.verifiers.entry import given
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import right, unanswered, ungradable

MAX_CHARS = 100_000
EXTRACTED_CHARS = 200


class Code(Verifier):
    """All tests passed. Example: the asserts of `add` are met by "```python\\ndef add(a, b): return a + b\\n```"."""

    version: ClassVar[str] = "1"

    sandbox: Literal["auto", "bwrap", "landlock", "unsafe"] = "auto"
    """How programs are held: `earnest doctor` says what this machine can do. `unsafe`: not at all."""
    fraction: bool = Field(default=False)
    """The score is the share of tests passed (each is run); correct is still all of them."""
    unfenced: bool = False
    """Take an answer without any fence as a program, as a base model writes it."""

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        found = [self._before(item) for item in items]
        asked = list(dict.fromkeys(case for case in found if isinstance(case, tuple)))
        if len(asked) > 1:
            with ThreadPoolExecutor(min(len(asked), os.cpu_count() or 1)) as pool:
                verdicts = dict(zip(asked, pool.map(self._tried, asked), strict=True))
        else:
            verdicts = {case: self._tried(case) for case in asked}
        return [verdicts[case] if isinstance(case, tuple) else case for case in found]

    def check_gold(self, answer: str) -> str | None:
        gold = read(answer)
        return gold.reason if isinstance(gold, Refused) else None

    def conditions(self) -> Mapping[str, Json]:
        return {"sandbox": settled(self.sandbox).level}

    def _before(self, item: Item) -> Verdict | tuple[str, str]:
        """The verdict on what needs no run, else the program and its gold text."""
        found = given(item, read)
        if isinstance(found, Verdict):
            return found
        written = program(found.text, self.unfenced)
        if written is None:
            return unanswered(Status.NO_ANSWER, "no closed block of code")
        if len(written) > MAX_CHARS:
            return unanswered(Status.LIMIT, "too long", written[:EXTRACTED_CHARS])
        assert item.problem.answer is not None
        return written, item.problem.answer

    def _tried(self, case: tuple[str, str]) -> Verdict:
        written, answer = case
        gold = read(answer)
        assert isinstance(gold, Gold)
        try:
            outcome = tried(written, gold, self.sandbox, every=self.fraction)
        except MissingDependency as error:
            return ungradable(f"{error.what}: {error.why}")
        return self._verdict(written[:EXTRACTED_CHARS], outcome)

    def _verdict(self, extracted: str, outcome: Outcome) -> Verdict:
        if outcome.status == "error":
            return ungradable(outcome.reason)
        if outcome.passed == outcome.total and outcome.status == "ok":
            return right(extracted)
        score = outcome.passed / outcome.total if self.fraction else 0.0
        status = Status.LIMIT if outcome.status == "limit" else Status.OK
        return Verdict(status=status, correct=False, score=score, extracted=extracted, reason=outcome.reason)
