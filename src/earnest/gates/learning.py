"""The learning gate: stops a stage that has been worthless for many steps, where a health rule only says so.

Worthless is what cannot teach, whatever comes out of it: no update was made, every gradient was exactly zero, nearly all
completions were cut and none was right, or the engine samples from another policy than the one that is trained. A policy that
could do something before the first update and can do nothing since is stopped sooner: its weights are not worth keeping.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from earnest.functional.stats import wilson
from earnest.gates.base import Gate, GateResult, Steps

EXPECTED = 10
"""Right answers whose absence is no chance, though the rollouts of a prompt are not independent."""


class Learning(Gate):
    """Has anything been learned from in the last steps?"""

    looks_at: ClassVar[type] = Steps

    patience: int = Field(50, ge=2)
    """Steps in a row that must have been worthless."""
    cut: float = Field(0.95, gt=0, le=1)
    """Share of completions that are cut, while none is right."""
    ratio_error: float = Field(0.5, gt=0)
    """Mean distance from 1 of the trainer's probability of a token by the engine's."""

    collapse: int = Field(10, ge=2)
    """Steps in a row without one right answer, after which a policy that had some before the first update has collapsed."""

    def check(self, evidence: Steps) -> GateResult:
        if self._collapsed(evidence.rows):
            before, last = evidence.rows[0].get("pass_rate") or 0.0, evidence.rows[-1].get("step") or 0
            return self.result(
                evidence.stage, "refused",
                f"the pass rate was {before:.0%} before the first update and 0 in the {self.collapse} steps up to step {last:.0f}"
                ": the updates destroyed what the policy could do",
                "a much smaller lr, warm-up, or a KL to the reference", {"steps": len(evidence.rows)},
            )  # fmt: skip
        rows = evidence.rows[-self.patience :]
        if len(rows) < self.patience:
            return self.result(evidence.stage, "passed", f"{len(rows)} steps so far, too few to judge")
        for worthless, reason, remedy in self._faults(rows):
            if worthless:
                first, last = (row.get("step") or 0 for row in (rows[0], rows[-1]))
                return self.result(
                    evidence.stage, "refused", f"steps {first:.0f} to {last:.0f}: {reason}", remedy,
                    {"steps": len(rows)},
                )  # fmt: skip
        return self.result(evidence.stage, "passed", f"nothing to say against the last {len(rows)} steps")

    def _collapsed(self, rows: Sequence[Mapping[str, float | None]]) -> bool:
        """Whether, were the policy still what it was, EXPECTED right answers or more would have come where there is none."""
        last = rows[-self.collapse :]
        if len(rows) <= self.collapse or not any(row.get("update/taken") for row in rows[: -self.collapse]):
            return False
        tried = rows[0].get("completions/count") or 0.0
        if not tried or any(row.get("pass_rate") != 0 for row in last):
            return False
        at_least = wilson(rows[0].get("pass_rate") or 0.0, tried)[0]
        return at_least * sum(row.get("completions/count") or 0.0 for row in last) >= EXPECTED

    def _faults(self, rows: Sequence[Mapping[str, float | None]]) -> Iterator[tuple[bool, str, str]]:
        idle = all(row.get("update/taken") == 0 for row in rows)
        broken = sum("grad_norm" in row and not _is_number(row["grad_norm"]) for row in rows)
        live = any(row.get("update/live") for row in rows)
        yield (
            idle and broken > len(rows) / 2,
            "no gradient was finite, so no update was made", "a smaller lr; look at the rollouts of these steps",
        )  # fmt: skip
        # before what it causes: cut completions are all wrong, so that no group carries a signal
        yield (
            _all_above(rows, "completions/clipped_ratio", self.cut) and not _any_above(rows, "pass_rate", 0.0),
            "nearly all completions were cut at the token limit, and none was right",
            "a higher max_tokens, or more supervised fine-tuning on traces that end",
        )  # fmt: skip
        yield (
            idle and live and not broken,
            "only a few groups carried a signal, and such steps are skipped here", "on_few_live: scale, or easier problems",
        )  # fmt: skip
        yield (
            idle and not _any_above(rows, "groups/all_right", 0.5),
            "no group carried a signal, so no update was made",
            "easier problems, more supervised fine-tuning before, or a larger group",
        )  # fmt: skip
        yield (
            all(row.get("grad_norm") == 0 for row in rows),
            "every gradient was exactly zero",
            "look at the loss mask (earnest data show) and at what is frozen",
        )  # fmt: skip
        yield (
            _all_above(rows, "sampler/ratio_error", self.ratio_error),
            "the engine sampled from another policy than the one that is trained",
            "check dtype and version of the engine's weights",
        )  # fmt: skip


def _all_above(rows: Sequence[Mapping[str, float | None]], metric: str, limit: float) -> bool:
    """In every one of these steps it was measured and above the limit."""
    return all((value := row.get(metric)) is not None and value > limit for row in rows)


def _any_above(rows: Sequence[Mapping[str, float | None]], metric: str, limit: float) -> bool:
    return any((value := row.get(metric)) is not None and value > limit for row in rows)


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
