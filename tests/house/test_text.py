"""No file of the repository names a folder of one machine or the host of a package registry."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FOLDERS = (
    "wo" + "rk",
    "fa" + "rm",
    "ro" + "ot",
    "op" + "t/pypi",
    "op" + "t/wheels",
    "ho" + "me/[a-z]+",
    "Us" + "ers/[A-Za-z]+",
)
HOSTS = (
    "pypi" + r"\.org",
    "pythonhosted" + r"\.org",
    "download" + r"\.pytorch\.org",
    "npmjs" + r"\.org",
    "registry" + r"\.[a-z]+",
)
FORBIDDEN = re.compile(rf"(?<![\w.}}*])/(?:{'|'.join(FOLDERS)})(?:/|\b)|(?:{'|'.join(HOSTS)})\b", re.MULTILINE)


def repository_files() -> list[Path]:
    """Tracked files and new ones that are not ignored; every file where there is no git (an unpacked archive)."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    skip = {".venv", "runs", "models", "dist", ".git", "__pycache__"}
    return [p for p in ROOT.rglob("*") if p.is_file() and p.relative_to(ROOT).parts[0] not in skip]


def findings(text: str) -> list[str]:
    return [f"line {text.count(chr(10), 0, m.start()) + 1}: {m.group()}" for m in FORBIDDEN.finditer(text)]


def test_no_machine_paths_or_registry_hosts():
    files = repository_files()
    assert ROOT / "pyproject.toml" in files
    found = {}
    for file in files:
        try:
            hits = findings(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
        if hits:
            found[str(file.relative_to(ROOT))] = hits
    assert found == {}


@pytest.mark.parametrize(
    "text", ["see /wo" + "rk/main", "'/fa" + "rm/in'", "cache: /ro" + "ot", "https://pypi" + ".org/simple"]
)
def test_planted_text_is_found(text: str):
    assert len(findings("fine\n" + text)) == 1


@pytest.mark.parametrize("text", ["tests/house/work/x", "docs/home/", "the work / the farm", "a/root/b", "framework"])
def test_ordinary_text_is_not_found(text: str):
    assert findings(text) == []
