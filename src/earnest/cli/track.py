"""`earnest track`: send a run that is over, or was killed, to a tracker. The answer to "I forgot to turn it on"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from earnest.cli import say


def track(
    run: Path,
    /,
    *,
    to: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    json: say.AsJson = False,
) -> None:
    """Send a finished or killed run to a tracker. What it was sent before is not sent again.

    Parameters
    ----------
    run
        The run directory.
    to
        A tracker, as in wandb or {name: trackio, project: x}. Repeatable. Default: those of the recipe.
    """
    import yaml

    from earnest import api
    from earnest.errors import ConfigError

    try:
        specs = [yaml.safe_load(text) for text in to]
    except yaml.YAMLError as error:
        raise ConfigError("--to is not YAML", where=" ".join(to), why=str(error)) from None
    sent = api.track(run, to=specs, echo=say.progress(json))
    if json:
        say.result({"run_dir": str(run), "sent_to": list(sent)})
