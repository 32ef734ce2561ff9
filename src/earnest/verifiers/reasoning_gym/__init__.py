"""Grades answers to the generated puzzles of the package `reasoning-gym`, without its habits.

The package's own scorers run `eval` on answers, pay for an answer that only contains the right one, for near misses and for
nothing at all. Here an answer is right or wrong. Most data sets have one right answer, and that is compared; those with several
are checked by code of ours, or by the package's scorer in a sandbox job of its own, on texts of the right form alone, where a
score of 1 is right and everything below it wrong. `tables` says which is which, and which data sets are refused and why.

The gold is a JSON object: {"dataset", "config", "index", "package"}. The row is made again from it, so the configuration holds a
seed, and the package must be of the version that made it. `question`, a hash of the row's question, is needed for the data sets
whose rows depend on more than that, except polynomial_multiplication, of which every row that it can be is then taken.

The answer stands in `<answer>…</answer>`; several must agree. Needs the extra: pip install "earnest[gym]".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field

from earnest.errors import MissingDependency
from earnest.sandbox.jobs import CodecError, Limits, SandboxError, call
from earnest.types import Item, Status, Verdict
from earnest.verifiers import golds
from earnest.verifiers.base import Verifier
from earnest.verifiers.commitment import Candidate, Uncommitted, settle
from earnest.verifiers.entry import given
from earnest.verifiers.reasoning_gym.checks import OWN, same
from earnest.verifiers.reasoning_gym.formulas import Unreadable
from earnest.verifiers.reasoning_gym.rows import Name, Row, installed, rows_of
from earnest.verifiers.reasoning_gym.tables import REFUSED, SCORED, UNSTABLE
from earnest.verifiers.refused import Refused
from earnest.verifiers.verdicts import quoted, right, unanswered, ungradable, wrong

MAX_CHARS = 4096
WALL_FACTOR = 3
"""Seconds on the wall clock for each of processor time: how busy the machine is must not decide."""
SERVE = "earnest.verifiers.reasoning_gym.serve"


def question_hash(question: str) -> str:
    """What a gold keeps of its row's question."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


class ReasoningGym(Verifier):
    """The puzzles of reasoning-gym, right or wrong. Example: `<answer>292</answer>` for a row of leg_counting."""

    version: ClassVar[str] = "2"

    timeout_s: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Seconds of processor time that a scorer may take in the sandbox; three times as long on the wall clock."""

    def check_gold(self, answer: str) -> str | None:
        gold = _gold(answer)
        return gold.reason if isinstance(gold, Refused) else None

    def judge(self, items: Sequence[Item]) -> list[Verdict]:
        return [self._judge(item) for item in items]

    def _judge(self, item: Item) -> Verdict:
        found = given(item, _gold)
        if isinstance(found, Verdict):
            return found
        gold, text = found.gold, tagged(found.text)
        if isinstance(text, Refused):
            return unanswered(Status.NO_ANSWER, text.reason)
        made = _rows(gold)
        if isinstance(made, Refused):
            return ungradable(made.reason)
        if len(text) > MAX_CHARS + 4 * max(len(row.answer or "") for row in made):
            return unanswered(Status.LIMIT, "too long", quoted(text))
        return self._grade(gold.name, text, made)

    def _grade(self, name: Name, text: str, made: Sequence[Row]) -> Verdict:
        extracted = quoted(text)
        if name.dataset in SCORED:
            if SCORED[name.dataset].fullmatch(text) is None:
                return wrong(extracted, "not of the form that is asked for")
            return self._scored(name, text, extracted)
        check = OWN.get(name.dataset)
        try:
            found = any(check(text, row) if check else same(text, row.answer or "") for row in made)
        except Unreadable as error:
            return wrong(extracted, str(error))
        return right(extracted) if found else wrong(extracted, "another answer")

    def _scored(self, name: Name, text: str, extracted: str) -> Verdict:
        arguments = [name.dataset, name.settings, name.index, text]
        try:
            limits = Limits(wall_s=WALL_FACTOR * self.timeout_s, cpu_s=math.ceil(self.timeout_s), forks=False)
            score = call(f"{SERVE}:score", arguments, limits, preload=("reasoning_gym", SERVE))
        except MissingDependency as error:
            return ungradable(str(error))
        except (SandboxError, CodecError) as error:
            kind = getattr(error, "kind", "")
            if kind in ("deadline", "memory", "output"):
                return unanswered(Status.LIMIT, f"the scorer met its limit: {kind}", extracted)
            return ungradable(f"the scorer failed: {error}"[:400])
        return right(extracted) if score >= 1 else wrong(extracted, "another answer")


@dataclass(frozen=True, slots=True)
class _Gold:
    """A gold read. question: hash of the row's question, "" where the gold has none."""

    name: Name
    question: str


