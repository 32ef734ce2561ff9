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
{free}
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc and /proc")
@pytest.mark.parametrize("free", ["torch.ones(2**24)", "[b'x' * 100_000 for _ in range(600)]"], ids=["one", "many"])
def test_freed_memory_stays_for_the_next_tensor(free: str) -> None:
    def kept(setup: str) -> int:
        code = FREE.format(setup=setup, free=free)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert kept("") < 2**24 < 55 * 2**20 < kept("machine('cpu', 'float32', 1)")


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
