"""The report stage: everything the run found, as one page, one table and one JSON file. It only reads the run directory."""

from __future__ import annotations

from typing import ClassVar

from earnest.stages.base import Context, Outcome, Stage


class Report(Stage):
    """report/index.html, report/report.md and report/report.json."""

    reads_all: ClassVar[bool] = True
    always_runs: ClassVar[bool] = True

    def run(self, context: Context, start: str) -> Outcome:
        from earnest.evaluate.report.write import write_report

        page = write_report(context.run)
        context.echo(f"[{self.id}] {page}")
        return Outcome()
