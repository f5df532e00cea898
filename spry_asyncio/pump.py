"""The bytes and the timer of one connection on asyncio: a `BufferedProtocol` between a transport and a session.

Every call of the session is followed by one `_look`: write what is to be written, read or not, set the timer, see whether it is
over. asyncio pushes, so nothing here waits. The session decides everything; what is decided here is only how asyncio does it:

- All connections share one read buffer. `get_buffer` and `buffer_updated` come in one go, and the bytes are copied out first.
- The transport does not say what has been written, so its buffer is measured before every call that carries the time. With
  water marks of zero `resume_writing` means that all of it has gone.
- The timer is only ever lowered. A deadline that moved later fires early once and is set again.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import Callable
from typing import Final, TypeVarTuple, cast

from spry_asyncio.driver import Driver
from spry_core.driver import Driver as DriverProtocol
from spry_core.protocol import StreamEnd
from spry_core.serving import LogRecord, Served, record_internal_fault

Args = TypeVarTuple("Args")

RESET: Final = struct.pack("ii", 1, 0)
"""`SO_LINGER` on, with no time: closing drops what is unsent and resets the stream (RFC 9293 §3.10.7.4, ABORT of §3.9.1)."""


class Pump(asyncio.BufferedProtocol):
    """Moves the bytes of one accepted socket and keeps its session's time."""

    __slots__ = (
        "_buffer",
        "_connecting",
        "_driver",
        "_ended",
        "_error",
        "_has_ended",
        "_has_failed",
        "_is_at_end",
        "_is_closing",
        "_is_half_closing",
        "_is_looking",
        "_is_lost",
        "_is_reading",
        "_loop",
        "_report",
        "_session",
        "_socket",
        "_soon",
        "_timer",
        "_timer_at",
        "_transport",
        "_unreported",
    )

    def __init__(
        self,
        sock: socket.socket,
        buffer: memoryview,
        open_session: Callable[[DriverProtocol], Served],
        report: Callable[[LogRecord], None],
        ended: Callable[[Pump], None],
    ) -> None:
        """Make the session at once, so that it is counted before the loop has made a transport of the socket.

        Args:
            sock: The stream, connected and non-blocking; the pump closes it.
            buffer: Where the loop may put received bytes; any number of pumps of one loop share it.
            open_session: Makes the session, given the driver that is lent to it.
            report: Takes the record of an internal error.
            ended: Is told once, when neither stream nor session nor task is left.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._buffer = buffer
        self._report = report
        self._ended = ended
        self._driver = Driver(self)
        self._session = open_session(self._driver)
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[object] | None = None
        self._unreported = 0  # bytes given to the transport that the session has not been credited with
        self._error: Exception | None = (
            None  # what broke the stream, if it was not the transport that noticed
        )
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf  # the timer's own `when` is rounded on uvloop
        self._soon: asyncio.Handle | None = None
        self._is_looking = False
        self._is_reading = True
        self._is_at_end = False  # the peer has sent its end of stream
        self._is_half_closing = False  # our own is due when all bytes have gone
        self._is_closing = False
        self._is_lost = False
        self._has_failed = False
        self._has_ended = False

    def open(self) -> None:
        """Let the loop make a transport of the socket; `connection_made` follows, or `connection_lost` alone."""
        make_transport = self._loop.connect_accepted_socket(lambda: self, self._socket)
        self._connecting = self._loop.create_task(make_transport)
        self._connecting.add_done_callback(self._connected)

    # --------------------------------------------------------------------------------------- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its base class
        self._transport.set_write_buffer_limits(high=0, low=0)
        if self._has_failed:
            self._abort(self._transport)
        self._look()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the loop's one buffer until `buffer_updated`, which comes before anybody else can ask."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass received bytes on, as a copy: the buffer is the next connection's in a moment."""
        self._tell(self._session.receive_data, bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """Pass the end of the peer's bytes on, and keep our own direction open."""
        # The transport has stopped reading, and whoever resumes it now finds the same end again.
        self._is_at_end = True
        self._tell(self._session.receive_eof)
        return True

    def resume_writing(self) -> None:
        """Learn that all bytes have gone. The transport is in the middle of its work here, where closing would end it twice."""
        self.notify(soon=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the session that the stream is gone, also when that is what it asked for."""
        if self._is_closing and exc is None:
            self._end_stream()
        self._is_lost = True
        self._transport = None
        self._tell(self._session.connection_lost, self._error or exc)

    # ------------------------------------------------------------------------------------------ what the driver calls

    def notify(self, soon: bool = False) -> None:
        """Look at the session again, at once or before the loop sleeps."""
        if not soon:
            self._look()
        elif self._soon is None:
            self._soon = self._loop.call_soon(self._look_later)

    def task_ended(self, error: BaseException | None) -> None:
        """Look whether that was the last thing; what a task raises is the session's to handle, so an error here is ours."""
        if isinstance(error, Exception):
            self._fail(error)
        self._look()

    # -------------------------------------------------------------------------------------------------- the machinery

    def _connected(self, connecting: asyncio.Task[object]) -> None:
        self._connecting = None
        error = None if connecting.cancelled() else connecting.exception()
        # Without a transport the loop calls nothing of ours; with one, `connection_lost` has come or will.
        if self._transport is None and not self._is_lost:
            self._socket.close()
            self.connection_lost(error if isinstance(error, Exception) else None)

    def _tell(self, call: Callable[[*Args, float], None], *args: *Args) -> None:
        """Call the session, with the time and after its credit, and look at what came of it."""
        try:
            now = self._loop.time()
            self._credit(now)
            call(*args, now)
        except Exception as error:
            self._fail(error)
        self._look()

    def _look_later(self) -> None:
        self._soon = None
        self._look()

    def _look(self) -> None:
        """Do what the session wants done: bytes, reading, deadline, end."""
        # A session may answer a credit with `notify`: the look that gave the credit is not over and sees it all.
        if self._is_looking or self._has_ended:
            return
        self._is_looking = True
        try:
            if not self._has_failed:
                self._follow_session()
        except Exception as error:
            self._fail(error)
        finally:
            self._is_looking = False
        if self._is_lost and not self._driver.has_tasks and (self._has_failed or self._session.closed):
            self._end()

    def _follow_session(self) -> None:
        if self._transport is not None:
            self._credit(self._loop.time())
            self._write(self._transport)
            self._read_or_not(self._transport)
        self._set_timer()

    def _credit(self, now: float) -> None:
        """Tell the session what the kernel has taken since the last time."""
        if not self._unreported or self._transport is None:
            return
        if self._transport.is_closing() and not self._is_closing:
            return  # it broke, and its buffer is empty because the bytes were thrown away
        taken = self._unreported - self._transport.get_write_buffer_size()
        if taken:
            self._unreported -= taken
            self._session.bytes_written(taken, now)

    def _write(self, transport: asyncio.Transport) -> None:
        """Write what the session has, one call for each batch, until it has no more to say."""
        while batch := self._session.data_to_send():
            data = b"".join([item for item in batch if isinstance(item, bytes)])
            if (
                data and not transport.is_closing()
            ):  # a broken stream takes no bytes: `connection_lost` is on its way
                self._unreported += len(data)
                transport.write(data)
                self._credit(self._loop.time())
            if isinstance(end := batch[-1], StreamEnd):
                self._carry_out(end, transport)
        if self._is_half_closing and not transport.get_write_buffer_size():
            self._half_close(transport)

    def _carry_out(self, end: StreamEnd, transport: asyncio.Transport) -> None:
        """End the stream in one of the three ways. What waits in the transport goes first, but for an abort."""
        match end:
            case StreamEnd.HALF_CLOSE:
                self._is_half_closing = True
            case StreamEnd.CLOSE:
                self._is_closing = True
                transport.close()
            case StreamEnd.ABORT:
                self._abort(transport)

    def _half_close(self, transport: asyncio.Transport) -> None:
        """Send our end of stream. All bytes have gone, so a stream that the peer has reset raises here and not in the loop."""
        self._is_half_closing = False
        try:
            transport.write_eof()
        except OSError as error:
            self._error = error
            transport.abort()

    def _end_stream(self) -> None:
        """End both directions: closing ends nothing while a child that was forked has a copy of the socket."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer has gone, or the loop has closed it already

    def _abort(self, transport: asyncio.Transport) -> None:
        """Drop what is unsent and reset; `connection_lost` follows."""
        self._unreported = 0
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass  # closed already
        transport.abort()

    def _read_or_not(self, transport: asyncio.Transport) -> None:
        """Let the transport read as long as the session wants bytes and the peer may still send some."""
        wanted = self._session.wants_read
        if wanted is self._is_reading or self._is_at_end or transport.is_closing():
            return
        self._is_reading = wanted
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _set_timer(self) -> None:
        """Lower the timer to the session's deadline; never raise it."""
        deadline = self._session.next_deadline()
        if deadline is None or deadline >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._time_has_come)
        self._timer_at = deadline

    def _time_has_come(self) -> None:
        self._clear_timer()
        self._tell(self._session.handle_deadline)

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_at = math.inf

    def _fail(self, error: Exception) -> None:
        """End this connection after an error of our own, as the last resort: report it once, cut the stream, cancel the tasks."""
        if self._has_failed:
            return
        self._has_failed = True
        self._report(record_internal_fault("connection aborted", error))
        self._clear_timer()
        self._abort_session(self._loop.time())
        if self._transport is not None:
            self._abort(self._transport)

    def _abort_session(self, now: float) -> None:
        """Let the session cancel its tasks, so that it takes that for no error of theirs; and cancel what it has left."""
        try:
            self._session.abort(now)
        except Exception:
            pass  # it is broken, which has just been reported
        self._driver.cancel()

    def _end(self) -> None:
        self._has_ended = True
        self._clear_timer()
        if self._soon is not None:
            self._soon.cancel()
        self._ended(self)
