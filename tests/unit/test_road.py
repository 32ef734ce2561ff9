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
