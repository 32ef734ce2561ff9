"""`earnest compare`: what two checkpoints did on the same problems, and when they must not be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earnest.cli import main as cli
from earnest.data.store import to_json
from earnest.errors import ConfigError, DataError, RunDirError
from earnest.evaluate.versus.checkpoints import Versus, versus
from earnest.evaluate.versus.settings import run_settings
from earnest.evaluate.versus.sides import side
from earnest.evaluate.versus.text import lines
from earnest.types import Record, Sampling
from report_runs import Marks, RunOnDisk, records

A: Marks = [[False] * 4] * 10 + [[True, False, True, False]] * 6 + [[True] * 4] * 4
B: Marks = [[True] * 4] * 10 + [[True, False, True, False]] * 6 + [[True, True, True, False]] * 4


def a_run(path: Path, sampled: Marks, greedy: Marks = (), **protocol: Any) -> Path:
    disk = RunOnDisk(path)
    disk.stage("sft", "sft")
    disk.stage("rl", "rl", "sft")
    base = (records([[False] * 4] * len(sampled)), records([[False]] * len(sampled), greedy=True))
    final = (records(sampled, tokens=12), records(greedy, greedy=True))
    disk.evaluation("eval", {"base": base, "rl": final}, **protocol)
    return disk.finish()


@pytest.fixture
def found(tmp_path: Path) -> Versus:
    return versus(side(str(a_run(tmp_path / "a", A))), side(str(a_run(tmp_path / "b", B))))


def test_the_sentence_says_who_beats_whom_and_of_what_it_speaks(found: Versus):
    assert found.outcome == "B beats A"
    # A: (10*0 + 6*0.5 + 4*1) / 20 = 0.35; B: (10 + 3 + 3) / 20 = 0.8
    assert found.sentence.startswith(
        "B beats A: sampled pass rate 80.0 % against 35.0 % on the same 20 test problems, a paired difference of +45.0 ["
    )
    assert found.sentence.endswith("It speaks of these two checkpoints, not of the recipes that made them.")
    assert found.warnings == ()


def test_the_other_way_round_and_nothing_shown(tmp_path: Path):
    a, b = (side(str(a_run(tmp_path / name, marks))) for name, marks in (("a", A), ("b", B)))
    back = versus(b, a)
    assert back.outcome == "B is worse than A" and back.sentence.startswith("B is worse than A: sampled")
    assert back.comparisons[0].diff == pytest.approx(-0.45)
    same = versus(a, a)
    assert same.outcome == "not shown" and same.sentence.startswith("B is not shown to beat A: sampled")
    assert same.moved == () and same.settings == ()


def test_one_problem_claims_nothing(tmp_path: Path):
    a, b = a_run(tmp_path / "a", [[False]]), a_run(tmp_path / "b", [[True]])
    found = versus(side(str(a)), side(str(b)))
    assert found.outcome == "too few problems" and found.sentence.startswith("Nothing is claimed (too few problems")


def test_moved_problems_and_bands(found: Versus):
    assert [(m.problem, m.change) for m in found.moved[:2]] == [("p000", 1.0), ("p001", 1.0)]
    assert [(m.problem, m.a_right, m.b_right, m.b_n) for m in found.moved[10:]] == [
        (f"p{i:03}", 4, 3, 4) for i in range(16, 20)
    ]
    # A's samples 0 and 2 choose the band, 1 and 3 are its rate: [T, F, T, F] looks "always" and is never right there
    assert [(band.name, band.problems) for band in found.bands] == [("never", 10), ("always", 10)]
    assert [x for band in found.bands for x in (band.a, band.b)] == pytest.approx([0.0, 1.0, 0.4, 0.6])


def test_bands_of_a_coin_show_no_return_to_the_mean(tmp_path: Path):
    """Two models that guess alike: chosen by A's own samples, A would look worse than B where A was unlucky."""
    import random

    coin = random.Random(3)
    tosses = [[[coin.random() < 0.5 for _ in range(4)] for _ in range(400)] for _ in range(2)]
    sides = [side(str(a_run(tmp_path / str(i), marks))) for i, marks in enumerate(tosses)]
    for band in versus(*sides).bands:
        assert abs(band.a - 0.5) < 0.08 and abs(band.b - 0.5) < 0.08, band


