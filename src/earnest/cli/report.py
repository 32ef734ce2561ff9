"""`earnest report`: write a run's report again from what is on disk. Needs no model."""

from __future__ import annotations

from pathlib import Path

from earnest.cli import say


def report(run: Path, /, *, json: say.AsJson = False) -> None:
    """Write a run's report again from what is on disk.

    Parameters
    ----------
    run
        The run directory.
    """
    from earnest.errors import RunDirError
    from earnest.evaluate.report.write import write_report

    if not (run / "run.json").is_file():
        raise RunDirError("not a run directory", where=str(run), why="it has no run.json", remedy="earnest list runs")
    path = write_report(run)
    if json:
        say.result({"report": str(path)})
    else:
        say.lines([str(path)])
