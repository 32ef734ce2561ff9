"""In CI a skip that is not listed fails the session: a test that never runs proves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from house import skips

TESTS = Path(__file__).parents[1]

SKIPPED = "import pytest\n@pytest.mark.skip(reason={!r})\ndef test_x(): pass\n"
SKIPPED_INSIDE = "import pytest\ndef test_x(): pytest.skip({!r})\n"
SKIPPED_MODULE = "import pytest\npytest.skip({!r}, allow_module_level=True)\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail(reason={!r})\ndef test_x(): assert False\n"


@pytest.mark.parametrize(
    ("code", "reason", "ci", "passes"),
    [
        (SKIPPED, "not today", "true", False),
        (SKIPPED_INSIDE, "not today", "true", False),
        (SKIPPED_MODULE, "not today", "true", False),
        (SKIPPED, "not today", "", True),
        (SKIPPED, "EARNEST_DATA is not set", "true", True),
        (SKIPPED_INSIDE, "EARNEST_DATA is not set", "true", True),
        (SKIPPED_MODULE, "EARNEST_DATA is not set", "true", True),
        (EXPECTED_FAILURE, "not today", "true", True),
    ],
)
def test_unlisted_skip_fails_in_ci(tmp_path: Path, code: str, reason: str, ci: str, passes: bool):
    (tmp_path / "conftest.py").write_text("from house.skips import *")
    (tmp_path / "test_x.py").write_text("def test_y(): pass\n" + code.format(reason))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "CI": ci, "PYTHONPATH": str(TESTS)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if passes:
        assert ended.returncode in (0, 5), ended.stdout  # 5: the whole module was skipped, nothing was collected
    else:
        assert ended.returncode == 1 and "not today" in ended.stdout, ended.stdout


def test_this_session_has_the_rule(pytestconfig: pytest.Config):
    finishers = [getattr(plugin, "pytest_sessionfinish", None) for plugin in pytestconfig.pluginmanager.get_plugins()]
    assert skips.pytest_sessionfinish in finishers
