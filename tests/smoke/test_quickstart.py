"""docs/quickstart.md as a newcomer follows it: every command of its `sh` blocks, as typed, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"


def test_the_quickstart_runs_as_typed(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 13 and all(line.startswith("earnest ") for line in commands)
    said: dict[str, str] = {}
    for line in commands:
        done = subprocess.run(
            [sys.executable, "-c", "from earnest.cli.main import main; main()", *shlex.split(line)[1:]], cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        said[line] = done.stdout
    report = json.loads((tmp_path / "first" / "run" / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "learned"
    assert {g["gate"] for g in report["gates"]} == {"template", "verifier", "data", "support", "learning", "claim"}
    assert "of 8 right" in said["earnest rollouts first/run --group --step 1 -n 1"]
    assert said["earnest compare first/run:sft first/run:rl"].startswith("B beats A")
    slower = said["earnest compare first/run first/slower"]
    assert "rl.lr" in slower and "rl.steps" in slower
