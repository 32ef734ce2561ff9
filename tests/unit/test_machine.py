"""Where a run computes: what is asked for, what is not there, and whose memory stays."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from earnest.errors import MissingDependency
from earnest.stages.machine import machine

CHURN = """
import resource, torch
from earnest.stages.machine import machine
{setup}
def churn():
    kept = [torch.ones(1_500_000) for _ in range(6)]
churn(), churn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    churn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults of glibc")
def test_tensors_of_the_same_size_come_from_the_same_memory() -> None:
    def faults(setup: str) -> int:
        code = CHURN.format(setup=setup)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert faults("machine('cpu', 'float32', 1)") < 100 < faults("")


def test_what_is_asked_for_is_what_is_used() -> None:
    threads = torch.get_num_threads()
    try:
        found = machine("cpu", "auto", 1)
        assert (found.device, found.dtype, found.threads, torch.get_num_threads()) == ("cpu", "float32", 1, 1)
    finally:
        torch.set_num_threads(threads)


def test_a_device_that_is_not_there_is_an_error() -> None:
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(MissingDependency, match=absent):
        machine(absent, "auto", 1)
