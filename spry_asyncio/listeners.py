"""The sockets to listen on: a name becomes addresses, and each address a socket."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str | int | bytes, ...]
"""A socket's address: a pair for IPv4, four for IPv6."""

MAX_PORT: Final = 65535

ADDRESS_MISSING: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What an address of a name says that the machine does not have, such as ``::1`` where there is no IPv6."""


async def listen(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Open a listening socket on every address of `host` that this machine has, or raise `OSError` and leave none open."""
    if not 0 <= port <= MAX_PORT:  # a resolver would take what is left of it in 16 bits
        raise ValueError(f"a port is a number from 0 to {MAX_PORT}, not {port}")
    listeners: list[socket.socket] = []
    missing: OSError | None = None
    with ExitStack() as undo:
        for family, address in await resolve(host or None, port):
            try:
                listener = socket.create_server(address, family=family, backlog=backlog)
            except OSError as error:
                if error.errno not in ADDRESS_MISSING:
                    raise
                missing = error
                continue
            undo.callback(listener.close)
            listener.setblocking(False)
            listeners.append(listener)
        if missing is not None and not listeners:
            raise missing
        undo.pop_all()
    return listeners


async def resolve(host: str | None, port: int) -> Iterable[tuple[int, Address]]:
    """Resolve to pairs of family and address, each once, in the resolver's order; None stands for all interfaces.

    What is an address already needs no resolver, and so none of the threads in which asyncio runs it.
    """
    passive = socket.AI_PASSIVE
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=passive | socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=passive)
    return dict.fromkeys((family, address) for family, _, _, _, address in found)


def address_text(address: tuple[str, int]) -> str:
    """Write an address for logs: ``127.0.0.1:80``, ``[::1]:80``."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
