"""A comparison of two checkpoints as lines for a terminal. Nothing is computed here that versus.py has not."""

from __future__ import annotations

from collections.abc import Sequence

from earnest.evaluate import text
from earnest.evaluate.report.tables import counts_of, drift_value, reading
from earnest.evaluate.versus.checkpoints import Mean, Moved, Versus
from earnest.evaluate.versus.sides import Side

LONGEST_VALUE = 60
"""Characters of a setting's value."""


def lines(found: Versus, flips: int) -> list[str]:
    """The sentence, what stands beside it, then the tables. flips: problems to show in each direction."""
    return [
        found.sentence,
        *(f"  ! {warning}" for warning in found.warnings),
        _side("A", found.a),
        _side("B", found.b),
        *_comparisons(found),
        *_moved(found, flips),
        *_bands(found),
        *_means(found),
        *_statuses(found),
        *_drift(found),
        *_settings(found),
    ]


def _side(name: str, side: Side) -> str:
    looks = side.protocol.get("looks")
    seen = f", looked at by {looks} runs so far" if isinstance(looks, int) and looks > 1 else ""
    return f"  {name}  {text.one_line(side.typed)}: {side.model}, {side.split} split{seen}"


def _comparisons(found: Versus) -> list[str]:
    rows = [("pass rate, %", "A", "B", "difference", "95 %", "p", "problems", "rose", "fell", "not graded")]
    rows += [
        (
            c.metric, text.points(c.a_value), text.points(c.b_value), text.signed_points(c.diff),
            text.interval(c.ci95, signed=True), text.p_value(c.p_value), f"{c.n:,}", f"{c.flips.gained:,}",
            f"{c.flips.lost:,}", f"{c.errors:,}" if c.errors else "",
        )
        for c in found.comparisons
    ]  # fmt: skip
    return ["", *text.aligned(rows)]


def _moved(found: Versus, flips: int) -> list[str]:
    if not flips:
        return []
    up = [row for row in found.moved if row.change > 0]
    down = [row for row in found.moved if row.change < 0]
    once = found.comparisons[0].metric == "greedy"
    titles = ("wrong to right", "right to wrong") if once else ("more often right in B", "less often right in B")
    return [*_direction(titles[0], up, flips), *_direction(titles[1], down, flips)]


def _direction(title: str, moved: Sequence[Moved], flips: int) -> list[str]:
    if not moved:
        return ["", f"{title}: none"]
    rows = [("problem", "A", "B", "gold", "A's first", "B's first", "question")]
    rows += [
        (
            text.one_line(row.problem), f"{row.a_right}/{row.a_n}", f"{row.b_right}/{row.b_n}", text.one_line(row.gold, 20),
            text.one_line(row.a_read, 20) or text.NONE, text.one_line(row.b_read, 20) or text.NONE,
            text.one_line(row.question, 70),
        )
        for row in moved[:flips]
    ]  # fmt: skip
    shown = "" if len(moved) <= flips else f", the {flips} that moved most of {len(moved):,} (--flips)"
    return ["", f"{title}{shown}", *text.aligned(rows, left=(0, 6))]


def _bands(found: Versus) -> list[str]:
    if not found.bands:
        return []
    rows = [("by difficulty: A is right", "problems", "A", "B", "difference", "95 %")]
    rows += [
        (
            band.name, f"{band.problems:,}", text.points(band.a), text.points(band.b), text.signed_points(band.diff),
            text.interval(band.ci95, signed=True),
        )
        for band in found.bands
    ]  # fmt: skip
    note = "(one half of A's samples chooses the row, the other half is its rate there)"
    return ["", *text.aligned(rows), note]


def _means(found: Versus) -> list[str]:
    metric = found.comparisons[0].metric
    rows = [(f"{metric} completions", "A", "B", "difference", "95 %")]
    rows += [_mean(mean) for mean in found.means]
    return ["", *text.aligned(rows)]


def _mean(mean: Mean) -> tuple[str, ...]:
    scale = 100 if mean.share else 1
    name = f"{mean.name}, %" if mean.share else mean.name
    values = [text.points(scale * value / 100) for value in (mean.a, mean.b)]
    diff = text.signed_points(scale * mean.diff / 100)
    return (name, *values, diff, text.interval(mean.ci95, scale=scale, signed=True))


def _statuses(found: Versus) -> list[str]:
    rows: list[tuple[str, ...]] = [("graded", "", "right", "wrong", "no answer", "truncated", "limit", "error")]
    for metric, pair in found.statuses.items():
        for name, counts in zip("AB", pair, strict=True):
            rows.append((metric, name, *(f"{n:,}" for n in counts_of(counts))))
    return ["", *text.aligned(rows, left=(0, 1))]


def _drift(found: Versus) -> list[str]:
    if not found.drift:
        return []
    rows = [("other skills", "A", "B", "change", "95 %", "p", "n", "B against A")]
    rows += [
        (
            f"{d.name}, {'bits per byte' if d.is_bytes else '%'}", drift_value(d, d.base), drift_value(d, d.value),
            text.signed_points(d.diff) + (" %" if d.is_bytes else ""), text.interval(d.ci95, signed=True),
            text.p_value(d.p_value), f"{d.n:,}", reading(d),
        )
        for d in found.drift
    ]  # fmt: skip
    return ["", *text.aligned(rows, left=(0, 7))]


def _settings(found: Versus) -> list[str]:
    a, b = found.a.run, found.b.run
    if a is None or b is None:
        known = [
            "",
            "no run directory on " + ("either side" if a is b else "one side") + ": the recipes are not compared",
        ]
    else:
        known = ["", "both are of one run"] if a.resolve() == b.resolve() else [""]
    if not found.settings:
        return [*known, "no setting differs"]
    rows = [("what differs", "A", "B")]
    rows += [(row.key, _value(row.a), _value(row.b)) for row in found.settings]
    return [*known, *text.aligned(rows, left=(0, 1, 2))]


def _value(value: str | None) -> str:
    return text.NONE if value is None else text.one_line(value, LONGEST_VALUE)
