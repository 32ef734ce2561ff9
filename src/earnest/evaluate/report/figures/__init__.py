"""Pictures of the report as deterministic SVG, each with the table of what it shows.

matplotlib is imported when a figure is drawn and never touches a display. Series differ in marker and line as well as in
colour.
"""

from __future__ import annotations

from earnest.evaluate.report.build import Report
from earnest.evaluate.report.figures.canvas import SETTINGS, Figure, inline
from earnest.evaluate.report.figures.curves import curves, timeline
from earnest.evaluate.report.figures.forest import differences, rates
from earnest.evaluate.report.figures.lengths import lengths

__all__ = ["Figure", "draw", "inline"]


def draw(report: Report) -> tuple[Figure, ...]:
    """Every figure of a report: the main evaluation's, then the curves and the health of each training stage."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        found = _draw(report)
    return tuple(figure for figure in found if figure is not None)


def _draw(report: Report) -> list[Figure | None]:
    found: list[Figure | None] = []
    if report.main is not None:
        found += [rates(report.main), differences(report.main)]
    if report.difficulty is not None:
        found.append(lengths(report.difficulty))
    for stage in report.run.stages:
        if stage.trained:
            spells = [s for s in report.run.health if s.stage == stage.id]
            gates = [g for g in report.run.gates if g.stage == stage.id]
            found += [*curves(stage, report.training.get(stage.id)), timeline(stage, spells, gates)]
    return found
