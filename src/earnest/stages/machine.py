"""Where a run computes: device, precision and threads, and how this process holds on to memory."""

from __future__ import annotations

import ctypes
import os

import torch

from earnest.errors import MissingDependency
from earnest.types import Machine

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
KEPT = 2**28
"""Bytes of freed memory that may stay with the process, and the size from which a tensor is still given back at once."""
KEPT_AT_MOST = 2**25
"""The largest such size that older versions of glibc accept."""


def machine(device: str, precision: str, threads: int | None) -> Machine:
    """What is asked for, else what suits this machine. Sets torch's thread count."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        raise MissingDependency(f"device '{device}' is not available here", remedy="device: auto, or earnest doctor")
    if precision == "auto":
        precision = "float32"
    threads = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    if device == "cpu":
        _keep_freed_memory()
    return Machine(device=device, dtype=precision, threads=threads)


def _keep_freed_memory() -> None:
    """Let glibc use freed memory again instead of returning it to the system, which then has to clear it page by page.

    A training step frees and allocates the same few large tensors over and over; by default each of them may cost
    page faults every time. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and (mallopt(M_MMAP_THRESHOLD, KEPT) or mallopt(M_MMAP_THRESHOLD, KEPT_AT_MOST)):
        mallopt(M_TRIM_THRESHOLD, KEPT)  # alone it would fix the other at its small beginning
