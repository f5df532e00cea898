"""One peer on one wire: sends and hears by hand, notes what comes back, and is patient for so long and no longer.

It judges nothing. A response head is found by its first line and a frame by its header, since what a hostile peer hears back
need not be right.
"""

from __future__ import annotations

import re
from itertools import cycle
from typing import Final

from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    PONG,
    TEXT,
    Frame,
    close_payload,
    frame,
    take_frames,
)
from spry_core.testing.peers.report import Ending, Report
from spry_core.testing.requests import HOST, handshake
from spry_core.testing.wire import Wire

PATIENCE: Final = 60.0
"""Seconds after which a peer has outlived its patience; all of Spry's timeouts together that can follow each other are less."""

_PIECE: Final = 16 * 1024  # bytes to send before it listens again
_BEGINNING: Final = 16 * 1024
_SLICE: Final = 0.05  # seconds to listen while the other side takes nothing
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_STATUS_SIZE: Final = 13


class Talk:
    """What a peer does and hears.

    Args:
        name: The peer's name, for the report.
        wire: The stream, just connected.
        patience: Seconds until the peer gives up.
    """

    def __init__(self, name: str, wire: Wire, patience: float) -> None:
        self.wire: Final = wire
        """The stream, for what is not done here."""
        self._name = name
        self._began = wire.now()
        self._until = self._began + patience
        self._sent = 0
        self._received = 0
        self._beginning = bytearray()
        self._tail = b""
        self._statuses: list[int] = []
        self._is_switched = False
        self._held = bytearray()
        self._close_code: int | None = None
        self._messages = self._pongs = 0
        self._is_broken = False
        self._ending: Ending | None = None
        self._ended_at = 0.0

    @property
    def is_over(self) -> bool:
        """True when the connection has ended, or the patience has."""
        if self._ending is None and self.left <= 0:
            self._end(Ending.PATIENCE)
        return self._ending is not None

    @property
    def left(self) -> float:
        """Seconds of patience that are left."""
        return max(0.0, self._until - self.wire.now())

    @property
    def beginning(self) -> bytes:
        """The first bytes that came."""
        return bytes(self._beginning)

    @property
    def is_refused(self) -> bool:
        """True if a Close frame has come."""
        return self._close_code is not None

    def say(self, data: bytes, *, deaf: bool = False) -> None:
        """Send `data`, and hear what comes meanwhile; with `deaf` nothing is heard, however long the other side takes nothing."""
        view = memoryview(data)
        while view and not self.is_over and not self._is_broken:
            if not deaf:
                self.hear(0)
            piece = bytes(view[:_PIECE])
            taken = self._send(piece, self.left if deaf else 0)
            view = view[taken:]
            if not taken and not deaf:
                self.hear(_SLICE)

    def hear(self, seconds: float, size: int = _PIECE) -> None:
        """Read what comes within `seconds`, or until it is over."""
        until = min(self.wire.now() + seconds, self._until)
        while self._ending is None:
            left = until - self.wire.now()
            if not self._read(max(0.0, left), size) or left <= 0:
                return

    def listen(self) -> None:
        """Hear to the end, or to the end of the patience."""
        while not self.is_over:
            self.hear(self.left)

    def drip(self, data: bytes, pause: float) -> None:
        """Send a byte every `pause` seconds, round and round, until it is over."""
        stream = cycle(data)
        while not self.is_over:
            self.say(bytes((next(stream),)))
            self.hear(pause)

    def sip(self, data: bytes, size: int, pause: float) -> None:
        """Send `data` as far as the other side takes it, and read `size` bytes every `pause` seconds, until it is over."""
        view = memoryview(data)
        while not self.is_over:
            while view and (taken := self._send(bytes(view[:_PIECE]), 0)):
                view = view[taken:]
            self.hear(0, size)
            self.wire.sleep(min(pause, self.left))

    def pour(self, one: bytes, count: int) -> None:
        """Send `one` so many times, in pieces, until it is over or a Close frame has come."""
        step = max(1, _PIECE // len(one))
        while count > 0 and not self.is_over and not self.is_refused:
            self.say(one * min(step, count))
            count -= step

    def outstay(self, data: bytes, pause: float) -> None:
        """Go on sending `data` every `pause` seconds, the end of the stream notwithstanding, until the stream is cut."""
        while self.left > 0 and self._ending in (None, Ending.END) and not self._is_broken:
            self._ending = None
            self._send(data, 0)
            self.hear(0)
            self.wire.sleep(min(pause, self.left))
        if self._ending is not Ending.RESET:
            self._ending = None
            self._end(Ending.RESET if self._is_broken else Ending.PATIENCE)

    def request(self, data: bytes) -> None:
        """Send a request, and hear until the head of its answer has come, or it is over."""
        self.say(data)
        while b"\r\n\r\n" not in self._beginning and not self.is_over:
            self.hear_once()

    def hear_once(self) -> None:
        """Wait for the next bytes."""
        self._read(self.left, _PIECE)

    def open(self, target: str, host: str = HOST, *lines: str, behind: bytes = b"") -> bool:
        """Open a WebSocket; tell whether it got a 101. What follows is heard as frames.

        Args:
            target: Path and query.
            host: What the Host field says.
            lines: Further field lines.
            behind: Bytes that follow the handshake without waiting.
        """
        self.request(handshake(target, host, *lines) + behind)
        if self._statuses[:1] == [101]:
            self.switch()
            return True
        return False

    def switch(self) -> None:
        """Hear frames from now on, behind the first head."""
        self._is_switched = True
        _, _, rest = self._beginning.partition(b"\r\n\r\n")
        self._hear_frames(bytes(rest))

    def leave_politely(self) -> None:
        """Send a Close frame, and hear to the end."""
        self.say(frame(CLOSE_FRAME, close_payload(1000)))
        self.listen()

    def leave_rudely(self) -> None:
        """Cut the stream."""
        if self._ending is None:
            self.wire.reset()
            self._end(Ending.LEFT)

    def finish(self) -> Report:
        """Hear to the end, close the wire, and report."""
        self.listen()
        self.wire.reset()
        assert self._ending is not None
        return Report(
            name=self._name,
            sent=self._sent,
            received=self._received,
            beginning=self.beginning,
            status_code=self._statuses[-1] if self._statuses else None,
            answers=len(self._statuses),
            close_code=self._close_code,
            messages=self._messages,
            pongs=self._pongs,
            ending=self._ending,
            seconds=self._ended_at - self._began,
        )

    def _send(self, data: bytes, timeout: float) -> int:
        try:
            taken = self.wire.send_some(data, timeout)
        except ConnectionError:  # what was said before that may still be there to be heard
            self._is_broken = True
            return 0
        self._sent += taken
        return taken

    def _read(self, timeout: float, size: int) -> bool:
        """Read once; tell whether something came that may have more behind it."""
        try:
            data = self.wire.receive(timeout, size)
        except ConnectionError:
            self._end(Ending.RESET)
            return False
        if data is None:
            return False
        if not data:
            self._end(Ending.RESET if self._is_broken else Ending.END)
            return False
        self._take(data)
        return True

    def _end(self, ending: Ending) -> None:
        self._ending = ending
        self._ended_at = self.wire.now()

    def _take(self, data: bytes) -> None:
        self._received += len(data)
        self._beginning += data[: _BEGINNING - len(self._beginning)]
        if self._is_switched:
            self._hear_frames(data)
            return
        text = self._tail + data
        self._statuses += [int(each[1]) for each in _STATUS.finditer(text)]
        self._tail = text[-(_STATUS_SIZE - 1) :]

    def _hear_frames(self, data: bytes) -> None:
        self._held += data
        for each in take_frames(self._held):
            self._note(each)

    def _note(self, each: Frame) -> None:
        if each.opcode == CLOSE_FRAME and self._close_code is None:
            self._close_code = int.from_bytes(each.payload[:2], "big") if each.payload else 1005
        elif each.opcode == PONG:
            self._pongs += 1
        elif each.opcode in (TEXT, BINARY, CONTINUATION):
            self._messages += each.fin
