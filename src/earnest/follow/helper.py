"""The process that feeds trackers, and how a run starts and ends it.

    python -m earnest.follow.helper RUN BASE_DIR SPECS

It only reads the run directory (and keeps its ledgers there), so training shares nothing with it: no lock of the interpreter, no
random state, no signal, no standard output. It looks once a second until its standard input ends or its parent is gone, looks
once more, and finishes. A finished directory is the case where the input has ended before it began. Each line it writes is
for the terminal; whatever trackers print, and their errors in full, is in logs/trackers.log.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from earnest.component import BuildContext, build
from earnest.follow.reader import Follower
from earnest.follow.sender import Sender, summary_of
from earnest.trackers.base import Tracker

EVERY = 1.0
"""Seconds between looks."""
PATIENCE = 120.0
"""Seconds that a run waits, at its end, for trackers to take the last of it."""
TRACKER_FAILED = 3
"""Exit code of the process when a tracker did; it has said so."""


@contextmanager
def tracked(run: Path, trackers: Sequence[Tracker], base_dir: Path, echo: Callable[[str], None]) -> Iterator[None]:
    """While the block goes on, its run is sent to these trackers; at its end, the rest of it."""
    if not trackers:
        yield
        return
    try:
        helper = Helper(run, trackers, base_dir, echo)
    except OSError as error:  # no process, no log file: no reason not to train
        echo(f"[track] nothing is sent: {error}. Later: earnest track {run}")
        yield
        return
    try:
        yield
    except KeyboardInterrupt:
        helper.leave()
        raise
    except BaseException:
        helper.finish()
        raise
    helper.finish()


class Helper:
    """The process, seen from the run. Once it has begun, nothing it does or fails to do raises here."""

    def __init__(self, run: Path, trackers: Sequence[Tracker], base_dir: Path, echo: Callable[[str], None]) -> None:
        self.run, self.echo = run, echo
        self.process = self._start(trackers, base_dir)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _start(self, trackers: Sequence[Tracker], base_dir: Path) -> subprocess.Popen[str]:
        run = self.run
        log = run / "logs" / "trackers.log"
        log.parent.mkdir(exist_ok=True)
        specs = json.dumps([tracker.model_dump(mode="json") for tracker in trackers])
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        with log.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", __name__, str(run), str(base_dir), specs],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
            )  # fmt: skip

    def leave(self) -> None:
        """Tell it that this was all, and do not wait."""
        cast("IO[str]", self.process.stdin).close()

    def finish(self) -> int | None:
        """Let it send the rest. Returns its exit code, None if it was not done in time. Whatever went wrong has been said."""
        self.leave()
        try:
            code = self.process.wait(PATIENCE)
            self.listener.join(PATIENCE)
            if code not in (0, TRACKER_FAILED):
                log = self.run / "logs" / "trackers.log"
                self.echo(f"[track] ended early, see {log}. Later: earnest track {self.run}")
            return code
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.echo(f"[track] given up after {PATIENCE:.0f} s. Later: earnest track {self.run}")
            return None

    def _listen(self) -> None:
        for line in cast("IO[str]", self.process.stdout):
            self.echo(f"[track] {line.rstrip()}")


def main(arguments: Sequence[str]) -> int:
    """What the process does. Returns its exit code."""
    run, base_dir, specs = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)  # what trackers print goes where their warnings go

    def say(text: str) -> None:
        with suppress(BrokenPipeError):  # the run was killed
            terminal.write(text + "\n")
            terminal.flush()

    with _alone(run), _counted_warnings() as warned:
        trackers = [build("tracker", spec, BuildContext(base_dir)) for spec in specs]
        senders = follow(run, trackers, say, _ending(os.getppid()))
    for sender in senders:
        say(f"{sender.tracker.name}: {sender.sent} steps sent")
    if warned:
        say(f"{len(warned)} warnings of trackers, see {run / 'logs' / 'trackers.log'}")
    return TRACKER_FAILED if any(sender.failed is not None for sender in senders) else 0


def follow(
    run: Path, trackers: Sequence[Tracker], say: Callable[[str], None], ended: Callable[[], bool]
) -> list[Sender]:
    """Send what is new until `ended` (which may wait before it answers), then the rest, and finish."""
    senders = [Sender(run, tracker, say) for tracker in trackers]
    follower = Follower(run, per_step=max(tracker.rollouts for tracker in trackers))
    last = False
    while not last:
        last = ended()
        news = follower.look()
        for sender in senders:
            sender.see(news, last=last)
    status = str(news.info.get("status"))
    for sender in senders:
        sender.finish("killed" if status == "running" else status, summary_of(run))
    return senders


def _ending(parent: int) -> Callable[[], bool]:
    def ended() -> bool:
        ready, _, _ = select.select([sys.stdin], [], [], EVERY)
        return bool(ready) or os.getppid() != parent

    return ended


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Wait until no other process feeds this run's trackers: that of a run just killed may still send its last."""
    folder = run / "trackers"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _counted_warnings() -> Iterator[list[str]]:
    """The Python warnings of the block, which are shown as always."""
    seen: list[str] = []
    show = warnings.showwarning

    def count(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        seen.append(str(message))
        show(message, category, *rest, **named)

    warnings.showwarning = count
    try:
        yield seen
    finally:
        warnings.showwarning = show


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
