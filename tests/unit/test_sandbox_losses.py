"""Jobs that are lost on our side, and what a job may cost whoever asked: memory, descriptors, time of the trusted process."""

from __future__ import annotations

import os
import signal
import struct
import threading
import time
import tracemalloc
import warnings
from contextlib import suppress

import pytest

from earnest.sandbox import _server, jobs, levels
from earnest.sandbox._server import Server
from earnest.sandbox.codec import MAX_BYTES, MAX_VALUES, CodecError, decode, encode, framed
from earnest.sandbox.jobs import Limits, Lost, SandboxError, again, call, command, output, session
from earnest.sandbox.terms import Plan

EXECUTED = "earnest.sandbox._attempts:executed"
LONG = Limits(wall_s=20)


def started_here(level: levels.Level, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the fork servers that this process starts from now on, none being there."""
    jobs.close_all()
    found: list[int] = []

    def noted(self: Server, plan: Plan) -> None:
        original(self, plan)
        found.append(self.process.pid)

    original = Server.__init__
    monkeypatch.setattr(Server, "__init__", noted)
    return found


def test_a_job_whose_server_dies_under_it_is_run_once_more(
    level: levels.Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = started_here(level, monkeypatch)

    def end_the_first() -> None:
        while not servers:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(servers[0], signal.SIGKILL)

    thread = threading.Thread(target=end_the_first)
    thread.start()
    assert call(EXECUTED, ["import time; time.sleep(4); result = 7"], LONG, level=level) == 7
    thread.join()
    assert len(servers) == 2


def test_a_talk_is_not_begun_again_by_itself_and_says_that_it_was_lost(
    level: levels.Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = started_here(level, monkeypatch)
    with (
        pytest.raises(Lost, match="fork server is gone") as caught,
        session("earnest.sandbox._attempts:echo", [1], LONG, level=level) as talk,
    ):
        talk.tell(1)
        assert talk.ask() == (1, 1)
        os.kill(servers[0], signal.SIGKILL)
        talk.ask()
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize("end", ["os._exit(0)", "os.close(3)\nos.close(0)\nimport time\ntime.sleep(30)"])
def test_a_job_that_has_hung_up_can_still_be_told_something(level: levels.Asked, end: str) -> None:
    said = framed(encode(("told", "ready")))
    code = f"import os\nos.write(3, {said!r})\n{end}"
    with session("earnest.sandbox.programs:serve", ["", code], Limits(wall_s=2), level=level) as talk:
        time.sleep(0.7)  # so that its end is read together with what it said
        assert talk.ask() == "ready"
        talk.tell("are you there?")
        with pytest.raises(SandboxError) as caught:
            talk.ask()
    assert caught.value.kind in ("died", "deadline")


def test_once_more_is_once() -> None:
    tries: list[int] = []

    def lost() -> None:
        tries.append(1)
        raise Lost("gone")

    with pytest.raises(Lost):
        again(lost)
    assert len(tries) == 2


def test_a_job_that_cannot_be_given_its_walls_is_our_failure(level: levels.Level) -> None:
    impossible = Limits(wall_s=5, cpu_s=2**70)
    for run in (
        lambda: call("builtins:len", ["abc"], impossible, level=level),
        lambda: output("earnest.sandbox.programs:main", ["print(1)"], limits=impossible, level=level),
    ):
        with pytest.raises(SandboxError) as caught:
            run()
        assert caught.value.kind == "unavailable" and "walls" in str(caught.value)
    assert call("builtins:len", ["abc"], level=level) == 3


def test_where_nothing_more_can_be_opened_there_is_an_error_and_nothing_is_left(
    level: levels.Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    assert call("builtins:len", ["abc"], level=level) == 3
    jobs.close_all()
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(_server.os, "pipe2", full)
        with pytest.raises(SandboxError) as caught:
            output("earnest.sandbox.programs:main", ["print(1)"], level=level)
    assert caught.value.kind == "unavailable" and "opened" in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == before
    assert output("earnest.sandbox.programs:main", ["print(1)"], level=level).stdout == b"1\n"


def test_a_fork_while_a_lock_is_held_does_not_hang_the_child(level: levels.Level) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with levels._LOCK, _server._LOCK, jobs._LOCK:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        with suppress(BaseException):
            os._exit(0 if call("builtins:len", ["abc"], level=level) == 3 else 1)
        os._exit(2)
    done.set()
    thread.join()
    assert os.waitpid(pid, 0)[1] == 0


def test_a_job_may_be_kept_from_starting_processes_and_may_have_threads(level: levels.Level) -> None:
    code = """
import os, subprocess, threading
told, result = [], []
thread = threading.Thread(target=told.append, args=(1,))
thread.start()
thread.join()
for start in (os.fork, lambda: subprocess.run(["true"]), lambda: os.execv("/bin/true", ["true"])):
    try:
        start()
        result.append("started")
    except OSError:
        result.append("refused")
result += told
"""
    assert call(EXECUTED, [code], Limits(wall_s=10, forks=False), level=level) == ["refused"] * 3 + [1]


def test_a_command_that_uses_up_its_processor_time_met_its_limit(level: levels.Level) -> None:
    begun = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        command(["sh", "-c", "while :; do :; done"], {}, Limits(wall_s=60, cpu_s=1), level=level)
    assert caught.value.kind == "deadline" and "processor" in str(caught.value)
    assert time.monotonic() - begun < 30
    assert command(["sh", "-c", "kill -9 $$"], {}, LONG, level=level).exit_code == -9


def test_each_server_of_root_is_a_user_of_its_own() -> None:
    if os.geteuid() != 0 or levels.probe().level != "bwrap":
        pytest.skip("not root with the sandbox level bwrap")
    users = {call("os:getuid", [], preload=preload, level="bwrap") for preload in ((), ("math",), ("json",))}
    assert len(users) == 3


@pytest.mark.parametrize("tag", [b"N", b"L", b"E", b"D"])
def test_a_flood_of_small_values_is_refused_before_it_is_made(tag: bytes) -> None:
    count = MAX_BYTES // 5 - 1
    flood = struct.pack(">cI", b"L", count) + struct.pack(">cI", tag, 0) * count
    begun = time.perf_counter()
    with pytest.raises(CodecError, match="values"):
        decode(flood)
    assert time.perf_counter() - begun < 0.5


def test_values_are_counted_alike_on_both_sides() -> None:
    most = [None] * (MAX_VALUES - 1)
    assert decode(encode(most)) == most
    pairs = dict.fromkeys(range(MAX_VALUES // 2))
    for value in ([*most, None], pairs, [most, most]):
        with pytest.raises(CodecError, match="values"):
            encode(value)
    halves = [most[: MAX_VALUES // 2 - 2]] * 2
    assert decode(encode(halves)) == halves
    nested = struct.pack(">cI", b"L", 2) + 2 * encode(most)
    with pytest.raises(CodecError, match="values"):
        decode(nested)


def test_what_is_counted_costs_no_more_than_it_says() -> None:
    flood = struct.pack(">cI", b"L", MAX_VALUES - 1) + struct.pack(">cI", b"E", 0) * (MAX_VALUES - 1)
    tracemalloc.start()
    try:
        assert len(decode(flood)) == MAX_VALUES - 1
        assert tracemalloc.get_traced_memory()[1] < 300 * MAX_VALUES
    finally:
        tracemalloc.stop()
