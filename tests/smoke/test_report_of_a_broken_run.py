"""The report of a run that did not end: killed for good in the middle of RL, refused by a gate, stopped by its user."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from report_runs import RunOnDisk

HERE = Path(__file__).parent

RECIPE = """
name: broken
threads: 1
model: {{name: tiny, width: 16, layers: 1, heads: 2}}
task: {{name: chain, length: 3, dev_size: 20, test_size: 40}}
stages:
  - {{stage: pretrain, id: base, steps: 6, batch_size: 8, lr: 2e-3}}
  - {{stage: rl, prompts_per_step: 4, group_size: 4, steps: 12, lr: 1e-3, max_tokens: 12, gates: {gates}, gate_problems: 10}}
  - {{stage: eval, problems: 20, k: 2, max_tokens: 12}}
  - report
"""


def road(tmp_path: Path, gates: str, *moment: object) -> tuple[int, Path]:
    recipe, run = tmp_path / "recipe.yaml", tmp_path / "run"
    recipe.write_text(RECIPE.format(gates=gates))
    command = [sys.executable, str(HERE / "small_road.py"), "run", str(recipe), str(run), *map(str, moment)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, run


def report(run: Path) -> tuple[dict[str, Any], str]:
    code = f"import sys; sys.argv = ['earnest', 'report', {str(run)!r}]\nfrom earnest.cli.main import main\nsys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip())
    return json.loads(page.with_name("report.json").read_text(encoding="utf-8")), page.read_text(encoding="utf-8")


def test_killed_in_the_middle_of_rl(tmp_path: Path):
    code, run = road(tmp_path, "[]", "generation", 5)
    assert code == -signal.SIGKILL and json.loads((run / "run.json").read_text())["status"] == "running"
    found, page = report(run)
    assert (found["status"], found["verdict"]) == ("killed", "not shown")
    assert [s["status"] for s in found["stages"]] == ["done", "killed", "not started", "not started"]
    assert "the run's status is killed" in found["verdict_sentence"]
    steps = len((run / "rl" / "metrics.jsonl").read_text().splitlines())
    assert steps == 4
    assert f"(status: killed), rl after step {steps} of 12" in found["caveats"][0] and found["caveats"][0] in page
    assert len(found["curves"]["rl"]["solve_rate"]) == steps and found["reward_audit"]["rl"]["rollouts"] == 16 * steps
    assert '<section id="curves-rl">' in page and '<section id="audit-rl">' in page
    for file in ("metrics.jsonl", "rollouts/rollouts.jsonl"):  # a line that was being written is no error
        with (run / "rl" / file).open("ab") as log:
            log.write(b'{"step": 5, "rew')
    assert report(run)[0]["reward_audit"] == found["reward_audit"]


def test_a_running_run_is_not_taken_for_a_killed_one(tmp_path: Path):
    from earnest.evaluate.report.build import build_report
    from earnest.runlog import RunDir

    run = RunOnDisk(tmp_path)
    run.stage("rl", "rl", "base", status="running")
    path = run.finish("running")
    held = RunDir.open(path)
    assert build_report(path).run.status == "running"
    held.close()
    assert build_report(path).run.status == "killed"


def test_refused(tmp_path: Path):
    code, run = road(tmp_path, "[support]")
    assert code == 3
    found, page = report(run)
    assert (found["status"], found["verdict"]) == ("refused", "no signal")
    assert "The support gate refused rl" in page and "✗ refused" in page and found["gates"][0]["remedy"] in page
    assert [s["status"] for s in found["stages"]] == ["done", "refused", "not started", "not started"]


def test_stopped(tmp_path: Path):
    code, run = road(tmp_path, "[]", "interrupt", 4)
    assert code == 130
    found, page = report(run)
    assert (found["status"], found["verdict"]) == ("interrupted", "not shown")
    assert "status: interrupted" in page and "base after step 4 of 6" in page
