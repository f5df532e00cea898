"""A wire that cuts bytes anywhere, and peers that nobody here wrote, made of h11 and wsproto."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias

import h11
import wsproto
import wsproto.events as wsproto_events
from wsproto.connection import ConnectionState
from wsproto.extensions import Extension

from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    Connection,
    Event,
    Role,
    SentEvent,
    StreamEnd,
)
from spry_core.testing import strategies
from traces import Owner

Cut: TypeAlias = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> list[bytes]:
    """Cut nothing."""
    return [data]


cutters: Final = strategies.cutters()


class End(Protocol):
    """One end of a wire."""

    def hear(self, data: bytes) -> None:
        """Take bytes."""

    def hear_end(self) -> None:
        """The other end will send no more."""

    def lose(self) -> None:
        """The stream is gone."""

    def say(self) -> list[bytes | StreamEnd]:
        """Return what is to be written now."""
        ...


def carry(left: End, right: End, cut: Cut = whole) -> None:
    """Carry bytes and ends to and fro until both ends are silent."""
    while _move(left, right, cut) | _move(right, left, cut):
        pass


def _move(sender: End, receiver: End, cut: Cut) -> bool:
    items = sender.say()
    for item in items:
        if isinstance(item, bytes):
            for piece in cut(item):
                receiver.hear(piece)
        else:
            _end(item, sender, receiver)
    return bool(items)


def _end(item: StreamEnd, sender: End, receiver: End) -> None:
    receiver.hear_end()
    if item in (CLOSE, ABORT):
        sender.lose()
    if item is ABORT:
        receiver.lose()


class CoreEnd:
    """Our connection at one end of a wire, with its owner."""

    def __init__(self, conn: Connection, *, echoes: bool = False) -> None:
        self.conn = conn
        self.owner = Owner(conn, echoes=echoes)
        self._ended = False

    @property
    def heard(self) -> list[Event]:
        """Every event so far."""
        return self.owner.heard

    def send(self, *events: SentEvent) -> None:
        """Let the owner say this."""
        for event in events:
            self.conn.send(event, 0.0)

    def hear(self, data: bytes) -> None:
        """Take bytes."""
        if not self.conn.closed and not self._ended:
            self.conn.receive_data(data, 0.0)
            self.owner.look()

    def hear_end(self) -> None:
        """The other end will send no more."""
        self._ended = True
        self.conn.receive_eof(0.0)
        self.owner.look()

    def lose(self) -> None:
        """The stream is gone."""
        self.conn.connection_lost(None, 0.0)
        self.owner.look()

    def say(self) -> list[bytes | StreamEnd]:
        """Return what is to be written now."""
        items = [] if self.conn.closed else self.conn.data_to_send()
        self.conn.bytes_written(sum(len(item) for item in items if isinstance(item, bytes)), 0.0)
        return items


class HttpPeer:
    """HTTP/1.1 by h11. As a server it answers each request with its content."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.h11 = h11.Connection(h11.CLIENT if role == "client" else h11.SERVER)
        self.heard: list[h11.Event] = []
        self.is_over = False
        self._out: list[bytes | StreamEnd] = []
        self._content = b""

    def send(self, *events: h11.Event) -> None:
        """Say this."""
        for event in events:
            self._out.append(self.h11.send(event) or b"")

    def hear(self, data: bytes) -> None:
        """Take bytes."""
        self.h11.receive_data(data)
        self._look()

    def hear_end(self) -> None:
        """The other end will send no more."""
        self.h11.receive_data(b"")
        self._look()
        self.is_over = True
        self._out.append(CLOSE)

    def lose(self) -> None:
        """The stream is gone."""
        self.is_over = True

    def say(self) -> list[bytes | StreamEnd]:
        """Return what is to be written now."""
        out, self._out = [item for item in self._out if item], []
        return out

    def _look(self) -> None:
        while (event := self.h11.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            assert isinstance(event, h11.Event)
            self.heard.append(event)
            if isinstance(event, h11.ConnectionClosed):
                return
            self._answer(event)
            if self.h11.our_state is h11.DONE and self.h11.their_state is h11.DONE:
                self.h11.start_next_cycle()

    def _answer(self, event: h11.Event) -> None:
        match event:
            case h11.Request():
                self._content = b""
            case h11.Data():
                self._content += bytes(event.data)
            case h11.EndOfMessage() if self.role == "server":
                fields = [(b"Content-Length", b"%d" % len(self._content))]
                response = h11.Response(status_code=200, headers=fields)
                self.send(response, h11.Data(data=self._content), h11.EndOfMessage())
            case _:
                pass


class WebSocketPeer:
    """WebSocket by wsproto. It accepts, answers Ping and Close, and as a server sends each message back."""

    def __init__(
        self, role: Role, subprotocols: Sequence[str] = (), extensions: Sequence[Extension] = ()
    ) -> None:
        kind = wsproto.ConnectionType.CLIENT if role == "client" else wsproto.ConnectionType.SERVER
        self.role = role
        self.wsproto = wsproto.WSConnection(kind)
        self.heard: list[wsproto_events.Event] = []
        self.is_over = False
        self._out: list[bytes | StreamEnd] = []
        self._message: list[str] | list[bytearray] = []
        self._extensions = list(extensions)
        if role == "client":
            self.send(
                wsproto_events.Request(
                    host="a", target="/", subprotocols=list(subprotocols), extensions=self._extensions
                )
            )

    def send(self, *events: wsproto_events.Event) -> None:
        """Say this."""
        for event in events:
            self._out.append(self.wsproto.send(event))

    def hear(self, data: bytes) -> None:
        """Take bytes."""
        self.wsproto.receive_data(data)
        for event in self.wsproto.events():
            self._take(event)

    def hear_end(self) -> None:
        """The other end will send no more."""
        self.is_over = True
        self._out.append(CLOSE)

    def lose(self) -> None:
        """The stream is gone."""
        self.is_over = True

    def say(self) -> list[bytes | StreamEnd]:
        """Return what is to be written now."""
        out, self._out = self._out, []
        return out

    def messages(self) -> list[str | bytes]:
        """Join what came of each message."""
        return _messages(self.heard)

    def _take(self, event: wsproto_events.Event) -> None:
        self.heard.append(event)
        match event:
            case wsproto_events.Request():
                self.send(wsproto_events.AcceptConnection(extensions=self._extensions))
            case wsproto_events.Ping():
                self.send(event.response())
            case wsproto_events.CloseConnection():
                if self.wsproto.state is ConnectionState.REMOTE_CLOSING:
                    self.send(event.response())
                if self.role == "server":
                    self._out.append(HALF_CLOSE)
            case wsproto_events.TextMessage(data=text) if self.role == "server":
                self.send(wsproto_events.TextMessage(text, event.frame_finished, event.message_finished))
            case wsproto_events.BytesMessage(data=data) if self.role == "server":
                self.send(wsproto_events.BytesMessage(data, event.frame_finished, event.message_finished))
            case _:
                pass


def _messages(events: Iterable[wsproto_events.Event]) -> list[str | bytes]:
    messages: list[str | bytes] = []
    text, binary = "", b""
    for event in events:
        if isinstance(event, wsproto_events.TextMessage):
            text += event.data
            if event.message_finished:
                messages.append(text)
                text = ""
        elif isinstance(event, wsproto_events.BytesMessage):
            binary += event.data
            if event.message_finished:
                messages.append(binary)
                binary = b""
    return messages
