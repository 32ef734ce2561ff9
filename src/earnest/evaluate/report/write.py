"""The report on disk: one JSON file for programs, one Markdown file and one self-contained page for people, and the figures."""

from __future__ import annotations

from pathlib import Path

from earnest.evaluate.report.build import build_report
from earnest.evaluate.report.figures import draw
from earnest.evaluate.report.render import html, markdown
from earnest.runlog import write_bytes, write_json


def write_report(run_dir: Path) -> Path:
    """Write report/{report.json,report.md,index.html,figures/*.svg} and return the path of index.html."""
    report = build_report(run_dir)
    figures = draw(report)
    folder = run_dir / "report"
    for old in sorted((folder / "figures").glob("*.svg")):
        old.unlink()
    for figure in figures:
        write_bytes(folder / "figures" / f"{figure.name}.svg", figure.svg.encode())
    write_json(folder / "report.json", report.to_json())
    write_bytes(folder / "report.md", markdown(report, figures).encode())
    write_bytes(folder / "index.html", html(report, figures).encode())
    return folder / "index.html"
