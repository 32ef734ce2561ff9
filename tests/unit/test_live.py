"""The live view: what it shows of a run, at any width, and that neither it nor what it shows can do harm."""

from __future__ import annotations

import dataclasses
import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from earnest.cli import say
from earnest.cli.live.draw import ASCII, UNICODE, Glyphs, Picture, clock
from earnest.cli.live.state import WINDOW, RunState
from earnest.cli.live.terminal import PROGRESS, LiveTerminal, View
from earnest.data.store import to_json
from earnest.follow.reader import Lines, News, Row, StageNews
from earnest.functional.stats import rate
from report_runs import record

INFO = {"id": "chain-20260101-000000-abcd", "name": "chain", "stages": ["sft", "rl", "eval", "report"]}
HOSTILE = "\x1b[2J\x1b]0;owned\x07ok\r\n\u202eevil\u0300\u0301\u200d[red]no[/red]\x9b31m" + "漢字" * 200
RL_ROW = {
    "pass_rate": 0.5, "reward": 0.6, "groups/live": 0.75, "completions/clipped_ratio": 0.25, "loss": 123.456,
    "completions/mean_length": 46.0, "sampler/entropy": 0.62, "grad_norm": 0.21, "time/step": 2.0, "time/generate": 1.0,
    "time/grade": 0.1, "time/train": 0.5,
}  # fmt: skip


def row(step: int, **fields: Any) -> Row:
    return {"step": step, **RL_ROW, **fields}


def tries(step: int, *marks: bool | None, problem: str = "p", text: str = "so</think>7") -> list[Row]:
    made = [record(f"{problem}{step}", i, mark, text=text, tokens=50) for i, mark in enumerate(marks)]
    return [to_json(dataclasses.replace(one, step=step, stage="rl")) for one in made]


def news(
    stage: str = "rl", *, metrics: list[Row] | None = None, rollouts: list[Row] | None = None,
    events: list[Row] | None = None, kept: int = 0, note: dict[str, Any] | None = None,
) -> StageNews:  # fmt: skip
    config = {"steps": 200}
    return StageNews(
        id=stage, note={"status": "running", "config": config, "wall_s": 0.0, **(note or {})},
        metrics=Lines(kept, tuple(metrics or ())), events=Lines(0, tuple(events or ())),
        rollouts=Lines(kept, tuple(rollouts or ())),
    )  # fmt: skip


def seen(*stages: StageNews, now: float = 0.0) -> RunState:
    state = RunState()
    state.see(News(INFO, stages), now)
    return state


def shown(state: RunState, width: int = 100, height: int = 40, glyphs: Glyphs = UNICODE, now: float = 51.0) -> str:
    return "\n".join(text.plain for text in Picture(width, height, glyphs).draw(state, now))


def busy(text: str = "so</think>7") -> RunState:
    done = news("sft", note={"status": "done", "wall_s": 22.0, "config": {"steps": 9}})
    rows = [row(step, pass_rate=step / 40) for step in range(1, 21)]
    events = [
        {"event": "gate", "gate": "support", "outcome": "passed", "level": "info", "message": "pass@1 0.315 " + "x " * 90},
        {"event": "health", "rule": "H3", "level": "warning", "step": 12, "holds": True, "message": "Cut. " + "y " * 200},
        {"event": "health", "rule": "H2", "level": "info", "step": 13, "holds": True, "message": "Solved."},
        {"event": "health", "rule": "H2", "level": "info", "step": 15, "holds": False, "message": "Not so."},
    ]  # fmt: skip
    rollouts = [one for step in range(1, 21) for one in tries(step, True, False, None, text=text)]
    return seen(done, news(metrics=rows, rollouts=rollouts, events=events))


