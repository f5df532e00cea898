"""Listening, accepting and ending on asyncio, uvloop included.

The listening sockets are our own and watched with `add_reader`, not given to `loop.create_server`: that one accepts as long as
there is somebody to accept, logs every failure and cannot be paused. One `accept` for each call of the loop, so that a flood of
connections cannot keep the others from running, and without a wait, so that no cancellation can lose a socket between the
kernel and us.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from typing import Final, TypeAlias

from spry_asyncio.listeners import address_text, listen
from spry_asyncio.pump import Pump
from spry_core import Application
from spry_core.protocol import EngineName, Limits, Timeouts
from spry_core.serving import ACCESS, ERROR, LogRecord, Server, StreamInfo

if sys.platform != "win32":
    import resource

Report: TypeAlias = Callable[[LogRecord], None]

READ_SIZE: Final = 64 * 1024
"""Bytes of the read buffer that all connections of a server share: more than a read of a TCP stream usually gives."""


class RunningServer:
    """A server that listens; `serve` gives it."""

    def __init__(
        self, core: Server, listeners: list[socket.socket], accept_pause: float, report: Report
    ) -> None:
        self.addresses: list[tuple[str, int]] = [each.getsockname()[:2] for each in listeners]
        """Host and port of each listening socket."""
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._core = core
        self._listeners = listeners
        self._accept_pause = accept_pause
        self._report = report
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._pumps: set[Pump] = set()
        self._is_accepting = False
        self._pause: asyncio.TimerHandle | None = None
        self._has_complained = False
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._look()

    async def close(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        """Stop accepting, end every connection in good order, and wait until all have ended.

        Idle HTTP connections are closed, requests in flight finish, WebSockets get a Close frame and their handlers see a clean
        end. Cancelling the wait does not stop the shutdown; calling again waits for the same end.

        Args:
            code: The close code for WebSockets (RFC 6455 §7.4.1).
            reason: The close reason, at most 123 bytes as UTF-8.
            grace: Seconds until what still runs is cancelled; None stands for `Timeouts.grace`.
            batch: How many WebSockets are closed at a time; None for all at once.
            interval: Seconds between two batches.

        Raises:
            ValueError: No Close frame may carry this code or reason; nothing has changed.
        """
        self.shut_down(code, reason, grace=grace, batch=batch, interval=interval)
        await self._ended.wait()

    def abort(self) -> None:
        """Stop accepting and cut every connection now, without a Close frame; handlers are cancelled."""
        self._core.abort(self._loop.time())
        self._look()

    async def settle(self) -> None:
        """Wait until nothing is left, also when the wait is cancelled: that only takes away the grace, and then goes on."""
        cancelled: asyncio.CancelledError | None = None
        while not self._ended.is_set():
            try:
                await self._ended.wait()
            except asyncio.CancelledError as error:
                if cancelled is None:  # anyio cancels again and again, as long as the wait goes on
                    self.shut_down(grace=0.0)
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def shut_down(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        """Begin what `close` does, and do not wait for it; again to shorten the grace."""
        self._core.shutdown(self._loop.time(), code, reason, grace=grace, batch=batch, interval=interval)
        self._look()

    def _look(self) -> None:
        """Accept or not, set the timer, see whether it is over."""
        if self._core.is_closing:
            self._stop_listening()
        else:
            self._accept_or_not()
        self._set_timer(self._core.next_deadline())
        if self._core.is_closing and not self._pumps:
            self._set_timer(None)
            self._ended.set()

    def _accept_or_not(self) -> None:
        wanted = not self._core.is_full and self._pause is None
        if wanted is self._is_accepting:
            return
        self._is_accepting = wanted
        for listener in self._listeners:
            if wanted:
                self._loop.add_reader(listener, self._accept, listener)
            else:
                self._loop.remove_reader(listener)

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
        if self._pause is not None:
            self._pause.cancel()

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._time_has_come)

    def _time_has_come(self) -> None:
        self._core.handle_deadline(self._loop.time())
        self._look()

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # it has gone, or somebody else took it
        except OSError as error:
            self._rest(error)
            return
        self._has_complained = False
        # Not in the context of this call: when the server was full, it is that of the handler which made room.
        self._context.run(self._connect, sock, address)
        self._look()

    def _rest(self, error: OSError) -> None:
        """Stop accepting for a while: no descriptor or no memory is left, and the listener would stay ready without an end."""
        if not self._has_complained:
            self._has_complained = True
            text = f"cannot accept connections, trying again every {self._accept_pause} s: {error}"
            self._report(LogRecord(logger=ERROR, level=logging.ERROR, text=text))
        self._pause = self._loop.call_later(self._accept_pause, self._go_on)
        self._look()

    def _go_on(self) -> None:
        self._pause = None
        self._look()

    def _connect(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Open a session for an accepted socket, which is ours to close until a pump has it."""
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = StreamInfo(peer=address_text(address), local=address_text(sock.getsockname()))
            pump = Pump(
                sock,
                self._buffer,
                lambda driver: self._core.session(driver, stream),
                self._report,
                self._forget,
            )
        except OSError:
            sock.close()  # the peer has gone already
        except Exception as error:
            sock.close()
            text = "internal error: connection dropped"
            self._report(LogRecord(logger=ERROR, level=logging.ERROR, text=text, exception=error))
        else:
            self._pumps.add(pump)
            pump.open()

    def _forget(self, pump: Pump) -> None:
        self._pumps.discard(pump)
        self._look()


