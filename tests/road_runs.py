"""Runs of a recipe in a process of their own, through smoke/small_road.py, and what a stage of one leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).parent / "smoke" / "small_road.py"


def road(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`road("run", recipe, folder, moment, count)`: see small_road.py."""
    command = [sys.executable, str(DRIVER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def left_behind(stage: Path) -> dict[str, object]:
    """Everything in a stage's folder that a clock does not tell."""
    metrics = [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows(stage / "metrics.jsonl")]
    files = [*(stage / "rollouts").glob("*"), stage / "model" / "model.safetensors"]
    return {"metrics": metrics, **{file.name: file.read_bytes() for file in files}}
