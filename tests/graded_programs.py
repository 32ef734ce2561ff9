"""Programs as the verifier `code` is given them. The verifier, at each level of the sandbox, is a fixture of conftest.py."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from earnest.types import Json, Verdict
from earnest.verifiers import golds
from earnest.verifiers.code import Code
from grading import grade

RIGHT = "def add(a, b):\n    return a + b\n"


def graded(verifier: Code, source: str, gold: Mapping[str, Json], **changes: Json) -> Verdict:
    """The verdict on an answer that is this program in a fence. changes: fields of the gold."""
    answer = f"```python\n{textwrap.dedent(source).strip(chr(10))}\n```"
    return grade(verifier, answer, golds.write({**gold, **changes}))
