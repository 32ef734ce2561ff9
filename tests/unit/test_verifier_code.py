"""Programs put to their tests: what is right, what only looks right, and programs that go for the grader."""

from __future__ import annotations

import os
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earnest.errors import MissingDependency
from earnest.sandbox import levels
from earnest.sandbox.codec import encode, framed
from earnest.sandbox.jobs import SandboxError
from earnest.types import Json, Status, Verdict
from earnest.verifiers import golds
from earnest.verifiers.code import Code, trial
from earnest.verifiers.code.compare import same, same_lines
from earnest.verifiers.code.fence import program
from earnest.verifiers.code.gold import Gold, read
from earnest.verifiers.fences import blocks
from earnest.verifiers.refused import Refused
from graded_programs import RIGHT, graded
from grading import grade, make_item

NAN = float("nan")
ADD: dict[str, Json] = {
    "kind": "functional",
    "entry_point": "add",
    "time_limit_s": 1,
    "memory_mb": 128,
    "tests": [
        {"args": [2, 2], "expected": 4},
        {"args": [-3, 3], "expected": 0},
        {"args": [20], "kwargs": {"b": 1}, "expected": 21},
    ],
}
ASSERTS: dict[str, Json] = {
    "kind": "assert", "entry_point": "add", "time_limit_s": 1,
    "tests": ["assert add(2, 2) == 4", "for i in range(3):\n    assert add(i, 7) == i + 7"],
}  # fmt: skip
SUMS: dict[str, Json] = {
    "kind": "stdio", "time_limit_s": 1, "tests": [{"stdin": "2 2\n", "stdout": "4\n"}, {"stdin": "1 8", "stdout": "9"}],
}  # fmt: skip
WRONG = "def add(a, b):\n    return 5\n"


def test_programs_are_right_or_wrong_in_each_of_three_ways(code: Code) -> None:
    for gold in (ADD, ASSERTS):
        assert graded(code, RIGHT, gold).correct
        assert graded(code, WRONG, gold) == Verdict(
            status=Status.OK, correct=False, score=0.0, extracted=WRONG, reason=graded(code, WRONG, gold).reason
        )
    assert graded(code, "a, b = map(int, input().split())\nprint(a + b)", SUMS).correct
    assert graded(code, "print(4)", SUMS).reason == "test 2: another output"


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
        "print(sum(map(int, open(0).read().split())))",
        "import sys\na, b = sys.stdin.buffer.readline().split()\nsys.stdout.buffer.write(b'%d' % (int(a) + int(b)))",
        "import os\nos.write(1, str(sum(map(int, os.read(0, 99).split()))).encode())",
        "def main():\n    print(sum(map(int, input().split())), end=' \\n\\n \\n')\n\nif __name__ == '__main__':\n    main()",
        "import sys\nprint(sum(map(int, input().split())))\nsys.exit()",
        "print(sum(map(int, input().split())))\nexit(0)",
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 26)\n"
        "t = threading.Thread(target=lambda: print(sum(map(int, input().split()))))\nt.start()",
        "import asyncio\nasync def main():\n    print(sum(map(int, input().split())))\nasyncio.run(main())",
        "def depth(n):\n    return n and 1 + depth(n - 1)\nimport sys\nsys.setrecursionlimit(60000)\ndepth(50000)\n"
        "print(sum(map(int, input().split())))",
    ],
)
def test_honest_ways_to_read_and_print(code: Code, source: str) -> None:
    verdict = graded(code, source, SUMS, time_limit_s=5)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    "source",
    [
        "print(4)\nprint(9)",
        "print('4 9')",
        "print(4.0)",
        "print(sum(map(int, input().split())))\nraise RuntimeError",
        "print(sum(map(int, input().split())))\nimport sys\nsys.exit(1)",
        "print(sum(map(int, input().split())))\nimport os\nos._exit(3)",
        "print(sum(map(int, input().split())), flush=True)\nimport ctypes\nctypes.string_at(0)",
        "import sys\nsys.stdout.buffer.write(b'4\\xff')",
        "print('4\\n9')",
        "",
    ],
)
def test_what_only_looks_like_the_output(code: Code, source: str) -> None:
    assert graded(code, source or "pass", SUMS).correct is False


