"""The road: what is run again and what is not, and that nothing is thrown away because something changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earnest import api
from earnest.errors import RunDirError

RECIPE = """
name: small
threads: 1
model: {name: tiny, width: 16, layers: 1, heads: 2}
task: {name: chain, length: 3, dev_size: 20, test_size: 40}
stages:
  - {stage: pretrain, id: base, steps: 2, batch_size: 4, lr: 2e-3}
  - {stage: sft, batch_size: 4, steps: 2, lr: 2e-3}
  - {stage: sft, id: more, from: base, control: true, match_compute: sft, batch_size: 4, steps: 50, lr: 2e-3}
  - {stage: eval, problems: 10, k: 2, max_tokens: 4}
  - report
"""


def go(folder: Path, *sets: str) -> tuple[Path, str]:
    said: list[str] = []
    (folder / "recipe.yaml").write_text(RECIPE)
    result = api.run(folder / "recipe.yaml", sets=sets, runs=folder / "runs", command="earnest run", echo=said.append)
    return result.run_dir, "\n".join(said)


def note(run: Path, stage: str) -> dict[str, object]:
    return json.loads((run / stage / "stage.json").read_text())


def test_only_what_an_override_reaches_is_run_again(tmp_path: Path) -> None:
    first, _ = go(tmp_path)
    second, said = go(tmp_path, "sft.lr=1e-3")
    assert note(second, "base")["cached_from"] == first.name and "[base] unchanged" in said
    assert [note(second, s)["cached_from"] for s in ("sft", "more", "eval")] == [None, None, None]
    third, _ = go(tmp_path)
    assert [note(third, s)["cached_from"] for s in ("base", "sft", "more", "eval")] == [first.name] * 4
    same = [f"{s}/model/model.safetensors" for s in ("base", "sft")]
    assert all((first / name).read_bytes() == (third / name).read_bytes() for name in same)
    assert json.loads((third / "report" / "report.json").read_text())["models"].keys() == {"base", "sft", "more"}


def test_a_control_is_no_claim_and_spends_what_it_matches(tmp_path: Path) -> None:
    run, _ = go(tmp_path)
    report = json.loads((run / "report" / "report.json").read_text())
    claim = report["comparisons"][0]
    assert (claim["a"], claim["b"], claim["metric"]) == ("base", "sft", "sampled")
    spent, matched = note(run, "sft")["flops"], note(run, "more")["flops"]
    assert isinstance(spent, float) and isinstance(matched, float) and spent <= matched < 2 * spent


def test_a_stage_that_is_no_longer_the_same_is_not_continued_and_not_lost(tmp_path: Path) -> None:
    run, _ = go(tmp_path)
    file = run / "sft" / "stage.json"
    old = json.loads(file.read_text())
    file.write_text(
        json.dumps({**old, "status": "interrupted", "key": "x", "depends_on": {**old["depends_on"], "files": "x"}})
    )
    with pytest.raises(RunDirError, match="stage 'sft' cannot be continued: files changed"):
        api.resume(run, echo=lambda line: None)
    assert (run / "sft" / "model" / "model.safetensors").is_file()


def test_the_manifest_names_every_source_with_its_splits(tmp_path: Path) -> None:
    run, _ = go(tmp_path)
    sources = json.loads((run / "data" / "manifest.json").read_text())["sources"]
    assert {s["task"]["name"] for s in sources} == {"chain", "skills"}
    chain = next(s for s in sources if s["task"]["name"] == "chain")
    assert (chain["problems"]["dev"], chain["problems"]["test"]) == (20, 40)


def test_looks_at_the_same_problems_are_counted_across_runs(tmp_path: Path) -> None:
    go(tmp_path)
    run, _ = go(tmp_path, "sft.lr=1e-3")
    assert json.loads((run / "eval" / "protocol.json").read_text())["looks"] == 2
    other, _ = go(tmp_path, "eval.problems=12")
    assert json.loads((other / "eval" / "protocol.json").read_text())["looks"] == 1


GRADER = """
from earnest.types import Status, Verdict
from earnest.verifiers.base import Verifier


class Grader(Verifier):
    \"\"\"Pays what it is told to.\"\"\"

    def judge(self, items):
        return [PAY for _ in items]
