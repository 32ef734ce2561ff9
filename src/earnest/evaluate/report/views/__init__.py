"""The report as sections of paragraphs and tables: what index.html and report.md both show, said once.

One module per chapter. Nothing is computed here that report.py has not; tables.py makes the larger tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from earnest.evaluate import text
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.figures import Figure
from earnest.evaluate.report.page import Page
from earnest.evaluate.report.views import gains, record, results, rollouts, training
from earnest.evaluate.report.views.headline import headlines
from earnest.evaluate.report.views.limits import limits


def page(report: Report, figures: Sequence[Figure]) -> Page:
    """The whole report."""
    info = report.run.info
    model = report.run.recipe.get("model")
    facts = [
        str(info.get("id") or ""),
        record.model_name(model),
        record.machine(info),
        text.seconds(report.wall_s or None),
    ]
    sections = (
        results.models(report, figures),
        record.protocol(report),
        results.comparisons(report, figures),
        gains.equal_cost(report),
        gains.difficulty(report, figures),
        results.statuses(report),
        *results.other_evaluations(report),
        *training.curves(report, figures),
        training.gates(report),
        training.health(report),
        training.events(report),
        *rollouts.audit(report),
        rollouts.drawn(report),
        results.drift(report),
        record.data(report),
        record.compute(report),
        limits(report),
        record.reproduce(report),
    )
    return Page(
        title=str(info.get("name") or report.run.path.name),
        verdict=report.verdict,
        sentence=report.verdict_sentence,
        facts=" · ".join(fact for fact in facts if fact),
        caveats=report.claim.caveats,
        headlines=headlines(report),
        sections=tuple(s for s in sections if s is not None),
    )
