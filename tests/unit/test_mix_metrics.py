"""Numbers of each part of a mixture: in training, in an evaluation's summary and in the report, recounted by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builders import NAN, make_rollout
from earnest.data.gathering.metrics import rollout_metrics, task_metrics
from earnest.evaluate.report.build import build_report
from earnest.evaluate.report.tables import tasks_table
from earnest.evaluate.report.write import write_report
from earnest.evaluate.summary import summarize
from earnest.functional.stats import rate
from earnest.types import Group, Record
from report_runs import RunOnDisk, records


def group(task: str, number: int, rewards: Sequence[float]) -> Group:
    rollouts = [make_rollout(number, i, float(reward), length=2) for i, reward in enumerate(rewards)]
    problem = replace(rollouts[0].problem, task=task, id=f"{task}/{number}")
    return Group(problem, tuple(replace(r, problem=problem) for r in rollouts))


STEP = [
    group("chain", 0, [1, 0, 0, 0]), group("chain", 1, [1, 1, 1, 1]), group("chain", 2, [0, 0, NAN, 0]),
    group("algebra", 3, [0.5, 1, 0, 0]),
]  # fmt: skip


def test_a_steps_numbers_of_each_part() -> None:
    found = task_metrics(STEP)
    assert found == {
        "pass_rate/chain": pytest.approx(5 / 11), "reward/chain": pytest.approx(5 / 11), "groups/mixed/chain": 1 / 3,
        "pass_rate/algebra": 1 / 4, "reward/algebra": pytest.approx(1.5 / 4), "groups/mixed/algebra": 1.0,
    }  # fmt: skip
    whole = rollout_metrics(STEP)
    assert whole["pass_rate"] == pytest.approx((5 + 1) / 15) and not set(found) & set(whole)


def test_one_task_has_no_row_of_its_own_unless_it_is_of_a_mixture() -> None:
    assert task_metrics(STEP[:3]) == {}
    assert set(task_metrics(STEP[:3], ("chain", "algebra"))) == {
        "pass_rate/chain",
        "reward/chain",
        "groups/mixed/chain",
    }
    failed = task_metrics([group("chain", 0, [NAN, NAN]), STEP[3]])
    assert math.isnan(failed["pass_rate/chain"]) and failed["groups/mixed/chain"] == 0


def of(task: str, marks: Sequence[Sequence[bool | None]], *, greedy: bool = False) -> list[Record]:
    return [
        replace(r, problem=replace(r.problem, task=task, id=f"{task}/{r.problem.id}"))
        for r in records(marks, greedy=greedy)
    ]


CHAIN = [[True, False], [True, True], [False, None], [False, False]]
ALGEBRA = [[False, False], [True, False], [False, False]]


def test_a_summary_has_each_parts_rate_with_n_and_interval() -> None:
    sampled = of("chain", CHAIN) + of("algebra", ALGEBRA)
    found = summarize(sampled, of("algebra", [row[:1] for row in ALGEBRA], greedy=True))
    chain, algebra = found.by_task["chain"], found.by_task["algebra"]
    assert chain.sampled == rate([[True, False], [True, True], [False], [False, False]]) and chain.greedy is None
    assert chain.sampled is not None and chain.sampled.n == 7 and chain.sampled.value == pytest.approx(1.5 / 4)
    assert algebra.sampled == rate(ALGEBRA) and algebra.greedy is not None and algebra.greedy.n == 3
    assert list(found.by_task) == ["chain", "algebra"]
    entry = found.to_json()["by_task"]
    assert isinstance(entry, dict) and entry["algebra"]["verifier_pass"]["sampled"]["n"] == 6
    assert found.sampled == summarize(sampled, []).sampled, "the whole is what it was"


def test_one_task_is_not_told_apart() -> None:
    found = summarize(of("chain", CHAIN), [])
    assert found.by_task == {} and "by_task" not in found.to_json()


def run_of(folder: Path, before: list[Record], after: list[Record]) -> Path:
    run = RunOnDisk(folder / "run")
    run.stage("rl", "rl")
    run.evaluation("eval", {"base": (before, []), "rl": (after, [])})
    return run.finish()


def test_the_report_shows_the_parts_beside_the_whole_and_judges_the_whole(tmp_path: Path) -> None:
    """Chain gained, algebra lost as much: the whole is not shown to have learned, and each part's row says why."""
    before = of("chain", [[False, False]] * 30) + of("algebra", [[True, True]] * 30)
    after = of("chain", [[True, True]] * 30) + of("algebra", [[False, False]] * 30)
    report = build_report(run_of(tmp_path, before, after))
    assert report.verdict == "not shown" and report.main is not None
    rows = [[cell.text for cell in row[:3]] for row in tasks_table(report, report.main).rows]
    assert rows == [
        ["chain", "base", "0.0"],
        ["chain", "rl", "100.0"],
        ["algebra", "base", "100.0"],
        ["algebra", "rl", "0.0"],
    ]
    notes = [row[2].small for row in tasks_table(report, report.main).rows]
    assert all("n 60" in note and "[" in note for note in notes), notes
    page = write_report(tmp_path / "run").with_name("report.md").read_text(encoding="utf-8")
    assert "| algebra | **rl** (final) | **0.0**" in page and "The verdict is about all of them together" in page


def test_the_report_of_one_task_has_no_such_table(tmp_path: Path) -> None:
    report = build_report(run_of(tmp_path, of("chain", CHAIN), of("chain", CHAIN)))
    assert report.main is not None and tasks_table(report, report.main).rows == ()
