"""Reading logs while others write them: half lines, cuts, and what was taken over."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from earnest.follow.reader import Follower, Log
from earnest.runlog import AppendLog, StageLog, write_json


def line(step: int, **more: object) -> bytes:
    return (json.dumps({"step": step, **more}) + "\n").encode()


def steps(log: Log) -> tuple[int, list[object]]:
    found = log.look()
    return found.kept, [row["step"] for row in found.rows]


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    log = Log(file)
    assert steps(log) == (0, [])
    file.write_bytes(line(1) + line(2)[:5])
    assert steps(log) == (0, [1])
    assert steps(log) == (1, [])
    file.write_bytes(line(1) + line(2) + line(3))
    assert steps(log) == (1, [2, 3])
    assert steps(log) == (3, [])


def test_a_log_that_is_cut_gives_only_what_comes_after(tmp_path: Path) -> None:
    writer = AppendLog(tmp_path / "metrics.jsonl")
    log = Log(writer.path)
    writer.append([{"step": 1}, {"step": 2}])
    checkpoint = writer.length
    writer.append([{"step": 3, "time": 1}, {"step": 4, "time": 1}])
    assert steps(log) == (0, [1, 2, 3, 4])
    writer.cut(checkpoint)
    assert steps(log) == (2, [])
    writer.append([{"step": 3, "time": 2}])
    assert steps(log) == (2, [3])


@pytest.mark.parametrize("again", [[3], [3, 4], [3, 4, 5, 6, 7]])
def test_a_log_that_was_cut_and_has_grown_again_between_two_looks(tmp_path: Path, again: list[int]) -> None:
    writer = AppendLog(tmp_path / "metrics.jsonl")
    log = Log(writer.path)
    writer.append([{"step": 1}, {"step": 2}])
    checkpoint = writer.length
    writer.append([{"step": 3, "time": 1}, {"step": 4, "time": 1}])
    assert steps(log) == (0, [1, 2, 3, 4])
    writer.cut(checkpoint)
    writer.append([{"step": step, "time": 2} for step in again])
    assert steps(log) == (2, again)


def test_whatever_is_cut_and_written_the_lines_that_stand_are_those_of_the_file(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    writer = AppendLog(tmp_path / "metrics.jsonl")
    log, held, ends, count = Log(writer.path), [], [0], 0
    for _ in range(300):
        if rng.random() < 0.3:
            ends = ends[: rng.randrange(len(ends)) + 1]
            writer.cut(ends[-1])
        for _ in range(rng.randrange(4)):
            count += 1
            writer.append([{"step": len(ends), "is": count}])
            ends.append(writer.length)
        if rng.random() < 0.6:
            found = log.look()
            held = held[: found.kept] + list(found.rows)
            assert held == [json.loads(text) for text in writer.path.read_text().splitlines()], f"seed {seed}"


def test_a_log_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(line(1))
    log = Log(file)
    assert steps(log) == (0, [1])
    file.unlink()
    assert steps(log) == (0, [])
    file.write_bytes(line(7))
    assert steps(log) == (0, [7])


def test_a_line_that_cannot_be_read_keeps_its_place(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(line(1) + b"\xff{\n[3]\n" + line(4))
    assert [dict(row) for row in Log(file).look().rows] == [{"step": 1}, {}, {}, {"step": 4}]


def test_the_first_lines_of_each_step_even_if_they_come_in_pieces(tmp_path: Path) -> None:
    writer = AppendLog(tmp_path / "rollouts.jsonl")
    log = Log(writer.path, per_step=2)
    seen: list[object] = []
    for step, index in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0)]:
        writer.append([{"step": step, "index": index}])
        seen += [(row["step"], row["index"]) for row in log.look().rows]
    assert seen == [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]


def test_the_tail_of_what_is_new(tmp_path: Path) -> None:
    file = tmp_path / "rollouts.jsonl"
    file.write_bytes(b"".join(line(step) for step in range(1000, 1100)))
    log = Log(file, tail=4 * len(line(1000)) + 3)
    assert steps(log)[1] == [1096, 1097, 1098, 1099]
    with file.open("ab") as end:
        end.write(line(1100))
    assert steps(log)[1] == [1100]
    os.truncate(file, 10 * len(line(1000)))
    assert steps(log)[1] == [1006, 1007, 1008, 1009]


def test_a_run_is_read_stage_by_stage_and_one_that_was_taken_over_is_known(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert follower.look().stages == ()
    write_json(tmp_path / "run.json", {"id": "x", "stages": ["sft", "rl", "eval"]})
    (tmp_path / "rl").mkdir()
    assert follower.look().stages == ()
    log = StageLog(tmp_path / "sft")
    log.metrics.append([{"step": 1}])
    write_json(tmp_path / "sft" / "stage.json", {"status": "done", "cached_from": "another"})
    write_json(tmp_path / "rl" / "stage.json", {"status": "running", "cached_from": None})
    news = follower.look()
    assert [(s.id, s.cached, s.note["status"], s.metrics.rows) for s in news.stages] == [
        ("sft", True, "done", ({"step": 1},)),
        ("rl", False, "running", ()),
    ]
    write_json(tmp_path / "rl" / "stage.json", {"status": "done", "cached_from": None})
    assert [s.note["status"] for s in follower.look().stages] == ["done", "done"]