def test_reinforcement_learning_shows_the_pass_rate_first_and_no_loss() -> None:
    lines = shown(busy(), 140).splitlines()
    interval = rate([[True, False]] * WINDOW).ci95
    assert interval is not None
    assert lines[0].startswith("── rl ─ chain-20260101")
    assert (
        lines[1].startswith("step 20/200 ")
        and "0:51" in lines[1]
        and "6:00 to go" in lines[1]
        and "2.0 s a step" in lines[1]
    )
    assert lines[2].startswith(f"pass rate 50.0 % [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]")
    assert "20 rollouts of 10 train problems, last 10 steps" in lines[2], "those the grader failed on are none"
    text = "\n".join(lines)
    for part in (
        "groups with signal 75 %", "truncated 25 %", "length 46 (thought 47)", "reward 0.6", "entropy 0.62", "gradient 0.21",
        "time generate 50 %, grade 5 %, train 25 %, other 20 %", "150 tokens/s generated", "⚠ H3  Cut.", "gate support passed",
        "last group question p20: 3+4=  gold 7  ✓✗?", "so</think>7", "done  sft 22 s  then eval, report",
    ):  # fmt: skip
        assert part in text, part
    assert "123" not in text and "loss" not in text and "Solved" not in text


def test_imitation_shows_the_loss_and_the_measured_branch() -> None:
    rows: list[Row] = [{"step": s, "loss": 3.0 / s, "grad_norm": 1.0, "time/step": 0.05} for s in range(1, 101)]
    rows[49] = {**rows[49], "dev/worked_accuracy": 0.5}
    config = {"steps": 1400, "until": {"worked_accuracy": 0.97}}
    text = shown(seen(news("sft", metrics=rows, note={"config": config})))
    assert "loss 0.0314 " in text and "50 ms a step" in text and "at most 1:05 to go" in text
    assert "worked dev pass rate 50.0 % at step 50, goal 97.0 %" in text and "pass rate [" not in text


def test_before_the_first_step_and_in_stages_without_steps() -> None:
    assert "step 0/200" in shown(seen(news())) and "before the first step" in shown(seen(news()))
    text = shown(seen(news("eval", note={"config": {"k": 4}})))
    assert "── eval ─" in text and "0:51 so far" in text
    assert "chain" in shown(RunState()) or shown(RunState())


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [1, 20, 40, 80, 140, 200])
@pytest.mark.parametrize("height", [1, 8, 24, 60])
def test_it_fits_every_terminal(width: int, height: int, glyphs: Glyphs) -> None:
    lines = Picture(width, height, glyphs).draw(busy(HOSTILE), 51.0)
    assert len(lines) <= max(3, height - 1)
    assert all(line.cell_len < max(width, 21) and "\n" not in line.plain for line in lines)
    assert lines[0].plain.startswith(glyphs.rest)


def test_hostile_text_reaches_no_terminal() -> None:
    event = {"event": "health", "rule": "H9", "level": "error", "step": 3, "holds": True, "message": HOSTILE}
    state = seen(news(metrics=[row(1)], rollouts=tries(1, False, text=HOSTILE[:60]), events=[event]))
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, color_system="standard", width=200, height=40, legacy_windows=False
    )
    for line in Picture(200, 40, UNICODE).draw(state, 0.0):
        console.print(line)
    said = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200d\u0300\u0301]", said)
    assert "⟨U+001B⟩[2J" in said and "[red]no[/red]" in said
    assert shown(state, 200, glyphs=ASCII).isascii()


def test_a_long_completion_shows_its_end() -> None:
    text = shown(seen(news(metrics=[row(1)], rollouts=tries(1, True, text="begin " + "z" * 500 + " the end"))), 80)
    assert "begin" not in text and " the end" in text and "…z" in text


def test_no_room_drops_what_matters_least() -> None:
    text = shown(busy(), 140, height=6)
    assert "step 20/200" in text and "pass rate" in text and "gate support" not in text and "last group" not in text