def test_values_of_every_builtin_type_come_back(code: Code) -> None:
    expressions = [
        "10**5000",
        "{1, 2}",
        "(1, (2,))",
        "frozenset('ab')",
        "b'x'",
        "{(1, 2): [None, True]}",
        "1.5e300",
        "2j",
        "float('nan')",
    ]
    tests: list[Json] = [{"args": [text], "expected_expr": text} for text in expressions]
    assert graded(code, "def f(text):\n    return eval(text)\n", ADD, entry_point="f", tests=tests).correct
    counter = "import collections\ndef f():\n    return [collections.Counter('aab'), collections.OrderedDict(x=1)]"
    assert graded(
        code, counter, ADD, entry_point="f", tests=[{"args": [], "expected": [{"a": 2, "b": 1}, {"x": 1}]}]
    ).correct
    solution = "class Solution:\n    def add(self, a, b):\n        return a + b\n"
    assert graded(code, solution, ADD).correct


def test_whatever_ends_badly_has_its_status(code: Code) -> None:
    for source, status in (
        ("def add(a, b)", Status.OK), ("raise ValueError", Status.OK), ("import no_such_module", Status.OK), ("x = 1", Status.OK),
        ("import sys\nsys.exit(0)", Status.OK), ("import os\nos._exit(0)", Status.OK), ("\x00", Status.OK),
        ("while True: pass", Status.LIMIT), ("import time\ntime.sleep(99)", Status.LIMIT), ("x = [0] * 10**9", Status.LIMIT),
        ("def add(a, b):\n    x = bytearray(10**9)", Status.LIMIT),
        ("def add(a, b):\n    while True: pass", Status.LIMIT),
    ):  # fmt: skip
        for gold in (ADD, {**ASSERTS, "memory_mb": 128}):
            verdict = graded(code, source, gold)
            assert (verdict.status, verdict.correct, verdict.score) == (status, False, 0.0), (source, verdict)
    assert graded(code, "while True: print('x' * 10**6)", SUMS).status is Status.LIMIT


def test_time_is_for_all_tests_of_functions_and_for_each_run_of_a_program(code: Code) -> None:
    slow = "import time\ntime.sleep(1.1)\n"
    tests: list[Json] = [{"stdin": "", "stdout": "x"}] * 3
    assert graded(code, f"{slow}print('x')", SUMS, tests=tests).correct
    calls: list[Json] = [{"args": [], "expected": 1}] * 3
    sleeper = f"def add():\n    {slow.splitlines()[0]}\n    {slow.splitlines()[1]}\n    return 1"
    assert graded(code, sleeper, ADD, tests=calls).status is Status.LIMIT


def test_the_share_is_a_score_and_correct_is_still_all(code: Code) -> None:
    share = code.model_copy(update={"fraction": True})
    half = "def add(a, b):\n    return 4 if a == 2 else 21"
    assert graded(share, half, ADD).score == pytest.approx(2 / 3) and graded(share, half, ADD).correct is False
    assert graded(code, half, ADD).score == 0.0
    assert graded(share, "def add(a, b):\n    assert (a, b) == (2, 2)\n    return 4", ADD).score == pytest.approx(1 / 3)
    assert graded(share, RIGHT, ADD).score == 1.0
    assert graded(share, "def add(a, b):\n    return 4", ASSERTS).score == 0.5
    assert graded(share, "print(9)", SUMS).score == 0.5
    dies = "def add(a, b):\n    if a != 2:\n        import os\n        os._exit(0)\n    return 4"
    assert graded(share, dies, ADD).score == pytest.approx(1 / 3)


def test_it_stops_at_the_first_failure_and_runs_the_same_program_once(monkeypatch: pytest.MonkeyPatch) -> None:
    if levels.probe().level is None:
        pytest.skip("no sandbox level holds on this machine")
    ran: list[str] = []
    real = trial.output
    monkeypatch.setattr(trial, "output", lambda *arguments: ran.append(arguments[2]) or real(*arguments))
    assert graded(Code(), "print(5)", SUMS).correct is False and len(ran) == 1
    ran.clear()
    item = make_item("```\nprint(sum(map(int, input().split())))\n```", golds.write(SUMS))
    other = make_item("```\nprint(5)\n```", golds.write(SUMS))
    verdicts = Code().judge([item, other, item, item, other])
    assert [v.correct for v in verdicts] == [True, False, True, True, False] and len(ran) == 3


