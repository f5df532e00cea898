"""The other end of a stream in the test's hands: raw bytes."""

from __future__ import annotations

from spry_core.testing.memory import MemoryDriver
from spry_core.testing.pipe import End


class MemoryPeer:
    """The end of a stream in a test's hands: raw bytes, as a peer of any manners may send them.

    Every method that does something lets the driver settle before it returns. What comes is read at once, unless `is_reading`
    is set to False.
    """

    def __init__(self, driver: MemoryDriver, end: End) -> None:
        self._driver = driver
        self._end = end
        self._received = bytearray()
        self._is_reading = True
        end.incoming.wake_reader = self._read

    @property
    def received(self) -> bytes:
        """All bytes that have come and were not taken."""
        return bytes(self._received)

    def take(self) -> bytes:
        """Return `received` and forget it."""
        data = self.received
        self._received.clear()
        return data

    @property
    def waiting(self) -> int:
        """Bytes that the other side has sent and that were not read; 0 while `is_reading`."""
        return len(self._end.incoming)

    def read(self, size: int) -> bytes:
        """Read at most `size` of the bytes that wait, with `is_reading` set to False: a reader as slow as the test wants."""
        data = self._end.incoming.read(size)
        self._driver.settle()
        return data

    @property
    def is_ended(self) -> bool:
        """True if the other side has ended its direction, and all before it was read."""
        return self._end.incoming.is_finished and not len(self._end.incoming)

    @property
    def is_reset(self) -> bool:
        """True if the other side has reset the stream."""
        return self._end.incoming.is_reset

    @property
    def unread(self) -> int:
        """Bytes that this peer has sent and the other side has not read."""
        return len(self._end.outgoing)

    @property
    def is_reading(self) -> bool:
        """False: a peer that does not read; what is sent to it fills the pipe."""
        return self._is_reading

    @is_reading.setter
    def is_reading(self, value: bool) -> None:
        self._is_reading = value
        self._read()
        self._driver.settle()

    def send(self, data: bytes) -> None:
        """Send `data`, however much the other side wants."""
        self._end.outgoing.write(data)
        self._driver.settle()

    def half_close(self) -> None:
        """End this direction; the other may go on."""
        self._end.outgoing.finish()
        self._driver.settle()

    def close(self) -> None:
        """Close the stream: whatever still comes is answered with a reset."""
        self._end.close()
        self._driver.settle()

    def reset(self) -> None:
        """Cut the stream."""
        self._end.reset()
        self._driver.settle()

    def _read(self) -> None:
        while self._is_reading and (data := self._end.incoming.read(len(self._end.incoming))):
            self._received += data
