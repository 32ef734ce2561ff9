"""What tasks have in common whose answers are programs: code in prompts, gold texts, wrong programs. A helper, no task."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from earnest.types import Json, Problem, Solution
from earnest.verifiers import golds

_FORGERIES = (
    "def {name}(*args, **kwargs):\n    return None\n",
    "class Anything:\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n\n\n"
    "def {name}(*args, **kwargs):\n    return Anything()\n",
    "import sys\n\n\ndef {name}(*args, **kwargs):\n    return None\n\n\nsys.exit(0)\n",
    "import os\n\n\ndef {name}(*args, **kwargs):\n    os._exit(0)\n",
)
"""Programs that solve nothing: the first is honest, the others fool those who judge a program in its own process."""


def fenced(code: str) -> str:
    """The code as an answer. Its own lines hold no fence."""
    return f"```python\n{code.strip(chr(10))}\n```"


def gold(entry_point: str, setup: str, tests: Sequence[Json], seconds: float) -> str:
    """A gold text of asserts for the verifier `code`."""
    return golds.write(
        {"kind": "assert", "entry_point": entry_point, "setup": setup, "tests": list(tests), "time_limit_s": seconds}
    )


def wrong(problem: Problem) -> Sequence[Solution]:
    """A program that solves nothing, another one for another problem."""
    gold = golds.read(problem.answer)
    assert not isinstance(gold, golds.Refused), gold
    chosen = _FORGERIES[zlib.crc32(problem.id.encode()) % len(_FORGERIES)]
    return [Solution("", fenced(chosen.format(name=gold["entry_point"])))]