def test_tests_may_use_what_the_program_made(code: Code) -> None:
    source = """
        class Node:
            def __init__(self, data):
                self.data, self.left = data, None
            def size(self):
                return 1 + (self.left.size() if self.left else 0)
        def count(nodes, kind=int):
            return sum(isinstance(node.data, kind) for node in nodes)
        def double(values):
            values.append(0)
            return [2 * v for v in values[:-1]]
        def fail(x):
            raise KeyError(x)
    """
    tests: list[Json] = [
        "root = Node(1)\nroot.left = Node(2)\nassert root.size() == 2 and root.left.data == 2",
        "assert count([Node(1), Node('x')]) == 1 and count([Node(1), Node('x')], str) == 1",
        "x = [1, 2]\nassert double(x) == [2, 4] and x == [1, 2]",
        "try:\n    fail(3)\n    raise SystemExit\nexcept KeyError:\n    pass",
        "assert math.isclose(double([0.1])[0], 0.2) and helper(1) == 2",
        "assert Node(1) != Node(1) and not isinstance(Node(1), int)",
    ]
    gold = {"kind": "assert", "setup": "def helper(x):\n    return x + 1", "tests": tests}
    verdict = graded(code, source, gold)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("setup", "test", "says"),
    [("import no_such_module", "assert add(1, 1)", "setup"), ("", "assert add(lambda: 1, 2)", "cannot cross"),
     ("", "import os\nos._exit(0)", "the tests end")],
)  # fmt: skip
def test_tests_that_cannot_be_run_are_our_error(code: Code, setup: str, test: str, says: str) -> None:
    verdict = graded(code, RIGHT, ASSERTS, setup=setup, tests=[test])
    assert verdict.status is Status.ERROR and says in verdict.reason


def test_an_expected_value_that_cannot_be_had_is_our_error(code: Code) -> None:
    for expression in ("1 / 0", "object()", "'x' * 10**10"):
        verdict = graded(code, RIGHT, ADD, tests=[{"args": [1, 2], "expected_expr": expression}])
        assert verdict.status is Status.ERROR, verdict


def forged(*values: Any) -> str:
    return "import os\n" + "".join(f"os.write(3, {framed(encode(value))!r})\n" for value in values)


