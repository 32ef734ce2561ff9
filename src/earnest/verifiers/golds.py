"""Gold answers with a structure: a JSON object written into the gold text. A helper of the verifiers, no verifier.

A verifier whose gold is more than one text (options, tests, constraints, a statement to prove) takes it as the text of a JSON
object, so that a problem's answer is one string everywhere: in a file, in a record, in a cache key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from earnest.types import Json
from earnest.verifiers.refused import Refused

KEYS = ("gold", "answer", "solution")
"""Where a row has its gold, the first that is there: `solution` is a worked one in data sets that have an `answer` too."""


def write(gold: Json) -> str:
    """The gold as text, the same for equal golds. Example: {"b": 1, "a": [2]} -> '{"a":[2],"b":1}'."""
    return json.dumps(gold, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=4096)
def read(answer: str | None) -> Mapping[str, Any] | Refused:
    """The object in a gold text, or why there is none. Not to be changed: callers share it."""
    if answer is None or not answer.strip():
        return Refused("empty")
    try:
        gold = json.loads(answer)
    except (ValueError, RecursionError) as error:
        return Refused(f"no JSON object: {error}")
    return MappingProxyType(gold) if isinstance(gold, dict) else Refused(f"a JSON {type(gold).__name__} and no object")


def text_of(gold: object) -> str | None:
    """A gold answer as data sets hold it, as text: text as it stands, an object as one, a number as it is written.

    None stays None: there is nothing to grade against. Raises TypeError for anything else.
    """
    if gold is None or isinstance(gold, str):
        return gold
    if isinstance(gold, Mapping):
        return write(gold)
    if isinstance(gold, int | float) and not isinstance(gold, bool):
        return json.dumps(gold)
    raise TypeError(f"a {type(gold).__name__}, where text, a number or an object is read")
