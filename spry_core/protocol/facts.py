"""What the owner of a connection may ask it. Nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from spry_core.closing import CloseInfo
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import Role
from spry_core.protocol.http1 import Http1
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.memory import http_bound, websocket_bound
from spry_core.protocol.stream import Stream
from spry_core.protocol.websocket import WebSocketProtocol


class Flow(Protocol):
    """What is on its way through a connection, for who looks at it often: attributes, which the connection alone changes."""

    @property
    def events(self) -> Sequence[object]:
        """What was not fetched yet, always the same sequence."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes accepted and not yet taken by the transport."""
        ...

    @property
    def is_pressed(self) -> bool:
        """True while so much is unsent that `Facts.is_full` or `Facts.is_stuffed` may be true; else neither is."""
        ...

    @property
    def is_settled(self) -> bool:
        """True since it is settled how the WebSocket ended: `Facts.close_info` has it."""
        ...

    @property
    def is_lost(self) -> bool:
        """True when the stream is gone."""
        ...


class Facts:
    """The part of a `Connection` that answers questions."""

    __slots__ = ("_agreement", "_deflate", "_http", "_role", "_stream", "_websocket")

    _agreement: Agreement | None
    _deflate: Deflate | None
    _role: Role
    _stream: Stream
    # One of the two: whatever HTTP held is gone with the 101.
    _http: Http1 | None
    _websocket: WebSocketProtocol | None

    @property
    def is_websocket(self) -> bool:
        """True since the stream switched to WebSocket."""
        return self._websocket is not None

    @property
    def is_open(self) -> bool:
        """True while WebSocket messages may be sent (RFC 6455 §7.1.3)."""
        websocket = self._websocket
        return websocket is not None and websocket.sender is not None

    @property
    def is_full(self) -> bool:
        """True while more WebSocket messages may be sent, and better are not: more than the high-water mark is unsent."""
        stream = self._stream
        return stream.unsent > stream.limits.high_water and self.is_open

    @property
    def is_stuffed(self) -> bool:
        """True while WebSocket messages may be sent, and none should be that does not wait: `Limits.max_unsent` is reached."""
        stream = self._stream
        return stream.unsent >= stream.limits.max_unsent and self.is_open

    @property
    def flow(self) -> Flow:
        """What is on its way: always the same object, for who looks often."""
        return self._stream

    @property
    def has_events(self) -> bool:
        """True if something has happened that was not fetched yet."""
        return bool(self._stream.events)

    @property
    def is_ending(self) -> bool:
        """True when we have ended the stream, or our side of it, or it is gone: nothing more can be sent."""
        return self._stream.end is not None or self._stream.is_lost

    @property
    def awaits_continue(self) -> bool:
        """True if the client waits for a 100 before it sends its content (RFC 9110 §10.1.1)."""
        return self._http is not None and self._http.awaits_continue

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted and not yet taken by the transport."""
        return self._stream.unsent

    def memory_bound(self) -> int:
        """Return how many bytes one peer can make this connection hold, whatever it sends and however it reads.

        It is a sum over the limits, and over the windows if messages are compressed: the head of the request; what
        was read and is not parsed; content, messages and pieces that are not released, a text with four bytes for each of
        its own and a fragment with 64 more than its length; the message that is coming in; what is unsent. A route may
        have limits of its own, so it is another number once the stream is a WebSocket.

        Given are reads of at most `read_size` bytes, and an owner that fetches events after each call and joins small pieces, as
        `Session` does. Not counted are what an application keeps, and what it sends at once beyond the marks.
        """
        if self._websocket is None:
            return http_bound(self._stream.limits)
        return websocket_bound(self._stream.limits, self._role, self._agreement, self._deflate)

    @property
    def random(self) -> Callable[[int], bytes]:
        """The source of random bytes that it was given."""
        return self._stream.random

    @property
    def latency(self) -> float | None:
        """Seconds from the last Ping that was answered, keepalive's or the owner's, to its Pong; None before."""
        return None if self._websocket is None else self._websocket.latency

    @property
    def answered_until(self) -> float | None:
        """When the last Ping that was answered, keepalive's or the owner's, had been sent: every Ping before it counts as
        answered (RFC 6455 §5.5.3). None before.
        """
        return None if self._websocket is None else self._websocket.answered_until

    @property
    def close_info(self) -> CloseInfo | None:
        """How the WebSocket ended, as soon as that is settled."""
        return None if self._websocket is None else self._websocket.info

    @property
    def limits(self) -> Limits:
        """Sizes in bytes. Those of messages may be replaced until the WebSocket is accepted."""
        return self._stream.limits

    @property
    def timeouts(self) -> Timeouts:
        """Durations in seconds. Those of a WebSocket may be replaced until it is accepted."""
        return self._stream.timeouts
