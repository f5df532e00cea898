"""A client's end of one connection in memory: send events, wait for events.

The client is a `Connection` like the server's, so both directions are real bytes. It reads no further than what was asked for
makes it: content and messages are released when `receive` hands them out, so a test that does not receive is a slow reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from spry_core.closing import CloseInfo, ConnectionClosed, ConnectionLost, ProtocolFailure
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import (
    BodyData,
    BodyEnd,
    Connection,
    ConnectionEnded,
    Event,
    Failure,
    Message,
    SentEvent,
    Writable,
)
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.pipe import End
from spry_core.testing.pump import MemoryPump

MAX_SENT: Final = 64 * 1024 * 1024
"""Bytes of content that an iterable may bring for one request before it is taken for one without an end."""

MAX_SENT_PIECES: Final = 100_000
"""Pieces that it may bring."""


class Conversation:
    """One connection of a client, and the driver that runs both of its ends."""

    def __init__(self, driver: MemoryDriver, end: End, connection: Connection) -> None:
        self._driver = driver
        self._connection = connection
        self._pump = MemoryPump(driver, end, "client")
        self._pump.start(connection)
        self._events: deque[Event] = deque()
        self._info: CloseInfo | None = None
        self._failure: RemoteProtocolError | None = None

    @property
    def driver(self) -> MemoryDriver:
        """The driver of both ends."""
        return self._driver

    @property
    def is_open(self) -> bool:
        """True while WebSocket messages may be sent."""
        return self._connection.is_open

    @property
    def is_ended(self) -> bool:
        """True when the stream is gone; events may still be there to be received."""
        self._collect()
        return self._info is not None

    @property
    def info(self) -> CloseInfo | None:
        """How it ended, as soon as the stream is gone."""
        self._collect()
        return self._info

    def send(self, event: SentEvent) -> None:
        """Say this; the bytes leave when the driver runs. Raises what `Connection.send` raises."""
        self._connection.send(event, self._driver.now())
        self._pump.look()

    def send_content(self, pieces: Iterable[bytes], what: str) -> None:
        """Send the content of a request and its end, as far as they are wanted: who has answered early may have ended the stream.

        What the server does not read is kept for it, as no time passes here.

        Args:
            pieces: The content.
            what: What it belongs to, for the text of the errors.

        Raises:
            Deadlock: There are more than `MAX_SENT_PIECES`, or more than `MAX_SENT` bytes in several; the stream is cut.
        """
        size = 0
        for count, piece in enumerate(pieces, start=1):
            size += len(piece)
            if count > MAX_SENT_PIECES or (size > MAX_SENT and count > 1):
                error = self._driver.deadlock(
                    f"the content of {what} has not ended after {count} pieces, {size} bytes: an iterable has to come to an end"
                )
                self.abort()
                raise error
            if piece:
                self._send_if_wanted(BodyData(data=piece))
            if self.is_ended:
                return
        self._send_if_wanted(BodyEnd())

    def _send_if_wanted(self, event: SentEvent) -> None:
        if not self.is_ended:
            self.send(event)
            self._driver.settle()

    def abort(self) -> None:
        """Cut the stream."""
        self._connection.abort(self._driver.now())
        self._pump.look()

    def end(self) -> None:
        """End the stream as a client does that has nothing more to ask."""
        self._connection.shutdown(self._driver.now())
        self._pump.look()

    def receive(self, what: str, *, timeout: float | None = None, limit: float | None = None) -> Event:
        """Return the next event; wait for it if there is none yet. The last one is `ConnectionEnded`.

        Args:
            what: What the client waits for, for the text of the errors.
            timeout: Virtual seconds to wait at most.
            limit: What the text of the `TimeoutError` says, if `timeout` is only what is left of that.

        Raises:
            Deadlock: Nothing can bring it.
            TimeoutError: `timeout` has passed.
            LocalProtocolError: The end was received already.
        """
        if not self._has_event():
            try:
                self._driver.wait_until(self._has_event, what, timeout=timeout, is_hasty=self._is_hasty)
            except TimeoutError:
                raise TimeoutError(f"{what} did not come within {limit or timeout} s") from None
        event = self._events.popleft()
        self._release(event)
        return event

    def closed_error(self) -> ConnectionClosed:
        """Make the exception that tells a client's user how the connection ended, or that it is closing."""
        info = self.info
        if info is None:
            return ConnectionClosed()
        error: ConnectionClosed
        if self._failure is not None:
            error = ProtocolFailure(info)
        elif info.sent is not None or info.initiator == "local":
            error = ConnectionClosed(info)
        else:
            error = ConnectionLost(info)
        error.__cause__ = self._failure or info.cause
        return error

    def _is_hasty(self) -> bool:
        # While it is open, a WebSocket's deadlines are keepalive, which two willing peers go on with for ever.
        return not self._connection.is_open

    def _has_event(self) -> bool:
        self._collect()
        return bool(self._events)

    def _collect(self) -> None:
        for event in self._connection:
            if isinstance(event, ConnectionEnded):
                self._info = event.info
            elif isinstance(event, Failure):
                self._failure = event.error
            if not isinstance(event, Writable):
                self._events.append(event)

    def _release(self, event: Event) -> None:
        if isinstance(event, BodyData):
            size = len(event.data)
        elif isinstance(event, Message):
            size = len(event.data.encode() if isinstance(event.data, str) else event.data)
        else:
            return
        self._connection.release(size, self._driver.now())
        self._pump.look()
