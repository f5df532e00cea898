"""The other end of a connection: a bare TCP socket that hides nothing, on whatever loop is running."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Final, Self

import anyio

PATIENCE: Final = 10.0
"""Seconds after which something that was waited for counts as missing; a busy machine is slow."""

TICK: Final = 0.001
"""Seconds that the coarsest of the loops' clocks counts in, uvloop's: nothing comes earlier than that before it is due. It is
measured by the loop's own clock, and from before the server can have begun to wait.
"""


class Peer:
    """A non-blocking stream socket whose waits are bounded."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        with anyio.fail_after(PATIENCE):
            while rest:
                await anyio.wait_writable(self.socket)
                rest = rest[self.socket.send(rest) :]

    async def receive_some(self, size: int = 65536) -> bytes:
        """Wait for some bytes; none at the end of the stream."""
        with anyio.fail_after(PATIENCE):
            await anyio.wait_readable(self.socket)
            return self.socket.recv(size)

    async def look_ahead(self) -> bytes:
        """Wait for some bytes, and leave them to who receives next; none at the end of the stream."""
        with anyio.fail_after(PATIENCE):
            await anyio.wait_readable(self.socket)
            return self.socket.recv(65536, socket.MSG_PEEK)

    async def receive(self, size: int) -> bytes:
        """Wait for exactly so many bytes, or fewer if the stream ends."""
        data = bytearray()
        while len(data) < size and (some := await self.receive_some(size - len(data))):
            data += some
        return bytes(data)

    async def receive_until(self, end: bytes) -> bytes:
        """Wait until what has come ends like this, or the stream does."""
        data = bytearray()
        while not data.endswith(end) and (ahead := await self.look_ahead()):
            found = (data + ahead).find(end)
            data += await self.receive_some(len(ahead) if found < 0 else found + len(end) - len(data))
        return bytes(data)

    async def receive_all(self) -> bytes:
        """Wait for everything until the end of the stream."""
        data = bytearray()
        while some := await self.receive_some():
            data += some
        return bytes(data)

    def end(self) -> None:
        """Send the end of our direction."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a reset: `SO_LINGER` with no time."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


async def connect(address: tuple[str, int], *, receive_buffer: int | None = None) -> Peer:
    """Connect to a server; the kernel's receive buffer can be made small."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        sock.connect(address)  # to a listening socket on loopback this never waits
    except OSError:
        sock.close()
        raise
    return Peer(sock)


def pair(*, receive_buffer: int | None = None, send_buffer: int | None = None) -> tuple[socket.socket, Peer]:
    """Make both ends of a TCP stream: the one a server accepts, and the peer's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(listener.getsockname())
        accepted, _ = listener.accept()
    if send_buffer is not None:
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    accepted.setblocking(False)
    return accepted, Peer(sock)
