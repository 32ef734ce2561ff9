"""Pictures of the report as deterministic SVG, each with the table of what it shows.

matplotlib is imported when a figure is drawn and never touches a display. Files carry plain colours; `inline` swaps them for
the page's own (light, dark, print). Series differ in marker and line as well as in colour.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from earnest.evaluate import text
from earnest.evaluate.load import Row, StageRun
from earnest.evaluate.report import Report
from earnest.functional.stats import Interval

INK, RULE, FIRST, SECOND, PAPER = "#1a1a1a", "#cfcfca", "#1d5c8a", "#b3541e", "#fdfdfb"
PAGE_COLOURS = {
    INK: "currentColor",
    RULE: "var(--rule)",
    FIRST: "var(--c1)",
    SECOND: "var(--c2)",
    PAPER: "var(--paper)",
}
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "earnest",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "path.simplify": False,
    "text.parse_math": False,
}
POINTS = 50
"""Points of a curve at most; beyond it, neighbouring steps are averaged."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture and its data. `columns` and `rows` are what is plotted, as text."""

    name: str  # of its file
    group: str  # "rates", "differences", or the id of the stage whose curve it is
    title: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a forest plot."""

    label: str
    value: float
    ci95: Interval | None
    second: bool  # the second series: a hollow diamond


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric worth a picture. `read` gives its value in a row of metrics.jsonl, or None."""

    key: str
    title: str
    read: Callable[[Row], float | None]
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """Mean of a metric over the steps first .. last."""

    first: int
    last: int
    value: float


def _of(key: str) -> Callable[[Row], float | None]:
    return lambda row: row.get(key)


def _mixed(row: Row) -> float | None:
    if row.get("groups/mixed") is not None:
        return row["groups/mixed"]
    dead = row.get("frac_reward_zero_std")
    return None if dead is None else 1 - dead


def _entropy(row: Row) -> float | None:
    """The policy's own if the algorithm asked for it, else the estimate from what was drawn."""
    exact = row.get("entropy")
    return row.get("sampler/entropy") if exact is None else exact


RL_CURVES = (
    Curve("pass_rate", "Pass rate on training prompts, %", _of("pass_rate"), percent=True),
    Curve("reward", "Mean reward", _of("reward")),
    Curve("mixed", "Groups with mixed rewards, %", _mixed, percent=True),
    Curve("length", "Mean completion length, tokens", _of("completions/mean_length")),
    Curve("clipped", "Cut at the token limit, %", _of("completions/clipped_ratio"), percent=True),
    Curve("entropy", "Entropy per token, nats", _entropy),
    Curve("grader_errors", "Grader errors, %", _of("verdict/error"), percent=True),
)
OTHER_CURVES = (
    Curve("worked_accuracy", "Dev accuracy of worked traces, %", _of("dev/worked_accuracy"), percent=True),
    Curve("loss", "Loss per token, nats", _of("loss")),
)


def draw(report: Report) -> tuple[Figure, ...]:
    """Every figure of a report: rates and differences of the main evaluation, then the curves of each training stage."""
    import matplotlib

    found: list[Figure | None] = []
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        found += _draw(report)
    return tuple(figure for figure in found if figure is not None)


def _draw(report: Report) -> list[Figure | None]:
    found: list[Figure | None] = []
    if report.main is not None:
        found.append(_rates(report))
        found.append(_differences(report))
    for stage in report.run.stages:
        if stage.trained:
            found += [_curve(stage, curve) for curve in (RL_CURVES if stage.kind == "rl" else OTHER_CURVES)]
    return found


