"""The three headline numbers, never merged."""

from __future__ import annotations

from earnest.evaluate import text
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.page import Headline
from earnest.evaluate.report.tables import drift_value, reading
from earnest.functional.stats import Rate


def headlines(report: Report) -> tuple[Headline, ...]:
    final, base = report.final_summary, report.base_summary
    if final is None or report.final is None:
        return ()
    sampled = _headline("Verifier pass", "sampled pass rate", final.sampled, base and base.sampled)
    form = _headline("Trace format", "thought closed, then an answer", final.trace_format, base and base.trace_format)
    worst = report.worst_drift
    if worst is None:
        return sampled, Headline("Substrate drift", "not measured", "", "no drift benchmark was run", ""), form
    count = len([d for d in report.main.drift if d.model == report.final]) if report.main else 0
    which = worst.name if count == 1 else f"{worst.name}, the clearest loss of {count} benchmarks"
    if not worst.can_show:
        drift = Headline("Substrate drift", "cannot show drift", "", which, "the base is within its interval of chance")
    else:
        value, unit = text.signed_points(worst.diff), "% bits per byte" if worst.is_bytes else "points"
        detail = f"{text.interval(worst.ci95, signed=True)} · n {worst.n:,} · {which}"
        beside = f"{reading(worst)} · base {drift_value(worst, worst.base)}{'' if worst.is_bytes else ' %'}"
        drift = Headline("Substrate drift", value, unit, detail, beside)
    return sampled, drift, form


def _headline(title: str, what: str, final: Rate | None, base: Rate | None) -> Headline:
    if final is None:
        return Headline(title, "not measured", "", "", "")
    beside = "not measured" if base is None else f"{text.points(base.value)} % {text.interval(base.ci95)}"
    detail = f"{text.interval(final.ci95)} · n {final.n:,} · {final.distinct:,} problems · {what}"
    return Headline(title, text.points(final.value), "%", detail, f"base {beside}")
