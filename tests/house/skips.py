"""With CI=true a skip is a failure unless tests/allowed_skips.txt lists its reason. The hooks of tests/conftest.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ALLOWED = [
    line
    for line in (Path(__file__).parents[1] / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
unlisted_skips: list[str] = []


def note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(text in reason for text in ALLOWED):
        unlisted_skips.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    note_skip(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    note_skip(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if unlisted_skips and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if unlisted_skips and os.environ.get("CI") == "true":
        terminalreporter.section("skips that tests/allowed_skips.txt does not list", red=True, bold=True)
        for skip in unlisted_skips:
            terminalreporter.line(skip)
