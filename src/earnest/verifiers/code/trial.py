"""Puts one program to its tests: the trusted side, which holds the gold and carries values between processes. No verifier.

The program's process gets arguments and gives back values; whether they are right is found out here, or, for tests that are
code, in a second process which the program cannot reach. So nothing that the program does to its own process (the tests, the
comparison, the exit status, the frames of its caller) is anything to the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from earnest.sandbox.codec import CodecError
from earnest.sandbox.jobs import Limits, SandboxError, Session, again, call, output, session
from earnest.sandbox.levels import Asked
from earnest.verifiers.code.compare import same, same_lines
from earnest.verifiers.code.gold import Gold

PROGRAM = "earnest.sandbox.programs"
TESTS = "earnest.sandbox.proxies"
WALL_FACTOR = 2
"""Seconds on the wall clock for each of processor time: a busy machine takes longer, a program that sleeps is waited for."""
AT_ONCE = 16
"""Asserts that the tests' process is given together, so that it need not wait for each."""
Tests: TypeAlias = Generator[str, None, None]
"""One text per test as it is run: "" where it is passed, else why not."""
_LIMITS = ("deadline", "memory", "output")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program did. status: `error` is our side's failure. Example: Outcome("ok", 2, 3, "test 3: another value")."""

    status: Literal["ok", "limit", "error"]
    passed: int
    total: int
    reason: str = ""


class _Fault(Exception):
    """The program failed, in a way that ends all its tests."""

    def __init__(self, status: Literal["limit", "wrong"], reason: str) -> None:
        self.status: Literal["limit", "wrong"] = status
        self.reason = reason
        super().__init__(reason)


def tried(program: str, gold: Gold, level: Asked, every: bool) -> Outcome:
    """The program's tests, up to the first that fails; all of them with `every`. Raises MissingDependency without a sandbox."""
    try:
        return again(lambda: _tried(program, gold, level, every))
    except SandboxError as error:
        if error.kind != "unavailable":
            raise
        return Outcome("error", 0, gold.count, f"the sandbox was lost: {error}"[:500])
    except _OurFault as error:
        return Outcome("error", 0, gold.count, str(error)[:500])
    except CodecError as error:  # what a program sends is a SandboxError; this is the gold's
        return Outcome("error", 0, gold.count, f"gold answer: it cannot be given to a job: {error}")


def _tried(program: str, gold: Gold, level: Asked, every: bool) -> Outcome:
    passed, reason, status = 0, "", "ok"
    tests = {"functional": _functional, "assert": _asserts, "stdio": _stdio}[gold.kind](program, gold, level)
    try:
        for number, fault in enumerate(tests, start=1):
            passed += not fault
            reason = reason or (f"test {number}: {fault}" if fault else "")
            if fault and not every:
                break
    except _Fault as fault:
        status, reason = ("limit" if fault.status == "limit" else "ok"), fault.reason
    finally:
        tests.close()
    return Outcome(status, passed, gold.count, reason)


class _OurFault(Exception):
    """The gold's tests cannot be run."""


def _limits(gold: Gold) -> Limits:
    return Limits(
        wall_s=WALL_FACTOR * gold.seconds,
        cpu_s=math.ceil(gold.seconds),
        memory_mb=gold.memory_mb,
        output_mb=32,
        forks=False,
    )


@contextmanager
def _running(program: str, gold: Gold, level: Asked) -> Iterator[Session]:
    """The program, loaded. Whatever it does wrong is a _Fault."""
    with _blamed(), session(f"{PROGRAM}:serve", [gold.setup, program], _limits(gold), (PROGRAM,), level) as talk:
        answer = _heard(talk)
        if answer[0] != "ready":
            raise _raised(answer, "cannot be loaded: ")
        yield talk


@contextmanager
def _blamed() -> Iterator[None]:
    """How a program ended, as a fault of the program; a lost sandbox stays what it is."""
    try:
        yield
    except SandboxError as error:
        if error.kind == "unavailable":
            raise
        raise _Fault("limit" if error.kind in _LIMITS else "wrong", str(error)[:300]) from None


def _heard(talk: Session) -> tuple[Any, ...]:
    """What the program's process says, in one of the shapes that it may have."""
    answer = talk.ask()
    shapes = {"ready": (), "value": (object,), "object": (int,), "absent": (), "raised": (str, str)}
    if type(answer) is tuple and answer and type(answer[0]) is str and answer[0] in shapes:
        shape, rest = shapes[answer[0]], answer[1:]
        if len(rest) == len(shape) and all(
            kind is object or type(r) is kind for r, kind in zip(rest, shape, strict=True)
        ):
            return answer
    raise _Fault("wrong", "it does not answer as it should")


