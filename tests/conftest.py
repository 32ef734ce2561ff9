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
    from earnest.sandbox.levels import Asked
    from earnest.verifiers.code import Code


@pytest.fixture(scope="session")
def tiny_policy() -> Policy:
    """The embedded model as its seed makes it, untrained. Shared: a test that changes weights opens its own."""
    from earnest.models.tiny import Tiny
    from earnest.types import Machine

    return Tiny().open(Machine(device="cpu", dtype="float32", threads=1), seed=0)


@pytest.fixture(params=["bwrap", "landlock"])
def level(request: pytest.FixtureRequest) -> Asked:
    """The levels of the sandbox, one after the other; one that does not hold here is skipped."""
    from earnest.errors import MissingDependency
    from earnest.sandbox import levels

    try:
        levels.settled(request.param)
    except MissingDependency as error:
        pytest.skip(f"the sandbox level {request.param} does not hold on this machine: {error.why}")
    return request.param


@pytest.fixture
def code(level: Asked) -> Code:
    """The verifier of programs, at each level."""
    from earnest.verifiers.code import Code

    return Code(sandbox=level)
