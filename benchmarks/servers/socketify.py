"""socketify: uWebSockets in C++, its handlers in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, cast

from benchmarks.exchanges import CONTENT
from benchmarks.servers import arguments
from benchmarks.work import Kind

LARGEST = 16 << 20
"""Octets that a message may have, and that may wait to be sent."""


class WebSocket(Protocol):
    """One connection."""

    def send(self, message: str | bytes, opcode: object) -> object:
        """Send one message."""
        ...

    def subscribe(self, topic: str) -> object:
        """Hear what is published."""
        ...


class Response(Protocol):
    """What goes."""

    def end(self, message: bytes) -> object:
        """Answer."""
        ...

    def on_data(self, handler: Callable[[Response, bytes, bool], None]) -> object:
        """Hear the content of the request."""
        ...


class App(Protocol):
    """As much of it as is used here."""

    def get(self, path: str, handler: Callable[[Response, object], None]) -> None:
        """Answer a GET."""
        ...

    def post(self, path: str, handler: Callable[[Response, object], None]) -> None:
        """Answer a POST."""
        ...

    def ws(self, path: str, behaviour: Mapping[str, object]) -> None:
        """Serve WebSockets."""
        ...

    def publish(self, topic: str, message: str | bytes, opcode: object) -> object:
        """Send to everybody who has subscribed."""
        ...

    def listen(self, port: int, handler: Callable[[object], None]) -> None:
        """Listen."""
        ...

    def run(self) -> None:
        """Serve."""
        ...


class Socketify(Protocol):
    """As much of the package as is used here; it need not be installed where this is checked."""

    def App(self) -> App:  # noqa: N802 - its name
        """Return a new one."""
        ...


def content(response: Response, request: object) -> None:
    """Answer the content of the request."""
    pieces: list[bytes] = []

    def take(response: Response, piece: bytes, is_last: bool) -> None:
        pieces.append(bytes(piece))
        if is_last:
            response.end(b"".join(pieces))

    response.on_data(take)


def main(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    app = cast("Socketify", import_module("socketify")).App()

    def opened(ws: WebSocket) -> None:
        ws.subscribe("all")

    def message(ws: WebSocket, data: str | bytes, opcode: object) -> None:
        if kind is Kind.FAN:
            app.publish("all", data, opcode)
        else:
            ws.send(data, opcode)

    behaviour: dict[str, object] = {
        "max_payload_length": LARGEST,
        "max_backpressure": LARGEST,
        "idle_timeout": 600,
        "open": opened,
        "message": message,
    }
    app.get("/hello", lambda response, request: cast("None", response.end(CONTENT)))
    app.post("/content", content)
    app.ws("/*", behaviour)
    app.listen(port, lambda config: None)
    app.run()


if __name__ == "__main__":
    given = arguments.read()
    main(given.port, given.kind)
