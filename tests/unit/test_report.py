"""The report: its numbers against an independent recount of the records, its verdicts, and runs that did not finish."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earnest.errors import DataError, RunDirError
from earnest.evaluate.claim import decide
from earnest.evaluate.report.build import build_report
from earnest.evaluate.report.write import write_report
from earnest.types import Status
from report_runs import RunOnDisk, record, records

LIVE = [{"step": 1, "pass_rate": 0.3, "frac_reward_zero_std": 0.25}, {"step": 2, "frac_reward_zero_std": 1.0}]


def marks(share: float, problems: int = 60, k: int = 4, seed: int = 0) -> list[list[bool]]:
    return (np.random.default_rng([seed, round(1000 * share)]).random((problems, k)) < share).tolist()


def evaluated(rate: float, greedy: float, **fields: Any):
    return records(marks(rate), **fields), records(marks(greedy, k=1), greedy=True, **fields)


def road(path: Path, *, base: float, sft: float, rl: float, metrics: Any = None, **protocol: Any) -> RunOnDisk:
    run = RunOnDisk(path)
    run.stage("sft", "sft", "base", steps=10, trained_tokens=1000, flops=2e9)
    run.stage("rl", "rl", "sft", steps=2, config={"algorithm": {"name": "grpo"}})
    run.lines("rl/metrics.jsonl", LIVE if metrics is None else metrics)
    models = {"base": evaluated(base, base), "sft": evaluated(sft, sft), "rl": evaluated(rl, rl, tokens=21)}
    run.evaluation("eval", models, k=4, problems=60, **protocol)
    return run


def read(run_dir: Path) -> dict[str, Any]:
    write_report(run_dir)
    return json.loads((run_dir / "report" / "report.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------ numbers


def test_numbers_equal_a_recount_of_the_files(tmp_path: Path):
    """Nothing of the package between the stored lines and these sums."""
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    broken = [record("p000", i, None, reason="crash") for i in range(4)]
    cut = [record("p001", i, False, status=Status.TRUNCATED, well_formed=False) for i in range(4)]
    rl = broken + cut + records(marks(0.7))[8:]
    run.lines("eval/rl/sampled.jsonl", [json.loads(line) for line in lines(rl)])
    found = read(run.finish())

    rows = [json.loads(line) for line in (tmp_path / "eval/rl/sampled.jsonl").read_text().splitlines()]
    by_problem: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row["verdict"]["status"] != "error":
            by_problem[row["problem"]["id"]].append(row["verdict"]["correct"])
    means = [sum(r) / len(r) for r in by_problem.values()]
    sampled = found["models"]["rl"]["verifier_pass"]["sampled"]
    assert sampled["value"] == pytest.approx(sum(means) / len(means), abs=1e-12)
    assert (sampled["n"], sampled["distinct"]) == (59 * 4, 59)
    at_k = found["models"]["rl"]["verifier_pass"]["pass_at_k"]
    assert at_k["k"] == 4 and at_k["value"] == pytest.approx(sum(map(any, by_problem.values())) / 59, abs=1e-12)
    form = found["models"]["rl"]["trace_format"]
    assert form["value"] == pytest.approx(sum(r["well_formed"] for r in rows) / len(rows)) and form["n"] == 240
    assert found["models"]["rl"]["tokens_mean"]["value"] == pytest.approx(sum(r["tokens"] for r in rows) / len(rows))
    assert found["models"]["rl"]["truncated"]["value"] == pytest.approx(4 / 240)
    right = sum(r["verdict"]["correct"] is True for r in rows)
    counts = {"correct": right, "ok": 232, "no_answer": 0, "truncated": 4, "limit": 0, "error": 4}
    assert found["models"]["rl"]["statuses"]["sampled"] == found["statuses"]["rl"]["sampled"] == counts
    claim = next(c for c in found["comparisons"] if c["role"] == "claim" and c["metric"] == "sampled")
    before = {f"p{i:03}": sum(row) / 4 for i, row in enumerate(marks(0.3))}
    differences = [sum(r) / len(r) - before[p] for p, r in by_problem.items()]
    assert claim["diff"] == pytest.approx(sum(differences) / 59, abs=1e-12)
    assert (claim["a"], claim["b"], claim["n"], claim["errors"], claim["unmatched"]) == ("sft", "rl", 59, 4, 1)
    assert claim["flips"] == {
        "gained": sum(d > 0 for d in differences),
        "lost": sum(d < 0 for d in differences),
        "same": sum(d == 0 for d in differences),
    }
    assert found["headline"]["verifier_pass"]["value"] == sampled["value"]
    assert found["headline"]["verifier_pass"]["base"] == found["models"]["base"]["verifier_pass"]["sampled"]


def test_report_json_has_what_readers_rely_on(tmp_path: Path):
    found = read(road(tmp_path, base=0.1, sft=0.3, rl=0.7).finish())
    assert set(found["headline"]) >= {"verifier_pass", "substrate_drift", "trace_format"}
    assert found["headline"]["substrate_drift"] is None
    for shape in found["models"]["rl"]["verifier_pass"].values():
        assert set(shape) - {"k"} == {"value", "n", "distinct", "ci95"} and len(shape["ci95"]) == 2
    assert {(c["a"], c["b"], c["metric"]) for c in found["comparisons"]} == {
        (a, b, m) for a, b in (("sft", "rl"), ("base", "rl"), ("base", "sft")) for m in ("sampled", "greedy")
    }
    assert (found["schema"], found["seed"], found["wall_s"]) == (1, 0, 42.0)
    assert found["command"] == "earnest run recipe.yaml" and found["protocol"]["split_hash"] == "bb"
    assert [s["id"] for s in found["stages"]] == ["sft", "rl", "eval"]


def test_same_directory_same_bytes(tmp_path: Path):
    path = road(tmp_path, base=0.1, sft=0.3, rl=0.7).finish()
    write_report(path)
    first = {p: p.read_bytes() for p in (path / "report").rglob("*") if p.is_file()}
    write_report(path)
    assert {p: p.read_bytes() for p in (path / "report").rglob("*") if p.is_file()} == first
    assert len([p for p in first if p.suffix == ".svg"]) >= 3


def test_a_sample_recorded_twice_is_an_error(tmp_path: Path):
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    run.lines("eval/rl/sampled.jsonl", [json.loads(line) for line in lines([record("p1", 0, True)] * 2)])
    with pytest.raises(DataError, match="twice"):
        build_report(run.finish())


# ------------------------------------------------------------------------------------------------ verdicts


def test_learned(tmp_path: Path):
    report = build_report(road(tmp_path, base=0.1, sft=0.3, rl=0.7).finish())
    assert report.verdict == "learned"
    assert "This checkpoint (rl) beats that one (sft" in report.verdict_sentence
    assert "not the noise of training" in report.verdict_sentence and "one seed (0)" in report.verdict_sentence


def test_regressed(tmp_path: Path):
    assert build_report(road(tmp_path, base=0.1, sft=0.7, rl=0.3).finish()).verdict == "regressed"


def test_not_shown_although_far_above_the_base(tmp_path: Path):
    """The verdict is about the last stage, whatever the road before it gained."""
    report = build_report(road(tmp_path, base=0.1, sft=0.7, rl=0.7).finish())
    assert report.verdict == "not shown"
    assert report.main is not None
    overall = next(r.comparison for r in report.main.compared if r.role == "overall")
    assert overall.ci95 is not None and overall.ci95[0] > 0.3


def test_no_signal_without_one_live_group(tmp_path: Path):
    dead = [{"step": s, "frac_reward_zero_std": 1.0, "groups/mixed": 0.0} for s in (1, 2, 3)]
    report = build_report(road(tmp_path, base=0.1, sft=0.3, rl=0.7, metrics=dead).finish())
    assert report.verdict == "no signal" and "3 steps" in report.verdict_sentence


def test_a_run_that_was_cut_short_may_yet_have_had_a_signal(tmp_path: Path):
    run = RunOnDisk(tmp_path)
    run.stage("rl", "rl", "base", status="interrupted")
    run.lines("rl/metrics.jsonl", [{"step": 1, "frac_reward_zero_std": 1.0}])
    assert build_report(run.finish("interrupted")).verdict == "not shown"


def gate(outcome: str, stage: str = "rl", name: str = "support") -> dict[str, Any]:
    return {
        "time": 1, "level": "warning", "event": "gate", "message": "m", "gate": name, "stage": stage,
        "outcome": outcome, "reason": "every prompt failed all 8 tries", "remedy": "easier prompts", "numbers": {"mixed": 0},
    }  # fmt: skip


def refused(path: Path, events: list[dict[str, Any]]) -> RunOnDisk:
    run = RunOnDisk(path)
    run.stage("sft", "sft", "base")
    run.stage("rl", "rl", "sft", status="refused")
    run.lines("rl/events.jsonl", events)
    run.stages += ["eval", "report"]
    return run


def test_no_signal_after_a_refused_support_gate(tmp_path: Path):
    path = refused(tmp_path, [gate("refused")]).finish("refused")
    found = read(path)
    assert found["verdict"] == "no signal" and "every prompt failed" in found["verdict_sentence"]
    assert found["gates"][0]["remedy"] == "easier prompts" and not found["gates"][0]["allowed"]
    assert "refused" in (path / "report/index.html").read_text()


def test_an_overridden_gate_is_said_and_does_not_decide(tmp_path: Path):
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    run.lines("rl/events.jsonl", [gate("refused")])
    report = build_report(run.finish(allowed=["support"]))
    assert report.verdict == "learned" and any("overridden" in c for c in report.claim.caveats)


def test_the_last_answer_of_a_gate_counts(tmp_path: Path):
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    run.lines("rl/events.jsonl", [gate("refused"), gate("passed")])
    assert build_report(run.finish()).verdict == "learned"


def test_another_refused_gate_is_no_claim(tmp_path: Path):
    report = build_report(refused(tmp_path, [gate("refused", name="template")]).finish("refused"))
    assert report.verdict == "not shown" and "template gate refused" in report.verdict_sentence


@pytest.mark.parametrize(
    ("protocol", "words"), [({"verifier": None}, "No verifiable claim"), ({"split": "train"}, "No held-out claim")]
)
def test_what_supports_no_claim(tmp_path: Path, protocol: dict[str, Any], words: str):
    report = build_report(road(tmp_path, base=0.1, sft=0.3, rl=0.7, **protocol).finish())
    assert report.verdict == "not shown" and words in report.verdict_sentence


@pytest.mark.parametrize(
    ("ci95", "verdict"),
    [((0.01, 0.2), "learned"), ((0.0, 0.2), "not shown"), ((-0.2, 0.0), "not shown"), ((-0.2, -0.01), "regressed")],
)
def test_rule(ci95: tuple[float, float], verdict: str):
    assert decide(ci95) == verdict


def test_control_arm_stands_beside_and_takes_the_credit_away(tmp_path: Path):
    run = RunOnDisk(tmp_path)
    run.stage("sft", "sft", "base")
    run.stage("rl", "rl", "sft")
    run.stage("random", "rl", "sft", control=True)
    run.lines("random/metrics.jsonl", [{"step": 1, "frac_reward_zero_std": 1.0}])
    rates = {"base": 0.1, "sft": 0.3, "rl": 0.7, "random": 0.7}
    run.evaluation("eval", {name: evaluated(rate, rate) for name, rate in rates.items()}, k=4)
    report = build_report(run.finish())
    assert (report.verdict, report.final) == ("learned", "rl")
    assert report.main is not None
    assert {(r.comparison.a, r.comparison.b) for r in report.main.compared if r.role == "control"} == {("random", "rl")}
    assert any("control arm random (rl with the same settings) did as well" in c for c in report.claim.caveats)


def test_an_earlier_checkpoint_that_did_as_well_is_named(tmp_path: Path):
    run = RunOnDisk(tmp_path)
    for name, kind, start in (("worked", "sft", "base"), ("mix", "sft", "worked"), ("rl", "rl", "mix")):
        run.stage(name, kind, start)
    rates = {"base": 0.1, "worked": 0.8, "mix": 0.3, "rl": 0.8}
    run.evaluation("eval", {name: evaluated(rate, rate) for name, rate in rates.items()}, k=4)
    report = build_report(run.finish())
    assert report.verdict == "learned"
    assert [c for c in report.claim.caveats if "An earlier checkpoint of this run, worked, did as well" in c]
    assert not [c for c in report.claim.caveats if "mix, did as well" in c]


def test_the_test_split_decides_not_the_last_evaluation(tmp_path: Path):
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    run.evaluation("dev", {n: evaluated(0.5, 0.5) for n in ("sft", "rl")}, split="dev")
    found = read(run.finish())
    assert (found["verdict"], found["evaluation"]) == ("learned", "eval")
    assert set(found["other_evaluations"]) == {"dev"}


# ------------------------------------------------------------------------------------------------ unfinished runs


def test_killed_in_training(tmp_path: Path):
    run = RunOnDisk(tmp_path)
    run.stage("sft", "sft", "base")
    run.lines("sft/metrics.jsonl", [{"step": s, "loss": 1 / s} for s in range(1, 4)])
    run.stage("rl", "rl", "sft", status="running")
    run.lines("rl/metrics.jsonl", LIVE)
    with (tmp_path / "rl/metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "rew')
    run.stages += ["eval"]
    found = read(run.finish("interrupted"))
    assert found["verdict"] == "not shown" and "interrupted" in found["verdict_sentence"]
    assert "did not finish" in found["caveats"][0]
    assert [s["status"] for s in found["stages"]] == ["done", "running", "not started"]
    assert "did not finish" in (tmp_path / "report/index.html").read_text()
    assert found["headline"]["verifier_pass"] is None


def test_killed_before_the_last_model_was_evaluated(tmp_path: Path):
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    for file in (tmp_path / "eval/rl").iterdir():
        file.unlink()
    (tmp_path / "eval/rl").rmdir()
    report = build_report(run.finish("failed"))
    assert report.verdict == "not shown" and "not both evaluated" in report.verdict_sentence


def test_nothing_but_a_header(tmp_path: Path):
    found = read(RunOnDisk(tmp_path, stages=["sft", "report"]).finish("failed"))
    assert found["verdict"] == "not shown" and found["models"] == {}


def test_a_run_writes_its_own_report_before_it_is_done(tmp_path: Path):
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    run.stage("report", "report", status="running", policy=False)
    assert build_report(run.finish("running")).claim.caveats == ()


def test_not_a_run(tmp_path: Path):
    with pytest.raises(RunDirError):
        build_report(tmp_path)


# ------------------------------------------------------------------------------------------------ drift


def with_drift(path: Path, base: float, rl: float, chance: float | None) -> RunOnDisk:
    run = road(path, base=0.1, sft=0.3, rl=0.7, drift=[
        {"name": "skill", "chance": chance, "metric": "greedy"}, {"name": "text", "chance": None, "metric": "bits_per_byte"},
    ])  # fmt: skip
    for name, rate in (("base", base), ("rl", rl)):
        run.lines(f"eval/{name}/drift_skill.jsonl", [json.loads(x) for x in lines(records(marks(rate, 200, 1)))])
        worse = 1.0 if name == "base" else 1.01
        rows = [{"id": str(i), "bits": (800 + 10 * i) * worse, "bytes": 1000} for i in range(20)]
        run.lines(f"eval/{name}/drift_text.bytes.jsonl", rows)
    return run


def test_drift_is_found_and_flagged(tmp_path: Path):
    found = read(with_drift(tmp_path, 0.8, 0.6, 0.1).finish())
    skill, text = found["drift"]
    shares = [np.mean(marks(rate, 200, 1)) for rate in (0.8, 0.6)]
    assert skill["diff"] == pytest.approx(shares[1] - shares[0]) and skill["ci95"][1] < 0
    assert skill["can_show"] and skill["flagged"]
    assert text["diff"] == pytest.approx(0.01) and text["lower_is_better"] and not text["flagged"]
    assert text["base_value"] == pytest.approx(sum(800 + 10 * i for i in range(20)) / 20_000)
    assert found["headline"]["substrate_drift"]["name"] == "skill"


@pytest.mark.parametrize(("base", "chance"), [(0.5, 0.46), (0.0, None), (0.3, 0.5)])
def test_a_base_at_chance_cannot_show_drift(tmp_path: Path, base: float, chance: float | None):
    path = with_drift(tmp_path, base, 0.1, chance).finish()
    found = read(path)
    assert not found["drift"][0]["can_show"] and not found["drift"][0]["flagged"]
    assert "cannot show drift" in (path / "report/index.html").read_text()
    assert "cannot show drift" in (path / "report/report.md").read_text()


def test_a_loss_without_spread_is_flagged(tmp_path: Path):
    run = with_drift(tmp_path, 0.8, 0.8, 0.1)
    run.lines("eval/rl/drift_skill.jsonl", [json.loads(x) for x in lines(records([[False]] * 200))])
    run.lines("eval/base/drift_skill.jsonl", [json.loads(x) for x in lines(records([[True]] * 200))])
    assert read(run.finish())["drift"][0]["flagged"]


def with_choices(path: Path, base: Sequence[bool], rl: Sequence[bool], metric: str = "acc", cut: int = 0) -> RunOnDisk:
    """Items of two and of three choices in turn: chance is (1/2 + 1/3) / 2. By `acc` item i is right where its mark is true; the
    first choice is so long that acc_norm always takes it."""
    run = road(path, base=0.1, sft=0.3, rl=0.7, drift=[{"name": "quiz", "chance": None, "metric": metric}])
    for name, marks in (("base", base), ("rl", rl)):
        run.lines(f"eval/{name}/drift_quiz.choices.jsonl", [
            {
                "id": str(i), "logps": [-9.0, -2.0, -9.5][: 2 + i % 2], "chars": [90, 1, 1][: 2 + i % 2],
                "gold": int(right), "cut": cut if i == 0 and name == "rl" else 0, "acc": None, "acc_norm": None,
            }
            for i, right in enumerate(marks)
        ])  # fmt: skip
    return run


def test_multiple_choice_is_paired_and_knows_its_chance(tmp_path: Path):
    """100 items, 80 right before, of which 10 are lost and none gained; accuracies are made from the log-likelihoods."""
    path = with_choices(tmp_path, [True] * 80 + [False] * 20, [True] * 70 + [False] * 30, cut=3).finish()
    (quiz,) = read(path)["drift"]
    assert (quiz["base_value"], quiz["value"], quiz["n"], quiz["model"]) == (0.8, 0.7, 100, "rl")
    assert quiz["chance"] == pytest.approx(5 / 12) and quiz["cut"] == 1
    m, spread = -10 / 102, 12 / 102  # Bonett and Price: one imaginary item gained, one lost
    half = 1.984217 * ((spread - m**2) / 102) ** 0.5
    assert quiz["ci95"] == pytest.approx([m - half, m + half], abs=1e-6) and quiz["diff"] == pytest.approx(-0.1)
    assert quiz["p_value"] == pytest.approx(2 / 2**10) and quiz["can_show"] and quiz["flagged"]
    page = (path / "report/index.html").read_text()
    assert "acc, % (chance 41.7)" in page and "1 without the beginning of their context" in page


def test_the_metric_decides_what_is_right(tmp_path: Path):
    """Per character the long first choice wins, so the marks turn round."""
    (quiz,) = read(with_choices(tmp_path, [True] * 30 + [False] * 70, [False] * 100, metric="acc_norm").finish())[
        "drift"
    ]
    assert (quiz["base_value"], quiz["value"]) == (0.7, 1.0)


def test_multiple_choice_at_chance_cannot_show_drift(tmp_path: Path):
    """45 of 100, [36, 55] %, where guessing gives 41.7 %: all of them lost, and still not flagged."""
    path = with_choices(tmp_path, [True] * 45 + [False] * 55, [False] * 100).finish()
    (quiz,) = read(path)["drift"]
    assert not quiz["can_show"] and not quiz["flagged"]
    assert "cannot show drift" in (path / "report/report.md").read_text()


@pytest.mark.parametrize(
    "change", [{"chars": [1]}, {"gold": 2}, {"chars": [0, 1]}, {"logps": "ab"}, {"id": None, "cut": None}]
)
def test_a_damaged_row_is_named(tmp_path: Path, change: dict[str, Any]):
    run = with_choices(tmp_path, [True], [True])
    good = {"id": "0", "logps": [-1.0, -2.0], "chars": [1, 1], "gold": 0, "cut": 0}
    run.lines("eval/rl/drift_quiz.choices.jsonl", [good, good | change])
    with pytest.raises(DataError) as error:
        read(run.finish())
    assert error.value.where.endswith("rl/drift_quiz.choices.jsonl:2")


def lines(rows: Any) -> list[str]:
    from earnest.data.store import dump_line, to_json

    return [dump_line(to_json(row)) for row in rows]


def test_curves_average_neighbours_and_keep_their_table(tmp_path: Path):
    from earnest.evaluate.report.curves import points

    rows = [{"step": s, "loss": float(s)} for s in range(1, 121)] + [{"step": 121, "loss": None}, {"step": 122}]
    found = points(rows, lambda row: row.get("loss"))
    assert [(p.first, p.last, p.value) for p in found[:2]] == [(1, 3, 2.0), (4, 6, 5.0)] and len(found) == 40
    assert math.isclose(sum(p.value for p in found) / 40, 60.5)


def test_a_health_rules_spell_is_told_once_though_its_steps_were_taken_twice(tmp_path: Path) -> None:
    def event(rule: str, step: int, holds: bool) -> dict[str, Any]:
        return {
            "event": "health",
            "level": "warning",
            "rule": rule,
            "name": "n",
            "step": step,
            "holds": holds,
            "message": "m",
        }

    before_the_crash = [event("H3", 7, True), event("H1", 9, True), event("H3", 12, False)]
    path = refused(tmp_path, [*before_the_crash, *before_the_crash[1:], event("H3", 20, True)]).finish("refused")
    told = [(s["stage"], s["rule"], s["first"], s["last"]) for s in read(path)["health"]]
    assert told == [("rl", "H3", 7, 12), ("rl", "H1", 9, None), ("rl", "H3", 20, None)]


def test_an_end_that_is_told_again_after_a_crash_does_not_end_the_next_spell(tmp_path: Path) -> None:
    def event(step: int, holds: bool) -> dict[str, Any]:
        return {
            "event": "health",
            "level": "error",
            "rule": "H9",
            "name": "n",
            "step": step,
            "holds": holds,
            "message": "m",
        }

    events = [event(10, True), event(28, False), event(45, True), event(28, False), event(45, True)]
    path = refused(tmp_path, events).finish("refused")
    assert [(s["first"], s["last"]) for s in read(path)["health"]] == [(10, 28), (45, None)]


def test_what_the_grader_paid_for_stands_beside_the_scores(tmp_path: Path) -> None:
    run = road(tmp_path, base=0.1, sft=0.3, rl=0.7)
    untried = Path(write_report(run.finish())).read_text(encoding="utf-8")
    assert "The grader was not tried out on right and wrong answers in this run." in untried
    numbers = {"golds": 100, "golds_not_paid": 2, "near_misses": 900, "attacks": 330, "false_passes": 3}
    run.lines("events.jsonl", [
        {"event": "gate", "gate": "verifier", "stage": "run", "outcome": "refused", "reason": "r", "numbers": numbers}
    ])  # fmt: skip
    told = Path(write_report(run.finish())).read_text(encoding="utf-8")
    assert "the grader paid 3 of 1,230 wrong answers (near misses and attacks) and 98 of 100 right ones" in told
