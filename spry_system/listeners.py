"""The sockets to listen on: a name becomes addresses, and each address a socket; a path or a socket given becomes one too."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str | int | bytes, ...]
"""A socket's address: a pair for IPv4, four for IPv6."""

Found: TypeAlias = Iterable[tuple[int, int, int, str, Address]]
"""What `getaddrinfo` returns."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[Found]]
"""Asks a resolver for the stream addresses of a name and a port, without holding the event loop."""

MAX_PORT: Final = 65535

INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
"""The families whose sockets have a host and a port; the others are those of unix sockets."""

ADDRESS_MISSING: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What an address of a name says that the machine does not have, such as ``::1`` where there is no IPv6."""

ATTEMPTS: Final = 16
"""How many free ports are tried until one is free in every family."""

FILE_MODE: Final = 0o666
"""Who may connect to a unix socket of ours: everybody who gets as far as its directory, as a proxy of another user must."""


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The file of a unix socket, by more than its name: another server may have put its own there meanwhile."""

    path: str
    identity: tuple[int, int]
    """Device and inode."""

    def remove(self) -> None:
        """Remove it, if it is still there and still ours."""
        try:
            if identity_of(self.path) == self.identity:
                os.unlink(self.path)
        except OSError:
            pass  # whoever moved or removed it knows why


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket."""

    socket: socket.socket
    file: SocketFile | None = None
    """What is to be removed with it."""

    def close(self) -> None:
        """Listen no more."""
        if self.file is not None:
            self.file.remove()
        self.socket.close()


async def open_listeners(
    host: str,
    port: int,
    uds: str | None,
    sockets: Sequence[socket.socket],
    backlog: int,
    ask: Resolve,
) -> list[Listener]:
    """Listen on a unix socket, on sockets that are given, or else on a host and a port; or raise and leave none open."""
    with ExitStack() as undo:
        for sock in sockets:
            undo.callback(sock.close)
        listeners = [adopt(sock, backlog) for sock in sockets]
        if uds is not None:
            listeners.append(listen_at(uds, backlog))
            undo.callback(listeners[-1].close)
        if not listeners:
            listeners = await listen(host, port, backlog, ask)
        undo.pop_all()
    return listeners


def adopt(sock: socket.socket, backlog: int) -> Listener:
    """Listen on a socket that somebody else has bound, and perhaps made to listen."""
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"connections come from a stream socket, not from {sock.type.name}")
    if sock.family in INTERNET and not sock.getsockname()[1]:
        raise ValueError("the socket is not bound to a port")
    sock.listen(backlog)
    sock.setblocking(False)
    return Listener(sock)


def listen_at(path: str, backlog: int) -> Listener:
    """Make a unix socket at `path`. The file of a server that has died is replaced, that of a living one is an error."""
    with ExitStack() as undo:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        undo.callback(sock.close)
        sock.setblocking(False)
        bind_to(sock, path)
        if path.startswith("\0"):  # a name in the kernel's table and not in the file system (Linux)
            sock.listen(backlog)
            undo.pop_all()
            return Listener(sock)
        file = SocketFile(os.path.abspath(path), identity_of(path))
        undo.callback(file.remove)
        sock.listen(backlog)
        os.chmod(path, FILE_MODE)
        undo.pop_all()
    return Listener(sock, file)


def bind_to(sock: socket.socket, path: str) -> None:
    """Bind, also where a dead socket's file is in the way."""
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not is_dead(path):
            raise
        os.unlink(path)
        sock.bind(path)


def is_dead(path: str) -> bool:
    """Tell whether there is a socket at `path` on which nobody listens."""
    if path.startswith("\0") or not stat.S_ISSOCK(os.lstat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a living one with a full backlog would keep us waiting
        try:
            probe.connect(path)
        except OSError as error:
            return error.errno == errno.ECONNREFUSED
    return False


def identity_of(path: str) -> tuple[int, int]:
    """Return what tells this file from any other."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino


async def listen(host: str, port: int, backlog: int, ask: Resolve) -> list[Listener]:
    """Open a listening socket on every address of `host` that this machine has, or raise `OSError` and leave none open.

    For port 0 they all get the same free one.
    """
    if not 0 <= port <= MAX_PORT:  # a resolver would take what is left of it in 16 bits
        raise ValueError(f"a port is a number from 0 to {MAX_PORT}, not {port}")
    addresses = tuple(await resolve(host or None, port, ask))
    for _ in range(ATTEMPTS - 1):
        try:
            return listen_on(addresses, port, backlog)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise
    return listen_on(addresses, port, backlog)


def listen_on(addresses: Sequence[tuple[int, Address]], port: int, backlog: int) -> list[Listener]:
    """Open a listening socket on each of these; the first one's port is that of all."""
    listeners: list[Listener] = []
    missing: OSError | None = None
    with ExitStack() as undo:
        for family, (host, _, *rest) in addresses:
            try:
                sock = socket.create_server((host, port, *rest), family=family, backlog=backlog)
            except OSError as error:
                if error.errno not in ADDRESS_MISSING:
                    raise
                missing = error
                continue
            undo.callback(sock.close)
            sock.setblocking(False)
            listeners.append(Listener(sock))
            port = port or sock.getsockname()[1]
        if missing is not None and not listeners:
            raise missing
        undo.pop_all()
    return listeners


async def resolve(host: str | None, port: int, ask: Resolve) -> Iterable[tuple[int, Address]]:
    """Resolve to pairs of family and address, each once, in the resolver's order; None stands for all interfaces.

    What is an address already needs no resolver, and so none of the threads in which event loops run it.
    """
    at_once = socket.AI_PASSIVE | socket.AI_NUMERICHOST
    found: Found
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=at_once)
    except socket.gaierror:
        found = await ask(host or "", port)
    return dict.fromkeys((family, address) for family, _, _, _, address in found)


def internet_addresses(listeners: Iterable[Listener]) -> list[tuple[str, int]]:
    """Return host and port of those that have one."""
    return [each.socket.getsockname()[:2] for each in listeners if each.socket.family in INTERNET]


def unix_paths(listeners: Iterable[Listener]) -> list[str]:
    """Return the paths of the unix sockets."""
    return [
        os.fsdecode(each.socket.getsockname()) for each in listeners if each.socket.family not in INTERNET
    ]


@lru_cache(maxsize=64)
def local_text(address: Address | str | bytes) -> str:
    """Write an address of ours as `address_text` does: the connections of one listener have it in common."""
    return address_text(address)


def address_text(address: Address | str | bytes) -> str:
    """Write an address for logs: ``127.0.0.1:80``, ``[::1]:80``, ``unix:/run/app.sock``; ``unix`` for one without a name."""
    if isinstance(address, tuple):
        host, port = str(address[0]), address[1]
        return f"[{host}]:{port!s}" if ":" in host else f"{host}:{port!s}"
    path = "".join(each if each.isprintable() else "?" for each in os.fsdecode(address))
    return f"unix:{path}" if path else "unix"
