"""What is under test as a server: an echo, of whatever comes."""

from __future__ import annotations

from spry_core import Application, Deflate, Request, WebSocket

app = Application()

LARGEST = 16 * 1024 * 1024
"""Bytes of the largest message of the cases (9.1.6, 9.2.6)."""


# Every message is compressed, also the shortest: the cases of groups 12 and 13 hash what comes, and cannot hash a text that
# was not compressed.
@app.ws("/", compression=Deflate(threshold=0), max_message_size=LARGEST, max_fragments=LARGEST)
async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)
