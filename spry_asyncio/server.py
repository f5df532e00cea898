"""Listening, accepting and ending on asyncio, uvloop included.

The listening sockets are our own and watched with `add_reader`, not given to `loop.create_server`: that one accepts as long as
there is somebody to accept, logs every failure and cannot be paused. One `accept` for each call of the loop, so that a flood of
connections cannot keep the others from running, and without a wait, so that no cancellation can lose a socket between the
kernel and us.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import TypeAlias

from spry_asyncio.driver import Driver
from spry_asyncio.pump import Pump, Together, turns_of, watch_together
from spry_core import Application
from spry_core.driver import Driver as DriverProtocol
from spry_core.protocol import DEFAULT_ENGINE, EngineName, Limits, Timeouts
from spry_core.serving import (
    ERROR,
    LogRecord,
    MakeConnection,
    Served,
    Server,
    StreamInfo,
    record_internal_fault,
)
from spry_system import (
    INTERNET,
    Address,
    Found,
    Listener,
    address_text,
    internet_addresses,
    local_text,
    log,
    make_server,
    make_tls,
    open_listeners,
    unix_paths,
)

Report: TypeAlias = Callable[[LogRecord], None]


class RunningServer:
    """A server that listens; `serve` gives it."""

    def __init__(
        self,
        core: Server,
        listeners: list[Listener],
        ssl_context: ssl.SSLContext | None,
        accept_pause: float,
        report: Report,
    ) -> None:
        self.addresses: list[tuple[str, int]] = internet_addresses(listeners)
        """Host and port of each listening TCP socket."""
        self.paths: list[str] = unix_paths(listeners)
        """Path of each listening unix socket."""
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._core = core
        self._listeners = listeners
        self._ssl_context = ssl_context
        self._accept_pause = accept_pause
        self._report = report
        self._ended_pump: Callable[[Pump], None] = (
            self._forget
        )  # once: each pump holds it as long as it lives
        self._driver = Driver(self)  # the lifespan's
        self._started = asyncio.Event()  # or never will
        self._pumps: set[Pump] = set()
        self._turns = turns_of(self._loop)
        self._watch: Together | None = None  # since there was something to watch, if the system can
        self._is_accepting = False
        self._pause: asyncio.TimerHandle | None = None
        self._has_complained = False
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._when_ended: Callable[[], None] = lambda: None

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

    async def start(self) -> None:
        """Run the startup of the lifespan, then accept connections.

        Raises:
            Exception: What the startup raised; nothing is served then, and the server ends.
        """
        self._core.start(self._driver)
        self._look()
        await self._started.wait()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise what a lifespan function has raised, if one has."""
        if self._core.failure is not None:
            raise self._core.failure

    def when_ended(self, call: Callable[[], None]) -> None:
        """Have this called when nothing is left, which also comes of itself if the lifespan fails while serving."""
        self._when_ended = call

    def notify(self, soon: bool = False) -> None:
        """Look at the lifespan again: its driver says that something has changed."""
        self._look()

    def task_ended(self, error: Exception | None) -> None:
        """Look again; what the lifespan raises is the core's to handle, so an error here is ours."""
        if error is not None:
            self._report(record_internal_fault("lifespan ended", error))
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
        if self._core.has_started or self._core.closed:
            self._started.set()
        if self._core.closed and not self._pumps and not self._driver.has_tasks:
            self._end()

    def _end(self) -> None:
        self._set_timer(None)
        if not self._ended.is_set():
            if self._watch is not None:
                self._watch.close()
            self._ended.set()
            self._when_ended()

    def _accept_or_not(self) -> None:
        wanted = self._core.has_started and not self._core.is_full and self._pause is None
        if wanted is self._is_accepting:
            return
        for listener in self._listeners:
            if wanted:
                self._loop.add_reader(listener.socket, self._accept, listener.socket)
            else:
                self._loop.remove_reader(listener.socket)
        self._is_accepting = wanted

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            if self._is_accepting:
                self._loop.remove_reader(listener.socket)
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
        if self._core.is_full:
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

    def _connect(self, sock: socket.socket, address: Address | str | bytes) -> None:
        """Open a session for an accepted socket, which is ours to close until a pump has it."""
        if self._watch is None:
            self._watch = watch_together(self._loop, self._turns)
        try:
            sock.setblocking(False)
            if sock.family in INTERNET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = StreamInfo(
                peer=address_text(address),
                local=local_text(sock.getsockname()),
                secure=self._ssl_context is not None,
            )
            pump = Pump(
                sock,
                lambda driver: self._open(driver, stream),
                self._report,
                self._ended_pump,
                self._turns,
                self._watch,
            )
        except OSError:
            sock.close()  # the peer has gone already
        except Exception as error:
            sock.close()
            self._report(record_internal_fault("connection dropped", error))
        else:
            self._pumps.add(pump)
            pump.open()

    def _open(self, driver: DriverProtocol, stream: StreamInfo) -> Served:
        if self._ssl_context is None:
            return self._core.session(driver, stream)
        return self._core.tls_session(driver, stream, make_tls(self._ssl_context))

    def _forget(self, pump: Pump) -> None:
        self._pumps.discard(pump)
        self._look()