@asynccontextmanager
async def serve(
    app: Application,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    engine: EngineName = "reference",
    access_log: bool = True,
) -> AsyncGenerator[RunningServer]:
    """Serve `app` while the block runs; it listens when the block begins, and leaving the block closes as `close()` does.

    Left by an exception or a cancellation it closes with 1001 and without grace: the time is then bounded by
    `Timeouts.close_timeout`, and a second cancellation changes nothing. In no case a task, socket or timer is left.

    Args:
        app: What is served. `app.locals["backend"]` is set to the loop's name.
        host: Name or address to listen on, every address of the name; ``""`` for all interfaces.
        port: TCP port, 0 for any free one (see `RunningServer.addresses`).
        limits: Sizes and numbers; `max_connections` is at most 80 % of the process's limit of descriptors.
        timeouts: Durations.
        engine: The grammar engine.
        access_log: False drops the records of the logger ``spry.access``.

    Raises:
        OSError: The address cannot be resolved or bound, or the port is taken.
        ValueError: The port is no port.
        NotImplementedError: The loop has no `add_reader` (Windows' proactor loop; its selector loop has).
    """
    limits = limits or Limits()
    timeouts = timeouts or Timeouts()
    report = log if access_log else log_errors
    app.locals["backend"] = backend_name(asyncio.get_running_loop())
    core = Server(
        app,
        limits=replace(limits, max_connections=most_connections(limits)),
        timeouts=timeouts,
        engine=engine,
        random=secrets.token_bytes,
        wall_clock=time.time,
        report=report,
    )
    listeners = await listen(host, port, limits.backlog)
    server = RunningServer(core, listeners, timeouts.accept_pause or 0.0, report)
    try:
        yield server
    except BaseException:
        server.shut_down(grace=0.0)
        raise
    else:
        server.shut_down()
    finally:
        await server.settle()


def backend_name(loop: asyncio.AbstractEventLoop) -> str:
    """Say what serves, for people."""
    return "asyncio (uvloop)" if type(loop).__module__.startswith("uvloop") else "asyncio"


def most_connections(limits: Limits) -> int:
    """Return how many connections to hold: four fifths of the process's descriptors are ours, the rest the application's."""
    if sys.platform == "win32":
        return limits.max_connections
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limits.max_connections
    return min(limits.max_connections, descriptors * 4 // 5)


def log(record: LogRecord) -> None:
    """Hand a finished record to `logging`."""
    logger = logging.getLogger(record.logger)
    # The fields under one name: as attributes of their own they could not be told from those of `logging`.
    extra = {"spry": record.fields}
    logger.log(record.level, "%s", record.text, exc_info=record.exception, extra=extra)


def log_errors(record: LogRecord) -> None:
    """Do the same but for the record of each request."""
    if record.logger != ACCESS:
        log(record)
