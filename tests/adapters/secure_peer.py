"""The other end of a connection over TLS, on a bare socket, on whatever loop is running."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.peer import Peer, connect
from adapters.serving import Running, handshake
from handshakes import SWITCHED
from secure import SecureClient


class SecurePeer(Peer):
    """A peer that speaks TLS; `raw` is what it stands on."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None = None, step: int = 65536) -> None:
        super().__init__(sock)
        self.raw = Peer(sock)
        self.client = SecureClient(context)
        self._step = step

    async def shake_hands(self) -> None:
        """Go through the handshake; or find, in `client.error`, why not."""
        await self.say(self.client.say())
        while not self.client.is_connected and await self._hear(65536):
            await self.say(self.client.say())

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self.say(self.client.write(data))

    async def say(self, data: bytes) -> None:
        """Send these bytes as they are, so many at a time."""
        for start in range(0, len(data), self._step):
            await self.raw.send(data[start : start + self._step])

    async def receive_some(self, size: int = 65536) -> bytes:
        """Wait for some plaintext; none at the server's close_notify, or at the end of the stream."""
        data = (await self.look_ahead())[:size]
        self.client.received = self.client.received[size:]
        return data

    async def look_ahead(self) -> bytes:
        """The same, and leave it to who receives next."""
        while not self.client.received and not self.client.has_end and self.client.error is None:
            if not await self._hear(65536):
                break
        return self.client.received

    async def end_politely(self) -> None:
        """Say close_notify."""
        await self.say(self.client.end())

    async def _hear(self, size: int) -> bool:
        data = await self.raw.receive_some(min(size, self._step))
        if data:
            self.client.hear(data)
        return bool(data)


@asynccontextmanager
async def secured(
    server: Running,
    context: ssl.SSLContext | None = None,
    *,
    step: int = 65536,
    receive_buffer: int | None = None,
) -> AsyncGenerator[SecurePeer]:
    """Connect over TLS; `step` is how many bytes go, and come, at a time."""
    plain = await connect(server.addresses[0], receive_buffer=receive_buffer)
    async with SecurePeer(plain.socket, context, step) as peer:
        await peer.shake_hands()
        yield peer


async def upgrade(peer: SecurePeer, path: str) -> None:
    """Go through the opening handshake (RFC 6455 §1.3)."""
    await peer.send(handshake(path))
    assert await peer.receive_until(b"\r\n\r\n") == SWITCHED
