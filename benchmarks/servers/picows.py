"""picows, by its own callbacks. Its other face compresses too, at a level that nobody can choose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol, cast

from benchmarks.servers import arguments
from benchmarks.work import Kind


class Frame(Protocol):
    """What comes."""

    msg_type: object

    def get_payload_as_bytes(self) -> bytes:
        """Return the payload."""
        ...


class Transport(Protocol):
    """Where it goes."""

    def send(self, msg_type: object, message: bytes) -> None:
        """Send one frame."""
        ...


class Picows(Protocol):
    """As much of the package as is used here; it need not be installed where this is checked."""

    WSListener: type[object]

    async def ws_create_server(
        self, factory: Callable[[object], object], host: str, port: int, *, backlog: int
    ) -> asyncio.Server:
        """Listen."""
        ...


everybody: Final[set[Transport]] = set()


def echo(listener: object, transport: Transport, frame: Frame) -> None:
    """Send every message back."""
    transport.send(frame.msg_type, frame.get_payload_as_bytes())


def fan(listener: object, transport: Transport, frame: Frame) -> None:
    """Send every message to everybody."""
    message = frame.get_payload_as_bytes()
    for each in everybody:
        each.send(frame.msg_type, message)


def connected(listener: object, transport: Transport) -> None:
    """Be one of everybody."""
    everybody.add(transport)


def disconnected(listener: object, transport: Transport) -> None:
    """Be it no more."""
    everybody.discard(transport)


async def main(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    picows = cast("Picows", import_module("picows"))
    told = {
        "on_ws_frame": fan if kind is Kind.FAN else echo,
        "on_ws_connected": connected,
        "on_ws_disconnected": disconnected,
    }
    listener = type("Listener", (picows.WSListener,), told)
    server = await picows.ws_create_server(lambda request: listener(), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    given = arguments.read()
    arguments.run(given.loop, lambda: main(given.port, given.kind))