"""
PAYS = "Verdict(status=Status.OK, correct=True, score=1.0)"
PAYS_NOT = "Verdict(status=Status.OK, correct=False, score=0.0)"
FAILS = 'Verdict(status=Status.ERROR, correct=None, score=None, reason="no gold today")'


def graded(folder: Path, verdict: str, name: str = "grader.py:Grader", stages: str = "") -> tuple[Path, str]:
    """Run the recipe with a grader of the user's own that says always the same."""
    (folder / "grader.py").write_text(GRADER.replace("PAY", verdict))
    recipe = stages if stages else RECIPE.replace("stages:", f"gates: []\nverifier: {name}\nstages:")
    (folder / "recipe.yaml").write_text(recipe)
    result = api.run(folder / "recipe.yaml", runs=folder / "runs", command="earnest run", echo=lambda line: None)
    return result.run_dir, result.sentence


def sampled(run: Path, model: str = "sft") -> float:
    report = json.loads((run / "report" / "report.json").read_text())
    return report["models"][model]["verifier_pass"]["sampled"]["value"]


def test_a_grader_that_was_edited_is_another_grader_even_in_the_same_process(tmp_path: Path) -> None:
    assert sampled(graded(tmp_path, PAYS_NOT)[0]) == 0.0
    assert sampled(graded(tmp_path, PAYS)[0]) == 1.0
    assert sampled(graded(tmp_path, PAYS_NOT)[0]) == 0.0


def test_what_verdicts_depend_on_of_this_machine_is_in_the_record(tmp_path: Path) -> None:
    conditions = '\n    def conditions(self):\n        return {"sandbox": "landlock"}\n'
    (tmp_path / "grader.py").write_text(GRADER.replace("PAY", PAYS) + conditions)
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("stages:", "gates: []\nverifier: grader.py:Grader\nstages:"))
    run = api.run(
        tmp_path / "recipe.yaml", runs=tmp_path / "runs", command="earnest run", echo=lambda line: None
    ).run_dir
    assert json.loads((run / "run.json").read_text())["machine"] == {
        "device": "cpu", "dtype": "float32", "threads": 1, "sandbox": "landlock",
    }  # fmt: skip
    assert "programs held by landlock" in (run / "report" / "index.html").read_text()


def test_code_of_a_plug_in_from_a_module_is_copied_and_in_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib
    import sys

    monkeypatch.syspath_prepend(str(tmp_path))
    run, _ = graded(tmp_path, PAYS_NOT, "grader:Grader")
    assert [p.name for p in (run / "code").glob("*/*")] == ["grader.py"]
    sys.modules.pop("grader")
    importlib.invalidate_caches()
    again, _ = graded(tmp_path, PAYS, "grader:Grader")
    assert note(again, "eval")["cached_from"] is None
    sys.modules.pop("grader")


def test_numbers_of_a_grader_that_fails_are_not_reported(tmp_path: Path) -> None:
    run, sentence = graded(tmp_path, FAILS)
    assert json.loads((run / "run.json").read_text())["status"] == "refused"
    assert "the grader failed on 20 of 20 completions" in sentence and "no gold today" in sentence


def test_text_that_drift_is_measured_on_is_in_the_key(tmp_path: Path) -> None:
    recipe = RECIPE.replace("max_tokens: 4}", "max_tokens: 4, drift: [{name: prose, text: prose.txt}]}")
    runs = []
    for text in ("one line\nanother line\n", "one line\nanother line\n", "quite another text\nand more\n"):
        (tmp_path / "prose.txt").write_text(text)
        runs.append(graded(tmp_path, PAYS, stages=recipe)[0])
    assert [note(run, "eval")["cached_from"] for run in runs] == [None, runs[0].name, None]


def test_a_torn_event_or_look_does_not_stop_what_comes_after(tmp_path: Path) -> None:
    run, _ = go(tmp_path)
    with open(run / "sft" / "events.jsonl", "a") as events, open(tmp_path / "runs" / "looks.jsonl", "a") as looks:
        events.write('{"time": 1, "lev')
        looks.write('{"split_ha')
    info = json.loads((run / "run.json").read_text())
    (run / "eval" / "stage.json").unlink()
    assert api.resume(run, echo=lambda line: None).status == "done"
    assert info["id"] == run.name and json.loads((run / "eval" / "protocol.json").read_text())["looks"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("eval.models=[sfft]", "did you mean 'sft'"),
        ("eval.drift=[{name: a, text: nowhere.txt}]", "no such text file"),
        ("eval.drift=[{name: a, task: skills}, {name: a, task: chain}]", "two drift measurements are named 'a'"),
    ],
)
def test_what_could_not_work_at_the_end_is_refused_at_the_beginning(tmp_path: Path, change: str, told: str) -> None:
    with pytest.raises(Exception, match=told):
        go(tmp_path, change)
    assert not (tmp_path / "runs").exists()