READY, DONE = ("told", ("ready",)), ("told", ("passed",))
ATTACKS = {
    "equal to everything": "class T:\n def __eq__(s, o): return True\n def __ne__(s, o): return False\ndef add(a, b): return T()",
    "int that is equal": "class T(int):\n def __eq__(s, o): return True\n __hash__ = None\ndef add(a, b): return T(9)",
    "class that lies": "class T:\n __class__ = property(lambda s: int)\n"
    " def __eq__(s, o): return True\ndef add(a, b): return T()",
    "type that lies": "import builtins\nbuiltins.type = lambda x: int\nclass T: pass\ndef add(a, b): return T()",
    "passed, by hand": forged(READY, DONE, DONE, DONE) + WRONG,
    "value, by hand": forged(READY, ("told", ("value", 4)), ("told", ("value", 1)), ("told", ("value", 1))),
    "result, by hand": forged(("value", True)) + WRONG,
    "nothing after ready": forged(READY) + "os._exit(0)",
    "frame of frames": "import os\n" + f"os.write(3, {framed(struct.pack('>cI', b'L', 1) * 5000)!r})\nos._exit(0)",
    "line patched": WRONG
    + "from earnest.sandbox import _inside\nimport os\n_run.Line.tell = lambda s, v: os.write(3, b'\\0' * 99)",
    "codec patched": WRONG
    + "from earnest.sandbox import codec, _inside\n_run.encode = lambda v: codec.encode(('told', ('passed',)))",
    "struct patched": WRONG + "import struct, json\nstruct.pack = json.dumps = lambda *a, **k: b''",
    "frames searched": "import sys\ndef add(a, b):\n f = sys._getframe()\n while f:\n  for v in [*f.f_locals.values()]:\n"
    "   if type(v) is dict and 'expected' in v: return v['expected']\n  f = f.f_back",
    "heap searched": "import gc\ndef add(a, b):\n for o in gc.get_objects():\n"
    "  if type(o) is dict and 'expected' in o: return o['expected']",
    "memory searched": "import re\ndef add(a, b):\n for l in open('/proc/self/maps'):\n  if 'rw' in l:\n"
    "   lo, hi = (int(x, 16) for x in l.split()[0].split('-'))\n   f = open('/proc/self/mem', 'rb', 0); f.seek(lo)\n"
    "   m = re.search(rb'expected.{1,9}?(\\d+)', f.read(min(hi - lo, 1 << 20)))\n   if m: return int(m[1])",
    "tests traced": "import sys\ndef add(a, b):\n f = sys._getframe(1)\n"
    " f.f_trace = lambda *x: None\n sys.settrace(f.f_trace)\n return 4",
    "integer rewritten": "import ctypes\ndef add(a, b):\n ctypes.memmove(id(4) + 24, id(5) + 24, 4)\n return 5",
    "builtins patched": "import builtins\nbuiltins.all = builtins.len = builtins.isinstance = lambda *a: True\n"
    + WRONG,
    "iteration stopped": "def add(a, b):\n if a == b == 2: return 4\n raise StopIteration",
    "exit raised": "def add(a, b): raise SystemExit(0)",
    "signals sent": "import os\ndef add(a, b):\n for p in (0, 1, -1, os.getppid()):\n  for s in (1, 2, 9, 15, 19):\n"
    "   try: p != os.getpid() and os.kill(p, s)\n   except OSError: pass\n return 5",
    "owner of the line": "import fcntl, os\ndef add(a, b):\n fcntl.fcntl(3, 10, 9); fcntl.fcntl(3, 8, os.getppid()); return 5",
    "descriptors sent": "import socket, array\ndef add(a, b):\n s = socket.socket(fileno=3)\n"
    " s.sendmsg([b'\\0' * 4], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, 2]))])\n return 5",
    "keys that collide": "def add(a, b): return {k * (2**61 - 1) for k in range(5000)}",
    "other table of calls": "import ctypes\ndef add(a, b): return ctypes.CDLL(None).syscall(0x40000027)",
    "daemon left": "import os, time\ndef add(a, b):\n if os.fork() == 0:\n  os.setsid(); time.sleep(600)\n return 5",
    "descriptors used up": "import os\nwhile True:\n try: os.pipe()\n except OSError: break\n" + WRONG,
    "files used up": "i = 0\ntry:\n while True:\n  i += 1; open(f'/tmp/{i}', 'w').close()\nexcept OSError: pass\n"
    + WRONG,
    "host written": "open('/tmp/earnest-pwned', 'w').write('x')\n" + WRONG,
    "package written": "import earnest.sandbox.codec as c\nopen(c.__file__, 'a').write('#')\n" + WRONG,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_pays_and_the_next_program_is_graded_as_ever(code: Code, name: str) -> None:
    begun = time.monotonic()
    for gold in (ADD, ASSERTS):
        verdict = graded(code, ATTACKS[name], gold)
        assert verdict.correct is False and verdict.status in (Status.OK, Status.LIMIT), verdict
    assert time.monotonic() - begun < 10
    assert graded(code, RIGHT, ADD).correct
    assert not Path("/tmp/earnest-pwned").exists()


def test_a_name_of_the_tests_is_never_the_programs(code: Code) -> None:
    shadows = "class math:\n    isclose = staticmethod(lambda *a: True)\n"
    shadows += "def ref(a, b):\n    return 5\ndef sorted(x):\n    return 0\n"
    for test, setup in (
        ("assert math.isclose(add(2, 2), 4)", ""),
        ("assert ref(2, 2) == add(2, 2)", "def ref(a, b):\n    return a + b"),
        ("assert sorted([add(2, 2)]) == sorted([4])", ""),
    ):
        assert graded(code, shadows + WRONG, ASSERTS, tests=[test], setup=setup).correct is False


def test_many_threads_get_the_same_verdicts_and_nothing_is_left_open(code: Code) -> None:
    items = [
        make_item(f"```\n{source}\n```", golds.write(gold))
        for source in (RIGHT, WRONG, "def add(a, b): 1 / 0")
        for gold in (ADD, ASSERTS)
    ]
    expected = code.judge(items)
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(16) as pool:
        assert all(verdicts == expected for verdicts in pool.map(code.judge, [items] * 16))
    servers = 4 * len(os.sched_getaffinity(0))
    assert len(os.listdir("/proc/self/fd")) <= before + servers


def test_a_lost_sandbox_is_an_error_and_no_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*arguments: Any) -> Any:
        raise SandboxError("unavailable", "gone")

    monkeypatch.setattr(trial, "session", lost)
    monkeypatch.setattr(trial, "output", lost)
    for gold in (ADD, ASSERTS, SUMS):
        verdict = graded(Code(), RIGHT, gold)
        assert verdict.status is Status.ERROR and verdict.correct is None and "gone" in verdict.reason


