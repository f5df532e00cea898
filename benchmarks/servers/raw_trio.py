"""The limit on trio: non-blocking sockets, waited for only where the kernel has nothing to give or no room."""

from __future__ import annotations

import socket
from typing import Final

import trio

from benchmarks.servers import arguments, constant
from benchmarks.work import Kind

_READ: Final = 1 << 18

everybody: Final[set[socket.socket]] = set()


async def echo(sock: socket.socket) -> None:
    """Send back what comes."""
    while True:
        await trio.lowlevel.wait_readable(sock)
        data = sock.recv(_READ)
        if not data:
            return
        try:
            sent = sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            await send(sock, data[sent:])


async def answer(sock: socket.socket, kind: Kind) -> None:
    """Answer something else."""
    answered = constant.answer(kind)
    while True:
        await trio.lowlevel.wait_readable(sock)
        data = sock.recv(_READ)
        if not data:
            return
        out = answered(data)
        for each in tuple(everybody) if kind is Kind.FAN and out is data else (sock,):
            await send(each, out)


async def send(sock: socket.socket, data: bytes) -> None:
    """Send all of it; try first."""
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)


async def talk(sock: socket.socket, kind: Kind) -> None:
    """Do one kind of work on one connection until it ends."""
    everybody.add(sock)
    try:
        await (echo(sock) if kind in (Kind.ECHO, Kind.DEFLATE) else answer(sock, kind))
    except OSError:
        return
    finally:
        everybody.discard(sock)
        trio.lowlevel.notify_closing(sock)
        sock.close()


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
