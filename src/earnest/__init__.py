"""earnest: from a base language model to a reasoning model, and an honest answer to whether it got there.

The public API is what stands in `__all__`; everything else may change. Importing this module imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earnest.api import evaluate, load_run, resume, run, trl_reward, verify

    __version__: str

__all__ = ["__version__", "evaluate", "load_run", "resume", "run", "trl_reward", "verify"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import (
            version,
        )  # late: it brings much with it that a process for untrusted code has no use for

        return version("earnest")
    if name in __all__:
        from earnest import api

        return getattr(api, name)
    raise AttributeError(f"module 'earnest' has no attribute '{name}'")
