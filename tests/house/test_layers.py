"""Imports go one way. Each rule is also shown to be able to fail, on a planted package."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.layers import LAYERS, violations

SRC = Path(__file__).parents[2] / "src"


def test_package_keeps_the_order():
    assert violations(SRC) == []


def test_every_layer_exists():
    parts = [part for layer in LAYERS for part in layer]
    missing = [p for p in parts if not (SRC / "earnest" / p).is_dir() and not (SRC / "earnest" / f"{p}.py").is_file()]
    assert missing == []


def plant(root: Path, where: str, code: str) -> list[str]:
    files = {
        "types.py": "",
        "functional/credit.py": "",
        "models/base.py": "",
        "prompts/base.py": "",
        "stages/sft.py": "",
    }
    for name, text in {**files, where: code}.items():
        file = root / "earnest" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    return violations(root)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("models/hf.py", "from earnest.stages.sft import Sft"),
        ("models/hf.py", "import earnest.stages.sft"),
        ("models/hf.py", "from earnest.stages import sft"),
        ("models/hf.py", "from earnest import stages"),
        ("models/hf.py", "from ..stages import sft"),
        ("models/hf.py", "from earnest import run"),
        ("models/hf.py", "def f():\n    from earnest.stages.sft import Sft"),
        ("models/hf.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from earnest.stages.sft import Sft"),
        ("models/hf.py", "import importlib\nx = importlib.import_module('earnest.stages.sft')"),
        ("models/hf.py", "from earnest.prompts.base import Prompt"),
        ("models/hf.py", "from earnest.engines.base import Engine"),
        ("models/hf.py", "from earnest.api import run"),
        ("functional/loss.py", "import transformers"),
        ("functional/loss.py", "from earnest.types import Step"),
        ("types.py", "import torch"),
        ("types.py", "from earnest.errors import EarnestError"),
        ("errors.py", "import pydantic"),
        ("component.py", "import earnest.functional.credit"),
        ("attic.py", "import json"),
    ],
)
def test_planted_violation_is_found(tmp_path: Path, where: str, code: str):
    found = plant(tmp_path, where, code)
    assert len(found) == 1 and found[0].startswith(f"earnest/{where}:"), found


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("engines/torch.py", "from earnest.models.base import Policy"),
        ("engines/torch.py", "import transformers"),
        ("models/hf.py", "from earnest.models.base import Model\nfrom . import base\nfrom earnest.types import Batch"),
        ("functional/loss.py", "import torch, math\nfrom scipy import stats\nfrom earnest.functional.credit import f"),
        ("types.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import Tensor"),
        ("component.py", "from earnest.errors import ConfigError\nimport pydantic"),
        ("cli/run.py", "def f():\n    from earnest import api"),
        ("__init__.py", "def __getattr__(name):\n    from earnest.api import run\n    return run"),
    ],
)
def test_allowed_import_is_not_found(tmp_path: Path, where: str, code: str):
    (tmp_path / "earnest").mkdir()
    (tmp_path / "earnest" / "api.py").touch()
    assert plant(tmp_path, where, code) == []
