"""`earnest rollouts`: which rollouts are read and drawn, and that hostile ones reach a terminal as plain text."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earnest.cli import main as cli
from earnest.cli import paging
from earnest.data.store import dump_line, to_json
from earnest.errors import DataError, RunDirError
from earnest.evaluate.looking import text as rollout_text
from earnest.evaluate.looking.rollouts import FIELDS, Reading, choose, fields_of, labels, sources
from earnest.evaluate.looking.where import condition
from earnest.types import Message, Record, Status
from report_runs import RunOnDisk, record, records

HOSTILE = "\x1b[31mred\x1b]0;title\x07\r\x00\x9b2J\u202e\ud800</think>7"


def trained(step: int, problem: str, marks: Sequence[bool | None], **fields: Any) -> list[Record]:
    return [
        replace(record(problem, index, correct, **fields), stage="rl", step=step, split="train", advantage=0.5 * index)
        for index, correct in enumerate(marks)
    ]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two groups of two in each of five steps of `rl`, and an evaluation of two models."""
    disk = RunOnDisk(tmp_path / "run")
    disk.stage("rl", "rl")
    rows = [r for step in range(1, 6) for name in ("a", "b") for r in trained(step, name, [step > 2, False])]
    disk.lines("rl/rollouts/rollouts.jsonl", [to_json(r) for r in rows])
    pair = (records([[True, False]] * 3), records([[True]] * 3, greedy=True))
    disk.evaluation("eval", {"base": pair, "rl": pair})
    disk.lines("eval/rl/drift_skills.jsonl", [to_json(r) for r in records([[True]] * 2)])
    disk.lines("eval/rl/drift_text.bytes.jsonl", [{"id": "0", "bits": 1.0, "bytes": 2}])
    (disk.path / "eval" / "rollouts").mkdir()
    (disk.path / "eval" / "rollouts" / "rollouts.jsonl").touch()
    return disk.finish()


def drawn(path: Path, text: str = "", count: int = 100, **options: Any) -> list[Record]:
    conditions = [condition(text, FIELDS, "--where")] if text else []
    return [f.record for unit in Reading(choose(sources(path)), conditions, **options).draw(count, 0) for f in unit]


def test_what_is_read_by_default_is_what_was_trained_on(run: Path):
    assert labels(choose(sources(run))) == "rl"
    assert labels(sources(run)) == "rl, eval (base, rl; greedy, sampled, drift_skills)"
    assert labels(choose(sources(run), stage="eval")) == "eval (base, rl; sampled)"
    assert labels(choose(sources(run), model="rl", mode="drift_skills")) == "eval (rl; drift_skills)"
    assert labels(choose(sources(run / "eval"))) == "eval (base, rl; sampled)"
    assert labels(choose(sources(run / "eval" / "rl"))) == "eval (rl; sampled)"
    assert labels(choose(sources(run / "eval" / "rl" / "greedy.jsonl"))) == "eval (rl; greedy)"
    with pytest.raises(RunDirError):
        sources(run / "config")


def test_conditions_choose(run: Path):
    assert len(drawn(run)) == 20
    assert {r.step for r in drawn(run, "correct")} == {3, 4, 5}
    assert len(drawn(run, "problem == 'a' and wrong and 2 <= step <= 3")) == 3
    assert len(drawn(run, "advantage > 0 and stage == 'rl' and mode == 'training' and model == None")) == 10
    found = next(Reading(choose(sources(run))).units())[0]
    assert set(fields_of(found)) == set(FIELDS)


def test_every_field_has_the_type_it_says(run: Path):
    kinds = {"number": (int, float), "text": str, "truth": bool, "numbers": dict}
    for source in sources(run):
        for (found,) in Reading([source]).units():
            for name, value in fields_of(found).items():
                assert value is None or isinstance(value, kinds[FIELDS[name].kind]), (name, value)


def test_a_group_matches_with_one_of_its_rollouts_and_comes_whole(run: Path):
    reading = Reading(choose(sources(run)), [condition("correct", FIELDS, "")], grouped=True)
    units = reading.draw(100, 0)
    assert (reading.read, reading.matching, len(units)) == (10, 6, 6)
    assert all([found.record.index for found in unit] == [0, 1] for unit in units)
    assert len({(unit[0].record.step, unit[0].record.problem.id) for unit in units}) == 6