def _raised(answer: tuple[Any, ...], what: str = "") -> _Fault:
    if answer[0] != "raised":
        return _Fault("wrong", "it does not answer as it should")
    return _Fault("limit" if answer[1] == "MemoryError" else "wrong", f"{what}{answer[1]}: {answer[2]}"[:300])


def _functional(program: str, gold: Gold, level: Asked) -> Tests:
    expected = [_expected(test.expression, level) if test.expression else test.expected for test in gold.examples]
    with _running(program, gold, level) as talk:
        for test, wanted in zip(gold.examples, expected, strict=True):
            with _blamed():
                talk.tell(("call", gold.entry_point, None, test.args, dict(test.kwargs), []))
                answer = _heard(talk)
            if answer[0] == "value":
                right = same(answer[1], wanted, gold.tolerance, from_json=test.expression is None)
                yield "" if right else "another value"
            elif answer[0] == "raised":
                if answer[1] == "MemoryError":
                    raise _raised(answer)
                yield f"{answer[1]}: {answer[2]}"[:200]
            else:
                yield (
                    f"there is no {gold.entry_point}" if answer[0] == "absent" else "what it returned is no plain value"
                )


@lru_cache(maxsize=4096)
def _expected(expression: str, level: Asked) -> Any:
    """An expected value that JSON cannot write. It comes from the data set, which need not be trusted out here either."""
    try:
        return call(f"{TESTS}:evaluated", [expression], Limits(wall_s=20, forks=False), (TESTS,), level)
    except SandboxError as error:
        if error.kind == "unavailable":
            raise
        raise _OurFault(f"gold answer: `expected_expr`: {error.kind}: {error}") from None


def _stdio(program: str, gold: Gold, level: Asked) -> Tests:
    for test in gold.exchanges:
        with _blamed():
            ended = output(f"{PROGRAM}:main", [program], test.stdin.encode(), _limits(gold), (PROGRAM,), level)
        if ended.code != 0:
            last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
            if last and last[0].startswith("MemoryError"):
                raise _Fault("limit", "out of memory")
            yield f"exit status {ended.code}: {''.join(last)}"[:200]
        else:
            yield "" if same_lines(ended.stdout, test.stdout) else "another output"


def _asserts(program: str, gold: Gold, level: Asked) -> Tests:
    limits = Limits(
        wall_s=(WALL_FACTOR + 1) * gold.seconds + 5, cpu_s=math.ceil(2 * gold.seconds) + 2, memory_mb=1024, output_mb=32
    )
    with (
        session(f"{TESTS}:test", [gold.setup, gold.entry_point], limits, (TESTS,), level) as tests,
        _running(program, gold, level) as talk,
    ):
        tests.restart_clock()
        relay = _Relay(tests, talk)
        answer = relay.until("ready", "unusable")
        if answer[0] == "unusable":
            if relay.asked == 0:
                raise _OurFault(f"gold answer: `setup`: {answer[1]}")
            raise _Fault("wrong", f"the setup of the tests fails: {answer[1]}"[:300])
        for number in range(len(gold.sources)):
            if number % AT_ONCE == 0:
                tests.tell(gold.sources[number : number + AT_ONCE])
            answer = relay.until("passed", "failed")
            if answer[0] == "failed" and answer[1] == "CodecError" and relay.answered == 0:
                raise _OurFault(f"gold answer: a test gives the program what cannot cross: {answer[2]}")
            yield "" if answer[0] == "passed" else f"{answer[1]}: {answer[2]}"[:200].rstrip(": ")


class _Relay:
    """Carries the tests' requests to the program and its answers back. asked, answered: how many so far."""

    def __init__(self, tests: Session, program: Session) -> None:
        self._tests, self._program = tests, program
        self.asked = self.answered = 0

    def until(self, *ends: str) -> tuple[Any, ...]:
        """What the tests say when they are done with this one."""
        while True:
            said = self._said()
            if said[0] in ends:
                return said
            if said[0] != "ask":
                raise _OurFault(f"gold answer: the tests say {said[0]!r}")
            self.asked += 1
            with _blamed():
                self._program.tell(said[1])
                answer = _heard(self._program)
            if answer[:2] == ("raised", "MemoryError"):
                raise _raised(answer)
            self.answered += answer[0] in ("value", "object")
            try:
                self._tests.tell(answer)
            except CodecError as error:
                raise _Fault("limit", str(error)) from None

    def _said(self) -> tuple[Any, ...]:
        try:
            said = self._tests.ask()
        except SandboxError as error:
            if error.kind == "unavailable":
                raise
            if self.answered:  # by what the program gave them
                raise _Fault("limit" if error.kind in _LIMITS else "wrong", f"the tests end: {error}"[:300]) from None
            raise _OurFault(f"gold answer: the tests end: {error.kind}: {error}") from None
        if type(said) is not tuple or not said:
            raise _OurFault("gold answer: the tests do not answer as they should")
        return said
