"""What a program is tested by, read from a gold text. A helper, no verifier.

    {"kind": "functional", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}], "time_limit_s": 2, "memory_mb": 256}
    {"kind": "assert", "entry_point": "add", "setup": "", "tests": ["assert add(1, 2) == 3"]}
    {"kind": "stdio", "tests": [{"stdin": "1 2\\n", "stdout": "3\\n"}]}

A functional test has `args` and perhaps `kwargs`, and `expected`, or `expected_expr` for what JSON cannot write (a set, a
tuple, a large number). `setup` is run before the program and before the tests, each in their own process: imports, helpers, no
secrets. `float_tol` is how far a float may be from the expected one, absolutely and relative to it; without it floats are exact.
"""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast, get_args

from earnest.sandbox.codec import CodecError, encode
from earnest.verifiers import golds
from earnest.verifiers.refused import Refused

Kind: TypeAlias = Literal["functional", "assert", "stdio"]

MAX_TESTS = 10_000
_FIELDS = {"kind", "entry_point", "setup", "tests", "time_limit_s", "memory_mb", "float_tol"}


@dataclass(frozen=True, slots=True)
class Example:
    """One functional test. expression: the expected value as Python writes it, where JSON cannot; else it is `expected`."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    expected: Any
    expression: str | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One test of a whole program: what it reads, and what it must print."""

    stdin: str
    stdout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """The tests of one kind, and what a program may use. seconds: for all tests of a functional or assert gold, else for each."""

    kind: Kind
    entry_point: str | None
    setup: str
    examples: tuple[Example, ...] = ()
    sources: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    seconds: float = 5.0
    memory_mb: int = 512
    tolerance: float = 0.0

    @property
    def count(self) -> int:
        return len(self.examples) + len(self.sources) + len(self.exchanges)


@lru_cache(maxsize=4096)
def read(answer: str | None) -> Gold | Refused:
    """The tests of a gold text; or why no program can be tested by it."""
    gold = golds.read(answer)
    if isinstance(gold, Refused):
        return gold
    fault = _fault(gold)
    if fault:
        return Refused(fault)
    kind, tests = gold["kind"], gold["tests"]
    return Gold(
        kind=kind,
        entry_point=gold.get("entry_point") or None,
        setup=gold.get("setup") or "",
        examples=tuple(_example(test) for test in tests) if kind == "functional" else (),
        sources=tuple(tests) if kind == "assert" else (),
        exchanges=tuple(Exchange(test["stdin"], test["stdout"]) for test in tests) if kind == "stdio" else (),
        seconds=float(gold.get("time_limit_s", 5.0)),
        memory_mb=gold.get("memory_mb", 512),
        tolerance=float(gold.get("float_tol") or 0.0),
    )


def _fault(gold: Mapping[str, Any]) -> str | None:
    kind, tests, setup = gold.get("kind"), gold.get("tests"), gold.get("setup") or ""
    if kind not in get_args(Kind):
        return f"`kind` must be one of {', '.join(get_args(Kind))}"
    unknown = gold.keys() - _FIELDS
    if unknown:
        return f"unknown: {', '.join(sorted(unknown))}"
    if not isinstance(tests, list) or not 1 <= len(tests) <= MAX_TESTS:
        return f"`tests` must be a list of 1 to {MAX_TESTS}: without a test every program would pass"
    name = gold.get("entry_point") or ""
    if (kind == "functional" or name) and not (
        isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
    ):
        return "`entry_point` must be the name of a function"
    if not isinstance(setup, str) or not _compiles(setup):
        return "`setup` is no Python"
    for key, most in (("time_limit_s", 3600), ("memory_mb", 1 << 20), ("float_tol", 1)):
        value = gold.get(key)
        if value is not None and not (type(value) in (int, float) and 0 < value <= most and math.isfinite(value)):
            return f"`{key}` must be a number above 0 and up to {most}"
    if type(gold.get("memory_mb", 512)) is not int:
        return "`memory_mb` must be a whole number"
    for number, test in enumerate(tests, start=1):
        fault = _CHECKS[cast(Kind, kind)](test)
        if fault:
            return f"test {number}: {fault}"
    return None


def _fault_of_example(test: Any) -> str | None:
    if (
        not isinstance(test, dict)
        or not isinstance(test.get("args", []), list)
        or not isinstance(test.get("kwargs", {}), dict)
    ):
        return "`args` must be a list, `kwargs` an object"
    try:
        encode((test.get("args", []), test.get("kwargs", {})))
    except CodecError as error:
        return f"arguments that cannot be given to a program: {error}"
    if ("expected" in test) == ("expected_expr" in test):
        return "one of `expected` and `expected_expr`"
    if "expected_expr" in test and not _compiles(test["expected_expr"], "eval"):
        return "`expected_expr` is no Python expression"
    return None


def _fault_of_source(test: Any) -> str | None:
    return None if isinstance(test, str) and test.strip() and _compiles(test) else "no Python statement"


def _fault_of_exchange(test: Any) -> str | None:
    whole = isinstance(test, dict) and isinstance(test.get("stdin"), str) and isinstance(test.get("stdout"), str)
    return (
        None if whole and _is_text(test["stdin"]) and _is_text(test["stdout"]) else "`stdin` and `stdout` must be texts"
    )


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8. JSON can hold halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS = {"functional": _fault_of_example, "assert": _fault_of_source, "stdio": _fault_of_exchange}


def _example(test: Mapping[str, Any]) -> Example:
    return Example(tuple(test.get("args", [])), test.get("kwargs", {}), test.get("expected"), test.get("expected_expr"))


def _compiles(source: Any, mode: Literal["exec", "eval"] = "exec") -> bool:
    try:
        ast.parse(source, mode=mode)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return False
    return True