def test_the_same_problem_twice_in_a_step_is_two_groups(tmp_path: Path):
    rows = [to_json(r) for r in [*trained(1, "a", [True, False]), *trained(1, "a", [False, False])]]
    RunOnDisk(tmp_path).lines("rl/rollouts/rollouts.jsonl", rows)
    assert [len(unit) for unit in Reading(sources(tmp_path), grouped=True).units()] == [2, 2]


def test_a_draw_is_seeded_fair_and_in_file_order(tmp_path: Path):
    RunOnDisk(tmp_path).lines("rl/rollouts/r.jsonl", [to_json(r) for r in records([[True]] * 10)])
    seen = [0] * 10
    for seed in range(1000):
        places = [int(unit[0].record.problem.id[1:]) for unit in Reading(sources(tmp_path)).draw(3, seed)]
        assert places == sorted(set(places)) and len(places) == 3
        for place in places:
            seen[place] += 1
    assert all(240 < count < 360 for count in seen), seen  # 300 expected, standard deviation 14.5
    again = Reading(sources(tmp_path))
    assert again.draw(3, 7) == Reading(sources(tmp_path)).draw(3, 7) and (again.read, again.matching) == (10, 10)


def test_a_torn_last_line_is_passed_over_and_damage_is_an_error(run: Path):
    file = run / "rl" / "rollouts" / "rollouts.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:100])
    assert len(drawn(run)) == 20
    file.write_bytes(whole[:50] + b"\n" + whole)
    with pytest.raises(DataError) as error:
        drawn(run)
    assert error.value.where == f"{file}:1"
    file.write_bytes(whole + b'{"schema":1,"stage":"rl"}\n')
    with pytest.raises(DataError) as error:
        drawn(run)
    assert error.value.where == f"{file}:21"
    with gzip.open(file.with_name("more.jsonl.gz"), "wb") as zipped:
        zipped.write(whole)
    file.write_bytes(whole)
    assert len(drawn(run)) == 40


def test_reading_stops_where_enough_was_seen(tmp_path: Path):
    """A damaged line behind what is asked for is never reached: nothing is read ahead."""
    disk = RunOnDisk(tmp_path)
    disk.lines("rl/rollouts/r.jsonl", [to_json(r) for r in records([[True]] * 3)] + [{"broken": True}])
    reading = Reading(sources(tmp_path))
    units = reading.units()
    assert [next(units)[0].record.problem.id for _ in range(2)] == ["p000", "p001"]
    assert reading.read == 2


def plain(text: str, style: str) -> str:
    return text


def shown(row: Record, **extra: Any) -> str:
    """The block and the group's line of one rollout."""
    from earnest.evaluate.looking.rollouts import Found, Source

    unit = (Found(Source(Path("r.jsonl"), "rl", None, "training"), {**to_json(row), **extra}, row),)
    return "\n".join([*rollout_text.block(unit, plain), *rollout_text.group_block(unit, plain)])


def test_hostile_text_is_written_out():
    row = record("p\x1b[1m", 0, False, text=HOSTILE, reason="read \x1b[2J\nnothing")
    problem = replace(row.problem, prompt=(Message("user\x07", HOSTILE),), answer="7\x1b[0m")
    row = replace(row, problem=problem, verdict=replace(row.verdict, extracted="\x9b\x1b"))
    text = shown(row, reward_parts={"evil\x1b": 1.0})
    assert not [c for c in text if c != "\n" and not c.isprintable()]
    assert "⟨U+001B⟩[31mred" in text and "⟨U+D800⟩" in text and "⟨U+202E⟩" in text
    text.encode("utf-8")


def test_a_megabyte_is_cut_and_the_rest_is_counted():
    text = shown(record("p", 0, False, text="x" * 3_000_000))
    assert len(text) < 100_000 and "2,980,000 characters left out" in text


def test_a_block_says_what_the_record_says():
    row = replace(
        record("chain/1", 2, False, status=Status.TRUNCATED, reason="cut"), stage="rl", step=12, reward=-0.25,
        advantage=0.875, logprob_mean=-0.125,
    )  # fmt: skip
    text = shown(row, reward_parts={"verifier": 0.0, "length": -0.25})
    for part in (
        "rl · step 12 · chain/1 · sample 2", "✗ wrong (truncated)", "reward −0.25 (verifier 0, length −0.25)",
        "advantage +0.875", "9 tokens (6 in the thought)", "logprob −0.125", "gold 7   read 7   reason cut",
        "    question chain/1: 3+4=", "    3+4=7;</think>7",
    ):  # fmt: skip
        assert part in text, part


