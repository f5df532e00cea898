"""The limit on trio: non-blocking sockets, waited for only where the kernel has nothing to give or no room."""

from __future__ import annotations

import socket
from typing import Final

import trio

from benchmarks.servers import arguments, constant
from benchmarks.work import Kind

_READ: Final = 1 << 18

everybody: Final[set[socket.socket]] = set()


async def talk(sock: socket.socket, kind: Kind) -> None:
    """Answer on one connection until it ends."""
    answer = constant.answer(kind)
    everybody.add(sock)
    try:
        while True:
            await trio.lowlevel.wait_readable(sock)
            data = sock.recv(_READ)
            if not data:
                return
            answered = answer(data)
            for each in tuple(everybody) if kind is Kind.FAN and answered is data else (sock,):
                await send(each, answered)
    except OSError:
        return
    finally:
        everybody.discard(sock)
        trio.lowlevel.notify_closing(sock)
        sock.close()


async def send(sock: socket.socket, data: bytes) -> None:
    """Send all of it; try first."""
    at = 0
    while at < len(data):
        try:
            at += sock.send(memoryview(data)[at:] if at else data)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)


async def serve(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.setblocking(False)
    async with trio.open_nursery() as nursery:
        while True:
            await trio.lowlevel.wait_readable(listener)
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            nursery.start_soon(talk, sock, kind)


if __name__ == "__main__":
    given = arguments.read()
    trio.run(serve, given.port, given.kind)