_OPEN, _CLOSE = "<answer>", "</answer>"


def tagged(text: str) -> str | Refused:
    """What stands in the answer tag; tags that disagree, never close, hold nothing or are denied answer nothing."""
    found: set[str] = set()
    last: Candidate | None = None
    at = text.find(_OPEN)
    while at >= 0:
        end = text.find(_CLOSE, at)
        if end < 0:
            return Refused("an answer tag that never closes")
        last = Candidate(text[at + len(_OPEN) : end].strip(), at, end + len(_CLOSE))
        found.add(last.text)
        if len(found) > 1:
            return Refused("several different answers")
        if text[end + len(_CLOSE) : end + len(_CLOSE) + 1].isalnum():
            return Refused("something is attached to the answer tag")
        at = text.find(_OPEN, end)
    if last is None:
        return Refused("no answer tag")
    settled = settle(text, [last], str)
    if isinstance(settled, Uncommitted):
        return Refused(settled.reason)
    return settled.text or Refused("nothing there")


@lru_cache(maxsize=8192)
def _gold(answer: str | None) -> _Gold | Refused:
    gold = golds.read(answer)
    if isinstance(gold, Refused):
        return gold
    missing = [key for key in ("dataset", "config", "index", "package") if key not in gold]
    if missing:
        return Refused(f"no {' and no '.join(missing)} in it")
    dataset, config, index, question = gold["dataset"], gold["config"], gold["index"], gold.get("question", "")
    reason = _unfit(dataset, config, index) or _unlike(gold["package"])
    if reason:
        return Refused(reason)
    if not isinstance(question, str) or (not question and dataset in UNSTABLE - {"polynomial_multiplication"}):
        return Refused(
            f"rows of {dataset} depend on more than their seed; the gold must hold the hash of its `question`"
        )
    return _Gold(Name(dataset, golds.write(config), index), question)


def _unfit(dataset: Any, config: Any, index: Any) -> str | None:
    """Why these name no row that can be graded."""
    if not isinstance(dataset, str) or not dataset.isidentifier():
        return "no name of a data set"
    if dataset in REFUSED:
        return f"{dataset} is not graded: {REFUSED[dataset]}"
    if not isinstance(config, dict) or type(config.get("seed")) is not int:
        return "a configuration without a seed"
    size = config.get("size", 500)
    if type(index) is not int or type(size) is not int or not 0 <= index < size:
        return "an index outside the data set"
    return None


def _unlike(package: Any) -> str | None:
    """Why the package that is here cannot make the row of the one that made it."""
    here = installed()
    if isinstance(here, Refused):
        return here.reason
    return None if package == f"reasoning_gym=={here}" else f"made by {package}, and reasoning_gym=={here} is installed"


def _rows(gold: _Gold) -> Sequence[Row] | Refused:
    made = rows_of(gold.name)
    if isinstance(made, Refused):
        return made
    if gold.question:
        made = tuple(row for row in made if question_hash(row.question) == gold.question)
        if not made:
            return Refused("the row that was made again asks another question")
    if gold.name.dataset not in SCORED and any(row.answer is None for row in made):
        return Refused("the row has no answer")
    return made
