"""The report in a real browser: it loads nothing, says nothing on the console, fits the window, and prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser, chromium
from earnest.evaluate.report.write import write_report
from hostile import hostile_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(sys.platform == "win32", reason="the browser is driven over inherited pipes"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(hostile_run(tmp_path_factory.mktemp("run"))).resolve()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 900, 1440])
def test_fits_the_window_and_asks_for_nothing(browser: Browser, page: Path, width: int, scheme: str):
    opened = browser.open(page, width=width, scheme=scheme)
    opened.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert opened.evaluate("document.scrollingElement.scrollWidth") <= width
    assert opened.evaluate("window.innerWidth") == width
    assert opened.evaluate("document.querySelectorAll('section').length") > 10
    assert opened.screenshot().startswith(b"\x89PNG")
    assert opened.console == []
    assert opened.requests == [page.as_uri()]


def test_nothing_of_a_models_making_ran(browser: Browser, page: Path):
    opened = browser.open(page, width=900)
    assert opened.evaluate("document.title").startswith("fixture")
    assert opened.evaluate("typeof window.pwned") == "undefined"
    assert opened.evaluate("document.querySelectorAll('img, iframe, form, object, base, marquee').length") == 0
    assert opened.evaluate("document.querySelectorAll('script').length") == 1
    assert opened.evaluate("JSON.parse(document.getElementById('report').textContent).schema") == 1


def test_the_page_is_readable_without_a_mouse(browser: Browser, page: Path):
    """Every figure has a name, every table a heading row, every link a target."""
    opened = browser.open(page, width=900)
    assert opened.evaluate("[...document.querySelectorAll('figure svg')].every(s => s.getAttribute('aria-label'))")
    assert opened.evaluate("[...document.querySelectorAll('table')].every(t => t.querySelector('thead th'))")
    assert opened.evaluate("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")


def test_prints(browser: Browser, page: Path):
    pdf = browser.open(page, width=900).pdf()
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000


def test_a_page_that_misbehaves_is_noticed(browser: Browser, tmp_path: Path):
    """The tests above can fail."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<script>console.error('x')</script><img src='http://127.0.0.1:9/x.png'><div style='width:2000px'>.</div>"
    )
    opened = browser.open(bad, width=390)
    assert opened.evaluate("document.scrollingElement.scrollWidth") > 390
    assert opened.console != [] and len(opened.requests) == 2
