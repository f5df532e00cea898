"""A `Wire` over a blocking socket: the same bytes by hand, to a server at a real address.

This is the one module of `spry_core` that imports `socket` and `time` (docs/decisions/0021): nothing loads it but whoever names
it.
"""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import Final, Self, TypeAlias

Address: TypeAlias = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

PATIENCE: Final = 10.0
"""Seconds for which connecting, and `AddressWire.send`, wait at most."""

READ_SIZE: Final = 64 * 1024
"""Bytes that `AddressWire.receive` takes at once, at most."""

_CUT: Final = struct.pack("ii", 1, 0)  # SO_LINGER, on and for no time: close with a reset


class AddressWire:
    """A `Wire` over a socket, to a server at `address`.

    Args:
        address: Host and port, or the path of a unix socket; or a connected stream socket, such as `accept` gives, which
            belongs to the wire from now on.
        patience: Seconds for which connecting, and each wait of `send`, last at most.
        receive_buffer: Bytes of the kernel's receive buffer; a small one makes a slow reader soon felt. None leaves it to the
            kernel.

    Raises:
        OSError: Nobody accepts there.
        TimeoutError: `patience` has passed.
    """

    def __init__(
        self,
        address: Address | socket.socket,
        *,
        patience: float = PATIENCE,
        receive_buffer: int | None = None,
    ) -> None:
        self._socket = (
            address if isinstance(address, socket.socket) else _connect(address, patience, receive_buffer)
        )
        self._patience = patience
        self._has_ended = False
        self._is_closed = False
        self._is_reset = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def now(self) -> float:
        """Return the time of a clock that never runs backwards, in seconds."""
        return time.monotonic()

    def send(self, data: bytes) -> None:
        """Send all of `data`, and wait while the other side does not read; see `Wire.send`."""
        rest = memoryview(data)
        while rest:
            self._prepare_to_send(self._patience)
            rest = rest[self._socket.send(rest) :]

    def send_some(self, data: bytes, timeout: float) -> int:
        """Send what the kernel has room for; 0 if that is nothing for `timeout` seconds; see `Wire.send_some`."""
        self._prepare_to_send(timeout)
        try:
            return self._socket.send(data)
        except (TimeoutError, BlockingIOError):
            return 0

    def _prepare_to_send(self, timeout: float) -> None:
        if self._has_ended:
            raise BrokenPipeError("this end has ended its direction")
        self._socket.settimeout(timeout)

    def receive(self, timeout: float, size: int = READ_SIZE) -> bytes | None:
        """Return the next bytes; none at the end; None if nothing comes within `timeout` seconds."""
        if self._is_closed:
            return b""
        if self._is_reset:  # the kernel says so once, and then that there is no more
            raise ConnectionResetError("the other side has cut the stream")
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(size)
        except (TimeoutError, BlockingIOError):
            return None
        except ConnectionError as error:
            self._is_reset = True
            raise ConnectionResetError(*error.args) from error

    def half_close(self) -> None:
        """End this direction (FIN); the other may go on."""
        if not self._has_ended:
            self._has_ended = True
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:  # it is gone already
                pass

    def close(self) -> None:
        """Close the socket; what still comes is answered with a reset."""
        self._has_ended = self._is_closed = True
        self._socket.close()

    def reset(self) -> None:
        """Close the socket with a reset."""
        if not self._is_closed:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CUT)
            self.close()

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        time.sleep(seconds)


def _connect(address: Address, patience: float, receive_buffer: int | None) -> socket.socket:
    if isinstance(address, str):
        return _connect_one(socket.AF_UNIX, address, patience, receive_buffer)
    host, port = address
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    errors: list[OSError] = []
    for family, _, _, _, place in found:  # a name may stand for several; "localhost" often does
        try:
            return _connect_one(family, place, patience, receive_buffer)
        except OSError as error:
            errors.append(error)
    raise errors[-1]


def _connect_one(
    family: int, place: str | tuple[object, ...], patience: float, receive_buffer: int | None
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer is not None:  # before connecting, or it does not bound the window
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(patience)
        sock.connect(place)
    except OSError:
        sock.close()
        raise
    return sock
