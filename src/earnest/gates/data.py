"""The data gate: no question of an evaluation was trained on, neither as it stands nor with other numbers.

Every problem that an evaluation will ask is looked up among the problems that stages before it train on: the same question (case
and white space ignored), a near twin (equal once numbers are masked, or alike by MinHash; `tasks/clusters.py`), and a run of
words in common (n-grams, as contamination is usually reported). What a task does within itself is not trusted but measured too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from earnest.data.select import subset
from earnest.gates.base import RUN, Gate, GateResult, Questions, Source
from earnest.tasks.clusters import masked, normalised, twins
from earnest.types import Json, Problem

NGRAM = 13
"""Words in a run that two texts share only if one was taken from the other (Brown et al., 2020, arXiv:2005.14165, appendix C)."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """One evaluation against one source of training problems. Counts are of the evaluation's problems."""

    held_out: str
    trained: str
    asked: int
    looked_at: int  # training problems
    of: int  # that there are
    verbatim: int
    twins: int | None  # besides the verbatim ones; None: not measured, the problems are templated
    ngrams: int | None  # None: not measured, both are templated: their questions share the words of their instructions
    example: tuple[str, str] | None  # (asked, trained)


def overlap(held_out: Source, trained: Source, look_at: int) -> Overlap:
    """Measure it on at most `look_at` problems of each side, drawn over the whole of it."""
    asked, known = subset(held_out.problems, look_at), subset(trained.problems, look_at)
    questions = {normalised(p.question): p for p in known}
    wanted: dict[int, list[int]] = {}  # n-gram -> places of the questions that have it; training texts may be long
    worded = not (held_out.templated and trained.templated)
    for place, problem in enumerate(asked if worded else ()):
        for gram in _ngrams(problem.question):
            wanted.setdefault(gram, []).append(place)
    shared: dict[int, Problem] = {}
    for problem in known if wanted else ():
        for gram in _ngrams(_all_text(problem)) & wanted.keys():
            for place in wanted[gram]:
                shared.setdefault(place, problem)
    same = {place: p for place, a in enumerate(asked) if (p := questions.get(normalised(a.question))) is not None}
    pairs = {**shared, **same}
    near: int | None = None
    if not (held_out.templated or trained.templated):
        found = _twins(asked, known)
        near = sum(1 for place in found if place not in same)
        pairs = {**{place: known[other] for place, other in found.items()}, **pairs}
    first = next(((asked[i].question, pairs[i].question) for i in sorted(pairs)), None)
    return Overlap(
        held_out.name, trained.name, len(asked), len(known), len(trained.problems), len(same), near,
        len(shared) if worded else None, first,
    )  # fmt: skip


class Data(Gate):
    """Are the evaluations' questions new?"""

    looks_at: ClassVar[type] = Questions

    look_at: int = Field(20_000, gt=0)
    """Problems of each side that are compared, drawn over the whole of it."""
    twin_ceiling: float = Field(0.01, ge=0, le=1)
    """Refuse if a larger share of an evaluation's problems has a near twin in training data; warn above 0, and about dev."""

    def check(self, evidence: Questions) -> GateResult:
        claimed = [overlap(h, t, self.look_at) for h in evidence.held_out for t in evidence.trained]
        measured = claimed + [overlap(h, t, self.look_at) for h in evidence.watched for t in evidence.trained]
        numbers: dict[str, Json] = {
            f"{o.held_out} in {o.trained}": {
                "problems": o.asked, "trained_on": o.of, "looked_at": o.looked_at, "verbatim": o.verbatim,
                "near_twins": o.twins, f"{NGRAM}_grams": o.ngrams,
            }
            for o in measured
        }  # fmt: skip
        if not measured:
            return self.result(RUN, "passed", "nothing is both trained and evaluated", "", numbers)
        leaks = [o for o in claimed if o.verbatim or (o.twins or 0) > self.twin_ceiling * o.asked]
        if leaks:
            remedy = "take these problems out of the training data, or evaluate on others"
            if not any(o.verbatim for o in leaks):
                remedy += "; a task whose problems are meant to differ in their numbers alone says so: templated = True"
            return self.result(RUN, "refused", "; ".join(map(_said, leaks)), remedy, numbers)
        doubtful = [o for o in measured if o.verbatim or o.twins or o.ngrams]
        if doubtful:
            remedy = "look at them, or take them out of the training data"
            return self.result(RUN, "warned", "; ".join(map(_said, doubtful)), remedy, numbers)
        looked = ", ".join(dict.fromkeys(f"{o.looked_at:,} of {o.of:,} of {o.trained}" for o in measured))
        asked = ", ".join(dict.fromkeys(f"{o.asked:,} of {o.held_out}" for o in measured))
        return self.result(RUN, "passed", f"none of the questions evaluated ({asked}) is among {looked}", "", numbers)


def _twins(asked: Sequence[Problem], known: Sequence[Problem]) -> dict[int, int]:
    """Near twins by masked equality or MinHash. Questions without any word besides numbers have none."""
    worded = [i for i, p in enumerate(asked) if _has_words(p)]
    found = twins([asked[i].question for i in worded], [p.question for p in known])
    return {worded[i]: other for i, other in found.items()}


def _has_words(problem: Problem) -> bool:
    return any(word != "0" for word in _WORD.findall(masked(problem.question)))


def _all_text(problem: Problem) -> str:
    """Everything that training reads of a problem, as far as the task keeps it."""
    trace = problem.meta.get("trace")
    return f"{problem.question}\n{trace if isinstance(trace, str) else ''}"


def _ngrams(text: str) -> set[int]:
    """Hashes of the runs of NGRAM words."""
    words = _WORD.findall(normalised(text))
    return {hash(tuple(words[i : i + NGRAM])) for i in range(len(words) - NGRAM + 1)}


def _said(o: Overlap) -> str:
    parts = [f"{o.verbatim} as they stand"] if o.verbatim else []
    parts += [f"{o.twins} as near twins (numbers masked, or alike)"] if o.twins else []
    parts += [f"{o.ngrams} share {NGRAM} words in a row"] if o.ngrams else []
    told = f"of {o.asked:,} problems of {o.held_out}, {', '.join(parts)} in {o.trained}"
    return told if o.example is None else f"{told}: {o.example[0][:80]!a} beside {o.example[1][:80]!a}"
