"""What every test session shares: the rule about skips, and fixtures. Heavy imports stand in the fixtures that need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from house.skips import (  # noqa: F401
    pytest_collectreport,
    pytest_runtest_logreport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

if TYPE_CHECKING:
    from earnest.models.base import Policy


@pytest.fixture(scope="session")
def tiny_policy() -> Policy:
    """The embedded model as its seed makes it, untrained. Shared: a test that changes weights opens its own."""
    from earnest.models.tiny import Tiny
    from earnest.types import Machine

    return Tiny().open(Machine(device="cpu", dtype="float32", threads=1), seed=0)
