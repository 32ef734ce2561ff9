"""What libraries say goes to a file of the run, errors to the terminal too, and afterwards all is as it was."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import pytest

from earnest.cli import noise


def test_warnings_are_kept_counted_and_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("transformers.models")
    root = logging.getLogger("transformers")
    said: list[str] = []
    with noise.apart(tmp_path, said.append):
        before = list(root.handlers)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("first", DeprecationWarning, stacklevel=1)
        library.warning("second")
        library.info("nothing")
        library.error("third")
    log = tmp_path / "logs" / "attempt_1.log"
    assert said == ["error in transformers.models: third", f"3 warnings, see {log}"]
    text = log.read_text()
    assert "DeprecationWarning: first" in text and "second" in text and "third" in text and "nothing" not in text
    assert capfd.readouterr().err == ""
    assert root.handlers != before and not any(isinstance(h, noise._Kept) for h in logging.getLogger().handlers)
    library.warning("seen again")
    assert "second" not in capfd.readouterr().err


def test_a_warning_of_ours_is_told_in_one_line_and_kept_out_of_the_file(tmp_path: Path) -> None:
    said: list[str] = []
    with warnings.catch_warnings(), noise.apart(tmp_path, said.append):
        warnings.simplefilter("always")
        warnings.warn_explicit("programs are not held", RuntimeWarning, noise.__file__, 1)
        warnings.warn_explicit("a library's", RuntimeWarning, __file__, 1)
    log = tmp_path / "logs" / "attempt_1.log"
    assert said == ["warning: programs are not held", f"1 warning, see {log}"]
    assert "a library's" in log.read_text() and "held" not in log.read_text()


def test_silence_makes_no_file_and_each_attempt_has_its_own(tmp_path: Path) -> None:
    said: list[str] = []
    with noise.apart(tmp_path, said.append):
        pass
    assert said == [] and list((tmp_path / "logs").iterdir()) == []
    for _ in range(2):
        with noise.apart(tmp_path, said.append):
            logging.getLogger("some.library").warning("again")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["attempt_1.log", "attempt_2.log"]
    assert said[0] == f"1 warning, see {tmp_path / 'logs' / 'attempt_1.log'}"


def test_a_library_with_a_voice_of_its_own_is_heard_again_afterwards(tmp_path: Path) -> None:
    library, handler = logging.getLogger("loud"), logging.StreamHandler(sys.stderr)
    library.addHandler(handler)
    library.propagate = False
    try:
        with noise.apart(tmp_path, lambda line: None):
            assert library.handlers == [] and library.propagate
        assert library.handlers == [handler] and not library.propagate
    finally:
        library.removeHandler(handler)
        library.propagate = True
