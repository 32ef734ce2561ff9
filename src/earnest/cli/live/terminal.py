"""The live view on a terminal: one region that is drawn over while a run goes, and the plain lines above it.

It looks at the run directory, twice a second at most, in a thread of its own. Whatever goes wrong in it is logged, and the run
goes on with plain lines. A stage's progress lines are not printed while the region shows the same; the last one stays behind when
the stage ends.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from earnest.cli import noise
from earnest.cli.live.draw import ASCII, UNICODE, Picture
from earnest.cli.live.state import RunState
from earnest.follow.reader import Follower

EVERY = 0.5
"""Seconds between looks, at least."""
SHARE = 0.008
"""Of the time that reading may take, and drawing as well: one interpreter runs one thread at a time, so training waits for it."""
FLOOR, PER_SECOND = 1 << 20, 1 << 19
"""Bytes of new rollouts that are read in a look: so many, and more for every second in which none came. The newest ones."""
PROGRESS = re.compile(r"\[(?P<stage>[^\]]+)\] step (?P<step>\d+)/(?P<steps>\d+) ")


class LiveTerminal:
    """Says what a run says, and shows it while `watch` lasts."""

    def __init__(self, *, no_color: bool = False) -> None:
        self.console = Console(no_color=True if no_color else None, highlight=False, markup=False, emoji=False)
        self.view: View | None = None

    def echo(self, text: str) -> None:
        """One line of the run: above the region while there is one."""
        if self.view is None or not self.view.say(text):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    @contextmanager
    def watch(self, run: Path) -> Iterator[None]:
        """Show this run until the block ends."""
        with noise.apart(run, self.echo):
            self.view = View(run, self.console)
            self.view.start()
            try:
                yield
            finally:
                self.view.stop()
                self.view = None


class View:
    """The thread, and the region it draws."""

    def __init__(self, run: Path, console: Console) -> None:
        self.console = console
        self.follower, self.state = Follower(run, tail=FLOOR), RunState()
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.glyphs = UNICODE if _can_show(console) else ASCII
        self.pending: tuple[str, str] | None = None  # stage and line that the region stands for
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.broken = False
        self.fed = time.monotonic()  # when rollouts came last
        self.thread = threading.Thread(target=self._go, name="live view", daemon=True)

    def start(self) -> None:
        try:
            self.live.start()
        except Exception as error:
            self._break(error)
        self.thread.start()

    def stop(self) -> None:
        """Take the region away and leave the last plain line behind."""
        self.over.set()
        self.thread.join(5)
        if not self.broken:
            self._print_pending()
            self.live.stop()

    def say(self, text: str) -> bool:
        """Print a line above the region, or keep it if the region shows it. False: there is no region any more."""
        if self.broken:
            return False
        found = PROGRESS.match(text)
        if found and found["step"] != found["steps"]:
            with self.lock:
                self.pending = found["stage"], text
            return True
        if found:  # the stage's last: it takes the place of the one that waits
            self.pending = None
        if self.pending is not None and not text.startswith(f"[{self.pending[0]}]"):
            self._print_pending()
        self._print(text)
        return True

    def _go(self) -> None:
        pause, ready = 0.0, 0.0
        while not self.over.wait(pause) and not self.broken:
            begun = time.monotonic()
            try:
                if begun >= ready:
                    self._look(begun)
                    read = time.monotonic()
                    ready = read + (read - begun) / SHARE
                drawing = time.monotonic()
                self._draw(drawing)
                pause = max(EVERY, (time.monotonic() - drawing) / SHARE)
            except Exception as error:  # a spectator must not end what it looks at
                self._break(error)

    def _look(self, now: float) -> None:
        self.follower.tail = FLOOR + int(PER_SECOND * (now - self.fed))
        news = self.follower.look()
        if any(stage.rollouts.rows for stage in news.stages):
            self.fed = now
        self.state.see(news, now)
        if self.pending is not None and self.state.current is not self.state.stages.get(self.pending[0]):
            self._print_pending()

    def _draw(self, now: float) -> None:
        size = self.console.size
        lines = Picture(size.width, size.height, self.glyphs).draw(self.state, now)
        self.live.update(Group(*lines), refresh=True)

    def _print_pending(self) -> None:
        with self.lock:
            line, self.pending = self.pending, None
        if line is not None:
            self._print(line[1])

    def _print(self, text: str) -> None:
        shown = text if self.glyphs is UNICODE else text.encode("ascii", "backslashreplace").decode()
        self.console.print(Text(shown), soft_wrap=True)

    def _break(self, error: Exception) -> None:
        self.broken = True
        logging.getLogger(__name__).warning("the live view failed", exc_info=error)
        try:
            self.live.stop()
        except Exception as second:
            logging.getLogger(__name__).warning("nor could it be taken away", exc_info=second)
        line = self.pending
        sys.stdout.write(
            "the live view failed and is gone (see logs/); plain lines from here on\n"
            + (line[1] + "\n" if line else "")
        )
        sys.stdout.flush()


def _can_show(console: Console) -> bool:
    """Whether the terminal's encoding has the characters of curves and marks."""
    try:
        "".join((UNICODE.levels, UNICODE.full, UNICODE.right, UNICODE.wrong, UNICODE.warning)).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
