"""What the model's own further samples would have bought: the base with k tries beside the trained model with one.

Training may only have moved to the first try what several tries, or a vote among them, found before. Made from the stored
samples; nothing is drawn again. Cost is counted in generated tokens a problem: prompts, and what training cost, are not
in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from earnest.evaluate.load import ModelRecords
from earnest.evaluate.summary import by_problem, graded, rate_json
from earnest.functional.stats import (
    Difference,
    Rate,
    mean_interval,
    paired_difference,
    pass_at_k,
    rate,
    rate_of_means,
)
from earnest.types import Json, Record, Status

How: TypeAlias = Literal["one", "vote", "any"]


@dataclass(frozen=True, slots=True)
class Spend:
    """One way to spend tokens on a problem. Example: Spend("base", "vote", 4, ...): the majority of four of its answers."""

    model: str
    how: How  # one sample; the answer that most of `samples` give; right if any of them is (an oracle picks)
    samples: int
    rate: Rate
    tokens: Rate  # generated per problem
    equal_cost: bool  # the most samples that cost no more than one of the final model (at least one)
    behind: Difference | None  # the final model with one sample minus this, paired; None for the final model itself

    def to_json(self) -> dict[str, Json]:
        found = self.behind
        against: Json = found and {
            "diff": found.diff, "ci95": None if found.ci95 is None else list(found.ci95), "p_value": found.p_value,
            "n": found.n,
        }  # fmt: skip
        return {
            "model": self.model, "how": self.how, "samples": self.samples, "rate": rate_json(self.rate),
            "tokens_per_problem": rate_json(self.tokens), "equal_cost": self.equal_cost, "final_minus_this": against,
        }  # fmt: skip


def spends(models: Mapping[str, ModelRecords], final: str, others: Sequence[str]) -> tuple[Spend, ...]:
    """The final model with one sample, then each other model with 1, as many as cost the same, and all its samples."""
    if final not in models or not (own := graded(models[final].sampled)):
        return ()
    tokens = _tokens(models[final].sampled, 1)
    found = [Spend(final, "one", 1, rate(list(own.values())), tokens, True, None)]
    for name in dict.fromkeys(others):
        if name != final and name in models and models[name].sampled:
            found += _other(name, models[name].sampled, own, tokens.value)
    return tuple(found)


def majority(answers: Sequence[tuple[str, bool] | None]) -> float:
    """Chance that the most frequent answer is right, ties broken at random; 0 if nothing was answered.

    Example: [("7", True), ("7", True), ("9", False), None] -> 1.0; [("7", True), ("9", False)] -> 0.5.
    """
    votes: dict[str, list[bool]] = {}
    for answer in answers:
        if answer is not None:
            votes.setdefault(answer[0], []).append(answer[1])
    most = max(map(len, votes.values()), default=0)
    winners = [float(np.mean(right)) for right in votes.values() if len(right) == most]
    return float(np.mean(winners)) if winners else 0.0


def _other(name: str, records: Sequence[Record], own: Mapping[str, list[bool]], budget: float) -> list[Spend]:
    marks = graded(records)
    if not marks:
        return []
    k = max(map(len, marks.values()))
    one = _tokens(records, 1).value
    affordable = min(max(int(budget / one), 1) if one else k, k)
    found = []
    for samples in sorted({1, affordable, k}):
        for how in ("vote", "any") if samples > 1 else ("one",):
            values = _values(how, samples, records, marks)
            if values:
                n = sum(len(marks[p]) for p in values)
                shared = [p for p in values if p in own]
                behind = paired_difference([[values[p]] for p in shared], [own[p] for p in shared]) if shared else None
                found.append(Spend(
                    name, how, samples, rate_of_means(list(values.values()), n), _tokens(records, samples),
                    samples == affordable, behind,
                ))  # fmt: skip
    return found


def _values(how: How, samples: int, records: Sequence[Record], marks: Mapping[str, list[bool]]) -> dict[str, float]:
    """Per problem with enough graded samples: the chance of being right in this way."""
    if how == "vote":
        votes = {
            p: [_answer(r) for r in rows if r.verdict.correct is not None] for p, rows in by_problem(records).items()
        }
        blocks = {p: [v[i : i + samples] for i in range(0, len(v) - samples + 1, samples)] for p, v in votes.items()}
        return {p: float(np.mean([majority(block) for block in row])) for p, row in blocks.items() if row}
    if how == "one":
        return {p: sum(row) / len(row) for p, row in marks.items()}
    found = {p: pass_at_k(len(row), sum(row), samples) for p, row in marks.items()}
    return {p: value for p, value in found.items() if value is not None}


def _answer(record: Record) -> tuple[str, bool] | None:
    """What a completion votes for: the answer as the verifier read it. Without a graded answer it does not vote."""
    if record.verdict.status is not Status.OK:
        return None
    read = record.verdict.extracted
    answer = read if read is not None else record.answer_text if record.answer_text is not None else record.text
    return answer.strip(), record.verdict.correct is True


def _tokens(records: Sequence[Record], samples: int) -> Rate:
    return mean_interval([[samples * r.tokens for r in rows] for rows in by_problem(records).values()])
