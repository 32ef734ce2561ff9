"""The run directory: nothing half-written, one writer at a time, logs that can be cut back to a checkpoint."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from earnest.errors import RunDirError
from earnest.runlog import AppendLog, DiskFull, RunDir, dump_line, read_json, replaced_folder, write_json


def no_space(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskFull, match="no space"):
        write_json(tmp_path / "a.json", {"x": 2})
    assert read_json(tmp_path / "a.json") == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "step") as temporary:
        (temporary / "one").write_text("1")
        assert not (tmp_path / "step").exists()
    assert (tmp_path / "step" / "one").read_text() == "1"
    with pytest.raises(ZeroDivisionError), replaced_folder(tmp_path / "step") as temporary:
        (temporary / "one").write_text("2")
        _ = 1 / 0
    assert (tmp_path / "step" / "one").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["step"]


def test_a_log_is_cut_back_to_a_remembered_length(tmp_path: Path) -> None:
    log = AppendLog(tmp_path / "metrics.jsonl")
    log.append([{"step": 1}, {"step": 2}])
    remembered = log.length
    log.append([{"step": 3}])
    log.cut(remembered)
    log.append([{"step": 33}])
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == [1, 2, 33]


def test_what_json_has_no_word_for_is_null() -> None:
    assert dump_line({"a": float("nan"), "b": [float("inf"), 1.5]}) == '{"a":null,"b":[null,1.5]}'


def test_another_process_cannot_hold_the_same_run(tmp_path: Path) -> None:
    run = RunDir.create_at(tmp_path / "run")
    run.update(status="running")
    program = f"from earnest.runlog import RunDir; from pathlib import Path; RunDir.open(Path({str(run.path)!r}))"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert second.returncode != 0 and "this run is in use" in second.stderr
    assert f"process {os.getpid()}" in second.stderr
    run.close()
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_directory_with_something_in_it_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(RunDirError, match="exists already") as caught:
        RunDir.create_at(tmp_path)
    assert "earnest resume" in caught.value.remedy and "--run-dir" in caught.value.remedy
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def test_runs_begun_in_the_same_second_get_directories_of_their_own(tmp_path: Path) -> None:
    paths = {RunDir.create(tmp_path, "name", "tag").path for _ in range(3)}
    assert len(paths) == 3


def test_opening_a_run_clears_what_a_killed_writer_left(tmp_path: Path) -> None:
    run = RunDir.create_at(tmp_path / "run")
    run.update(status="running")
    (run.path / "rl" / ".step_000005.tmp123").mkdir(parents=True)
    (run.path / "rl" / ".stage.json.tmp123").write_text("half")
    run.close()
    RunDir.open(run.path).close()
    assert list((run.path / "rl").iterdir()) == []


def test_what_is_no_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="not a run directory"):
        RunDir.open(tmp_path)
