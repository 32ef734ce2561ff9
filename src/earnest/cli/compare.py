"""`earnest compare`: two checkpoints on the same problems, and in what their runs differ."""

from __future__ import annotations

from earnest.cli import paging, say


def compare(
    a: str,
    b: str,
    /,
    *,
    flips: int = 5,
    json: say.AsJson = False,
) -> None:
    """Compare two checkpoints, paired by problem. The first line says whether B beats A.

    Parameters
    ----------
    a
        A run directory (its last trained model), RUN:MODEL (RUN:base too), or a model's folder in an evaluation.
    b
        The other one.
    flips
        Show this many of the problems that moved most, in each direction; 0 for none.
    """
    from earnest.errors import ConfigError
    from earnest.evaluate.versus.checkpoints import versus
    from earnest.evaluate.versus.sides import side
    from earnest.evaluate.versus.text import lines

    if flips < 0:
        raise ConfigError("--flips counts problems", where=f"--flips {flips}", remedy="--flips 0 shows none")
    found = versus(side(a), side(b))
    if json:
        say.result(found.to_json())
    else:
        paging.page(lines(found, flips))
