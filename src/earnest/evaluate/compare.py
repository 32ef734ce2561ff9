"""Two models on the same problems. Pairing takes the difficulty of the problems out of the difference.

Problems are matched by id. A record whose grading failed is left out on its side; a problem with none left on either
side leaves both. What was left out is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earnest.evaluate.summary import graded
from earnest.functional.stats import Interval, paired_difference
from earnest.types import Record, Status


@dataclass(frozen=True, slots=True)
class Flips:
    """Problems by the direction in which they moved from a to b. With one sample each, `gained` is wrong to right."""

    gained: int
    lost: int
    same: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Pass rate of b minus that of a. Example: Comparison("sft", "rl", "sampled", 0.3, 0.57, 0.27, ...)."""

    a: str
    b: str
    metric: str  # sampled | greedy
    a_value: float  # pass rates on the shared problems
    b_value: float
    diff: float
    ci95: Interval | None  # None below two problems
    p_value: float | None
    n: int  # problems
    flips: Flips
    errors: int  # records left out because grading failed, both sides
    unmatched: int  # problems that only one side has graded


def compare(a: str, a_records: Sequence[Record], b: str, b_records: Sequence[Record], metric: str) -> Comparison | None:
    """b against a on the problems that both have graded; None if they share none."""
    a_marks, b_marks = graded(a_records), graded(b_records)
    shared = [problem for problem in a_marks if problem in b_marks]
    if not shared:
        return None
    found = paired_difference([a_marks[p] for p in shared], [b_marks[p] for p in shared])
    a_P = np.array([np.mean(a_marks[p]) for p in shared])
    b_P = np.array([np.mean(b_marks[p]) for p in shared])
    gained, lost = int((b_P > a_P).sum()), int((b_P < a_P).sum())
    return Comparison(
        a=a, b=b, metric=metric, a_value=float(a_P.mean()), b_value=float(b_P.mean()),
        diff=found.diff, ci95=found.ci95, p_value=found.p_value, n=found.n,
        flips=Flips(gained, lost, len(shared) - gained - lost),
        errors=sum(r.verdict.status is Status.ERROR for r in (*a_records, *b_records)),
        unmatched=len(a_marks) + len(b_marks) - 2 * len(shared),
    )  # fmt: skip
