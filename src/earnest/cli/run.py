"""`earnest run` and `earnest resume`: a recipe to a run directory, and an interrupted run to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from earnest.cli import say
from earnest.errors import RequirementNotMet

if TYPE_CHECKING:
    from earnest.api import RunResult

Require: TypeAlias = Literal["learned"] | None


def run(
    recipe: Path,
    /,
    *,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", show_default=False)] = (),
    seed: int | None = None,
    runs: Path | None = None,
    run_dir: Path | None = None,
    allow: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    require: Require = None,
    plain: say.Plain = False,
    no_color: say.NoColor = False,
    json: say.AsJson = False,
) -> int:
    """Run a recipe: every stage, its gates and the report.

    Parameters
    ----------
    recipe
        A recipe file, or a folder with a recipe.yaml.
    set_
        Override one value, as in --set rl.steps=80. Repeatable.
    seed
        Instead of the recipe's.
    runs
        Where run directories are made. Default: ./runs.
    run_dir
        This very directory for the run; it must be new or empty.
    allow
        Go on although this gate refuses; the report says so. Repeatable.
    require
        Exit 3 unless the run ends with this verdict.
    """
    from earnest import api

    terminal = say.terminal(json, plain, no_color)
    result = api.run(
        recipe, sets=set_, seed=seed, runs=runs, run_dir=run_dir, allow=allow,
        command=say.command_line(), echo=terminal.echo, watch=terminal.watch,
    )  # fmt: skip
    return _end(result, require, json)


def resume(
    run: Path,
    /,
    *,
    require: Require = None,
    plain: say.Plain = False,
    no_color: say.NoColor = False,
    json: say.AsJson = False,
) -> int:
    """Continue an interrupted run from its last checkpoint, as if it had never stopped.

    Parameters
    ----------
    run
        The run directory.
    require
        Exit 3 unless the run ends with this verdict.
    """
    from earnest import api

    terminal = say.terminal(json, plain, no_color)
    result = api.resume(run, command=say.command_line(), echo=terminal.echo, watch=terminal.watch)
    return _end(result, require, json)


def _end(result: RunResult, require: Require, as_json: bool) -> int:
    code = result.exit_code
    if code == 0 and require is not None and result.verdict != require:
        code = RequirementNotMet.exit_code
    if as_json:
        say.result(
            {
                "run_dir": str(result.run_dir),
                "status": result.status,
                "verdict": result.verdict,
                "sentence": result.sentence,
                "report": None if result.report is None else str(result.report),
                "exit_code": code,
            }
        )
        return code
    rows = [f"run      {result.run_dir}"]
    rows += [f"report   {result.report}"] if result.report else []
    rows += [f"{result.verdict or result.status}: {result.sentence}"]
    say.lines(rows)
    if code != result.exit_code:
        error = RequirementNotMet(
            f"--require {require} is not met",
            where=str(result.run_dir),
            why=f"the verdict is {result.verdict or 'missing'}",
        )
        return say.failure(error, as_json)
    return code
