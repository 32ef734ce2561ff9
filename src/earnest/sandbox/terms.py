"""What a sandboxed job is asked, what it may use, and how it can end. Plain values, shared by both sides of the parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from earnest.sandbox._seccomp import Profile

Level: TypeAlias = Literal["bwrap", "landlock", "unsafe"]
Kind: TypeAlias = Literal["raised", "deadline", "memory", "output", "died", "foreign value", "unavailable"]


class SandboxError(Exception):
    """A job that gave no value. `kind` says how it ended; the text is for people, and untrusted.

    raised: the function raised. deadline, memory, output: it met a limit. died: its process ended without an answer. foreign
    value: it returned what is no exact builtin. unavailable: our side failed, which says nothing about the job.
    """

    def __init__(self, kind: Kind, text: str) -> None:
        self.kind: Kind = kind
        super().__init__(text)


class Lost(SandboxError):
    """A job that was lost on our side, its server with it. Another may do: it is tried once more where nobody has heard it."""

    def __init__(self, text: str) -> None:
        super().__init__("unavailable", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use. Time is counted from when its walls stand; waiting for a free processor is not charged."""

    wall_s: float = 10.0
    cpu_s: int | None = None  # processor seconds of each of its processes; None: wall_s, rounded up
    memory_mb: int = 512  # address space of each of its processes, beyond the interpreter's own
    forks: bool = (
        True  # may start processes (level bwrap); False: threads alone, and memory_mb is that of the whole job
    )
    processes: int = 16  # processes and threads besides the first (level bwrap)
    disk_mb: int = 64  # everything below /tmp
    output_mb: int = 16  # standard output and error together, and the values sent back


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fork server imports and what its jobs may read besides. Jobs of one plan share servers."""

    level: Level
    preload: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job's process ended. code: exit status, or minus the signal. Example: Ended(0, 0.01, b"7\\n", b"")."""

    code: int
    cpu_s: float
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One job. stdin None: nothing to read; captures False: what it prints is thrown away."""

    limits: Limits
    profile: Profile = "processes"
    stdin: bytes | None = None
    captures: bool = False
    folder: str | None = None  # a private folder of this machine, where there are no mounts (level landlock)

    def asked(self) -> dict[str, Any]:
        limits = self.limits
        cpu = limits.cpu_s if limits.cpu_s is not None else max(1, -int(-limits.wall_s // 1))
        profile = self.profile if limits.forks else "threads"
        return {
            "cpu_s": cpu, "memory_mb": limits.memory_mb, "processes": limits.processes, "disk_mb": limits.disk_mb,
            "file_mb": limits.disk_mb, "inodes": 4096, "open_files": 64, "folder": self.folder, "profile": profile,
        }  # fmt: skip
