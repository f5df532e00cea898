"""A backend of threads: one for each connection, one for each task (`thread_driver`), and no event loop.

An example of how little a backend is, and a test of what the core asks for; no server for ten thousand connections.
"""

from __future__ import annotations

import logging
import math
import socket
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from secrets import token_bytes
from select import POLLIN, POLLOUT
from threading import Condition, RLock

from examples.backends.thread_driver import Watch
from spry_core import Application, Limits, Timeouts
from spry_core.protocol import StreamEnd
from spry_core.serving import LogRecord, Server, StreamInfo


class Pump(Watch):
    """Moves the bytes of one connection, and keeps its timer."""

    def __init__(self, server: ThreadServer, stream: socket.socket, peer: str) -> None:
        super().__init__(server.lock, stream)
        self.server, self.unsent, self.is_open = server, bytearray(), True
        self.end: StreamEnd | None = None
        self.error: OSError | None = None
        self.session = server.core.session(self.driver, StreamInfo(peer=peer))
        self.thread.start()

    def plan(self) -> tuple[int, float]:
        if self.session.closed or self.must_end:
            return 0, -math.inf
        wanted = (POLLIN if self.session.wants_read else 0) | (POLLOUT if self.unsent else 0)
        deadline = self.session.next_deadline()
        return wanted if self.is_open else 0, math.inf if deadline is None else deadline

    @property
    def must_end(self) -> bool:
        is_said = self.end is StreamEnd.ABORT or (self.end is StreamEnd.CLOSE and not self.unsent)
        return self.is_open and (is_said or self.error is not None)

    def look(self) -> None:
        self.write()
        super().look()

    def run(self) -> None:
        with self.lock:
            while not self.session.closed:
                if self.sleep() & ~POLLOUT:
                    self.read()
                self.session.handle_deadline(time.monotonic())
                self.write()
                if self.must_end:
                    self.end_stream()
            self.close()
            self.server.pumps.discard(self)
            self.server.look()  # there is room for another, or this was the last

    def read(self) -> None:
        try:
            data = self.stream.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.error = error
            return
        if data:
            self.session.receive_data(data, time.monotonic())
        else:
            self.session.receive_eof(time.monotonic())

    def write(self) -> None:
        """Send until the kernel takes no more or nothing is left. What it takes may bring more."""
        try:
            while self.fetch():
                n = self.stream.send(self.unsent)
                del self.unsent[:n]
                self.session.bytes_written(n, time.monotonic())
            if self.end is StreamEnd.HALF_CLOSE and not self.unsent:
                self.end = None
                self.stream.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError as error:
            self.error = error

    def fetch(self) -> bool:
        """Take over what the session has to say, and tell whether there is something to send."""
        for each in self.session.data_to_send():
            if isinstance(each, bytes):
                self.unsent += each
            else:
                self.end = each
        return self.is_open and bool(self.unsent) and not self.must_end

    def end_stream(self) -> None:
        """Only the thread of the pump closes the socket: in every other a `poll` might still be waiting for it."""
        with suppress(OSError):
            if self.end is StreamEnd.ABORT:
                self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.stream.shutdown(socket.SHUT_RDWR)
        self.stream.close()
        self.is_open = False
        self.session.connection_lost(self.error, time.monotonic())


class ThreadServer(Watch):
    """Listens, accepts, and ends."""

    def __init__(self, app: Application, host: str, port: int, limits: Limits, timeouts: Timeouts) -> None:
        super().__init__(RLock(), socket.create_server((host, port), backlog=limits.backlog))
        self.address: tuple[str, int] = self.stream.getsockname()[:2]
        self.core = Server(
            app, limits=limits, timeouts=timeouts, random=token_bytes, wall_clock=time.time, report=report
        )
        self.changed = Condition(self.lock)
        self.pumps, self.pause_ends = set[Pump](), -math.inf
        self.thread.start()

    def plan(self) -> tuple[int, float]:
        if self.core.closed:
            return 0, math.inf if self.pumps else -math.inf
        deadline = self.core.next_deadline()
        seconds = math.inf if deadline is None else deadline
        if self.core.is_closing or self.core.is_full or not self.core.has_started:
            return 0, seconds
        if time.monotonic() < self.pause_ends:
            return 0, min(seconds, self.pause_ends)
        return POLLIN, seconds

    def run(self) -> None:
        with self.lock:
            self.core.start(self.driver)
            while not self.core.closed or self.pumps:
                if self.sleep():
                    self.accept()
                self.core.handle_deadline(time.monotonic())
                self.changed.notify_all()
            self.close()

    def look(self) -> None:
        if self.core.is_closing:  # at once: who is told to go would knock here again
            with suppress(OSError):
                self.stream.shutdown(socket.SHUT_RDWR)
        super().look()

    def accept(self) -> None:
        try:
            stream, (host, port, *_) = self.stream.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is left
            self.pause_ends = time.monotonic() + (self.core.timeouts.accept_pause or 0.0)
            return
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pumps.add(Pump(self, stream, f"{host}:{port}"))

    def shutdown(self, *, code: int = 1001, reason: str = "", grace: float | None = None) -> None:
        """Begin to end, from any thread."""
        with self.lock:
            self.core.shutdown(time.monotonic(), code, reason, grace=grace)
            self.look()  # the deadline is another one now


def report(record: LogRecord) -> None:
    logging.getLogger(record.logger).log(record.level, "%s", record.text, exc_info=record.exception)


@contextmanager
def serve(
    app: Application, host: str, port: int, *, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> Generator[ThreadServer]:
    """Serve while the block runs, and cut what is left at its end."""
    server = ThreadServer(app, host, port, limits or Limits(), timeouts or Timeouts())
    try:
        with server.lock:
            server.changed.wait_for(lambda: server.core.has_started or server.core.closed)
        if not server.core.closed:
            yield server
    finally:
        server.shutdown(grace=0.0)
        server.thread.join()
    if server.core.failure is not None:
        raise server.core.failure


@contextmanager
def backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[ThreadServer]:
    """Serve for ``python -m spry_core.testing.conformance examples.backends.threads:backend``."""
    logging.getLogger("spry").addHandler(logging.NullHandler())  # the errors of scenarios are on purpose
    with serve(app, "127.0.0.1", 0, limits=limits, timeouts=timeouts) as server:
        yield server
