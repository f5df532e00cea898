"""Listening, accepting and ending on trio.

The listening sockets are our own. One `accept` for each wait, so that a flood of connections cannot keep the others from running,
and without a wait of its own, so that no cancellation can lose a socket between the kernel and us. Each connection is a task in
the server's nursery.
"""

from __future__ import annotations

import logging
import math
import secrets
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import trio

from spry_core import Application
from spry_core.protocol import EngineName, Limits, Timeouts
from spry_core.serving import ACCESS, ERROR, LogRecord, Server, StreamInfo
from spry_trio.listeners import address_text, listen
from spry_trio.pump import Pump, raising_bare

if sys.platform != "win32":
    import resource

Report: TypeAlias = Callable[[LogRecord], None]


class RunningServer:
    """A server that listens; `serve` gives it."""

    def __init__(
        self,
        core: Server,
        listeners: list[socket.socket],
        accept_pause: float,
        report: Report,
        nursery: trio.Nursery,
    ) -> None:
        self.addresses: list[tuple[str, int]] = [each.getsockname()[:2] for each in listeners]
        """Host and port of each listening socket."""
        self._core = core
        self._listeners = listeners
        self._accept_pause = accept_pause
        self._report = report
        self._nursery = nursery
        self._pumps: set[Pump] = set()
        self._room = trio.lowlevel.ParkingLot()  # where accepting waits while the server is full
        self._accepting = [trio.CancelScope() for _ in listeners]
        self._has_complained = False
        self._timer = trio.CancelScope()
        self._ended = trio.Event()
        for listener, scope in zip(listeners, self._accepting, strict=True):
            nursery.start_soon(self._accept_in, scope, listener)
        nursery.start_soon(self._keep_time)

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
        self._core.abort(trio.current_time())
        self._look()

    async def settle(self) -> None:
        """Wait until nothing is left, also when the wait is cancelled: that only takes away the grace, and then goes on."""
        try:
            await self._ended.wait()
        except trio.Cancelled:
            self.shut_down(grace=0.0)
            with trio.CancelScope(shield=True):
                await self._ended.wait()
            raise

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
        self._core.shutdown(trio.current_time(), code, reason, grace=grace, batch=batch, interval=interval)
        self._look()

    def _look(self) -> None:
        """Accept or not, set the timer, see whether it is over."""
        if self._core.is_closing:
            self._stop_listening()
        elif not self._core.is_full:
            self._room.unpark_all()
        deadline = self._core.next_deadline()
        self._timer.deadline = math.inf if deadline is None else deadline
        if self._core.is_closing and not self._pumps:
            self._ended.set()
            self._timer.cancel()

    def _stop_listening(self) -> None:
        for scope in self._accepting:
            scope.cancel()
        for listener in self._listeners:
            trio.lowlevel.notify_closing(listener)
            listener.close()
        self._listeners.clear()

    async def _keep_time(self) -> None:
        """Wake the core at its deadlines, also while everything around is cancelled and shuts down."""
        while not self._ended.is_set():
            deadline = self._core.next_deadline()
            with trio.CancelScope(shield=True) as self._timer:
                self._timer.deadline = math.inf if deadline is None else deadline
                await trio.sleep_forever()
            self._core.handle_deadline(trio.current_time())
            self._look()

    async def _accept_in(self, scope: trio.CancelScope, listener: socket.socket) -> None:
        with scope:
            while not self._core.is_closing:
                if self._core.is_full:
                    await self._room.park()
                    continue
                await trio.lowlevel.wait_readable(listener)
                # While this task was being woken another listener may have filled the server, or somebody closed it.
                if not self._core.is_full and not self._core.is_closing:
                    await self._accept(listener)

    async def _accept(self, listener: socket.socket) -> None:
        """Take one connection; if there is nothing to make a socket of, rest."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # it has gone, or somebody else took it
        except OSError as error:
            self._complain(error)
            await trio.sleep(self._accept_pause)
            return
        self._has_complained = False
        self._connect(sock, address)

    def _complain(self, error: OSError) -> None:
        """Say once for each bout that no descriptor or no memory is left."""
        if not self._has_complained:
            self._has_complained = True
            text = f"cannot accept connections, trying again every {self._accept_pause} s: {error}"
            self._report(LogRecord(logger=ERROR, level=logging.ERROR, text=text))

    def _connect(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Open a session for an accepted socket, which is ours to close until a pump has it."""
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = StreamInfo(peer=address_text(address), local=address_text(sock.getsockname()))
            pump = Pump(sock, lambda driver: self._core.session(driver, stream), self._report)
        except OSError:
            sock.close()  # the peer has gone already
        except Exception as error:
            sock.close()
            text = "internal error: connection dropped"
            self._report(LogRecord(logger=ERROR, level=logging.ERROR, text=text, exception=error))
        else:
            self._pumps.add(pump)
            self._nursery.start_soon(self._run, pump)

    async def _run(self, pump: Pump) -> None:
        try:
            await pump.run()
        finally:
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
        app: What is served. `app.locals["backend"]` is set to ``"trio"``.
        host: Name or address to listen on, every address of the name; ``""`` for all interfaces.
        port: TCP port, 0 for any free one (see `RunningServer.addresses`).
        limits: Sizes and numbers; `max_connections` is at most 80 % of the process's limit of descriptors.
        timeouts: Durations.
        engine: The grammar engine.
        access_log: False drops the records of the logger ``spry.access``.

    Raises:
        OSError: The address cannot be resolved or bound, or the port is taken.
        ValueError: The port is no port.
    """
    limits = limits or Limits()
    timeouts = timeouts or Timeouts()
    report = log if access_log else log_errors
    app.locals["backend"] = "trio"
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
    failure: Exception | None = None
    with raising_bare():
        async with trio.open_nursery() as nursery:
            server = RunningServer(core, listeners, timeouts.accept_pause or 0.0, report, nursery)
            try:
                yield server
            except Exception as error:
                server.shut_down(grace=0.0)
                failure = error  # the nursery would put it into a group
            except BaseException:
                server.shut_down(grace=0.0)
                raise
            else:
                server.shut_down()
            finally:
                await server.settle()
    if failure is not None:
        raise failure


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