def test_means_are_paired(found: Versus):
    means = {mean.name: mean for mean in found.means}
    assert set(means) == {"trace format", "cut", "tokens", "thought tokens"}
    assert (means["tokens"].a, means["tokens"].b, means["tokens"].diff) == (12, 12, 0)
    assert means["trace format"].share and means["trace format"].a == 1.0


def test_only_shared_problems_count_and_it_is_said(tmp_path: Path):
    a, b = a_run(tmp_path / "a", A, A), a_run(tmp_path / "b", B[:12], B[:12])
    found = versus(side(str(a)), side(str(b)))
    assert [c.n for c in found.comparisons] == [12, 12]
    assert found.statuses["sampled"][0].total == 48 and found.means[2].a == 12
    assert found.warnings == ("They share 12 problems of A's 20 and B's 12; only those count.",)


def rewrite(run: Path, change: Any, model: str = "rl") -> Path:
    for mode in ("sampled", "greedy"):
        file = run / "eval" / model / f"{mode}.jsonl"
        rows: Sequence[Record] = records(B, greedy=mode == "greedy")
        RunOnDisk(run).lines(str(file.relative_to(run)), [to_json(change(row)) for row in rows])
    return run


def test_what_cannot_be_compared_is_refused(tmp_path: Path):
    a = side(str(a_run(tmp_path / "a", A)))

    def other(name: str, change: Any = None, **protocol: Any) -> DataError:
        run = a_run(tmp_path / name, B, **protocol)
        with pytest.raises(DataError) as error:
            versus(a, side(str(rewrite(run, change) if change else run)))
        return error.value

    assert "verifier version 1 against 2" in other("graded", verifier_version="2").why
    assert "verifier number against string" in other("judged", verifier="string").why
    strangers = other("x", lambda r: replace(r, problem=replace(r.problem, id=r.problem.id + "x", task="gsm8k")))
    assert strangers.what == "they share no problem"
    assert strangers.why == "20 test problems of chain against 20 test problems of gsm8k"
    gold = other("gold", lambda r: replace(r, problem=replace(r.problem, answer="8")))
    assert gold.what == "the problem 'p000' is not the same on both sides"
    only_greedy = a_run(tmp_path / "greedy", [], B)
    with pytest.raises(DataError, match="no problem was graded in the same way"):
        versus(a, side(str(only_greedy)))


def test_what_makes_it_doubtful_stands_beside_it(tmp_path: Path):
    a = side(str(a_run(tmp_path / "a", A)))

    def warned(name: str, change: Any = None, **protocol: Any) -> str:
        run = a_run(tmp_path / name, B, **protocol)
        return " ".join(versus(a, side(str(rewrite(run, change) if change else run))).warnings)

    hot = warned("hot", lambda r: replace(r, sampling=Sampling(temperature=0.7)))
    assert (
        "not sampled alike (sampled): temperature 1, top-p 1, top-k 0, 256 tokens at most against temperature 0.7"
        in hot
    )
    assert "not asked alike: prompt.name" in warned("prompt", prompt={"name": "chat"})
    assert "not asked alike: template_hash" in warned("template", template_hash="cc")
    assert "training problems" in warned("train", lambda r: replace(r, split="train"))
    bare = tmp_path / "bare" / "eval" / "rl"
    RunOnDisk(bare).lines("sampled.jsonl", [to_json(r) for r in records(B)])
    assert "No protocol.json" in " ".join(versus(a, side(str(bare))).warnings)
    unfinished = RunOnDisk(tmp_path / "b2")
    run = a_run(unfinished.path, B)
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "status": "interrupted"}))
    assert versus(a, side(str(run))).warnings == ("B: the run did not finish (status: interrupted).",)


def test_drift_of_both(tmp_path: Path):
    skills = [{"name": "skills", "chance": None, "metric": "greedy"}]
    runs = [a_run(tmp_path / name, A, drift=skills) for name in "ab"]
    for run, marks in zip(runs, ([[True]] * 8, [[True]] * 4 + [[False]] * 4), strict=True):
        RunOnDisk(run).lines("eval/rl/drift_skills.jsonl", [to_json(r) for r in records(marks, greedy=True)])
    (row,) = versus(*(side(str(run)) for run in runs)).drift
    assert (row.base, row.value, row.diff, row.n, row.flagged) == (1.0, 0.5, -0.5, 8, True)
    other = a_run(tmp_path / "c", A, drift=[{**skills[0], "metric": "bits_per_byte"}])
    assert versus(side(str(runs[0])), side(str(other))).drift == ()


