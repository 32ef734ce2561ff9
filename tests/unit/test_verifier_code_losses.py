"""Programs that aim at the machinery between them and their tests: to be paid, to be excused, or to cost much."""

from __future__ import annotations

import os
import signal
import threading
import time
import tracemalloc
from typing import Any

import pytest

from earnest.sandbox import jobs
from earnest.sandbox._server import Server
from earnest.sandbox.terms import Plan
from earnest.types import Json, Status
from earnest.verifiers import golds
from earnest.verifiers.code import Code
from earnest.verifiers.code.compare import same_lines
from earnest.verifiers.code.gold import read
from earnest.verifiers.refused import Refused
from graded_programs import RIGHT, graded
from grading import grade

ASSERTS: dict[str, Json] = {"kind": "assert", "entry_point": "add", "time_limit_s": 2, "tests": []}


ALARMED = """
import signal
class Late(Exception): pass
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    add(1, 1)
except Late:
    pass
assert add(2, 2) == 4
"""


def test_an_answer_that_was_not_waited_for_is_not_the_answer_to_the_next_question(code: Code) -> None:
    program = "import time\nanswers = [4, 5]\ndef add(a, b):\n    time.sleep(0.5)\n    return answers.pop(0)\n"
    verdict = graded(code, program, ASSERTS, tests=[ALARMED])
    assert verdict.correct is False and "tests end" in verdict.reason, verdict


def test_threads_of_a_test_get_their_own_answers(code: Code) -> None:
    test = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(lambda i: add(i, i), range(200))) == [2 * i for i in range(200)]
"""
    verdict = graded(code, RIGHT, ASSERTS, tests=[test])
    assert verdict.correct, verdict


def test_what_a_program_returns_does_not_make_its_tests_an_error_of_ours(code: Code) -> None:
    program = "class T: pass\ndef add(a, b):\n    return T()\n"
    for test in ("assert add({add(1, 1)}, 2) == 3", "assert add({add(1, 1): 1}, 2) == 3"):
        verdict = graded(code, program, ASSERTS, tests=[test])
        assert verdict.correct is False and verdict.status is Status.OK, verdict


def test_a_program_starts_no_process_at_any_level(code: Code) -> None:
    program = "import os\ndef add(a, b):\n    if os.fork() == 0:\n        os._exit(0)\n    return a + b\n"
    assert graded(code, program, ASSERTS, tests=["assert add(1, 1) == 2"]).correct is False
    threaded = "import threading\ndef add(a, b):\n    found = []\n    t = threading.Thread(target=lambda: found.append(a + b))\n"
    threaded += "    t.start()\n    t.join()\n    return found[0]\n"
    assert graded(code, threaded, ASSERTS, tests=["assert add(1, 1) == 2"]).correct


@pytest.mark.parametrize("kind", ["functional", "assert", "stdio"])
def test_a_program_whose_sandbox_is_lost_is_tried_once_more(
    code: Code, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.close_all()
    servers: list[int] = []
    original = Server.__init__

    def noted(self: Server, plan: Plan) -> None:
        original(self, plan)
        if "earnest.sandbox.programs" in plan.preload:
            servers.append(self.process.pid)

    def end_the_first() -> None:
        while not servers:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(servers[0], signal.SIGKILL)

    monkeypatch.setattr(Server, "__init__", noted)
    thread = threading.Thread(target=end_the_first)
    thread.start()
    tests: dict[str, list[Json]] = {
        "functional": [{"args": [2, 2], "expected": 4}],
        "assert": ["assert add(2, 2) == 4"],
        "stdio": [{"stdin": "2", "stdout": "4"}],
    }
    program = f"import time\ntime.sleep(0.7)\n{RIGHT}if __name__ == '__main__':\n    print(add(2, 2))\n"
    verdict = graded(code, program, ASSERTS, kind=kind, tests=tests[kind], entry_point="add")
    thread.join()
    assert verdict.correct and len(servers) == 2, (verdict, servers)


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("gold", "says"),
    [
        ({"kind": "functional", "entry_point": "f", "tests": [{"args": [nested(80)], "expected": 1}]}, "deeper"),
        ({"kind": "functional", "entry_point": "f", "tests": [{"kwargs": {"a": "x" * 2**24}, "expected": 1}]}, "bytes"),
        ({"kind": "stdio", "tests": [{"stdin": "\ud800", "stdout": "1"}]}, "texts"),
        ({"kind": "stdio", "tests": [{"stdin": "1", "stdout": "\udfff"}]}, "texts"),
    ],
    ids=["deep", "long", "half a character read", "half a character printed"],
)
def test_a_gold_that_cannot_be_given_to_a_program_is_refused(gold: dict[str, Json], says: str) -> None:
    found = read(golds.write(gold))
    assert isinstance(found, Refused) and says in found.reason, found
    verdict = grade(Code(), f"```python\n{RIGHT}\n```", golds.write(gold))
    assert verdict.status is Status.ERROR and verdict.correct is None


@pytest.mark.parametrize("piece", [b"\n", b"ab\n", b" \n", b"\r\n", b"\t"])
def test_a_flood_of_lines_is_compared_in_the_memory_of_its_bytes(piece: bytes) -> None:
    flood = b"7\n" + piece * ((4 << 20) // len(piece))
    tracemalloc.start()
    try:
        assert same_lines(flood, "7") is not piece.strip().isalnum()
        assert not same_lines(flood, "8")
        assert tracemalloc.get_traced_memory()[1] < 6 * len(flood)
    finally:
        tracemalloc.stop()


def test_tests_too_long_for_a_job_are_our_error(code: Code) -> None:
    long = "#" + "x" * 2**24
    for changes in ({"tests": ["assert add(1, 1) == 2" + long]}, {"tests": ["assert True"], "setup": long}):
        verdict = graded(code, RIGHT, {**ASSERTS, **changes})
        assert verdict.status is Status.ERROR and "bytes" in verdict.reason, verdict
