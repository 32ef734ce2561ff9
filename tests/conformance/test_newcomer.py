"""A newcomer's four additions, one file each and no other edit: from `earnest init verifier|task` and docs/extending.md.

Dropped into a copy of the package they are listed and held to the conformance tests; beside a recipe they run. The package
itself stays as it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from earnest.cli.init import init

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "earnest"
EARNEST = "from earnest.cli.main import main; main()"
FOLDERS = {"my_verifier": "verifiers", "my_task": "tasks", "my_algo": "algorithms", "my_engine": "engines"}
LEAST = {"my_verifier": 7, "my_task": 12, "my_algo": 12, "my_engine": 7}
"""Conformance tests that a new file of this kind meets, at the least."""


def code_blocks() -> dict[str, str]:
    """The complete files in docs/extending.md, by their name."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^`(\w+\.py)`, complete:\n\n```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    recipe = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(recipe) == 1, "one recipe"
    return {**dict(blocks), "recipe.yaml": recipe[0]}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's folder: four files and a recipe."""
    folder = tmp_path_factory.mktemp("newcomer")
    for template in ("verifier", "task"):
        init(template, folder / template)  # type: ignore[arg-type]
        shutil.copy(folder / template / f"{template}.py", folder / f"my_{template}.py")
    for name, text in code_blocks().items():
        (folder / name).write_text(text, encoding="utf-8")
    assert {path.stem for path in folder.glob("*.py")} == set(FOLDERS)
    return folder


@pytest.fixture(scope="module")
def package(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the four files in it: what PYTHONPATH must hold."""
    src = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, src / "earnest", ignore=shutil.ignore_patterns("__pycache__"))
    for name, kind in FOLDERS.items():
        shutil.copy(files / f"{name}.py", src / "earnest" / kind)
    return src


def python(*arguments: object, cwd: Path, package: Path | None = None) -> subprocess.CompletedProcess[str]:
    here = {"PYTHONPATH": str(package)} if package is not None else {}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1", **here},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_four_files_in_the_package_are_listed(package: Path, tmp_path: Path) -> None:
    done = python("-c", EARNEST, "list", "--json", cwd=tmp_path, package=package)
    assert done.returncode == 0, done.stderr
    found = {p["name"]: p for p in json.loads(done.stdout)["plugins"] if p["name"].startswith("my_")}
    assert {name: p["kind"] for name, p in found.items()} == {
        "my_verifier": "verifier", "my_task": "task", "my_algo": "algorithm", "my_engine": "engine",
    }  # fmt: skip
    assert all(p["doc"] and all(field["doc"] for field in p["fields"]) for p in found.values()), found


def test_four_files_in_the_package_are_found_by_conformance_and_pass(package: Path, tmp_path: Path) -> None:
    tests = sorted(str(file) for file in Path(__file__).parent.glob("test_*.py") if file != Path(__file__))
    done = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", "-c", ROOT / "pyproject.toml",
        "-k", " or ".join(FOLDERS), f"--junitxml={tmp_path / 'found.xml'}", *tests, cwd=tmp_path, package=package,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "found.xml").read_text(encoding="utf-8")
    assert "<skipped" not in report, done.stdout
    met = {name: len(re.findall(rf"<testcase [^>]*{name}", report)) for name in FOLDERS}
    assert [name for name in FOLDERS if met[name] < LEAST[name]] == [], met


def test_a_file_that_breaks_its_contract_is_caught(files: Path, package: Path, tmp_path: Path) -> None:
    """The conformance tests that a new file meets are not for show."""
    src = tmp_path / "src"
    shutil.copytree(package, src)
    engine, algorithm = src / "earnest" / "engines" / "my_engine.py", src / "earnest" / "algorithms" / "my_algo.py"
    replace(engine, "/ (sampling.temperature or 1.0)", "* 1.0")
    replace(algorithm, "reduce.sequence_mean(", "2 * t_wrong(")
    replace(
        algorithm,
        "class MyAlgo",
        "def t_wrong(length_N: Tensor, _: Tensor) -> Tensor:\n    return -length_N.float()\n\n\nclass MyAlgo",
    )
    tests = [str(Path(__file__).parent / name) for name in ("test_engines.py", "test_algorithms.py")]
    done = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", "-c", ROOT / "pyproject.toml",
        "-k", "my_engine and trainers or my_algo and shapes", *tests, cwd=tmp_path, package=src,
    )  # fmt: skip
    assert done.returncode == 1 and "2 failed" in done.stdout, done.stdout + done.stderr


def test_four_files_beside_a_recipe_run(files: Path, tmp_path: Path) -> None:
    for file in [*files.glob("*.py"), files / "recipe.yaml"]:
        shutil.copy(file, tmp_path)
    replace(tmp_path / "my_verifier.py", '"0123456789"', '"abcdefgh"')
    before = {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*.py")}
    run = tmp_path / "run"
    done = python("-c", EARNEST, "run", "recipe.yaml", "--run-dir", run, cwd=tmp_path)
    assert done.returncode in (0, 3) and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*.py")} == before

    assert sorted(path.name for path in (run / "code").glob("*/*")) == sorted(f"{name}.py" for name in FOLDERS)
    resolved = read(run / "config" / "resolved.json")
    assert resolved["task"]["name"] == "my_task.py:MyTask" and resolved["engine"]["name"] == "my_engine.py:MyEngine"
    assert resolved["verifier"] == {"name": "my_verifier.py:MyVerifier", "strip": True}
    assert resolved["stages"][1]["algorithm"]["name"] == "my_algo.py:MyAlgo"
    steps = [json.loads(line) for line in (run / "rl" / "metrics.jsonl").read_text().splitlines()]
    learned_from = [row for row in steps if row["update/taken"]]
    assert len(steps) == 3 and learned_from, "no step had two different rewards"
    assert all(row["ratio"] == pytest.approx(1.0, abs=1e-4) for row in learned_from)
    assert all(row["sampler/ratio_error"] < 1e-4 for row in learned_from)
    protocol = read(run / "eval" / "protocol.json")
    assert (protocol["task"], protocol["engine"]) == ("my_task.py:MyTask", "my_engine.py:MyEngine")
    assert protocol["verifier"] == "my_verifier.py:MyVerifier" and (run / "report" / "index.html").is_file()


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