def test_sides(tmp_path: Path):
    run = a_run(tmp_path / "a", A)
    assert side(str(run)).model == "rl" and side(f"{run}:base").model == "base"
    folder = side(str(run / "eval" / "rl"))
    assert folder.run == run and folder.protocol["verifier"] == "number" and len(folder.records.sampled) == 80
    with pytest.raises(ConfigError) as error:
        side(f"{run}:rll")
    assert "did you mean 'rl'?" in error.value.remedy
    for typed, said in (
        (str(run / "eval"), "name one of its folders: base, rl"), (str(tmp_path / "no"), "earnest list runs"),
        (f"{tmp_path}/no:rl", "earnest list runs"),
    ):  # fmt: skip
        with pytest.raises(RunDirError) as missing:
            side(typed)
        assert said in missing.value.remedy


def test_settings_list_what_differs(tmp_path: Path):
    runs = [RunOnDisk(tmp_path / name) for name in "ab"]
    for run, lr, seed, stages in zip(runs, (3e-4, 1e-4), (0, 1), (["sft", "rl"], ["rl", "more"]), strict=True):
        run.stage("rl", "rl", depends_on={"package": "abc" * 9 + str(seed)})
        run.finish(seed=seed, versions={"torch": "2.13", "python": f"3.1{seed}"})
        recipe = {"name": "x", "seed": seed, "task": {"name": "chain", "length": 5}}
        recipe["stages"] = [{"id": id, "name": "rl", "lr": lr, "algorithm": {"name": "grpo"}} for id in stages]
        run.write("config/resolved.json", recipe)
        run.write("data/manifest.json", {"sources": [{"task": {"name": "chain"}, "files": {"a.jsonl": f"h{seed}"}}]})
        (run.path / "code" / "0123abcd").mkdir(parents=True)
        (run.path / "code" / "0123abcd" / "mine.py").write_text(f"x = {seed}")
    rows = {row.key: (row.a, row.b) for row in run_settings(*(run.path for run in runs))}
    code = rows.pop("code/mine.py")
    assert code[0] != code[1] and len(code[0] or "") == 12
    assert rows == {
        "stages": ("sft, rl", "rl, more"), "seed": ("0", "1"), "rl.lr": ("0.0003", "0.0001"),
        "versions.python": ("3.10", "3.11"), "data[0] chain.files.a.jsonl": ("h0", "h1"),
    }  # fmt: skip
    runs[1].stage("rl", "rl", depends_on={"package": "other"})
    assert any(row.key == "earnest's source" for row in run_settings(*(run.path for run in runs)))


def test_hostile_answers_do_not_reach_the_terminal(tmp_path: Path):
    a = a_run(tmp_path / "a", A)
    evil = "\x1b[2J\n\u202e" + "x" * 5000
    change = lambda r: replace(r, verdict=replace(r.verdict, extracted=evil))  # noqa: E731
    text = "\n".join(lines(versus(side(str(a)), side(str(rewrite(a_run(tmp_path / "b", B), change)))), 3))
    assert not [c for c in text if c != "\n" and not c.isprintable()]
    assert "⟨U+001B⟩[2J" in text and max(map(len, text.split("\n"))) < 400


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = a_run(tmp_path / "a", A), a_run(tmp_path / "b", B)
    assert cli.outcome(["compare", str(a), str(b)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("B beats A: ") and "more often right in B, the 5 that moved most of 10" in out
    assert cli.outcome(["compare", str(a), f"{b}:base", "--flips", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("B is worse than A: ") and "moved most" not in out
    assert cli.outcome(["compare", str(a), str(b), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["outcome"] == "B beats A" and said["comparisons"][0]["diff"] == pytest.approx(0.45)
    assert len(said["moved"]) == 14 and said["a"]["model"] == "rl"
    assert cli.outcome(["compare", str(a), str(tmp_path), "--flips", "-1"]) == 2
