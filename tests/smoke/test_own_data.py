"""docs/own_data.md as a user follows it: a file of 200 rows, a local model folder, the page's files, its commands as typed."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from earnest import api
from earnest.errors import DataError
from earnest.tasks.rows import read
from earnest.tasks.shapes import shape

PAGE = (Path(__file__).parents[2] / "docs" / "own_data.md").read_text(encoding="utf-8")
TEACH = """
name: teach
threads: 1
model: {name: tiny, width: 64, context: 128}
task: {name: jsonl, path: taught.jsonl}
verifier: string
gates: []
stages: [{stage: sft, steps: 200, lr: 4e-3, batch_size: 32}]
"""


def block(language: str, name: str = "") -> str:
    """The page's one code block of a language, or the file of a name."""
    before = f"`{re.escape(name)}`, complete:\n\n" if name else ""
    found = re.findall(rf"{before}^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, (language, name)
    return found[-1]


def rows(seed: int, count: int, right: float) -> str:
    """Rows like the page's: a model can learn where to look, and cannot know them by heart. right: share of right answers."""
    draw = random.Random(seed)

    def word() -> str:
        return "".join(draw.choice("aeiou" if i % 2 else "bdfgklmnprstvz") for i in range(5))

    found: list[dict[str, Any]] = []
    for _ in range(count):
        letter = draw.choice("cdhkqwxy")
        said = letter if draw.random() < right else draw.choice("cdhkqwxy")
        row = {"prompt": f"{word()} {word()} {letter}", "trace": f"it ends in {said}", "answer": said}
        found.append({**row, "level": draw.randint(1, 5)})
    return "".join(json.dumps(row) + "\n" for row in found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page says a user has: train.jsonl and ./model, which imitates answers of which three tenths are guesses."""
    path = tmp_path_factory.mktemp("mine")
    (path / "train.jsonl").write_text(rows(0, 200, right=1.0), encoding="utf-8")
    (path / "taught.jsonl").write_text(rows(1, 1200, right=0.7), encoding="utf-8")
    (path / "teach.yaml").write_text(TEACH, encoding="utf-8")
    taught = api.run(path / "teach.yaml", run_dir=path / "taught", echo=lambda line: None)
    shutil.move(taught.run_dir / "sft" / "model", path / "model")
    (path / "rewards.py").write_text(block("python", "rewards.py"), encoding="utf-8")
    (path / "recipe.yaml").write_text(block("yaml", "recipe.yaml"), encoding="utf-8")
    return path


def python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_the_pages_commands_run_as_typed(folder: Path) -> None:
    commands = block("sh").splitlines()
    assert commands[-1] == "earnest run recipe.yaml"
    for command in commands:
        done = python("from earnest.cli.main import main; main()", *command.split()[1:], cwd=folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    (run,) = (folder / "runs").glob("mine-*")
    report = json.loads((run / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] in ("learned", "not shown", "regressed")
    assert any("another reward" in line and "correct 1, brevity 0.1" in line for line in report["caveats"])
    assert [f.read_text() for f in (run / "code").glob("*/rewards.py")] == [block("python", "rewards.py")]
    protocol = json.loads((run / "eval" / "protocol.json").read_text(encoding="utf-8"))
    assert protocol["verifier"].startswith("exact (rewards.py, ")
    check_rewards([json.loads(line) for line in (run / "rl" / "rollouts" / "rollouts.jsonl").read_text().splitlines()])
    steps = [json.loads(line) for line in (run / "rl" / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 5 and all(row["reward/missing"] == 0 and row["rewards/brevity/mean"] > 0 for row in steps)


def check_rewards(records: list[dict[str, Any]]) -> None:
    """Every reward by the page's rules, from the texts alone."""
    assert len(records) == 5 * 64 and any(r["verdict"]["correct"] for r in records)
    assert {r["reward_parts"]["brevity"] is None for r in records} == {True, False}
    for r in records:
        text = "<think>" + r["text"]  # the template opens the thought
        right = r["finish"] == "stop" and r["answer_text"] is not None and r["answer_text"] == r["problem"]["answer"]
        hard = r["problem"]["meta"]["level"] > 3
        short = None if hard else max(0.0, 1 - len(text) / 200)
        if r["finish"] == "stop":
            assert r["reward_parts"] == {"correct": float(right), "brevity": short}, r
        assert r["reward"] == r["reward_parts"]["correct"] + 0.1 * (short or 0.0), r


def test_the_pages_way_to_try_a_function(folder: Path) -> None:
    tries = [
        code for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "verify(" in code
    ]
    done = python(tries[0], cwd=folder)
    said = [line.split(" ")[:2] for line in done.stdout.splitlines()]
    assert said == [["ok", "True"], ["ok", "False"], ["ok", "False"], ["no_answer", "False"]], done.stderr


def test_what_the_page_says_of_rows_that_cannot_be_read(tmp_path: Path) -> None:
    table = re.findall(r"^\| `(\{.*?|\".*?\")` \| (.+?) \|$", PAGE.partition("what is said")[2], re.MULTILINE)
    assert len(table) == 8
    for row, said in table:
        (tmp_path / "rows.jsonl").write_text(row + "\n")
        with pytest.raises(DataError) as caught:
            for line in read(str(tmp_path / "rows.jsonl")):
                shape(line)
        assert said in str(caught.value) and "rows.jsonl:1" in caught.value.where


def test_a_function_that_fails_too_often_stops_the_run_with_its_traceback(folder: Path, tmp_path: Path) -> None:
    for name in ("train.jsonl", "recipe.yaml"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "model").symlink_to(folder / "model")
    broken = block("python", "rewards.py").replace("max(0.0, 1 - len(text) / 200)", "1 / (len(text) - len(text))")
    (tmp_path / "rewards.py").write_text(broken, encoding="utf-8")
    told: list[str] = []
    result = api.run(tmp_path / "recipe.yaml", sets=["sft.steps=1"], run_dir=tmp_path / "run", echo=told.append)
    assert (result.status, result.exit_code) == ("refused", 3)
    text = "\n".join(told)
    assert "of the rollouts of step 1 have no reward" in text and "reward term 'brevity': brevity (rewards.py, " in text
    assert "ZeroDivisionError" in text and f'File "{tmp_path / "rewards.py"}", line 9, in ' in text
    assert "/sandbox/" not in text and "  question:   " in text
    events = [json.loads(line) for line in (tmp_path / "run" / "rl" / "events.jsonl").read_text().splitlines()]
    assert sum(e["event"] == "grading_failed" for e in events) == 1
