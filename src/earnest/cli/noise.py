"""What libraries say while a run goes: into a file of the run, so that it does not tear up what the run itself says.

Python warnings and log records of level WARNING and above go to logs/attempt_N.log, and one line at the end says how many. Errors
are shown at once as well; warnings of this package are shown instead. Progress bars of the Hugging Face libraries are off.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from earnest.evaluate.warned import told_plainly


@contextmanager
def apart(run: Path, echo: Callable[[str], None]) -> Iterator[None]:
    """Keep the noise of the block apart from its progress."""
    for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(name, "1")
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.get_logger()  # gives itself a handler at the first call

    folder = run / "logs"
    folder.mkdir(exist_ok=True)
    path = folder / f"attempt_{1 + len(list(folder.glob('attempt_*.log')))}.log"
    kept, shown, root = _Kept(path), _Shown(echo), logging.getLogger()
    silenced = list(_speakers())
    for logger, handler in silenced:
        logger.removeHandler(handler)
    propagated = [logger for logger, _ in silenced if not logger.propagate]
    for logger in propagated:
        logger.propagate = True
    root.addHandler(kept)
    root.addHandler(shown)
    logging.captureWarnings(True)
    try:
        with told_plainly(echo):
            yield
    finally:
        logging.captureWarnings(False)
        for handler in (kept, shown):
            root.removeHandler(handler)
            handler.close()
        for logger in propagated:
            logger.propagate = False
        for logger, handler in silenced:
            logger.addHandler(handler)
        if kept.count:
            echo(f"{kept.count} warning{'s' if kept.count > 1 else ''}, see {path}")


class _Kept(logging.FileHandler):
    """The file, made when there is something to write."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, delay=True, encoding="utf-8", errors="backslashreplace")
        self.setLevel(logging.WARNING)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
        super().emit(record)


class _Shown(logging.Handler):
    """Errors, on the terminal."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self.echo = echo

    def emit(self, record: logging.LogRecord) -> None:
        self.echo(f"error in {record.name}: {record.getMessage()}")


def _speakers() -> Iterator[tuple[logging.Logger, logging.Handler]]:
    """Loggers that write to the terminal by a handler of their own."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            for handler in list(logger.handlers):
                if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                    yield logger, handler
