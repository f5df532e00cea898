"""Sending what has piled up: one call of the kernel, and no copy of what is big."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from spry_core.protocol import StreamEnd
from spry_core.serving import Served
from spry_system.ending import end_sending, end_stream

MANY: Final = 64
"""The most pieces that one call is given; every system takes as many."""

BIG: Final = 16 * 1024
"""From so many bytes on a copy costs more than to give pieces one by one."""

HAS_SENDMSG: Final = hasattr(socket.socket, "sendmsg")
"""False on Windows."""


def send_some(sock: socket.socket, unsent: list[bytes | memoryview]) -> tuple[int, bool]:
    """Give the kernel the oldest of what is unsent, as much as it takes in one call, and keep the rest.

    Args:
        sock: Non-blocking.
        unsent: At least one piece, oldest first; what is sent is taken out.

    Returns:
        How many bytes were sent, and whether the kernel takes no more now.

    Raises:
        OSError: The stream is broken; nothing was sent.
    """
    if len(unsent) > 1 and (not HAS_SENDMSG or all(len(piece) < BIG for piece in unsent)):
        unsent[:] = [b"".join(unsent)]
    given = unsent[:MANY]
    try:
        sent = sock.send(given[0]) if len(given) == 1 else sock.sendmsg(given)
    except (BlockingIOError, InterruptedError):
        return 0, True
    left, gone = sent, 0
    while gone < len(given) and left >= len(given[gone]):
        left -= len(given[gone])
        gone += 1
    del unsent[:gone]
    if gone == len(given):
        return sent, False
    unsent[0] = memoryview(unsent[0])[left:]
    return sent, True


class Sender(ABC):
    """The half of a pump that sends: what the session has to say goes into the socket, and what ends the stream behind it.

    The other half, which waits and reads, is the loop's own; it calls `_write` whenever it looks at the session.
    """

    __slots__ = ("_end", "_has_sent", "_is_blocked", "_is_lost", "_now", "_session", "_socket", "_unsent")

    def __init__(self, sock: socket.socket, now: Callable[[], float]) -> None:
        """Send into `sock`, connected and non-blocking, by the loop's clock. The session has to be set next."""
        self._socket = sock
        self._now = now
        self._session: Served
        self._unsent: list[bytes | memoryview] | None = None  # most connections never have any
        self._end: StreamEnd | None = None  # due when all bytes have gone
        self._has_sent = False  # a send has been tried, which finds an error of the stream
        self._is_blocked = False  # the kernel takes no more now
        self._is_lost = False

    @abstractmethod
    def _wait_for_room(self) -> None:
        """Take note that the kernel takes no more now, and look again when it does."""
        ...

    @abstractmethod
    def _lose(self, error: Exception | None, now: float, *, reset: bool = False) -> None:
        """Close the socket and tell the session; with `reset`, drop what the kernel still holds."""
        ...

    def _write(self, session: Served) -> None:
        """Send what the session has until it has no more to say; what ends the stream comes after the last byte."""
        while not self._is_lost:
            batch = session.data_to_send()
            if not batch and (self._is_blocked or not self._unsent):
                break
            if batch and isinstance(end := batch[-1], StreamEnd):
                self._end = end
                if end is StreamEnd.ABORT:  # carried out at once, whatever waits
                    self._lose(None, self._now(), reset=True)
                    return
            if len(batch) == 1 and not self._unsent and isinstance(data := batch[0], bytes):
                self._send(data, session)  # what nearly every batch is
            else:
                self._keep(batch)
                if self._unsent and not self._is_blocked:
                    self._send_many(self._unsent, session)
        if self._end is not None and not self._unsent:
            self._carry_out(self._end)

    def _send(self, chunk: bytes, session: Served) -> None:
        """Give the kernel as much as it takes, and the session credit for that; the rest waits until it takes more."""
        self._has_sent = True
        try:
            sent = self._socket.send(chunk)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(error, self._now())
            return
        if sent < len(chunk):
            self._unsent = [memoryview(chunk)[sent:]]
            self._wait_for_room()
        if sent:
            session.bytes_written(sent, self._now())

    def _send_many(self, unsent: list[bytes | memoryview], session: Served) -> None:
        """Do the same with what waits."""
        self._has_sent = True
        try:
            sent, is_blocked = send_some(self._socket, unsent)
        except OSError as error:
            self._lose(error, self._now())
            return
        if is_blocked:
            self._wait_for_room()
        if sent:
            session.bytes_written(sent, self._now())

    def _keep(self, batch: list[bytes | StreamEnd]) -> None:
        """Queue the bytes of a batch behind what is unsent."""
        if self._unsent is None:
            self._unsent = []
        self._unsent.extend([item for item in batch if isinstance(item, bytes)])

    def _carry_out(self, end: StreamEnd) -> None:
        """End the stream after its last byte, in one direction or in both."""
        self._end = None
        error: OSError | None = None
        if end is not StreamEnd.HALF_CLOSE:
            end_stream(self._socket)
        elif (error := end_sending(self._socket)) is None:
            return
        self._lose(error, self._now())
