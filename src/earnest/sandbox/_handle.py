"""One running job as the trusted side meets it: values to and fro, output, time, and its end.

Nothing here waits for a job to be so kind as to end: every wait has a deadline on the wall clock, output is cut at its limit, and
what is not finished by then is killed with all that it started. A job's bytes are data for the codec and never anything else.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from earnest.sandbox._inside import BEGUN, ENDED
from earnest.sandbox.codec import CodecError, decode, encode, framed, unframed
from earnest.sandbox.terms import Ended, Lost, Request, SandboxError

if TYPE_CHECKING:
    from earnest.sandbox._server import Server

BEGIN_S = 60.0
"""Seconds that a job may take to have its walls about it. Its own time begins then."""
END_S = 10.0
"""Seconds that a killed job may take to be gone, before its fork server is replaced."""
_CHUNK = 1 << 16


class Job:
    """A running job. `tell` and `ask` exchange values with it, `end` is its end; the server is free after `end`."""

    def __init__(
        self, server: Server, request: Request, handle: int, line: socket.socket, pipes: Sequence[int]
    ) -> None:
        self.server, self.request, self._handle, self._line = server, request, handle, line
        self._into = pipes[0]
        self._outputs = [_Printed(fd) for fd in pipes[1:]]
        self._has_begun = False
        self.deadline = time.monotonic() + BEGIN_S
        self._ended: tuple[int, float] | None = None
        self._is_over = False  # what still comes is not asked for
        self._received, self._sending = bytearray(), bytearray()
        self._feeding = memoryview(request.stdin or b"")
        line.setblocking(False)
        server.control.setblocking(False)
        if self._into >= 0:
            os.set_blocking(self._into, False)
            self._feed()

    def restart_clock(self) -> None:
        self.deadline = time.monotonic() + self.request.limits.wall_s

    def tell(self, value: Any) -> None:
        """Sends a value, when the job comes to read it. Raises CodecError for one that cannot cross."""
        self._sending += framed(encode(value))
        self._send()

    def ask(self) -> Any:
        """The next value from the job. Raises SandboxError."""
        while True:
            try:
                frame = unframed(self._received)
                if frame is not None:
                    return decode(frame)
            except CodecError as error:
                raise SandboxError("foreign value", f"what it sent is no value: {error}") from None
            if self._ended is not None:
                raise self._death()
            self._wait()

    def wait(self) -> None:
        """Until its process has ended by itself. Raises SandboxError for a limit."""
        while self._ended is None:
            self._wait()

    def end(self) -> Ended:
        """Kills what still runs and collects. Raises Lost where it cannot be got rid of."""
        self._is_over = True
        try:
            if self._ended is None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._handle, signal.SIGKILL)
                self.deadline = time.monotonic() + END_S
                while self._ended is None:
                    self._settle(self._poll([(self.server.control.fileno(), select.POLLIN)]))
        except SandboxError as error:
            what = str(error) if error.kind == "unavailable" else f"a killed job has not ended after {END_S:g} s"
            raise Lost(what) from None
        finally:
            self.close()
        code, cpu_s = self._ended
        return Ended(code, cpu_s, *(bytes(output.data) for output in self._outputs))

    def close(self) -> None:
        self._line.close()
        for fd in (self._handle, self._into):
            if fd >= 0:
                os.close(fd)
        self._handle = self._into = -1
        for output in self._outputs:
            output.close()

    def _wait(self) -> None:
        """Once: whatever can be read or written now, or the deadline."""
        watched = [(self.server.control.fileno(), select.POLLIN)]
        outputs = {output.fd: output for output in self._outputs if output.fd >= 0}
        watched += [(fd, select.POLLIN) for fd in outputs]
        if self._line.fileno() >= 0:
            watched.append((self._line.fileno(), select.POLLIN | (select.POLLOUT if self._sending else 0)))
        if self._into >= 0:
            watched.append((self._into, select.POLLOUT))
        ready = self._poll(watched)
        for fd in ready:
            if fd in outputs:
                self._listen(outputs[fd])
            elif fd == self._into:
                self._feed()
            elif fd == self._line.fileno():
                self._send()
                self._receive()
        self._settle(ready)

    def _poll(self, watched: Sequence[tuple[int, int]]) -> list[int]:
        left = self.deadline - time.monotonic()
        if left <= 0 and not self._has_begun and not self._is_over:
            raise Lost(f"a job's walls do not stand after {BEGIN_S:g} s")
        if left <= 0:
            raise SandboxError("deadline", f"not finished after {self.request.limits.wall_s:g} s")
        poll = select.poll()
        for fd, events in watched:
            poll.register(fd, events)
        return [fd for fd, _ in poll.poll(left * 1000 + 1)]

    def _settle(self, ready: Sequence[int]) -> None:
        """Takes the fork server's word on the end of the process."""
        if self.server.control.fileno() not in ready:
            return
        try:
            self._ended = ENDED.unpack(self.server.control.recv(_CHUNK))
        except (OSError, struct.error):
            raise Lost("the fork server is gone") from None
        self._receive()
        if not self._has_begun and not self._is_over:
            raise Lost("a job could not be given its walls")
        for output in self._outputs:
            while self._listen(output):
                pass

    def _receive(self) -> None:
        """What has arrived on the line: all of it, up to one frame's size more."""
        most = self.request.limits.output_mb << 20
        while len(self._received) <= most:
            try:
                chunk = self._line.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            if not chunk:
                self._line.close()
                return
            self._received += chunk
            if not self._has_begun:
                self._has_begun = True
                del self._received[: len(BEGUN)]
                self.restart_clock()
        if self._is_over:
            return
        raise SandboxError("output", f"it sent more than {self.request.limits.output_mb} MB")

    def _send(self) -> None:
        if self._line.fileno() < 0:  # the job has closed its end, and what it said before was read to the end
            self._sending.clear()
            return
        with suppress(BlockingIOError):
            try:
                while self._sending:
                    del self._sending[: self._line.send(self._sending[: 1 << 20])]
            except ConnectionError:
                self._sending.clear()  # it has closed its end: reading says so

    def _feed(self) -> None:
        """Writes what fits to its standard input, and closes that after the last byte."""
        try:
            while self._feeding:
                self._feeding = self._feeding[os.write(self._into, self._feeding[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            pass
        os.close(self._into)
        self._into = -1

    def _listen(self, output: _Printed) -> bool:
        """Reads once what was printed. False where there is nothing (more) now."""
        more = output.read()
        if sum(len(each.data) for each in self._outputs) > self.request.limits.output_mb << 20:
            output.close()
            if self._is_over:
                return False
            raise SandboxError("output", f"it printed more than {self.request.limits.output_mb} MB")
        return more

    def check_time(self, ended: Ended) -> None:
        """Raises SandboxError "deadline" for a process that its limit of processor time has ended."""
        if self._used_up(ended.code, ended.cpu_s):
            raise SandboxError("deadline", f"it used up its {self.request.asked()['cpu_s']} s of processor time")

    def _death(self) -> SandboxError:
        assert self._ended is not None
        if self._used_up(*self._ended):
            return SandboxError("deadline", f"it used up its {self.request.asked()['cpu_s']} s of processor time")
        return SandboxError("died", f"its process ended with {exit_text(self._ended[0])} and no answer")

    def _used_up(self, code: int, cpu_s: float) -> bool:
        """Whether the kernel ended it for its time. It counts that in whole ticks, so on a busy machine less was used."""
        return code == -signal.SIGKILL and cpu_s >= self.request.asked()["cpu_s"] / 2


class _Printed:
    """One pipe that a job prints to, and what came. fd -1: nothing more can come."""

    def __init__(self, fd: int) -> None:
        self.fd, self.data = fd, bytearray()

    def read(self) -> bool:
        if self.fd < 0:
            return False
        try:
            chunk = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return False
        self.data += chunk
        if not chunk:
            self.close()
        return bool(chunk)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def exit_text(code: int) -> str:
    """Example: -9 -> "SIGKILL", 1 -> "exit code 1"."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
