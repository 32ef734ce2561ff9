"""`earnest doctor`: it tells the truth about this machine, and survives a broken installation."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest

from earnest.cli import doctor
from earnest.sandbox import levels


def test_tells_versions_and_extras(capsys: pytest.CaptureFixture[str]):
    assert doctor.doctor(json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["core"]["torch"] == version("torch")
    assert {"interop", "real"} <= set(found["optional"]) and "dev" not in found["optional"]
    assert 1 <= found["cores"] <= (os.cpu_count() or 1) and found["memory_gib"] > 0 and found["disk_free_gib"] > 0


def test_text_names_the_extra_that_installs_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    real = doctor._version
    there = {"accelerate": "1.0", "gguf": None}
    monkeypatch.setattr(doctor, "_version", lambda package: there.get(package, real(package)))
    assert doctor.doctor() == 0
    out = capsys.readouterr().out
    assert 'missing gguf: pip install "earnest[real]"' in out


def test_missing_core_package_is_exit_4_and_no_crash(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "torch" else real(package))
    assert doctor.doctor() == 4
    out = capsys.readouterr().out
    assert "torch MISSING" in out and "problem    missing: torch; pip install torch" in out


def test_data_folder_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("EARNEST_DATA", str(tmp_path / "nowhere"))
    assert any("which is no folder" in problem for problem in doctor.diagnose().problems)
    monkeypatch.setenv("EARNEST_DATA", str(tmp_path))
    assert not any("EARNEST_DATA" in problem for problem in doctor.diagnose().problems)


def test_requirements_are_told_apart():
    found = doctor.extra_packages(["torch>=2.8", 'peft>=0.19; extra == "lora"', "pyright[nodejs]>=1; extra == 'dev'"])
    assert found == (["torch"], {"lora": ["peft"], "dev": ["pyright"]})


def test_the_sandbox_is_a_line_and_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    assert doctor.doctor(json=True) == 0
    found = json.loads(capsys.readouterr().out)["sandbox"]
    assert found["level"] == levels.probe().level and found["why"]
    monkeypatch.setattr(levels, "probe", lambda: levels.Found(None, "no sandbox", ("bwrap: not installed",)))
    assert doctor.doctor() == 0
    assert "sandbox    none, so no code is graded; not bwrap: not installed; install" in capsys.readouterr().out
