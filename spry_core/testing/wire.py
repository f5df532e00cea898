"""A client's end of one byte stream, raw, and its form in memory.

What is written against `Wire` runs against an application in memory, in virtual time, and against a server at a real address
(`spry_core.testing.address`) without a change.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

from spry_core.testing.memory import MemoryDriver
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pump import READ_SIZE, WINDOW

PATIENCE: Final = 60.0
"""Seconds for which `Wire.send` waits at most for the other side to read on."""


class Wire(Protocol):
    """One end of a byte stream in the hands of a test, which sends and receives what it likes.

    The calls block, and every wait is bounded. Seconds are virtual in memory and real over a socket.
    """

    def now(self) -> float:
        """Return the time, in seconds; only differences matter."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of `data`, and wait while the other side does not read.

        Raises:
            ConnectionResetError: The other side has cut the stream.
            BrokenPipeError: The stream is gone, or this end has ended its direction.
            TimeoutError: The other side did not read for too long; some of `data` may be on its way.
        """
        ...

    def send_some(self, data: bytes, timeout: float) -> int:
        """Send what the other side has room for, and return how many bytes that was; 0 if none in `timeout` seconds.

        Raises:
            ConnectionResetError: The other side has cut the stream.
            BrokenPipeError: The stream is gone, or this end has ended its direction.
        """
        ...

    def receive(self, timeout: float, size: int = READ_SIZE) -> bytes | None:
        """Return the next bytes; none at the end of the stream; None if nothing has come within `timeout` seconds.

        Args:
            timeout: Seconds to wait at most; 0 takes what is there.
            size: Bytes to return at most; the rest stays where it is, which is how to read slowly.

        Raises:
            ConnectionResetError: The other side has cut the stream.
        """
        ...

    def half_close(self) -> None:
        """End this direction (FIN); the other may go on. Does nothing if the stream is gone."""
        ...

    def close(self) -> None:
        """End both directions; what still comes is answered with a reset. May be called twice."""
        ...

    def reset(self) -> None:
        """Cut the stream (RST): what is on its way is lost. May be called twice."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass, and do nothing."""
        ...


class Reachable(Protocol):
    """Who can be connected to in memory: a `TestClient`, or whatever has these two."""

    @property
    def driver(self) -> MemoryDriver:
        """What runs the other side, and has the time."""
        ...

    def connect(self) -> MemoryPeer:
        """Open one more connection."""
        ...


class MemoryWire:
    """A `Wire` in memory and in virtual time.

    Args:
        server: Who to connect to, such as a `TestClient`.
        patience: Virtual seconds for which `send` waits at most for the other side to read on.

    Raises:
        ConnectionRefusedError: The server accepts no further connection.

    Whatever raises in the server's code comes out of these methods, as it does from those of `MemoryDriver`.
    """

    def __init__(self, server: Reachable, *, patience: float = PATIENCE) -> None:
        self._driver = server.driver
        self._patience = patience
        self._peer = server.connect()
        self._peer.is_reading = False  # nothing is read but by `receive`
        self._has_ended = False
        self._is_closed = False

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        return self._driver.now()

    def send(self, data: bytes) -> None:
        """Send all of `data`, and let time pass while the other side does not read; see `Wire.send`."""
        while data:
            taken = self.send_some(data, self._patience)
            if not taken:
                raise TimeoutError(f"the other side has read nothing for {self._patience} s")
            data = data[taken:]

    def send_some(self, data: bytes, timeout: float) -> int:
        """Send what the pipe has room for, and let at most `timeout` virtual seconds pass until it has some."""
        _check(timeout)
        self._look()
        if self._has_ended:
            raise BrokenPipeError("this end has ended its direction")
        try:
            self._driver.wait_until(self._has_room, "room for more to send", timeout=timeout)
        except TimeoutError:
            return 0
        self._look()
        room = WINDOW - self._peer.unread
        self._peer.send(data[:room])
        self._look()
        return len(data[:room])

    def receive(self, timeout: float, size: int = READ_SIZE) -> bytes | None:
        """Return the next bytes; none at the end; None if nothing comes within `timeout` virtual seconds."""
        _check(timeout)
        if self._is_closed:
            return b""
        try:
            self._driver.wait_until(self._has_news, "something to receive", timeout=timeout)
        except TimeoutError:
            return None
        self._look()
        return self._peer.read(size)

    def half_close(self) -> None:
        """End this direction; the other may go on."""
        if not self._has_ended:
            self._has_ended = True
            self._peer.half_close()

    def close(self) -> None:
        """End both directions; what still comes is answered with a reset."""
        if not self._is_closed:
            self._has_ended = self._is_closed = True
            self._peer.close()

    def reset(self) -> None:
        """Cut the stream."""
        if not self._is_closed:
            self._has_ended = self._is_closed = True
            self._peer.reset()

    def sleep(self, seconds: float) -> None:
        """Let so many virtual seconds pass."""
        self._driver.advance(seconds)

    def _look(self) -> None:
        if self._peer.is_reset and not self._is_closed:
            raise ConnectionResetError("the other side has cut the stream")

    def _has_news(self) -> bool:
        return self._peer.waiting > 0 or self._peer.is_ended or self._peer.is_reset

    def _has_room(self) -> bool:
        return self._peer.unread < WINDOW or self._peer.is_reset


def _check(timeout: float) -> None:
    if not 0 <= timeout < math.inf:
        raise ValueError(f"timeout must be a finite number and not negative, not {timeout}")
