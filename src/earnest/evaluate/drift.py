"""What training did to the rest of the model: benchmarks it was not trained on, against the base model, paired.

Three kinds. A *rate* (another task, greedy or sampled): drift is the difference of pass rates. *Multiple choice* by
log-likelihood: the difference of accuracies, chance being the mean of 1 / number of choices. *Bits per byte* of plain
text (lower is better): drift is the relative change. A benchmark on which the base model itself does no better than
chance has nothing to lose and cannot show drift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from earnest.evaluate.items import Answered, Document
from earnest.evaluate.load import Benchmark, ModelRecords
from earnest.evaluate.summary import graded, pass_rate
from earnest.functional.stats import Interval, Rate, paired_difference, rate, ratio_change
from earnest.types import Record

CHOICE_METRICS = ("acc", "acc_norm")
FLAG = 0.02
"""A loss is flagged beyond two points (or two per cent of the bits) and two standard errors."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One benchmark, one model, against the base. `loss` is positive where the model got worse, whatever the metric."""

    name: str
    metric: str  # greedy | sampled | acc | acc_norm | bits_per_byte
    model: str
    base: float  # rate, or bits per byte
    value: float
    base_ci95: Interval | None  # None for bits per byte
    diff: float  # of rates; or relative change of bits per byte
    ci95: Interval | None
    p_value: float | None
    n: int  # problems, items or documents
    z: float | None
    chance: float | None
    can_show: bool
    cut: int = 0  # of the n, items whose context was too long for one of the two models and lost its beginning

    @property
    def is_bytes(self) -> bool:
        return self.metric == "bits_per_byte"

    @property
    def is_choice(self) -> bool:
        return self.metric in CHOICE_METRICS

    @property
    def loss(self) -> float:
        return self.diff if self.is_bytes else -self.diff

    @property
    def z_loss(self) -> float:
        """The loss in standard errors: infinite if every item moved alike, 0 if one item is all there is."""
        if self.z is None:
            return math.copysign(math.inf, self.loss) if self.loss and self.n > 1 else 0.0
        return self.z if self.is_bytes else -self.z

    @property
    def flagged(self) -> bool:
        return self.can_show and self.loss > FLAG and self.z_loss > 2


def measure(benchmark: Benchmark, model: str, base: ModelRecords, trained: ModelRecords) -> Drift | None:
    """Drift of one model on one benchmark; None if either has no records of it."""
    name = benchmark.name
    if benchmark.metric == "bits_per_byte":
        if name not in base.drift_bytes or name not in trained.drift_bytes:
            return None
        return bytes_drift(benchmark, model, base.drift_bytes[name], trained.drift_bytes[name])
    if benchmark.metric in CHOICE_METRICS:
        if name not in base.drift_choices or name not in trained.drift_choices:
            return None
        return choice_drift(benchmark, model, base.drift_choices[name], trained.drift_choices[name])
    if name not in base.drift or name not in trained.drift:
        return None
    return rate_drift(benchmark, model, base.drift[name], trained.drift[name])


def rate_drift(benchmark: Benchmark, model: str, base: Sequence[Record], trained: Sequence[Record]) -> Drift | None:
    """Difference of pass rates on the problems that both have graded. An unknown chance level counts as 0."""
    a, b = graded(base), graded(trained)
    shared = [problem for problem in a if problem in b]
    if not shared:
        return None
    found = paired_difference([a[p] for p in shared], [b[p] for p in shared])
    keep = set(shared)
    before = _rate([r for r in base if r.problem.id in keep])
    after = _rate([r for r in trained if r.problem.id in keep])
    return Drift(
        name=benchmark.name, metric=benchmark.metric, model=model, base=before.value, value=after.value,
        base_ci95=before.ci95, diff=found.diff, ci95=found.ci95, p_value=found.p_value, n=found.n, z=found.z,
        chance=benchmark.chance, can_show=before.ci95 is not None and before.ci95[0] > (benchmark.chance or 0.0),
    )  # fmt: skip


def choice_drift(
    benchmark: Benchmark, model: str, base: Sequence[Answered], trained: Sequence[Answered]
) -> Drift | None:
    """Difference of accuracies on the items that both have. Chance comes from the items' own numbers of choices."""
    b_of = {item.id: item for item in trained}
    pairs = [(a, b_of[a.id]) for a in base if a.id in b_of]
    if not pairs:
        return None
    a_right = [[a.right(benchmark.metric)] for a, _ in pairs]
    b_right = [[b.right(benchmark.metric)] for _, b in pairs]
    found, before = paired_difference(a_right, b_right), rate(a_right)
    chance = sum(a.chance for a, _ in pairs) / len(pairs)
    return Drift(
        name=benchmark.name, metric=benchmark.metric, model=model, base=before.value, value=rate(b_right).value,
        base_ci95=before.ci95, diff=found.diff, ci95=found.ci95, p_value=found.p_value, n=found.n, z=found.z,
        chance=chance, can_show=before.ci95 is not None and before.ci95[0] > chance,
        cut=sum(a.cut > 0 or b.cut > 0 for a, b in pairs),
    )  # fmt: skip


def bytes_drift(
    benchmark: Benchmark, model: str, base: Sequence[Document], trained: Sequence[Document]
) -> Drift | None:
    """Relative change of bits per byte on the documents that both have."""
    a, b = {d.id: d for d in base}, {d.id: d for d in trained}
    shared = [key for key in a if key in b]
    if not shared:
        return None
    size = sum(a[key].bytes for key in shared)
    a_bits, b_bits = [a[key].bits for key in shared], [b[key].bits for key in shared]
    found = ratio_change(a_bits, b_bits)
    return Drift(
        name=benchmark.name, metric="bits_per_byte", model=model, base=sum(a_bits) / size, value=sum(b_bits) / size,
        base_ci95=None, diff=found.diff, ci95=found.ci95, p_value=found.p_value, n=found.n, z=found.z,
        chance=benchmark.chance, can_show=True,
    )  # fmt: skip


def _rate(records: Sequence[Record]) -> Rate:
    found = pass_rate(records)
    assert found is not None
    return found