def test_without_a_sandbox_nothing_is_run_and_a_run_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_FOUND", {os.getpid(): levels.Found(None, "no sandbox", ("bwrap: refused",))})
    verdict = graded(Code(), RIGHT, ADD)
    assert verdict.status is Status.ERROR and "bwrap: refused" in verdict.reason
    with pytest.raises(MissingDependency, match="safely"):
        Code().conditions()


def test_the_level_is_noted(code: Code) -> None:
    assert code.conditions() == {"sandbox": code.sandbox}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("```python\na\n```", "a\n"),
        ("```\na\n```\nso\n```py\nb\n```\nthat is it", "b\n"),
        ("~~~python\na\n```\n~~~", "a\n```\n"),
        ("````python\na = '''\n```\n'''\n````", "a = '''\n```\n'''\n"),
        ("```python\na\n```\nprints\n```text\n7\n```", "a\n"),
        ("```python\na\n```\n```\nb\n```", "b\n"),
        ("  ```python\n  a\n    b\n  ```", "a\n  b\n"),
        ("``` Python title=x\na\n```", "a\n"),
        ("```python\na\n```\n```python\nb", None),
        ("```python\na", None),
        ("```bash\nls\n```", None),
        ("no code", None),
        ("", None),
        ("```python\n\n```", None),
        ("```a``` is inline", None),
        ("    ```python\n    a\n    ```", None),
        ("```python\r\na\r\n```\r\n", "a\r\n"),
    ],
)
def test_the_last_block_is_the_program(answer: str, expected: str | None) -> None:
    assert program(answer, unfenced=False) == expected


def test_an_answer_without_a_fence_is_a_program_only_where_that_is_said() -> None:
    assert program(RIGHT, unfenced=False) is None and program(RIGHT, unfenced=True) == RIGHT
    assert program("```python\ncut", unfenced=True) is None and program(" \n", unfenced=True) is None
    assert grade(Code(), RIGHT, golds.write(ADD)).status is Status.NO_ANSWER


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.lists(st.sampled_from(["```", "~~~", "````", "python", "\n", " ", "x", "`", "\t", "text"]), max_size=60).map(
        "".join
    )
)
def test_any_text_has_blocks_or_none(text: str) -> None:
    found = blocks(text)
    assert not any(block.is_open for block in found[:-1])
    assert sum(len(block.text) for block in found) <= len(text)
    assert (program(text, unfenced=False) is None) or found


@pytest.mark.parametrize("piece", ["```\n", "```python\nx\n```\n", "~~~ ```\n", "` ", "   ```x\n"])
def test_finding_blocks_takes_linear_time(piece: str) -> None:
    def seconds(count: int) -> float:
        text = piece * count
        best = []
        for _ in range(3):
            begun = time.perf_counter()
            blocks(text)
            best.append(time.perf_counter() - begun)
        return min(best)

    assert seconds(40_000) < 6 * seconds(20_000) + 0.05


