"""Where a run computes: what is asked for, what is not there, and whose memory stays."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from earnest.errors import MissingDependency
from earnest.stages.machine import machine

FREE = """
import torch
from earnest.stages.machine import machine
{setup}
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before = resident()
torch.ones(2**24)
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc and /proc")
def test_freed_memory_stays_for_the_next_tensor() -> None:
    def kept(setup: str) -> int:
        code = FREE.format(setup=setup)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert kept("") < 2**25 < 2**26 <= kept("machine('cpu', 'float32', 1)") + 2**20


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
