"""Constraints on a response that is data: JSON, JSON of a schema, text of a pattern. A helper, no verifier.

JSON is read strictly (`strict_json.py`), with nothing beside it but a code fence around all of it.

Schemas (JSON Schema 2020-12) are checked with the package `jsonschema`, restricted to keywords whose cost is known: `$ref` only
to a definition in the same schema and never in a circle, no `format`, `patternProperties` or dynamic references; a schema with
anything else is refused, so that nothing in it goes unchecked. Patterns are searched with the package `regex` under a time limit.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

import regex
from pydantic import Field, field_validator

from earnest.verifiers import strict_json
from earnest.verifiers.constraint.response import Response
from earnest.verifiers.constraint.rule import Rule, TooMuch
from earnest.verifiers.fences import unwrapped
from earnest.verifiers.refused import Refused
from earnest.verifiers.strict_json import MAX_DEPTH

PATTERN_S = 0.5
"""Seconds of its thread's computing time that all searches for the patterns of one constraint may take."""


class JsonFormat(Rule):
    """The whole response is a JSON object or array that is not empty."""

    type: Literal["json"]

    def is_met(self, response: Response) -> bool:
        value = _json(response.raw)
        return isinstance(value, dict | list) and len(value) > 0


class JsonSchema(Rule):
    """The whole response is JSON that a schema accepts."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    @field_validator("schema_")
    @classmethod
    def _can_be_checked(cls, schema: dict[str, Any]) -> dict[str, Any]:
        _check(schema, schema)
        _validator(json.dumps(schema, sort_keys=True))
        return schema

    def is_met(self, response: Response) -> bool:
        value = _json(response.raw)
        if isinstance(value, Refused):
            return False
        _SPENT.seconds = 0.0
        return _validator(json.dumps(self.schema_, sort_keys=True)).is_valid(value)


class Regex(Rule):
    """A pattern is found in the response; anchor it (`^…$`) where it must be the whole. In the syntax of the package `regex`."""

    type: Literal["regex"]
    pattern: str = Field(min_length=1, max_length=2000)

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        _compiled(pattern)
        return pattern

    def is_met(self, response: Response) -> bool:
        return is_found(self.pattern, response.raw)


def _json(text: str) -> Any | Refused:
    """The value of a text that is JSON, with a code fence around it or without. Raises TooMuch."""
    value = strict_json.read(unwrapped(text.strip(" \t\r\n\ufeff\u200b"), _INFOS))
    if isinstance(value, Refused) and value.limit:
        raise TooMuch(value.reason)
    return value


def is_found(pattern: str, text: str, left: float = PATTERN_S) -> bool:
    """Whether a pattern is found, within that many seconds of this thread's computing time. Raises TooMuch past them.

    The package counts the computing time of the whole process against its limit; where other threads used that up, the search
    is made again with a limit that allows for them.
    """
    limit = left
    for _ in range(_ATTEMPTS):
        start = time.thread_time()
        try:
            return _compiled(pattern).search(text, timeout=limit, concurrent=True) is not None
        except TimeoutError:
            used = time.thread_time() - start
            if used >= 0.9 * left:
                break
            limit *= 2 * left / max(used, 0.05 * left)
    raise TooMuch("a pattern took too long")


_ATTEMPTS = 3
_SPENT = threading.local()  # .seconds: what the searches of this thread's present schema have taken
_INFOS = ("", "json", "JSON", "Json")


_ONE = ("additionalProperties", "items", "contains", "propertyNames", "not", "if", "then", "else")
_LISTS = ("prefixItems", "allOf", "anyOf", "oneOf")
_NAMED = ("properties", "$defs", "definitions", "dependentSchemas")
_OTHERS = """
    title description $comment $schema default examples deprecated readOnly writeOnly
    type required enum const minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems
    maxItems uniqueItems minContains maxContains minProperties maxProperties dependentRequired pattern $ref
"""
_KNOWN = frozenset([*_ONE, *_LISTS, *_NAMED, *_OTHERS.split()])
MAX_SCHEMAS = 10_000


def _check(schema: Any, root: Mapping[str, Any]) -> None:
    """Raises ValueError for a schema that is not checked whole, at a cost that is bounded."""
    left = MAX_SCHEMAS

    def visit(part: Any, followed: tuple[str, ...]) -> None:
        nonlocal left
        left -= 1
        if left < 0 or len(followed) > MAX_DEPTH:
            raise ValueError("a schema that is too large")
        if isinstance(part, bool):
            return
        if not isinstance(part, dict):
            raise ValueError("a part of the schema is no schema")
        unknown = sorted(part.keys() - _KNOWN)
        if unknown:
            raise ValueError(f"the keyword {unknown[0]!r} is not checked here")
        if "pattern" in part:
            _compiled(part["pattern"])
        if "$ref" in part:
            name = part["$ref"]
            if name in followed:
                raise ValueError("a reference that comes back to itself")
            visit(_target(name, root), (*followed, name))
        for inner in _inner(part):
            visit(inner, followed)

    try:
        visit(schema, ())
    except RecursionError:
        raise ValueError("a schema that is nested too deeply") from None


def _inner(part: Mapping[str, Any]) -> Iterator[Any]:
    for key in _ONE:
        if key in part:
            yield part[key]
    for key in _LISTS:
        yield from part[key] if isinstance(part.get(key), list) else ()
    for key in _NAMED:
        yield from part[key].values() if isinstance(part.get(key), dict) else ()


def _target(name: Any, root: Mapping[str, Any]) -> Any:
    found = re.fullmatch(r"#/(\$defs|definitions)/([^/~%]+)", name) if isinstance(name, str) else None
    if found is None or not isinstance(root.get(found[1]), dict) or found[2] not in root[found[1]]:
        raise ValueError(f"the reference {name!r:.60} is to no definition of this schema")
    return root[found[1]][found[2]]


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, TypeError) as error:
        raise ValueError(f"no pattern: {error}") from None


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    """A validator for a schema as JSON text. Raises ValueError for one that is no schema, ImportError without `jsonschema`."""
    try:
        from jsonschema import Draft202012Validator, ValidationError, validators
        from jsonschema.exceptions import SchemaError
        from referencing import Registry
    except ImportError:
        raise ImportError('JSON schemas need the package jsonschema: pip install "earnest[schema]"') from None

    def pattern(validator: Any, value: str, instance: Any, part: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _is_found_in_time(value, instance):
            yield ValidationError("another pattern")

    def unique(validator: Any, wanted: bool, instance: Any, part: Any) -> Iterator[Any]:
        if wanted and isinstance(instance, list) and len({_key(item) for item in instance}) < len(instance):
            yield ValidationError("an item that is there twice")

    keywords = {"pattern": pattern, "uniqueItems": unique}
    cls = validators.extend(Draft202012Validator, keywords)
    content = json.loads(schema)
    try:
        cls.check_schema(content)
    except SchemaError as error:
        raise ValueError(f"no schema: {error.message}"[:300]) from None
    return cls(content, registry=Registry())  # an empty registry fetches nothing


def _is_found_in_time(pattern: str, text: str) -> bool:
    start = time.thread_time()
    found = is_found(pattern, text, max(0.01, PATTERN_S - _SPENT.seconds))
    _SPENT.seconds += time.thread_time() - start
    return found


def _key(value: Any) -> object:
    """Equal for equal JSON values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _key(inner)) for name, inner in value.items()))
    if isinstance(value, list):
        return ("array", tuple(_key(inner) for inner in value))
    return (type(value) is bool, value)


RULES = (JsonFormat, JsonSchema, Regex)
