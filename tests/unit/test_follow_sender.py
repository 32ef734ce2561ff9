"""What reaches a tracker: every step once, the same live and afterwards, and nothing twice after a resume."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from earnest.data.store import to_json
from earnest.follow import sender as sending
from earnest.follow.reader import Follower
from earnest.follow.sender import Sender, summary_of
from earnest.runlog import StageLog, dump_line
from recorder import Recorder, recorded
from report_runs import RunOnDisk, record

RULE: dict[str, Any] = {"event": "health", "rule": "H3", "level": "warning", "message": "Cut."}


def rollouts(step: int, count: int = 4) -> list[dict[str, Any]]:
    made = [record("p1", index, True, text=f"{step}/{index}") for index in range(count)]
    return [to_json(dataclasses.replace(one, stage="rl", step=step)) for one in made]


def take_step(log: StageLog, step: int, seconds: float = 0.5) -> None:
    log.rollouts.append(rollouts(step))
    log.metrics.append([{"step": step, "reward": step / 10, "bad": float("nan"), "time/step": seconds}])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    disk = RunOnDisk(tmp_path / "run")
    disk.stage("sft", "sft", cached_from="another-run")
    disk.stage("rl", "rl", status="running")
    disk.finish("running")
    (disk.path / "sft" / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    return disk.path


def recorder(folder: Path, **fields: Any) -> Recorder:
    return Recorder(into=str(folder / "sent.jsonl"), **{"rollouts": 2, "rollouts_every": 2, **fields})


class Live:
    """A sender with its follower, as a process has them."""

    def __init__(self, run: Path, tracker: Recorder) -> None:
        self.said: list[str] = []
        self.follower, self.sender = Follower(run, per_step=tracker.rollouts), Sender(run, tracker, self.said.append)

    def look(self, *, last: bool = False) -> None:
        self.sender.see(self.follower.look(), last=last)


def test_live_and_afterwards_the_same_is_sent(run: Path, tmp_path: Path) -> None:
    log = StageLog(run / "rl")
    live = Live(run, recorder(tmp_path))
    for step in range(1, 6):
        take_step(log, step)
        with log.metrics.path.open("ab") as half:
            half.write(b'{"step": 99, "rew')
        live.look()
        log.metrics.mend()
    log.events.append([{**RULE, "step": 5, "holds": True}])
    live.look()
    live.sender.finish("done", {"verdict": "learned"})
    sent = recorded(tmp_path / "sent.jsonl", "open", "log", "rollouts", "alert", "finish")
    assert sent[1:4] == [
        ["log", "rl", 1, {"reward": 0.1, "time/step": 0.5}],
        ["log", "rl", 2, {"reward": 0.2, "time/step": 0.5}],
        ["rollouts", "rl", 2, [["p1", 0, "2/0"], ["p1", 1, "2/1"]]],
    ]
    assert [(what[0], what[2]) for what in sent[1:-1]] == [
        ("log", 1), ("log", 2), ("rollouts", 2), ("log", 3), ("log", 4), ("rollouts", 4), ("log", 5), ("alert", 5)
    ]  # fmt: skip
    (tmp_path / "again").mkdir()
    after = Live(run, recorder(tmp_path / "again"))
    after.look()
    after.sender.finish("done", {"verdict": "learned"})
    assert recorded(tmp_path / "again" / "sent.jsonl", "open", "log", "rollouts", "alert", "finish") == sent


@pytest.mark.parametrize("looks", list(itertools.product((False, True), repeat=5)))
def test_when_it_is_looked_at_changes_nothing_of_what_is_sent(run: Path, tmp_path: Path, looks: Sequence[bool]) -> None:
    log = StageLog(run / "rl")
    live = Live(run, recorder(tmp_path, rollouts=0))

    def warn(text: str) -> None:
        log.event("gate", text, level="warning")

    def step(number: int) -> None:
        take_step(log, number)
        log.step = number

    doings = (lambda: warn("before"), lambda: step(1), lambda: step(2), lambda: warn("behind 2"), lambda: step(3))
    for doing, look in zip(doings, looks, strict=True):
        doing()
        if look:
            live.look()
    warn("at the end")
    live.look(last=True)
    assert [what[:3] for what in recorded(tmp_path / "sent.jsonl", "log", "alert")] == [
        ["alert", "rl", 0], ["log", "rl", 1], ["log", "rl", 2], ["alert", "rl", 2], ["log", "rl", 3], ["alert", "rl", 3]
    ]  # fmt: skip


def test_an_alert_waits_for_its_step_and_is_not_lost_if_that_never_comes(run: Path, tmp_path: Path) -> None:
    log = StageLog(run / "rl")
    live = Live(run, recorder(tmp_path, rollouts=0))
    take_step(log, 1)
    log.events.append([{**RULE, "step": step, "message": f"Cut at {step}.", "holds": True} for step in (2, 3)])
    live.look()
    assert [what[0] for what in recorded(tmp_path / "sent.jsonl", "log", "alert")] == ["log"]
    take_step(log, 2)
    live.look()
    assert [what[0] for what in recorded(tmp_path / "sent.jsonl", "log", "alert")] == ["log", "log", "alert"]
    live.look(last=True)
    assert [what[2] for what in recorded(tmp_path / "sent.jsonl", "alert")] == [2, 3]


def test_steps_that_a_resume_takes_back_are_not_sent_again(run: Path, tmp_path: Path) -> None:
    log = StageLog(run / "rl")
    for step in range(1, 4):
        take_step(log, step)
    checkpoint = log.lengths()
    first = Live(run, recorder(tmp_path))
    for step in range(4, 8):
        take_step(log, step)
        log.events.append([{**RULE, "step": step, "message": f"Cut at {step}.", "holds": True}])
    first.look()  # and then the process is killed
    second = Live(run, recorder(tmp_path))
    second.look()
    log.cut(checkpoint)
    for step in range(4, 10):
        take_step(log, step, seconds=9.0)
        log.events.append([{**RULE, "step": step, "message": f"Cut at {step}.", "holds": True}])
        second.look()
    assert [what[2] for what in recorded(tmp_path / "sent.jsonl", "log")] == list(range(1, 10))
    assert [what[2] for what in recorded(tmp_path / "sent.jsonl", "rollouts")] == [2, 4, 6, 8]
    assert [what[2] for what in recorded(tmp_path / "sent.jsonl", "alert")] == list(range(4, 10))
    times = {what[2]: what[3]["time/step"] for what in recorded(tmp_path / "sent.jsonl", "log")}  # type: ignore[index]
    assert (times[7], times[8]) == (0.5, 9.0), "what was measured first stands"


def test_a_stage_of_another_run_is_not_sent_and_another_project_is_another_place(run: Path, tmp_path: Path) -> None:
    take_step(StageLog(run / "rl"), 1)
    Live(run, recorder(tmp_path)).look()
    Live(run, recorder(tmp_path)).look()
    assert [what[1:3] for what in recorded(tmp_path / "sent.jsonl", "log")] == [["rl", 1]]
    Live(run, recorder(tmp_path, rollouts=0)).look()
    assert [what[1:3] for what in recorded(tmp_path / "sent.jsonl", "log")] == [["rl", 1], ["rl", 1]]


def test_a_tracker_that_fails_is_told_of_once_and_the_rest_can_be_sent_later(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "BATCH", 2)
    log = StageLog(run / "rl")
    for step in range(1, 6):
        take_step(log, step)
    broken = Live(run, recorder(tmp_path, fail_at=4))
    broken.look()
    take_step(log, 6)
    broken.look()
    broken.sender.finish("done", {})
    assert len(broken.said) == 1 and "no space left" in broken.said[0] and "\n" not in broken.said[0]
    assert f"earnest track {run}" in broken.said[0]
    ledger = broken.sender.ledger.path
    assert json.loads(ledger.read_text())["steps"] == {"rl": 3}
    mended = recorder(tmp_path)
    ledger.rename(Sender(run, mended, print).ledger.path)
    Live(run, mended).look()
    assert [what[2] for what in recorded(tmp_path / "sent.jsonl", "log")] == [1, 2, 3, 4, 5, 6]


def test_a_process_that_is_killed_while_it_sends_does_not_send_twice(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = StageLog(run / "rl")
    for step in range(1, 4):
        take_step(log, step)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("recorder.RecorderSession.rollouts", die)
        Live(run, recorder(tmp_path)).look()
    take_step(log, 4)
    Live(run, recorder(tmp_path)).look()
    assert [what[2] for what in recorded(tmp_path / "sent.jsonl", "log")] == [1, 2, 4]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({**RULE, "step": 3, "holds": True}, ["rl", 3, "Cut.", "warning"]),
        ({**RULE, "level": "info", "step": 3, "holds": True}, ["rl", 3, "Cut.", "info"]),
        ({**RULE, "level": "info", "step": 3, "holds": False}, None),
        ({"event": "gate", "outcome": "refused", "level": "error", "message": "No."}, ["rl", 0, "No.", "error"]),
        ({"event": "gate", "outcome": "passed", "level": "info", "message": "Yes."}, None),
        ({"event": "resumed", "level": "info", "message": "continued", "step": 3}, None),
    ],
)
def test_what_is_worth_an_alert(run: Path, tmp_path: Path, event: dict[str, Any], told: list[Any] | None) -> None:
    StageLog(run / "rl").events.append([event, event])
    Live(run, recorder(tmp_path)).look(last=True)
    assert [what[1:] for what in recorded(tmp_path / "sent.jsonl", "alert")] == ([told] if told else [])


def test_the_summary_has_the_verdict_and_the_rates_of_every_model(tmp_path: Path) -> None:
    assert summary_of(tmp_path) == {}
    rate = {"value": 0.25, "n": 4, "distinct": 2, "ci95": None}
    numbers = {"verifier_pass": {"sampled": rate, "greedy": None}, "trace_format": {**rate, "value": 1.0}}
    report = {"verdict": "learned", "verdict_sentence": "It did.", "models": {"rl": numbers}}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(dump_line(report))  # type: ignore[arg-type]
    assert summary_of(tmp_path) == {
        "verdict": "learned", "verdict_sentence": "It did.", "rl/sampled": 0.25, "rl/trace_format": 1.0
    }  # fmt: skip
