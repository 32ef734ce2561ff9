"""The report's pages, index.html and report.md, from the same sections.

A model's text is hostile: in HTML every value is escaped (autoescape), in Markdown it is either in a fence that it cannot
close or escaped to one line. In both, characters that would not show are written out. The page needs no network and runs no
script; report.json stands in it as data, with every < escaped, so that nothing in it can end the element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from earnest.evaluate import text
from earnest.evaluate.report.build import Report
from earnest.evaluate.report.figures import Figure, inline
from earnest.evaluate.report.views import page
from earnest.runlog import json_text

LONGEST = 3_000
"""Characters of any one text on a page, the recipe excepted: a message or a name may hold a megabyte of a model's."""


class Safe(str):
    """Markdown that is already escaped."""


def html(report: Report, figures: Sequence[Figure]) -> str:
    """One self-contained page."""
    environment = _environment(autoescape=True, finalize=_visible_value)
    environment.filters["svg"] = lambda figure: Markup(inline(figure))
    environment.filters["whole"] = lambda value: escape(text.visible(value))
    data = json_text(report.to_json()).replace("<", "\\u003c")
    return environment.get_template("report.html.j2").render(page=page(report, figures), data=Markup(data))


def markdown(report: Report, figures: Sequence[Figure]) -> str:
    """The same in Markdown, with figures as links."""
    environment = _environment(autoescape=False, finalize=_markdown_value)
    environment.filters["escaped"] = Safe
    environment.filters["fenced"] = lambda value: Safe(text.fenced(value))
    return environment.get_template("report.md.j2").render(page=page(report, figures))


def _environment(*, autoescape: bool, finalize: Any) -> Environment:
    return Environment(
        loader=PackageLoader("earnest.evaluate.report"),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _visible_value(value: Any) -> Any:
    return text.visible(_short(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _markdown_value(value: Any) -> Any:
    return text.markdown(_short(value)) if isinstance(value, str) and not isinstance(value, Safe) else value


def _short(value: str) -> str:
    return text.cut(value, LONGEST)[0]