@asynccontextmanager
async def serve(
    app: Application,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    uds: str | None = None,
    sockets: Sequence[socket.socket] = (),
    ssl_context: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    engine: EngineName = DEFAULT_ENGINE,
    access_log: bool = True,
    make_connection: MakeConnection | None = None,
) -> AsyncGenerator[RunningServer]:
    """Serve `app` while the block runs; it listens when the block begins, and leaving the block closes as `close()` does.

    The lifespan of the application begins when the sockets are bound, so that a port that is taken costs nothing, and connections
    are accepted when it has started. Its teardown is over when the block has been left.

    Left by an exception or a cancellation it closes with 1001 and without grace: the time is then bounded by
    `Timeouts.close_timeout`, and a second cancellation changes nothing. In no case a task, socket or timer is left.

    Args:
        app: What is served. `app.locals["backend"]` is set to the loop's name.
        host: Name or address to listen on, every address of the name; ``""`` for all interfaces.
        port: TCP port, 0 for any free one, the same for every address (see `RunningServer.addresses`).
        uds: Path of a unix socket to make; then, and with `sockets`, host and port are not used. Whoever gets as far as its
            directory may connect. The file of a dead server is replaced; the server's own is removed at its end.
        sockets: Stream sockets that are bound, or listen already. They are the server's from here on, and closed at its end,
            also if it does not begin.
        ssl_context: Serve TLS with this context, which is used as it is.
        limits: Sizes and numbers; `max_connections` is at most 80 % of the process's limit of descriptors.
        timeouts: Durations.
        engine: The grammar engine.
        access_log: False drops the records of the logger ``spry.access``.
        make_connection: Makes the connection of each stream, such as what `spry_system.record_in` returns.

    Raises:
        OSError: The address cannot be resolved or bound, or the port or the unix socket is taken.
        ssl.SSLError: The context is not one for servers.
        ValueError: The port is no port, or a socket given is not bound or not of the right kind.
        Exception: Whatever a lifespan function raised: in its startup before the block begins, in its teardown when it ends.
        NotImplementedError: The loop has no `add_reader` (Windows' proactor loop; its selector loop has).
    """
    app.locals["backend"] = backend_name(asyncio.get_running_loop())
    core = make_server(app, limits, timeouts, engine, access_log=access_log, make_connection=make_connection)
    if ssl_context is not None:
        make_tls(ssl_context)  # now rather than for each connection, if it cannot be done
    listeners = await open_listeners(host, port, uds, sockets, core.limits.backlog, ask_resolver)
    server = RunningServer(core, listeners, ssl_context, core.timeouts.accept_pause or 0.0, log)
    try:
        await server.start()
        yield server
    except BaseException:
        server.shut_down(grace=0.0)
        raise
    else:
        server.shut_down()
    finally:
        await server.settle()
    server.raise_failure()


def backend_name(loop: asyncio.AbstractEventLoop) -> str:
    """Say what serves, for people."""
    return "asyncio (uvloop)" if type(loop).__module__.startswith("uvloop") else "asyncio"


async def ask_resolver(host: str, port: int) -> Found:
    """Ask in a thread of the loop's."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
