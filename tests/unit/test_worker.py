"""A user's function in a process of its own: whatever it does, the call ends in time and says how."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from earnest.sandbox.worker import ANSWER_BYTES, PRINTED_CHARS, Callee, Worker, WorkerError, close_all, shared

CODE = '''
import asyncio, ctypes, os, signal, subprocess, sys, threading, time
from decimal import Decimal
from fractions import Fraction

import numpy as np

CALLS = []

def echo(value):
    return value

def pid():
    CALLS.append(1)
    return [os.getpid(), len(CALLS)]

def sleeps(): time.sleep(60)
def hangs_in_c(): ctypes.PyDLL(None).sleep(60)  # holds the interpreter's lock: no thread or signal handler of Python's runs
def ignores_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)
def exits(): sys.exit(3)
def leaves(): os._exit(3)
def segfaults(): os.kill(os.getpid(), signal.SIGSEGV)
def raises(): raise ValueError("bad \\x1b[31m text")
def raises_long(): raise ValueError("x" * 10**7)
def prints():
    print("to stdout"); print("to stderr", file=sys.stderr); os.write(1, b"to the file\\n")
    subprocess.run(["echo", "from a child"])
    return "fine"
def prints_and_raises():
    print("before it")
    return 1 / 0
def prints_without_end():
    while True:
        print("y" * 1000)
def prints_much(): print("z" * 10**7); return "fine"
def returns_much(): return ["x" * 1000] * 10**5
def reads_input(): return sys.stdin.read()
def numbers():
    return [True, 1, 0.5, np.float32(0.25), np.bool_(True), np.int64(3), np.arange(2), Decimal("0.5"), Fraction(1, 4), None]
def nan(): return [float("nan"), float("inf")]
def an_object(): return [object()]
def cyclic():
    found = []
    found.append(found)
    return found
async def later():
    await asyncio.sleep(0.01)
    return "done"
async def later_raises():
    await asyncio.sleep(0)
    return 1 / 0
def two(a, b=2, *, c): return [a, b, c]
def rest(a, **columns): return [a, sorted(columns)]
def outlives():
    found = subprocess.Popen(["sleep", "60"])
    print(found.pid, flush=True)
    time.sleep(60)
def alarmed():
    """What graders do that limit themselves: a signal handler, which only works in the main thread."""
    def stop(*_): raise TimeoutError
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        time.sleep(5)
    except TimeoutError:
        return "stopped itself"
class Callable:
    def __call__(self, a): return a
instance = Callable()
text = "no function"
'''


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    """Makes workers for functions of CODE and closes them."""
    made: list[Worker] = []
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")

    def make(name: str) -> Worker:
        made.append(Worker(Callee.read(f"{tmp_path / 'code.py'}:{name}")))
        return made[-1]

    yield make
    for one in made:
        one.close()


def failure(worker: Worker, limit_s: float = 30.0, **arguments: Any) -> WorkerError:
    begun = time.monotonic()
    with pytest.raises(WorkerError) as caught:
        worker.call(arguments, limit_s)
    assert time.monotonic() - begun < limit_s + 20
    return caught.value


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "\ud800 \u2028 \x00", [1, [None, "x"]], {"a": [1]}, "x" * 10**6])
def test_values_cross_as_they_are(worker: Any, value: Any) -> None:
    assert worker("echo").call({"value": value}, 30.0) == value


def test_one_process_answers_call_after_call(worker: Any) -> None:
    one = worker("pid")
    first, second = one.call({}, 30.0), one.call({}, 30.0)
    assert first[0] == second[0] != os.getpid() and [first[1], second[1]] == [1, 2]
    one.close()
    assert not is_alive(first[0])
    assert one.call({}, 30.0)[1] == 1  # a new process


@pytest.mark.parametrize("name", ["sleeps", "hangs_in_c", "ignores_signals"])
def test_what_hangs_is_killed_and_the_next_call_is_answered(worker: Any, name: str) -> None:
    one = worker(name)
    error = failure(one, 0.3)
    assert error.kind == "deadline" and "no answer within 0.3 s" in str(error)
    assert one._process is None
    assert failure(one, 0.2).kind == "deadline"  # a new process, the same end


def test_what_it_started_dies_with_it(worker: Any) -> None:
    error = failure(worker("outlives"), 1.0)
    pid = int(str(error).split("\n")[-1])
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("exits", "raised", "SystemExit: 3"),
        ("leaves", "died", "exit code 3"),
        ("segfaults", "died", "SIGSEGV"),
        ("raises", "raised", "ValueError: bad"),
        ("an_object", "raised", "returned a object"),
        ("cyclic", "raised", "RecursionError"),
        ("returns_much", "died", f"{ANSWER_BYTES:,} bytes"),
        ("text", "load", "no function, it is a str"),
        ("nowhere", "load", "nowhere"),
    ],
)
def test_what_ends_badly_says_how(worker: Any, name: str, kind: str, said: str) -> None:
    one = worker(name)
    for _ in range(2):
        error = failure(one)
        assert error.kind == kind and said in str(error)


def test_a_message_without_end_is_cut(worker: Any) -> None:
    assert 1000 < len(str(failure(worker("raises_long")))) < 10_000


def test_the_traceback_is_the_users_alone(worker: Any, tmp_path: Path) -> None:
    for name in ("raises", "later_raises"):
        text = str(failure(worker(name)))
        files = [line.split('"')[1] for line in text.splitlines() if line.startswith("  File ")]
        assert files == [str(tmp_path / "code.py")], text
    assert "return 1 / 0" in text


def test_printing_does_not_reach_the_answer_and_is_told_with_a_failure(worker: Any, capfd: Any) -> None:
    assert worker("prints").call({}, 30.0) == "fine"
    assert worker("prints_much").call({}, 30.0) == "fine"
    assert str(failure(worker("prints_and_raises"))).endswith(
        "ZeroDivisionError: division by zero\nIt had printed:\nbefore it"
    )
    assert capfd.readouterr() == ("", "")


def test_printing_without_end_is_bounded(worker: Any) -> None:
    one = worker("prints_without_end")
    error = failure(one, 1.0)
    assert len(one._printed) <= 4 * PRINTED_CHARS
    assert error.kind == "deadline" and PRINTED_CHARS <= len(str(error)) < PRINTED_CHARS + 200


def test_there_is_no_input_to_read(worker: Any) -> None:
    assert worker("reads_input").call({}, 30.0) == ""


def test_numbers_of_other_libraries_arrive_as_numbers(worker: Any) -> None:
    found = worker("numbers").call({}, 30.0)
    assert found == [True, 1, 0.5, 0.25, True, 3, [0, 1], 0.5, 0.25, None]
    assert {type(value) for value in found} == {bool, int, float, list, type(None)}
    nan, infinite = worker("nan").call({}, 30.0)
    assert math.isnan(nan) and infinite == math.inf


def test_a_coroutine_is_run_to_its_end(worker: Any) -> None:
    assert worker("later").call({}, 30.0) == "done"


def test_a_function_may_limit_itself(worker: Any) -> None:
    one = worker("alarmed")
    assert [one.call({}, 30.0) for _ in range(2)] == ["stopped itself"] * 2


def test_only_what_it_takes_is_given(worker: Any) -> None:
    assert worker("two").call({"a": 1, "c": 3, "d": 4}, 30.0) == [1, 2, 3]
    assert worker("rest").call({"a": 1, "c": 3, "d": 4}, 30.0) == [1, ["c", "d"]]
    assert worker("instance").call({"a": 1, "b": 2}, 30.0) == 1
    assert "asks for 'c', which it cannot be given; there are: a, b" in str(failure(worker("two"), a=1, b=2))


def test_a_module_is_imported_by_its_name() -> None:
    one = Worker(Callee.read("os.path:basename"))
    assert one.callee.label == "basename (os.path)" and one.call({"p": "a/b", "q": 1}, 30.0) == "b"
    one.close()


def test_a_file_that_changes_is_another_function(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text("def f():\n    return 1\n")
    before = Callee.read(f"{file}:f")
    file.write_text("def f():\n    return 2\n")
    after = Callee.read(f"{file}:f")
    assert before.label != after.label and before.label.startswith("f (code.py, ")
    assert [shared(c).call({}, 30.0) for c in (before, after, before)] == [1, 2, 1]
    shared(before).close()
    assert shared(before).call({}, 30.0) == 1  # a new process runs what was read
    assert shared(before) is shared(Callee(str(file), "f", "def f():\n    return 1\n"))
    close_all()


@pytest.mark.parametrize(("name", "seconds"), [("pid", 5), ("hangs_in_c", 15)])
def test_it_ends_though_its_parent_was_killed(tmp_path: Path, name: str, seconds: float) -> None:
    """One that waits finds its input closed; one that hangs has a limit of its own."""
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")
    script = (
        "import os, threading\nfrom earnest.sandbox.worker import *\n"
        f"one = Worker(Callee.read({str(tmp_path / 'code.py')!r} + ':{name}'))\none._start()\n"
        "print(one._process.pid, flush=True)\nthreading.Timer(0.5, os.kill, (os.getpid(), 9)).start()\n"
        "one.call({}, 1.0)\nthreading.Event().wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    deadline = time.monotonic() + seconds
    while is_alive(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert done.returncode == -9 and not is_alive(int(done.stdout)), done.stderr
