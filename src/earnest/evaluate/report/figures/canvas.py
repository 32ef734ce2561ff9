"""What every figure is drawn on: a canvas, plain axes, deterministic SVG, and its way into the page.

Files carry plain colours; `inline` swaps them for the page's own (light, dark, print).
"""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from typing import Any

from earnest.evaluate import text

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


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture and its data. `columns` and `rows` are what is plotted, as text."""

    name: str  # of its file
    group: str  # "rates", "differences", "difficulty", or "stage:" and the id of the stage
    title: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


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


def canvas(width: float, height: float) -> Any:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height))
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    return figure


def plain(axes: Any, *, vertical: bool = False) -> None:
    axes.patch.set_alpha(0)
    axes.grid(visible=True, axis="x" if vertical else "y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(INK)
        spine.set_linewidth(0.6)
    axes.tick_params(labelsize=8.5, length=0, colors=INK)
    axes.xaxis.label.set_color(INK)


def to_svg(figure: Any) -> str:
    """SVG text without a date or a version, the same for the same figure."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
