"""Rates and differences with their intervals, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earnest.evaluate import text
from earnest.evaluate.report.build import Evaluated
from earnest.evaluate.report.figures.canvas import FIRST, INK, PAPER, SECOND, Figure, canvas, plain, to_svg
from earnest.functional.stats import Interval


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a forest plot."""

    label: str
    value: float
    ci95: Interval | None
    second: bool  # the second series: a hollow diamond


def rates(main: Evaluated) -> Figure | None:
    marks = []
    for name, found in main.models.items():
        for mode, measured in (("sampled", found.sampled), ("greedy", found.greedy)):
            if measured is not None:
                marks.append(Mark(f"{name} · {mode}", measured.value, measured.ci95, mode == "greedy"))
    return _forest("rates", "Pass rates with 95 % intervals, %", marks, (0.0, 1.0), signed=False)


def differences(main: Evaluated) -> Figure | None:
    marks = [
        Mark(f"{c.b} − {c.a} · {c.metric}", c.diff, c.ci95, c.metric == "greedy")
        for c in (row.comparison for row in main.compared)
    ]
    return _forest("differences", "Paired differences with 95 % intervals, points", marks, None, signed=True)


def _forest(
    name: str, title: str, marks: Sequence[Mark], span: tuple[float, float] | None, *, signed: bool
) -> Figure | None:
    if not marks:
        return None
    labels = [text.visible(mark.label) for mark in marks]
    height = 0.3 + 0.23 * len(marks)
    figure = canvas(3.8, height)
    left = min(0.5, 0.035 + 0.0188 * max(map(len, labels)))
    axes = figure.add_axes((left, 0.24 / height, 0.96 - left, 1 - 0.3 / height))
    for place, mark in enumerate(marks):
        colour, marker = (SECOND, "D") if mark.second else (FIRST, "o")
        low, high = mark.ci95 or (mark.value, mark.value)
        axes.plot([100 * low, 100 * high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt",
                  linestyle=(0, (3, 1.2)) if mark.second else "-")  # fmt: skip
        axes.plot([100 * mark.value], [place], color=colour, marker=marker, markersize=4.6,
                  markerfacecolor=PAPER if mark.second else colour)  # fmt: skip
    axes.set_yticks(range(len(marks)), labels)
    axes.set_ylim(len(marks) - 0.5, -0.5)
    if span is not None:
        axes.set_xlim(100 * span[0] - 2, 100 * span[1] + 2)
    if signed:
        axes.axvline(0, color=INK, linewidth=0.8)
    plain(axes, vertical=True)
    show = text.signed_points if signed else text.points
    rows = [(mark.label, show(mark.value), text.interval(mark.ci95, signed=signed)) for mark in marks]
    return Figure(name, name, title, to_svg(figure), ("", "value", "95 % interval"), tuple(rows))
