"""`earnest doctor`: what this machine and this installation can do, in one block to paste into a report.

Reads versions from package metadata, so that a broken or missing package is a line and not a crash.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from earnest.cli import say
from earnest.errors import MissingDependency
from earnest.sandbox import levels

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where training would run. Example: Device(kind="cpu", name="x86_64", memory_gib=None, bf16=True, advice="…")."""

    kind: str
    name: str
    memory_gib: float | None  # of the accelerator
    bf16: bool
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that is printed."""

    earnest: str
    python: str
    system: str
    core: Mapping[str, str | None]  # package -> version, None: missing
    optional: Mapping[str, Mapping[str, str | None]]  # extra -> package -> version
    cores: int
    threads: int | None
    memory_gib: float
    device: Device | None  # None: torch is missing
    data: str | None  # EARNEST_DATA
    runs: str
    disk_free_gib: float
    sandbox: levels.Found  # how untrusted code would be held, tried out
    problems: tuple[str, ...] = field(default=())


def doctor(*, json: say.AsJson = False) -> int:
    """Say what this machine and this installation can do."""
    found = diagnose()
    if json:
        say.result(asdict(found))
    else:
        say.lines(_text(found))
    return MissingDependency.exit_code if any(v is None for v in found.core.values()) else 0


def diagnose() -> Diagnosis:
    core, optional = _packages()
    device, threads = _torch() if core.get("torch") else (None, None)
    runs = Path("runs").resolve()
    data = os.environ.get("EARNEST_DATA")
    free = shutil.disk_usage(next(p for p in (runs, *runs.parents) if p.exists())).free / GIB
    return Diagnosis(
        earnest=version("earnest"),
        python=platform.python_version(),
        system=platform.platform(),
        core=core,
        optional=optional,
        cores=_cores(),
        threads=threads,
        memory_gib=round(_memory() / GIB, 1),
        device=device,
        data=data,
        runs=str(runs),
        disk_free_gib=round(free, 1),
        sandbox=levels.probe(),
        problems=tuple(_problems(core, data, free)),
    )


def extra_packages(requirements: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Packages a distribution needs, and those of each extra.

    Example: ["torch>=2.8", 'peft>=0.19; extra == "lora"'] -> (["torch"], {"lora": ["peft"]})
    """
    core: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in requirements:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        assert name is not None, line
        (extras.setdefault(extra[1], []) if extra else core).append(name[0])
    return core, extras


def _packages() -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    core, extras = extra_packages(requires("earnest") or [])
    return (
        {name: _version(name) for name in core},
        {extra: {name: _version(name) for name in names} for extra, names in extras.items() if extra != "dev"},
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _torch() -> tuple[Device, int]:
    import torch

    threads = torch.get_num_threads()
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        advice = "float32 (the default)"
        advice += "; `precision: bfloat16` halves memory, but small updates are rounded away" if bf16 else ""
        memory = round(properties.total_memory / GIB, 1)
        count = torch.cuda.device_count()
        name = properties.name + (f", 1 of {count} (one is used)" if count > 1 else "")
        return Device(kind="cuda", name=name, memory_gib=memory, bf16=bf16, advice=advice), threads
    if torch.backends.mps.is_available():
        advice = "float32; `device: auto` takes the CPU, set `device: mps` to try the GPU"
        return Device(kind="mps", name=platform.processor(), memory_gib=None, bf16=False, advice=advice), threads
    bf16 = _cpu_has_bf16()
    advice = "float32 (the default)"
    if bf16:
        advice += "; this CPU has bfloat16 instructions: faster training of 100M parameters and more, slower sampling"
    return Device(kind="cpu", name=platform.machine(), memory_gib=None, bf16=bf16, advice=advice), threads


def _cpu_has_bf16() -> bool:
    info = Path("/proc/cpuinfo")
    return info.is_file() and bool(re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", info.read_text(encoding="utf-8")))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Bytes this process may use: the machine's, or less in a container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="utf-8").strip() if limit.is_file() else "max"
    return min(total, int(text)) if text.isdigit() else total


def _problems(core: Mapping[str, str | None], data: str | None, free_gib: float) -> list[str]:
    missing = [name for name, found in core.items() if found is None]
    found = [f"missing: {', '.join(missing)}; pip install {' '.join(missing)}"] if missing else []
    if data is not None and not Path(data).is_dir():
        found.append(f"EARNEST_DATA is {data}, which is no folder")
    if free_gib < 2:
        found.append(f"only {free_gib:.1f} GiB free where runs are written; checkpoints need room")
    return found


def _sandbox(found: levels.Found) -> str:
    refused = "".join(f"; not {level}" for level in found.refused)
    if found.level is None:
        return f"none, so no code is graded{refused}; {levels.REMEDY}"
    return f"{found.level}: {found.why}{refused}"


def _text(found: Diagnosis) -> list[str]:
    device = found.device
    memory = f", {device.memory_gib} GiB" if device and device.memory_gib else ""
    rows = [
        ("earnest", f"{found.earnest}, Python {found.python}, {found.system}"),
        ("packages", ", ".join(f"{name} {number or 'MISSING'}" for name, number in found.core.items())),
        ("device", f"{device.kind}: {device.name}{memory}" if device else "unknown without torch"),
        ("precision", device.advice if device else "unknown without torch"),
        ("cpu", f"{found.cores} cores, {found.threads or '?'} threads, {found.memory_gib} GiB memory"),
        ("data", found.data or "EARNEST_DATA is not set; only recipes and tests on public data sets need it"),
        ("runs", f"{found.runs}, {found.disk_free_gib} GiB free"),
        ("sandbox", _sandbox(found.sandbox)),
    ]
    for extra, packages in found.optional.items():
        missing = [name for name, number in packages.items() if number is None]
        have = ", ".join(f"{name} {number}" for name, number in packages.items() if number)
        rows.append(
            (f"[{extra}]", f'missing {", ".join(missing)}: pip install "earnest[{extra}]"' if missing else have)
        )
    text = [f"{name:<10} {value}" for name, value in rows]
    return text + [f"problem    {problem}" for problem in found.problems]