def test_steps_that_a_resume_took_back_are_forgotten() -> None:
    began = {"event": "health", "rule": "H3", "level": "warning", "step": 7, "holds": True, "message": "Cut."}
    state = seen(
        news(
            metrics=[row(s) for s in range(1, 9)],
            rollouts=[t for s in range(1, 9) for t in tries(s, True)],
            events=[began],
        )
    )
    again = news(
        kept=5, metrics=[row(6, pass_rate=0.1)], rollouts=tries(6, False), events=[{"event": "resumed", "step": 5}]
    )
    state.see(News(INFO, (again,)), 1.0)
    stage = state.stages["rl"]
    assert [r["step"] for r in stage.rows] == [1, 2, 3, 4, 5, 6] and stage.holding == {}
    assert [(t.step, t.correct) for t in stage.tries][-2:] == [(5, True), (6, False)]


def test_rollouts_that_are_read_anew_are_counted_once() -> None:
    state = seen(news(metrics=[row(1), row(2)], rollouts=[*tries(1, True), *tries(2, False)]))
    anew = dataclasses.replace(news(kept=2), rollouts=Lines(0, tuple([*tries(1, True), *tries(2, False)])))
    state.see(News(INFO, (anew,)), 1.0)
    assert [(t.step, t.correct) for t in state.stages["rl"].tries] == [(1, True), (2, False)]


def test_the_pass_rate_is_of_the_last_steps_only() -> None:
    old = [t for s in range(1, 11) for t in tries(s, True, True)]
    new = [t for s in range(11, 21) for t in tries(s, False, False)]
    stage = seen(news(metrics=[row(s) for s in range(1, 21)], rollouts=[*old, *new])).stages["rl"]
    found = stage.solved()
    assert found is not None and (found.value, found.n, found.distinct) == (0.0, 20, 10)


def test_clock() -> None:
    assert [clock(t) for t in (0, 51, 61, 3723)] == ["0:00", "0:51", "1:01", "1:02:03"]


def test_progress_lines_are_recognised_as_the_loop_writes_them() -> None:
    from types import SimpleNamespace

    from earnest.train.loop import _line

    job: Any = SimpleNamespace(name="rl-2", steps=40, source=SimpleNamespace(shown=("loss",)))
    found = PROGRESS.match(_line(job, {"step": 10, "loss": 0.5, "time/step": 0.1}))
    assert found and found.groupdict() == {"stage": "rl-2", "step": "10", "steps": "40"}
    assert not PROGRESS.match("[rl] step 13  H2 Solved: in 83% of the groups")


class Broken(View):
    def _look(self, now: float) -> None:
        raise ZeroDivisionError("no picture today")


def test_a_view_that_fails_gives_way_to_plain_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("earnest.cli.live.terminal.View", Broken)
    terminal = LiveTerminal()
    with terminal.watch(tmp_path):
        assert terminal.view is not None
        terminal.view.thread.join(10)
        terminal.echo("[rl] step 1/2  loss 1")
    out = capsys.readouterr().out
    assert "the live view failed" in out and "[rl] step 1/2  loss 1\n" in out and "1 warning, see" in out
    assert "no picture today" in (tmp_path / "logs" / "attempt_1.log").read_text()


