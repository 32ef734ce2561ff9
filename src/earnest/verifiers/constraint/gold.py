"""The constraints in a gold text. A helper, no verifier."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import get_args

from pydantic import ValidationError

from earnest.verifiers import golds
from earnest.verifiers.constraint import data, layout, lengths, wording
from earnest.verifiers.constraint.rule import Rule
from earnest.verifiers.refused import Refused

MAX_CONSTRAINTS = 100

_RULES: Mapping[str, type[Rule]] = {
    get_args(rule.model_fields["type"].annotation)[0]: rule
    for rule in (*wording.RULES, *lengths.RULES, *layout.RULES, *data.RULES)
}
TYPES = tuple(sorted(_RULES))


@lru_cache(maxsize=4096)
def read(answer: str | None) -> tuple[Rule, ...] | Refused:
    """All constraints of a gold, in order, repeated types included; or why it cannot be graded against."""
    gold = golds.read(answer)
    if isinstance(gold, Refused):
        return gold
    listed = gold.get("constraints")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_CONSTRAINTS:
        return Refused(f"`constraints` must be a list of 1 to {MAX_CONSTRAINTS}")
    rules: list[Rule] = []
    for number, fields in enumerate(listed, start=1):
        rule = _RULES.get(str(fields.get("type"))) if isinstance(fields, dict) else None
        if rule is None:
            return Refused(f"constraint {number} has no type, or an unknown one; known: {', '.join(TYPES)}")
        try:
            rules.append(rule.model_validate(fields))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            return Refused(f"constraint {number}: {place or fields['type']}: {first['msg']}"[:400])
        except (ImportError, RecursionError) as error:
            return Refused(f"constraint {number}: {error or 'nested too deeply'}")
    return tuple(rules)
