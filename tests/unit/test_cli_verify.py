"""`earnest verify`: rows in, verdicts out, in order; what is malformed, what goes on after a kill, what a failure costs."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from earnest.cli.main import outcome
from earnest.evaluate.grading import CHUNK, Summary
from earnest.sandbox import levels

OWN = '''
import os, time
from earnest.types import Status, Verdict
from earnest.verifiers.base import Verifier


class Slow(Verifier):
    """Says what it was asked, and stops at one problem for as long as a file is there."""

    def judge(self, items):
        with open("asked.txt", "a") as file:
            file.write("".join(item.problem.id + "\\n" for item in items))
        while items[0].problem.id == "r100" and os.path.exists("halt"):
            time.sleep(0.01)
        return [Verdict(status=Status.OK, correct=True, score=1.0) for _ in items]


class Deadly(Verifier):
    """Ends its process at one response."""

    def judge(self, items):
        if items[0].parsed.answer_text == "die":
            os._exit(1)
        return [Verdict(status=Status.OK, correct=True, score=1.0) for _ in items]


class Crashing(Verifier):
    def judge(self, items):
        if items[0].parsed.answer_text == "crash":
            raise ValueError("no such thing")
        return [Verdict(status=Status.OK, correct=False, score=0.0) for _ in items]


def levelled(completions, answer, level, **columns):
    return [float(c.endswith(a) and n == 3) for c, a, n in zip(completions, answer, level)]
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    return tmp_path


def write(file: str, rows: list[Any]) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def verdicts(file: str = "out.jsonl") -> list[dict[str, Any]]:
    data = Path(file).read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if file.endswith(".gz") else data).splitlines()]


def some(count: int) -> list[dict[str, Any]]:
    return [{"id": f"r{n}", "response": f"The answer is {n % 3}.", "gold": str(n % 2)} for n in range(count)]


def command(*more: str, verifier: str = "number", source: str = "in.jsonl", out: str = "out.jsonl") -> int:
    return outcome(["verify", "--verifier", verifier, "--in", source, "--out", out, *more])


# ------------------------------------------------------------------------------------------------ rows and verdicts


def test_a_verdict_for_each_row_in_order(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("in.jsonl", [
        {"id": "a", "response": "<think>6*7</think>The answer is 42.", "gold": "42"},
        {"id": 7, "response": "41", "answer": 42},
        "",
        {"response": "<think>42", "solution": "42", "gold_kind": "x"},
        {"id": "cut", "response": "42", "gold": "42", "truncated": True},
        {"id": "unreadable", "response": "42", "gold": "forty-two-ish"},
        {"id": "none", "response": "42", "gold": None},
    ])  # fmt: skip
    assert command() == 0
    found = verdicts()
    assert [v["id"] for v in found] == ["a", 7, 3, "cut", "unreadable", "none"]
    assert [v["status"] for v in found] == ["ok", "ok", "no_answer", "truncated", "error", "error"]
    assert [v["score"] for v in found] == [1.0, 0.0, 0.0, 0.0, None, None]
    assert [v["correct"] for v in found] == [True, False, False, False, None, None]
    assert set(found[0]) == {"id", "score", "correct", "status", "extracted", "reason", "ms"} and found[0]["ms"] > 0
    told = capsys.readouterr()
    assert told.out == "" and "1 of 6 correct (25.0 % of the 4 that could be graded)" in told.err
    assert "error 2, no_answer 1, ok 2, truncated 1" in told.err and "first: unreadable: gold answer" in told.err


def test_a_response_may_be_messages_and_further_fields_are_columns(here: Path) -> None:
    talk = [{"role": "assistant", "reasoning_content": "6*7", "content": "42"}]
    write("in.jsonl", [
        {"response": talk, "gold": "42", "level": 3, "prompt": [{"role": "user", "content": "6*7?"}]},
        {"response": "6*7</think>42", "gold": "42", "level": 3, "prompt": "6*7? <think>\n"},
        {"response": "42", "gold": "42", "level": 4},
    ])  # fmt: skip
    assert command() == 0 and [v["correct"] for v in verdicts()] == [True, True, True]
    os.remove("out.jsonl")
    write("in.jsonl", [{"response": "42", "gold": "42", "level": 3}, {"response": "42", "gold": "42", "level": 4}])
    assert command(verifier="mine.py:levelled") == 0 and [v["correct"] for v in verdicts()] == [True, False]


@pytest.mark.parametrize(
    ("thought", "expected"),
    [("optional", [True, True, True]), ("required", [True, False, True]), ("prefilled", [True, False, True])],
)
def test_whether_there_must_be_a_thought(here: Path, thought: str, expected: list[bool]) -> None:
    responses = ["<think>so</think>42", "so far it is 42", "so</think>42"]
    write("in.jsonl", [{"response": text, "gold": "42"} for text in responses])
    assert command("--thought", thought) == 0
    expected = expected if thought != "optional" else [True, verdicts()[1]["correct"], True]
    assert [v["correct"] for v in verdicts()] == expected
    if thought != "optional":
        assert verdicts()[1]["status"] == "no_answer"


def test_a_structured_gold_reaches_the_verifier_as_text(here: Path) -> None:
    (here / "shows.py").write_text(
        'def shows(completions, answer, **columns):\n    return [float(a == \'{"a":1,"b":[2]}\') for a in answer]\n'
    )
    write("in.jsonl", [{"response": "x", "gold": {"b": [2], "a": 1}}])
    assert command(verifier="shows.py:shows") == 0 and verdicts()[0]["correct"] is True


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "malformed JSON"),
        ("[1]", "it is a list"),
        ({"respons": "42", "gold": "42"}, "its keys: respons, gold"),
        ({"response": "42"}, "none of gold, answer, solution"),
        ({"response": 42, "gold": "42"}, "key 'response'"),
        ({"response": "42", "gold": ["42"]}, "key 'gold'"),
        ({"response": "42", "gold": "42", "id": 1.5}, "key 'id'"),
        ({"response": "42", "gold": "42", "prompt": 3}, "key 'prompt'"),
        ({"response": "42", "gold": "42", "prompt": [{"content": 3}]}, "key 'prompt'"),
        ({"response": "42", "gold": "42", "truncated": 1}, "'truncated'"),
    ],
)
def test_a_malformed_row_stops_with_its_line_after_what_was_graded(
    here: Path, capsys: pytest.CaptureFixture[str], row: Any, said: str
) -> None:
    write("in.jsonl", [*some(3), row, *some(1)])
    assert command("--workers", "2" if row == "{" else "1") == 2
    told = capsys.readouterr().err
    assert "in.jsonl:4" in told and said in told
    assert [v["id"] for v in verdicts()] == ["r0", "r1", "r2"]
    write("in.jsonl", some(5))
    assert command("--resume") == 0 and [v["id"] for v in verdicts()] == [f"r{n}" for n in range(5)]


def test_what_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("in.jsonl", some(2))
    (here / "rows.json").write_text("[]")
    (here / "latin.jsonl").write_bytes(b'{"response": "\xff", "gold": "1"}\n')
    for arguments, said in [
        (["--verifier", "numbre", "--in", "in.jsonl"], "did you mean 'number'?"),
        (["--verifier", "number", "--in", "nowhere.jsonl"], "cannot be read"),
        (["--verifier", "number", "--in", "rows.json"], "line by line"),
        (["--verifier", "number", "--in", "latin.jsonl"], "UTF-8"),
        (["--verifier", "number", "--in", "in.jsonl", "--out", "in.jsonl"], "written over the answers"),
        (["--verifier", "number", "--in", "in.jsonl", "--out", "mine.py"], "--resume to go on"),
        (["--verifier", "number", "--in", "in.jsonl", "--out", "mine.py", "--resume"], "mine.py:1"),
        (["--verifier", "number", "--in", "in.jsonl", "--resume"], "has no effect"),
        (["--verifier", "number", "--in", "in.jsonl", "--workers", "0"], "--workers 0"),
        (["--verifier", "number", "--thought", "perhaps"], "perhaps"),
        (["--verifier", "mine.py:Slo", "--in", "in.jsonl"], "did you mean 'Slow'?"),
        (
            ["--verifier", "{name: choice, form: number}", "--in", "in.jsonl"],
            "where: --verifier.form\n  do:    there are no",
        ),
    ]:
        assert outcome(["verify", *arguments]) == 2, arguments
        assert said in capsys.readouterr().err, arguments
    assert (here / "mine.py").read_text() == OWN and len(Path("in.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("dashes", [[], ["--in", "-", "--out", "-"]])
def test_standard_input_and_output(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, dashes: list[str]) -> None:
    text = json.dumps({"response": "42", "gold": "42"}) + "\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert outcome(["verify", "--verifier", "number", "--json", *dashes]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["correct"] is True and "1 of 1 correct" in told.err


def test_json_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("in.jsonl", some(6))
    assert command("--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 6 and found["correct"] == 2 and found["statuses"] == {"ok": 6} and found["ms_p50"] > 0


def test_a_crash_is_an_error_and_never_a_zero(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("in.jsonl", [{"response": text, "gold": "x"} for text in ("fine", "crash", "fine")])
    assert command(verifier="mine.py:Crashing") == 0
    assert [(v["status"], v["score"]) for v in verdicts()] == [("ok", 0.0), ("error", None), ("ok", 0.0)]
    assert "ValueError: no such thing" in verdicts()[1]["reason"]
    write("in.jsonl", [{"response": "crash", "gold": "x"}])
    os.remove("out.jsonl")
    assert command(verifier="mine.py:Crashing") == 1, "no row could be graded"


# ------------------------------------------------------------------------------------------------ processes, going on


def test_processes_give_the_same_lines(here: Path) -> None:
    write("in.jsonl", some(3 * CHUNK + 5))
    assert command() == 0 and command("--workers", "2", out="two.jsonl.gz") == 0
    one, two = ([{**row, "ms": 0} for row in verdicts(file)] for file in ("out.jsonl", "two.jsonl.gz"))
    assert one == two and len(one) == 3 * CHUNK + 5


def test_a_process_that_dies_is_said_and_what_was_graded_stays(here: Path, capsys: Any) -> None:
    rows = some(2 * CHUNK)
    rows[CHUNK + 3]["response"] = "die"
    write("in.jsonl", rows)
    assert command("--workers", "2", verifier="mine.py:Deadly") == 1
    assert "--resume" in capsys.readouterr().err
    assert [v["id"] for v in verdicts()] == [row["id"] for row in rows[: len(verdicts())]]


@pytest.mark.parametrize(
    ("out", "cut"), [("out.jsonl", 1), ("out.jsonl", 60), ("out.jsonl.gz", 40), ("out.jsonl.gz", 60)]
)
def test_a_torn_end_is_cut_and_the_rest_is_graded(here: Path, out: str, cut: int) -> None:
    write("in.jsonl", some(20))
    assert command(out=out) == 0
    whole = verdicts(out)
    data = Path(out).read_bytes()
    Path(out).write_bytes(data[:-cut])
    assert command("--resume", out=out, verifier="mine.py:Slow") == 0
    assert [v["id"] for v in verdicts(out)] == [v["id"] for v in whole]
    asked = Path("asked.txt").read_text().split()
    assert 1 <= len(asked) < 20
    assert asked == [v["id"] for v in whole][-len(asked) :]
    assert not list(here.glob(".*tmp*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_graded_twice_after_a_kill(here: Path, number: signal.Signals) -> None:
    write("in.jsonl", some(200))
    arguments = ["verify", "--verifier", "mine.py:Slow", "--in", "in.jsonl", "--out", "out.jsonl"]
    code = (
        "import signal, sys\nfrom earnest.cli.main import outcome\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in what a shell runs in the background
        f"if __name__ == '__main__': sys.exit(outcome({arguments!r}))"
    )
    Path("halt").touch()
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not Path("out.jsonl").is_file() or len(verdicts_whole()) < 20):
        time.sleep(0.02)
    child.send_signal(number)
    told = child.communicate()[1]
    Path("halt").unlink()
    if number is signal.SIGINT:
        assert child.returncode == 130 and "--resume goes on from there" in told
    kept = len(verdicts_whole())
    assert 20 <= kept <= 100
    assert command("--resume", "--workers", "2", verifier="mine.py:Slow") == 0
    assert [v["id"] for v in verdicts()] == [f"r{n}" for n in range(200)]
    assert len(Path("asked.txt").read_text().split()) <= 201, "one row may have been under way"


def verdicts_whole() -> list[str]:
    return [line for line in Path("out.jsonl").read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_verdicts_on_other_answers_are_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("in.jsonl", some(4))
    assert command() == 0
    before = Path("out.jsonl").read_bytes()
    assert command("--resume") == 0 and Path("out.jsonl").read_bytes() == before, "nothing was left to grade"
    write("in.jsonl", [*some(2), {"id": "other", "response": "1", "gold": "1"}, *some(1)])
    assert (
        command("--resume") == 2
        and "a verdict is on 'r2', but in.jsonl:3 has the id 'other'" in capsys.readouterr().err
    )
    write("in.jsonl", some(3))
    assert command("--resume") == 2 and "there are no more rows" in capsys.readouterr().err
    assert Path("out.jsonl").read_bytes() == before


def test_it_imports_no_torch(here: Path) -> None:
    write("in.jsonl", some(2))
    arguments = ["verify", "--verifier", "number", "--in", "in.jsonl"]
    code = (
        f"import sys\nfrom earnest.cli.main import outcome\nassert outcome({arguments!r}) == 0\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.splitlines()[-1] == "[]"


def test_memory_does_not_grow_with_the_rows(here: Path) -> None:
    import tracemalloc

    def peak(count: int) -> int:
        write("in.jsonl", some(count))
        Path("out.jsonl").unlink(missing_ok=True)
        tracemalloc.start()
        assert command() == 0
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # what is imported
    assert peak(3000) < peak(30) + 300_000, "a row takes about 1,000 bytes while it is graded"


def test_quantiles_of_the_times() -> None:
    found = Summary("v")
    for n in range(1, 1001):
        found.add({"id": n, "correct": True, "status": "ok", "reason": "", "ms": float(n)})
    assert found.ms(0.5) == pytest.approx(500, rel=0.1) and found.ms(0.99) == pytest.approx(990, rel=0.1)
    assert Summary("v").ms(0.5) == 0.0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_that_programs_are_not_held_is_said_once_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], workers: str
) -> None:
    monkeypatch.setattr(levels, "_WARNED", [])
    gold = {"kind": "functional", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}]}
    right = "```python\ndef add(a, b):\n    return a + b\n```"
    write("in.jsonl", [{"id": n, "response": right, "gold": gold} for n in range(70)])
    assert command("--workers", workers, verifier="{name: code, sandbox: unsafe}") == 0
    told = [line for line in capfd.readouterr().err.splitlines() if "arn" in line]
    assert told == ["warning: sandbox: unsafe - untrusted code runs with all the rights of this user"]
    assert all(row["correct"] for row in verdicts())
