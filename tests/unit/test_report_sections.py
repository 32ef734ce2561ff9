"""What the report's chapters are made of, on numbers worked by hand, and what each says where there is nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earnest.data.store import to_json
from earnest.errors import DataError
from earnest.evaluate.claim import differences_of
from earnest.evaluate.load import ModelRecords, load_run
from earnest.evaluate.report.build import build_report
from earnest.evaluate.report.curves import solve_rate
from earnest.evaluate.report.difficulty import ALL, by_difficulty
from earnest.evaluate.report.earned import KEPT_REASONS, OTHER, read_stage
from earnest.evaluate.report.equal_cost import majority, spends
from earnest.evaluate.report.write import write_report
from earnest.types import Record, Status
from report_runs import RunOnDisk, record, records


def model(sampled: list[Record], greedy: list[Record] | None = None) -> ModelRecords:
    return ModelRecords(tuple(sampled), tuple(greedy or ()), {}, {}, {})


def answering(problem: str, answers: str, right: str = "7", tokens: int = 10) -> list[Record]:
    """One sample for each character of `answers`; "." is no answer, "!" a failed grading."""
    found = []
    for index, answer in enumerate(answers):
        status = {".": Status.NO_ANSWER, "!": Status.ERROR}.get(answer, Status.OK)
        correct = None if status is Status.ERROR else answer == right
        row = record(problem, index, correct, tokens=tokens, status=status)
        extracted = answer if status is Status.OK else None
        found.append(dataclasses.replace(row, verdict=dataclasses.replace(row.verdict, extracted=extracted)))
    return found


# ------------------------------------------------------------------------------------------------ equal cost


@pytest.mark.parametrize(
    ("votes", "chance"),
    [
        ([("7", True), ("7", True), ("9", False), None], 1.0),
        ([("7", True), ("9", False)], 0.5),
        ([("9", False), ("9", False), ("7", True)], 0.0),
        ([("7", True), ("8", False), ("9", False)], 1 / 3),
        ([None, None], 0.0),
        ([], 0.0),
    ],
)
def test_a_majority(votes: list[tuple[str, bool] | None], chance: float):
    assert majority(votes) == pytest.approx(chance)


def test_the_base_gets_as_many_tries_as_the_final_model_costs():
    """One final sample costs 21 tokens, a base sample 10: two tries at equal cost, four in all."""
    base = model(answering("p0", "7799") + answering("p1", "9979") + answering("p2", "7.7!"))
    final = model([r for p in ("p0", "p1", "p2") for r in answering(p, "7777", tokens=21)])
    found = {(s.model, s.how, s.samples): s for s in spends({"base": base, "rl": final}, "rl", ["base", "base"])}
    assert set(found) == {("rl", "one", 1), ("base", "one", 1), ("base", "vote", 2), ("base", "any", 2),
                          ("base", "vote", 4), ("base", "any", 4)}  # fmt: skip
    assert [key for key, s in found.items() if s.equal_cost] == [
        ("rl", "one", 1),
        ("base", "vote", 2),
        ("base", "any", 2),
    ]
    one, vote, any_ = found["base", "one", 1], found["base", "vote", 4], found["base", "any", 2]
    assert one.rate.value == pytest.approx((1 / 2 + 1 / 4 + 2 / 3) / 3) and one.rate.n == 11
    assert vote.rate.distinct == 2 and vote.rate.value == pytest.approx((0.5 + 0.0) / 2)  # p2 has three graded samples
    assert any_.rate.value == pytest.approx((5 / 6 + 1 / 2 + 1.0) / 3)
    assert (one.tokens.value, vote.tokens.value, found["rl", "one", 1].tokens.value) == (10, 40, 21)
    assert vote.behind is not None and vote.behind.diff == pytest.approx((0.5 + 1.0) / 2) and vote.behind.n == 2
    # Two blocks of two: p0 (77)(99), p1 (99)(79), p2 the graded three give one block (7.)
    assert found["base", "vote", 2].rate.value == pytest.approx((0.5 + 0.25 + 1.0) / 3)


def test_a_dearer_base_has_one_try_at_equal_cost():
    models = {"base": model(answering("p0", "79", tokens=50)), "rl": model(answering("p0", "77", tokens=20))}
    found = spends(models, "rl", ["base"])
    assert [(s.how, s.samples) for s in found if s.equal_cost and s.model == "base"] == [("one", 1)]


# ------------------------------------------------------------------------------------------------ difficulty


def coins(draw: np.random.Generator, chances: np.ndarray, k: int) -> list[Record]:
    marks = draw.random((len(chances), k)) < chances[:, None]
    return records(marks.tolist())


def test_nothing_changed_and_no_bucket_moves():
    """Two models with the same chances. Sorted by the samples that are compared, the ends would move by tens of points."""
    draw = np.random.default_rng(3)
    chances = draw.random(4_000)
    before, after = model(coins(draw, chances, 4)), model(coins(draw, chances, 4))
    found = by_difficulty("a", before, "b", after)
    assert found is not None and (found.sorted_by, found.sorting, found.compared) == ("samples", 2, 2)
    for bucket in found.buckets:
        assert abs(bucket.moved[0].diff) < 0.03, bucket.name
    share = {r.problem.id: 0.0 for r in before.sampled}
    for r in before.sampled:
        share[r.problem.id] += (r.verdict.correct is True) / 4
    hardest = {p for p, s in share.items() if s == 0}
    naive = [r.verdict.correct is True for r in after.sampled if r.problem.id in hardest]
    assert np.mean(naive) > 0.12  # against 0 of the samples that sorted


def test_common_random_numbers_do_not_leak_through_the_halves():
    """Sample i of both models hangs on the same draws, as in a run: the sorting half must not be compared."""
    draw = np.random.default_rng(4)
    chances, uniforms = draw.random(3_000), draw.random((3_000, 4))
    same = records((uniforms < chances[:, None]).tolist())
    found = by_difficulty("a", model(same), "b", model(same))
    assert found is not None and all(bucket.moved[0].diff == 0 for bucket in found.buckets)
    worse = records((uniforms < 0.9 * chances[:, None]).tolist())
    found = by_difficulty("a", model(same), "b", model(worse))
    assert found is not None
    none_right = next(b for b in found.buckets if b.name == "none right").moved[0]
    assert none_right.diff == pytest.approx(-0.1 * 0.25, abs=0.02)  # E[p | two failures] = 1/4 for a uniform p


def test_buckets_by_hand():
    before = model(answering("p0", "9977") + answering("p1", "7979") + answering("p2", "7779") + answering("p3", "!!77"),
                   answering("p0", "9") + answering("p1", "7") + answering("p2", "7"))  # fmt: skip
    after = model(answering("p0", "9977", tokens=20) + answering("p1", "9999") + answering("p2", "9977"),
                  answering("p0", "7") + answering("p1", "7") + answering("p2", "9"))  # fmt: skip
    found = by_difficulty("a", before, "b", after)
    assert found is not None and found.unsorted == 1
    rows = {b.name: b for b in found.buckets}
    assert {name: b.problems for name, b in rows.items()} == {
        "none right": 1,
        "half or more": 1,
        "all right": 1,
        ALL: 3,
    }
    sampled, greedy = rows[ALL].moved
    assert (sampled.a_value, sampled.b_value) == (pytest.approx((1 + 0.5 + 0.5) / 3), pytest.approx((1 + 0 + 1) / 3))
    assert (sampled.flips.gained, sampled.flips.lost, sampled.flips.same) == (1, 1, 1)
    assert (greedy.flips.gained, greedy.flips.lost, greedy.flips.same) == (1, 1, 1)
    lengths = {(x.model, x.right): x.tokens for x in rows["none right"].lengths}
    assert lengths["a", True].value == 7 and lengths["b", True].value == 17 and ("b", False) not in lengths


def test_one_sample_is_sorted_by_the_greedy_completion():
    before = model(answering("p0", "7") + answering("p1", "9"), answering("p0", "9") + answering("p1", "7"))
    found = by_difficulty("a", before, "b", model(answering("p0", "7") + answering("p1", "7")))
    assert found is not None and found.sorted_by == "greedy"
    rows = {b.name: b for b in found.buckets}
    assert rows["none right"].moved[0].a_value == 1.0 and rows["all right"].moved[0].flips.gained == 1
    assert by_difficulty("a", model(answering("p0", "7")), "b", before) is None  # nothing greedy to sort by


# ------------------------------------------------------------------------------------------------ rollouts


def stored(path: Path, rows: list[dict[str, Any]]) -> Any:
    RunOnDisk(path).lines("rl/rollouts/rollouts.jsonl", rows)
    return read_stage(path / "rl")


def rollout(step: int, correct: bool | None, reward: float | None, text: str = "t", **verdict: Any) -> dict[str, Any]:
    row = dict(to_json(record(f"p{step}", 0, correct, text=text)))
    return {**row, "step": step, "reward": reward, "verdict": {**row["verdict"], **verdict}}  # type: ignore[dict-item]


def test_the_verdict_alone_pays_nothing_wrong(tmp_path: Path):
    found = stored(tmp_path, [rollout(1, True, 1.0), rollout(1, False, 0.0), rollout(2, None, None)])
    assert found.verdict_alone and found.wrong == ()
    assert [(e.rollouts, e.paid, e.mean) for e in found.earned.values()] == [(1, 1, 1.0), (1, 0, 0.0), (1, 0, None)]


@pytest.mark.parametrize(
    "row",
    [
        rollout(1, False, 0.5),
        rollout(1, True, 0.5),
        rollout(1, None, 0.0),
        {**rollout(1, True, 1.0), "reward_parts": {"correct": 1.0, "length": 0.0}},
    ],
)
def test_another_reward_is_not_the_verdict_alone(tmp_path: Path, row: dict[str, Any]):
    assert not stored(tmp_path, [rollout(1, True, 1.0), row]).verdict_alone


def test_highest_paid_wrong_rollouts_each_text_once_the_latest_first(tmp_path: Path):
    rows = [rollout(s, False, 0.5, f"common {s % 3}") for s in range(1, 31)]
    rows += [rollout(4, False, 2.0, "best"), rollout(2, False, 2.0, "best"), rollout(9, True, 3.0, "right one")]
    rows += [rollout(s, False, 0.1, f"low {s}") for s in range(1, 200)] + [rollout(5, False, 0.0, "unpaid")]
    found = stored(tmp_path, rows).wrong
    assert [(s.text, s.reward, s.step, s.times) for s in found[:4]] == [
        ("best", 2.0, 2, 2), ("common 0", 0.5, 30, 10), ("common 2", 0.5, 29, 10), ("common 1", 0.5, 28, 10),
    ]  # fmt: skip
    assert len(found) == 20 and found[4].text == "low 199"


def test_reasons_are_counted_and_bounded(tmp_path: Path):
    rows = [rollout(s, False, 0.0, status="no_answer", reason=f"reason {s}") for s in range(1, KEPT_REASONS + 40)]
    rows += [rollout(7, False, 0.0, f"say {i}", status="limit", reason="too long") for i in range(3)]
    rows[:0] = rows[-3:]
    found = stored(tmp_path, rows).reasons
    assert [(r.status, r.reason, r.count) for r in found[:2]] == [("no_answer", OTHER, 40), ("limit", "too long", 6)]
    assert found[0].last is None and found[1].last is not None and found[1].last.text == "say 2"


def test_solve_rate_is_clustered_by_problem(tmp_path: Path):
    rows = [
        {**rollout(1, bool(i % 2), 0.0), "problem": {**rollout(1, True, 0)["problem"], "id": f"q{i % 4}"}}
        for i in range(8)
    ]
    (point,) = solve_rate(stored(tmp_path, rows))
    assert (point.value, point.n, point.distinct) == (0.5, 8, 4)
    assert point.ci95 is not None and point.ci95[1] - point.ci95[0] > 0.6  # four problems, not eight samples


def test_a_damaged_rollout_says_where(tmp_path: Path):
    with pytest.raises(DataError, match="not a rollout") as raised:
        stored(tmp_path, [rollout(1, True, 1.0), {"step": 2}])
    assert "row 2" in str(raised.value)


# ------------------------------------------------------------------------------------------------ sections and sentences


def term(name: str) -> dict[str, Any]:
    return {"use": {"name": name}, "weight": 1.0, "name": name}


def trained(path: Path, **fields: Any) -> RunOnDisk:
    run = RunOnDisk(path)
    run.stage(
        "rl",
        "rl",
        "base",
        config={"steps": 40, "reward": [term("correct")], **fields},
    )
    run.lines("rl/metrics.jsonl", [{"step": s, "pass_rate": 0.5} for s in (1, 2, 3)])
    return run


def page_of(run: RunOnDisk, **fields: Any) -> str:
    return write_report(run.finish(**fields)).read_text(encoding="utf-8")


def test_a_curriculum_does_not_pass_for_the_pool(tmp_path: Path):
    run = trained(tmp_path / "chosen")
    rows = [
        {"step": s, "pass_rate": 0.5, "pass_rate/drawn_uniformly": 0.1 * s, "curriculum/known": 0.9} for s in (1, 2, 3)
    ]
    run.lines("rl/metrics.jsonl", rows)
    page = page_of(run)
    assert "These are the problems that the curriculum chose" in page
    assert "Solve rate on problems drawn whatever their difficulty" in page
    plain = page_of(trained(tmp_path / "plain"))
    assert "the curriculum chose" not in plain and "whatever their difficulty" not in plain
    assert "Solve rate on training problems" in plain


def test_a_control_arm_is_named_by_what_sets_it_apart(tmp_path: Path):
    run = trained(tmp_path)
    run.stage(
        "arm",
        "rl",
        "base",
        control=True,
        config={"steps": 40, "reward": [term("random")]},
    )
    rates = {"base": [[False, False]] * 30, "rl": [[True, True]] * 30, "arm": [[True, True]] * 30}
    run.evaluation("eval", {name: (records(marks), []) for name, marks in rates.items()})
    report = build_report(run.finish())
    assert report.verdict == "learned"
    assert any("control arm arm (rl with reward random) did as well" in c for c in report.claim.caveats)
    page = (write_report(tmp_path)).read_text(encoding="utf-8")
    assert "That the reward taught it" not in page and "control arm, rl with reward random" in page


def test_an_arm_without_a_reward_does_not_show_that_the_reward_taught_it(tmp_path: Path):
    run = trained(tmp_path)
    run.stage("more", "sft", "base", control=True)
    run.evaluation("eval", {n: (records([[True, False]] * 30), []) for n in ("base", "rl", "more")})
    page = page_of(run)
    assert "That the reward taught it" in page and "more is no such arm" in page
    stages = {s.id: s for s in load_run(tmp_path).stages}
    assert differences_of(stages["more"], stages["rl"]) == "sft"


def test_sections_without_data_are_left_out_or_say_so(tmp_path: Path):
    page = page_of(trained(tmp_path))
    for absent in ("equal-cost", "difficulty", "audit-rl", "rollouts", "protocol", "data"):
        assert f'<section id="{absent}">' not in page
    assert "No gate reported" in page and "No drift benchmark was run" in page and "Nothing was evaluated" in page


def test_data_states_licences_and_the_gate_of_overlap(tmp_path: Path):
    run = trained(tmp_path)
    run.write("data/manifest.json", {"sources": [
        {"task": {"name": "sums", "length": 3}, "files": {"a.jsonl": "ff00"}, "problems": {"train": 9, "test": 4},
         "notices": ["two twins dropped"], "licence": "CC-BY-4.0"},
        {"task": {"name": "words"}, "files": {}, "problems": {"train": 9}, "notices": []},
    ]})  # fmt: skip
    gate = {"event": "gate", "gate": "data", "stage": "rl", "outcome": "passed", "reason": "few twins", "remedy": "",
            "numbers": {"shared_ngrams": 0.0125, "ci95": [0.1, 0.25]}}  # fmt: skip
    run.lines("rl/events.jsonl", [gate])
    page = page_of(run)
    data = page.split('<section id="data">')[1].split("</section>")[0]
    for shown in (
        "CC-BY-4.0",
        "not stated",
        "a.jsonl ff00",
        "two twins dropped",
        "shared ngrams 0.0125",
        "ci95 [0.1, 0.25]",
    ):
        assert shown in data, shown
    assert "was not measured" not in data
    pair = {"problems": 400, "trained_on": 9000, "looked_at": 2000, "verbatim": 0, "near_twins": None}
    run.lines("rl/events.jsonl", [{**gate, "numbers": {"test in train": pair}}])
    run.evaluation("eval", {n: (records([[True, False]] * 3), []) for n in ("base", "rl")})
    page = page_of(run)
    data = page.split('<section id="data">')[1].split("</section>")[0]
    assert "test in train" in data and "9,000" in data and "not looked for" in data
    assert "compared a part of the training problems" in page


def test_time_by_phase_and_what_asking_cost(tmp_path: Path):
    run = trained(tmp_path)
    times = {"time/step": 1.0, "time/source": 0.75, "time/train": 0.25, "time/generate": 0.5, "time/grade": 0.125}
    run.lines("rl/metrics.jsonl", [{"step": s, **times} for s in range(1, 11)])
    run.evaluation(
        "eval", {n: (records([[True]] * 3, tokens=11), records([[True]] * 3, tokens=5)) for n in ("base", "rl")}, k=1
    )
    path = run.finish()
    found = json.loads((write_report(path).with_name("report.json")).read_text(encoding="utf-8"))
    assert found["seconds_by_phase"]["rl"] == {
        "generate": 5.0, "grade": 1.25, "other work on data": 1.25, "train": 2.5, "between steps": 2.5,
    }  # fmt: skip
    assert found["evaluation_tokens"] == [
        {"evaluation": "eval", "model": m, "completions": 6, "tokens": 48} for m in ("base", "rl")
    ]


def test_a_timeline_has_a_row_for_each_rule_and_gate(tmp_path: Path):
    run = trained(tmp_path)
    events = [{"event": "health", "level": "warning", "rule": r, "name": n, "step": s, "holds": h, "message": "m"}
              for r, n, s, h in (("H1", "flat", 1, True), ("H1", "flat", 2, False), ("H3", "cut", 3, True))]  # fmt: skip
    events += [{"event": "gate", "gate": "support", "stage": "rl", "outcome": "warned", "reason": "r", "numbers": {}}]
    run.lines("rl/events.jsonl", events)
    page_of(run)
    svg = (tmp_path / "report" / "figures" / "rl-health.svg").read_text(encoding="utf-8")
    assert all(label in svg for label in ("H1 flat", "H3 cut", "gate support"))
    twin = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| H1 flat | warning | 1 | 2 |" in twin and "| H3 cut | warning | 3 | the end |" in twin
    assert "| gate support | warned | before the first |" in twin


def test_embedded_report_is_the_file(tmp_path: Path):
    run = trained(tmp_path)
    run.evaluation("eval", {n: (records([[True, False]] * 3), []) for n in ("base", "rl")})
    page = page_of(run, command="earnest run '</script><b>'", name="\u202e<!--")
    inside = page.split('<script type="application/json" id="report">')[1].split("</script>")[0]
    assert "<" not in inside
    assert json.loads(inside) == json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
