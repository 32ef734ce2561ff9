"""What modules ask to be done in every child (os.register_at_fork), kept from the fork of a job. Imported before anything else.

`random` draws a seed and `threading` makes its locks anew. The fork server has one thread and no lock held, and a seed drawn by
chance is not wanted, so a job needs neither; together they cost it a third of its fork. The job's own forks do it all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_HELD: list[dict[str, Callable[[], Any]]] = []
_REGISTER = os.register_at_fork


def hold() -> None:
    """From here on, what is registered waits."""
    os.register_at_fork = lambda **hooks: _HELD.append(hooks)


def release() -> None:
    """What waits is done at the next fork, and what is registered from here on as well."""
    os.register_at_fork = _REGISTER
    for hooks in _HELD:
        _REGISTER(**hooks)
    _HELD.clear()
