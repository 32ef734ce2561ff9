"""Runs a recipe in a process of its own that may kill itself (SIGKILL) or interrupt itself (SIGINT) at a chosen moment.

    python small_road.py run RECIPE RUN_DIR [MOMENT COUNT]
    python small_road.py resume RUN_DIR [MOMENT COUNT]

MOMENT is a function of the package in whose COUNT-th call it happens; nothing else is changed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import earnest.train.checkpoint as checkpoint
import earnest.train.loop as loop
from earnest import api
from earnest.engines._decode import TorchSession


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def at(count: int, act: Callable[[], None], module: Any, name: str, *, after: bool) -> None:
    """Act in the count-th call of module.name: before it does anything, or once it has returned."""
    original, calls = getattr(module, name), 0

    def wrapped(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and not after:
            act()
        result = original(*args, **named)
        if calls == count and after:
            act()
        return result

    setattr(module, name, wrapped)


def half_a_generation(count: int) -> None:
    """Die after the first completion of the count-th call of an engine."""
    session = TorchSession
    original, calls = session.generate, 0

    def generate(self: Any, requests: Any) -> Any:
        nonlocal calls
        calls += 1
        for completion in original(self, requests):
            yield completion
            if calls == count:
                die()

    session.generate = generate  # type: ignore[method-assign]


MOMENTS: dict[str, Callable[[int], None]] = {
    "before_update": lambda n: at(n, die, loop, "update", after=False),
    "after_update": lambda n: at(n, die, loop, "update", after=True),
    "generation": half_a_generation,
    "between_checkpoint_files": lambda n: at(2 * n, die, checkpoint, "save_file", after=False),
    "before_checkpoint_is_named": lambda n: at(n, die, checkpoint, "write_json", after=True),
    "after_checkpoint": lambda n: at(n, die, checkpoint, "save", after=True),
    "interrupt": lambda n: at(n, interrupt, loop, "update", after=True),
}


def main(arguments: list[str]) -> int:
    command, paths = arguments[0], arguments[1:]
    if len(paths) > (2 if command == "run" else 1):
        MOMENTS[paths[-2]](int(paths[-1]))
    if command == "run":
        return api.run(Path(paths[0]), run_dir=Path(paths[1])).exit_code
    return api.resume(Path(paths[0])).exit_code


if __name__ == "__main__":
    from earnest.errors import Interrupted

    try:
        sys.exit(main(sys.argv[1:]))
    except Interrupted as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