def inline(figure: Figure) -> str:
    """The SVG as an element of the page: its colours, unique ids, a label, no size of its own."""
    svg = figure.svg[figure.svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = f"{figure.name}-"
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    for plain, page in PAGE_COLOURS.items():
        svg = svg.replace(plain, page)
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    width = re.search(r'viewBox="0 0 ([\d.]+)', head)
    size = f' style="max-width:{float(width[1]) * 4 / 3:.0f}px"' if width else ""
    return f'{head} role="img" aria-label="{html.escape(text.visible(figure.title))}"{size}>{rest}'


def points(rows: Sequence[Row], read: Callable[[Row], float | None]) -> list[Point]:
    """A metric by step, averaged over runs of neighbouring rows so that at most POINTS are left."""
    known = [(int(row["step"]), float(value)) for row in rows if (value := read(row)) is not None and "step" in row]
    width = max(1, -(-len(known) // POINTS))
    chunks = [known[i : i + width] for i in range(0, len(known), width)]
    return [Point(c[0][0], c[-1][0], sum(value for _, value in c) / len(c)) for c in chunks]


def _curve(stage: StageRun, curve: Curve) -> Figure | None:
    found = points(stage.metrics, curve.read)
    if len(found) < 2 or (curve.key == "grader_errors" and not any(p.value for p in found)):
        return None
    scale = 100 if curve.percent else 1
    values = [scale * p.value for p in found]
    figure = _canvas(3.25, 1.9)
    axes = figure.add_axes((0.15, 0.2, 0.8, 0.74))
    axes.plot([(p.first + p.last) / 2 for p in found], values, color=FIRST, linewidth=1.4, marker="o", markersize=2.2)
    if curve.percent:
        axes.set_ylim(-3, 103)
        axes.set_yticks([0, 25, 50, 75, 100])
    elif min(values) >= 0:
        axes.set_ylim(bottom=0, top=1.08 * max(values) or 1)
    axes.set_xlabel("step", fontsize=8.5, labelpad=2)
    _plain(axes)
    joined = any(p.first != p.last for p in found)
    return Figure(
        name=f"{stage.id}-{curve.key}",
        group=stage.id,
        title=curve.title,
        svg=_svg(figure),
        columns=("steps" if joined else "step", curve.title),
        rows=tuple((_steps(p), text.number(round(v, 4))) for p, v in zip(found, values, strict=True)),
        note="Each point is the mean of neighbouring steps." if joined else "",
    )


def _rates(report: Report) -> Figure | None:
    assert report.main is not None
    marks = []
    for name, found in report.main.models.items():
        for mode, measured in (("sampled", found.sampled), ("greedy", found.greedy)):
            if measured is not None:
                marks.append(Mark(f"{name} · {mode}", measured.value, measured.ci95, mode == "greedy"))
    return _forest("rates", "Pass rates with 95 % intervals, %", marks, (0.0, 1.0), signed=False)


def _differences(report: Report) -> Figure | None:
    assert report.main is not None
    marks = [
        Mark(f"{c.b} − {c.a} · {c.metric}", c.diff, c.ci95, c.metric == "greedy")
        for c in (row.comparison for row in report.main.compared)
    ]
    return _forest("differences", "Paired differences with 95 % intervals, points", marks, None, signed=True)


def _forest(
    name: str, title: str, marks: Sequence[Mark], span: tuple[float, float] | None, *, signed: bool
) -> Figure | None:
    if not marks:
        return None
    labels = [text.visible(mark.label) for mark in marks]
    height = 0.3 + 0.23 * len(marks)
    figure = _canvas(4.6, height)
    left = min(0.5, 0.035 + 0.0155 * max(map(len, labels)))
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
    _plain(axes, vertical=True)
    show = text.signed_points if signed else text.points
    rows = [(mark.label, show(mark.value), text.interval(mark.ci95, signed=signed)) for mark in marks]
    return Figure(name, name, title, _svg(figure), ("", "value", "95 % interval"), tuple(rows))


def _steps(point: Point) -> str:
    return str(point.first) if point.first == point.last else f"{point.first}–{point.last}"


def _canvas(width: float, height: float) -> Any:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height))
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    return figure


def _plain(axes: Any, *, vertical: bool = False) -> None:
    axes.patch.set_alpha(0)
    axes.grid(visible=True, axis="x" if vertical else "y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(INK)
        spine.set_linewidth(0.6)
    axes.tick_params(labelsize=8.5, length=0, colors=INK)
    axes.xaxis.label.set_color(INK)


def _svg(figure: Any) -> str:
    """SVG text without a date or a version, the same for the same figure."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