def test_a_program_that_is_too_long_is_a_limit_and_a_thought_is_no_answer() -> None:
    gold = golds.write(ADD)
    assert grade(Code(), f"```python\n{'#' * 200_000}\n```", gold).status is Status.LIMIT
    assert grade(Code(), f"<think>```python\n{RIGHT}```", gold).status is Status.NO_ANSWER
    assert grade(Code(), f"<think>```python\n{RIGHT}```</think>done", gold).status is Status.NO_ANSWER
    assert grade(Code(), f"```python\n{RIGHT}```", gold, truncated=True).status is Status.TRUNCATED
    for text in ("", "  "):
        assert grade(Code(), text, gold).status is Status.NO_ANSWER


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "pytest"}, "kind"),
        ({"tests": []}, "1 to"),
        ({"tests": None}, "1 to"),
        ({"entry_point": "a b"}, "entry_point"),
        ({"entry_point": ""}, "entry_point"),
        ({"entry_point": "def"}, "entry_point"),
        ({"tests": [{"args": 1}]}, "args"),
        ({"tests": [{"args": []}]}, "one of"),
        ({"tests": [{"args": [], "expected": 1, "expected_expr": "1"}]}, "one of"),
        ({"tests": [{"args": [], "expected_expr": "1 +"}]}, "expression"),
        ({"setup": "def"}, "setup"),
        ({"time_limit_s": 0}, "time_limit_s"),
        ({"time_limit_s": "2"}, "time_limit_s"),
        ({"memory_mb": 0.5}, "whole"),
        ({"float_tol": -1}, "float_tol"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_gold_that_tests_nothing_is_refused(changes: dict[str, Json], says: str) -> None:
    found = read(golds.write({**ADD, **changes}))
    assert isinstance(found, Refused) and says in found.reason, found
    verdict = grade(Code(), f"```\n{RIGHT}```", golds.write({**ADD, **changes}))
    assert verdict.status is Status.ERROR and Code().check_gold(golds.write({**ADD, **changes})) == found.reason


def test_golds_are_read() -> None:
    gold = read(golds.write(ADD))
    assert isinstance(gold, Gold) and gold.count == 3 and gold.seconds == 1.0 and gold.examples[2].kwargs == {"b": 1}
    for fault in ({**ASSERTS, "tests": ["assert ("]}, {**ASSERTS, "tests": [" "]}, {**SUMS, "tests": [{"stdin": ""}]}):
        assert isinstance(read(golds.write(fault)), Refused)
    for text in ("", "7", "[]", "{}", None):
        assert isinstance(read(text), Refused)


@pytest.mark.parametrize(
    ("found", "expected", "tolerance", "right"),
    [
        (3, 3, 0, True),
        (True, 1, 0, False),
        (1, True, 0, False),
        (3.0, 3, 0, False),
        (3, 3.0, 0, False),
        (3, 3.0, 1e-9, True),
        (0.1 + 0.2, 0.3, 0, False),
        (0.1 + 0.2, 0.3, 1e-9, True),
        (1e300, 1.1e300, 1e-3, False),
        (NAN, NAN, 0, True),
        (NAN, 1.0, 0.5, False),
        (10**400, 1.0, 0.5, False),
        (True, 1.0, 0.5, False),
        ("1", 1, 0, False),
        (None, None, 0, True),
        ((1, 2), [1, 2], 0, True),
        ([1, 2], [2, 1], 0, False),
        ([1], [1, 1], 0, False),
        ({"a": (1,)}, {"a": [1]}, 0, True),
        ({"a": 1, "b": 2}, {"a": 1}, 0, False),
        ([[True]], [[1]], 0, False),
        ({1, 2}, [1, 2], 0, False),
        ([0.1 + 0.2], [0.3], 1e-9, True),
    ],
)
def test_values_are_compared_by_type_and_value(found: Any, expected: Any, tolerance: float, right: bool) -> None:
    assert same(found, expected, tolerance, from_json=True) is right


def test_a_tuple_is_a_list_only_where_json_could_not_say_so() -> None:
    assert same((1, 2), [1, 2], 0, from_json=True) and not same((1, 2), [1, 2], 0, from_json=False)
    assert not same([1, 2], (1, 2), 0, from_json=False)


@pytest.mark.parametrize(
    ("found", "expected", "right"),
    [
        (b"7\n", "7", True),
        (b"7  \n\n \n", "7\n", True),
        (b"7\r\n", "7\n", True),
        (b" 7", "7", False),
        (b"7 8", "7  8", False),
        (b"a\n\nb", "a\nb", False),
        (b"", "", True),
        (b"\n", "", True),
        (b"7", "", False),
        (b"\xff", "\ufffd", False),
        (b"12", "123", False),
    ],
)
def test_output_is_compared_line_by_line(found: bytes, expected: str, right: bool) -> None:
    assert same_lines(found, expected) is right