@pytest.mark.parametrize(
    ("tty", "env", "flags", "live"),
    [
        (True, {"TERM": "xterm"}, {}, True),
        (False, {"TERM": "xterm"}, {}, False),
        (True, {"TERM": "dumb"}, {}, False),
        (True, {}, {}, False),
        (True, {"TERM": "xterm", "CI": "true"}, {}, False),
        (True, {"TERM": "xterm"}, {"plain": True}, False),
        (True, {"TERM": "xterm"}, {"as_json": True}, False),
    ],
)
def test_who_gets_the_live_view(
    monkeypatch: pytest.MonkeyPatch, tty: bool, env: dict[str, str], flags: dict[str, bool], live: bool
) -> None:
    for name in ("TERM", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    found = say.terminal(flags.get("as_json", False), flags.get("plain", False), False)
    assert isinstance(found, LiveTerminal) is live


# ------------------------------------------------------------------------------------------------ a real terminal

RECIPE = """
name: small
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task: {name: chain, length: 3, dev_size: 20, test_size: 40}
stages:
  - {stage: sft, steps: 30, batch_size: 4, lr: 2e-3, log_every: 5}
  - {stage: rl, prompts_per_step: 4, group_size: 4, steps: 40, lr: 1e-3, max_tokens: 6, gates: [], checkpoint_every: 5,
     log_every: 5}
  - {stage: eval, problems: 10, k: 2, max_tokens: 4}
  - report
"""
PROGRAM = "import earnest.train.loop as loop{patch}\nfrom earnest.cli.main import main\nmain()"
SLOW = """
import time
import earnest.cli.live.terminal as terminal
terminal.SHARE = 1.0  # look and draw as often as can be: a busy machine must not end the run before the first picture
step = loop._step
loop._step = lambda *a: (time.sleep(0.06), step(*a))[1]"""
INTERRUPT = """
import os, signal
from itertools import count
calls, step = count(1), loop._step
loop._step = lambda *a: (next(calls) == 38 and os.kill(os.getpid(), signal.SIGINT), step(*a))[1]"""


def on_a_terminal(
    *arguments: str, patch: str = "", width: int = 80, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run the command on a terminal of its own; returns its exit code and everything it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(patch=patch), *arguments], stdin=slave, stdout=slave, stderr=slave,
        env={**environment, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **(env or {})}, close_fds=True,
    )  # fmt: skip
    os.close(slave)
    said = b""
    while True:
        ready, _, _ = select.select([master], [], [], 120)
        try:
            chunk = os.read(master, 65536) if ready else b""
        except OSError:  # the other end is closed
            chunk = b""
        if not chunk:
            break
        said += chunk
    os.close(master)
    return process.wait(60), said.decode(errors="replace")


def bare(said: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


def same_but_for_the_clock(one: Path, other: Path) -> bool:
    def numbers(run: Path) -> list[dict[str, Any]]:
        rows = [json.loads(t) for s in ("sft", "rl") for t in (run / s / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in r.items() if not k.startswith("time/")} for r in rows]

    weights = [(run / "rl" / "model" / "model.safetensors").read_bytes() for run in (one, other)]
    return numbers(one) == numbers(other) and weights[0] == weights[1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in a pipe: plain lines, no control character."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "recipe.yaml").write_text(RECIPE)
    arguments = ["run", str(folder / "recipe.yaml"), "--run-dir", str(folder / "run")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(patch=""), *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr)
    assert done.stdout.count("[rl] step ") >= 8, "every line is there"
    return folder / "run"


def test_on_a_terminal_it_is_drawn_leaves_plain_lines_and_changes_nothing(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    run = tmp_path / "run"
    code, said = on_a_terminal("run", str(tmp_path / "recipe.yaml"), "--run-dir", str(run), "--no-color", patch=SLOW)
    assert code in (0, 3), said
    assert "\x1b[?25h" in said, "the cursor is back"
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][;m]", said), "no colour"
    said = bare(said)
    assert "── rl ─" in said and "pass rate" in said
    assert "[sft] step 30/30" in said and "[rl] step 40/40" in said
    assert "[rl] step 20/40" not in said, "the region shows those"
    assert said.rstrip().splitlines()[-1].startswith("no signal: "), "the end is as it always was"
    assert same_but_for_the_clock(run, plain)


def test_interrupted_on_a_terminal_and_resumed_it_is_the_same_run(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    run = tmp_path / "run"
    code, said = on_a_terminal("run", str(tmp_path / "recipe.yaml"), "--run-dir", str(run), patch=INTERRUPT)
    assert code == 130 and f"earnest resume {run}" in said.replace("\r\n", ""), said
    assert "stopping after this step" in said and "Traceback" not in said
    code, said = on_a_terminal("resume", str(run), env={"PYTHONIOENCODING": "ascii"}, patch=SLOW)
    assert code in (0, 3) and "[rl] continued from step" in said, said
    assert ".. rl . run ..." in bare(said), "a terminal without Unicode"
    assert same_but_for_the_clock(run, plain)