def test_spread_of_a_group():
    rows = [record("p", 0, True), record("p", 1, False), record("p", 2, False), record("p", 3, False)]
    assert rollout_text.spread(rows) == "reward: mean 0.25, std 0.433 · 1 of 4 right"
    assert rollout_text.spread([*rows[:2], record("p", 4, None)]) == (
        "reward: mean 0.5, std 0.5 · 1 of 3 right · 1 without a reward"
    )
    assert rollout_text.spread([record("p", 4, None)]) == "reward: none · 0 of 1 right · 1 without a reward"


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.outcome(["rollouts", *map(str, arguments)])
    seen = capsys.readouterr()
    return code, seen.out, seen.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "rollouts: all 20 · rl"),
        ("-n 3 --seed 4", "rollouts: 3 of 20, drawn at random with seed 4"),
        ("--step 2:3 -n 3", "3 of 8 that match, of 20, drawn at random with seed 0"),
        ("--step 4: --correct", "all 4 that match, of 20"),
        ("--step :1", "all 4 that match"),
        ("--step 5", "all 4 that match"),
        ("--reward 1", "all 6 that match"),
        ("--reward <=0.5", "all 14 that match"),
        ("--reward none", "nothing matches in 20"),
        ("--wrong --problem a", "all 7 that match"),
        ("--tokens >9", "nothing matches in 20"),
        ("--finish stop --status ok --first -n 2", "the first 2 rollouts in file order"),
        ("--text </think> -n 0", "all rollouts, in file order"),
        ("--text </Think>", "nothing matches in 20"),
        ("--group --correct", "groups: all 6 that match, of 10"),
        ("--model rl --mode greedy", "rollouts: all 3 · eval (rl; greedy)"),
        ("--model rl --first --wrong --mode greedy", "nothing matches in 3"),
    ],
)
def test_command(run: Path, capsys: pytest.CaptureFixture[str], options: str, said: str):
    code, out, err = call(capsys, run, *options.split())
    assert code == 0 and said in out and "\x1b" not in out, (out, err)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--step", "x"], "--step 10:20"),
        (["--step", ":"], "--step 10:20"),
        (["--reward", "high"], "is no comparison"),
        (["--reward", "<none"], "is no comparison"),
        (["--reward", "0 or True"], "is no comparison"),
        (["--status", "truncted"], "did you mean 'truncated'?"),
        (["--finish", "stopp"], "did you mean 'stop'?"),
        (["--stage", "rll"], "did you mean 'rl'?"),
        (["--mode", "gredy"], "did you mean 'greedy'?"),
        (["--where", "tokns > 3"], "did you mean 'tokens'?"),
        (["--correct", "--wrong"], "leave nothing"),
        (["-n", "-1"], "-n 0 shows all"),
    ],
)
def test_usage(run: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str):
    code, _, err = call(capsys, run, *options)
    assert code == 2 and said in err, err


def test_json_is_the_stored_line(run: Path, capsys: pytest.CaptureFixture[str]):
    file = run / "rl" / "rollouts" / "rollouts.jsonl"
    row = {
        **to_json(trained(6, "c", [True], text=HOSTILE)[0]),
        "reward_parts": {"verifier": 1.0},
        "later": [1e-7, None],
    }
    file.write_bytes(file.read_bytes() + (dump_line(row) + "\n").encode())
    code, out, _ = call(capsys, run, "--json", "-n", "0")
    assert code == 0 and out.encode() == file.read_bytes()
    code, out, _ = call(capsys, run, "--json", "--where", "parts['verifier'] == 1")
    assert json.loads(out) == row


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_and_pager_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert paging.paint("x", "good") == "x"
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paging.paint("x", "good") == "\x1b[32mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paging.paint("x", "good") == "x"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path}/paged\n")
    pager.chmod(0o755)
    monkeypatch.setenv("PAGER", str(pager))
    paging.page(["one", "\ud800two"])
    assert (tmp_path / "paged").read_text() == "one\n?two\n" and sys.stdout.getvalue() == ""
    pager.write_text("#!/bin/sh\nexit 0\n")
    paging.page("x" * 1000 for _ in range(10_000))  # a reader that leaves at once
    monkeypatch.setenv("PAGER", "no-such-pager")
    paging.page(["plain"])
    assert sys.stdout.getvalue() == "plain\n"


def test_an_output_without_these_characters_gets_question_marks(monkeypatch: pytest.MonkeyPatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    paging.page(["✓ right"])
    stream.flush()
    assert stream.buffer.getvalue() == b"? right\n"  # type: ignore[attr-defined]
