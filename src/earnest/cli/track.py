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
    from earnest import api

    sent = api.track(run, to=[say.plugin(text, "--to") for text in to], echo=say.progress(json))
    if json:
        say.result({"run_dir": str(run), "sent_to": list(sent)})
