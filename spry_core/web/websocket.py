"""The WebSocket of an application: messages in, messages out, and the end, the same on every backend.

It is written once, over what the driver lends. Receiving and sending stand in files of their own; here is what is left: the
beginning, Pings, the end, and the attributes.
"""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Final, cast

from spry_core.closing import CloseInfo, check_close
from spry_core.errors import WebSocketStateError
from spry_core.headers import Pairs
from spry_core.protocol.events import Ping, Pong
from spry_core.tasks import TaskScope
from spry_core.web.failure import close_for
from spry_core.web.link import Link, ReadyState
from spry_core.web.opening import Opening
from spry_core.web.receiving import Receiving
from spry_core.web.request import Request
from spry_core.web.scope import ConnectionScope
from spry_core.web.sending import BYTES_LIKE, BytesLike
from spry_core.web.streaming import Streaming

MAX_CONTROL_PAYLOAD: Final = 125
"""Bytes that a control frame can carry (RFC 6455 §5.5)."""

_NOT_ACCEPTED: Final = (
    "the WebSocket is not accepted: `await ws.accept()` comes first; to refuse it, return or raise an answer"
)


class Closing:
    """What `WebSocket.close` gives: the closing handshake has begun; await it to wait until the end is
    settled.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def __await__(self) -> Generator[object, None, CloseInfo]:
        """Wait until both Close frames are through, or none can come any more; cancelling the wait changes
        nothing.
        """
        return self._wait().__await__()

    async def _wait(self) -> CloseInfo:
        await self._link.driver.checkpoint(self._link.info is not None)
        while (info := self._link.info) is None:
            await self._link.settling.wait()
        return info


class Closed:
    """What `WebSocket.closed` gives: true when the stream is gone; await it to wait for that."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    def __bool__(self) -> bool:
        """Tell whether the stream is gone."""
        return _ready_state(self._opening) is ReadyState.CLOSED

    def __await__(self) -> Generator[object, None, CloseInfo]:
        """Wait until the stream is gone; any number of tasks may.

        Raises:
            WebSocketStateError: It is not accepted.
        """
        return self._wait().__await__()

    async def _wait(self) -> CloseInfo:
        link = self._opening.link
        if link is None:
            raise WebSocketStateError(_NOT_ACCEPTED)
        await link.driver.checkpoint(link.connection.closed)
        while not link.connection.closed:
            await link.ending.wait()
        info = link.info
        assert info is not None
        return info


def _ready_state(opening: Opening) -> ReadyState:
    if opening.link is None:
        return ReadyState.CLOSED if opening.is_denied else ReadyState.CONNECTING
    return opening.link.ready_state


class WebSocket(Receiving, Streaming):
    """One WebSocket connection (RFC 6455), as its handler gets it."""

    __slots__ = ("__weakref__", "_opening")

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening

    # Opening

    async def accept(self, protocol: str | None = None, headers: Pairs | None = None) -> None:
        """Send the 101, on a route with ``accept="manual"``; from here on messages may be sent and received (RFC 6455
        §4.2.2).

        Before it the handler may return or raise an answer instead, as one of HTTP does. Cancelled it has done nothing, or all
        of it. It has to come within `Timeouts.opening`, or the answer is a 503.

        Args:
            protocol: One of the subprotocols that the client offers; None has it chosen as the route says.
            headers: More fields of the 101, beside `Request.upgrade_headers`.

        Raises:
            Abort: Without a common subprotocol where the route requires one, or when the server shuts down; to be raised further.
            ConnectionClosed: The peer has left.
            ValueError: The client did not offer `protocol`, or the 101 cannot have these fields; nothing was sent.
            WebSocketStateError: It is accepted already, or the handler has given another answer.
        """
        await self._opening.request.exchange.driver.checkpoint(False)
        self._connect(await self._opening.accept(protocol, headers))

    # Pings

    async def ping(self, payload: BytesLike | None = None) -> float:
        """Send a Ping and return the seconds until its Pong, or the Pong of a later Ping (RFC 6455 §5.5.2, §5.5.3).

        Any number may be in flight. Cancelling it forgets the Ping; its Pong is then one that nobody asked for.

        Args:
            payload: At most 125 bytes, other than those of every Ping in flight; None takes random ones.

        Raises:
            BufferFull: `Limits.max_unsent` bytes or more are unsent already; nothing was sent.
            ConnectionClosed: The connection is not open, or has ended without a Pong.
            TypeError: `payload` is not bytes-like.
            ValueError: It is too long, or in flight already.
        """
        link = self._link
        chosen = None if payload is None else _control_payload(payload)
        await self._link.checkpoints.pass_one()
        pings = link.pings
        data = pings.fresh(link.connection.random) if chosen is None else chosen
        pings.check(data)
        ping = pings.add(data, link.driver.now())
        try:
            self._send_control(Ping(payload=data))
            while ping.round_trip_time is None:
                if link.info is not None:
                    raise link.closed_error()
                await pings.answers.wait()
                self._link.checkpoints.waited()
            return ping.round_trip_time
        finally:
            pings.forget(ping)

    def pong(self, payload: BytesLike = b"") -> None:
        """Send a Pong that nobody has asked for, at once: a sign of life for the peer (RFC 6455 §5.5.3).

        Those that answer the peer's Pings are sent by the connection itself.

        Args:
            payload: At most 125 bytes.

        Raises:
            BufferFull, ConnectionClosed, TypeError, ValueError: As `ping`.
        """
        self._send_control(Pong(payload=_control_payload(payload)))

    @property
    def latency(self) -> float | None:
        """Seconds from the last Ping that was answered, keepalive's or one of `ping`, to its Pong; None before."""
        link = self._opening.link
        return None if link is None else link.connection.latency

    @property
    def ping_interval(self) -> float | None:
        """Seconds from one keepalive Ping's answer to the next Ping; None turns keepalive off. Set, it takes effect from now.

        Raises:
            ValueError: On setting: it is negative or 0.
            WebSocketStateError: It is not accepted yet.
        """
        return self._link.connection.timeouts.ping_interval

    @ping_interval.setter
    def ping_interval(self, seconds: float | None) -> None:
        self._link.set_ping_interval(seconds)

    # Closing

    def close(self, code: int | None = 1000, reason: str = "") -> Closing:
        """Begin the closing handshake, at once; await the result to wait until the end is settled (RFC 6455
        §7.1.2).

        What was sent before goes out first; what was received and not yet read is dropped. A second call
        changes nothing. The whole takes at most `Timeouts.close_timeout` seconds. Not awaiting it is no
        mistake.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999; None for an empty Close frame.
            reason: At most 123 bytes as UTF-8.

        Raises:
            ValueError: No Close frame may say this; nothing was changed.
            WebSocketStateError: It is not accepted yet: to refuse it, return or raise an answer.
        """
        self._require_accepted()
        self._link.close(check_close(code, reason))
        return Closing(self._link)

    def abort(self) -> None:
        """Cut the connection: no Close frame, unsent messages are dropped; the peer sees 1006.

        Raises:
            WebSocketStateError: As `close`.
        """
        self._require_accepted()
        self._link.abort()

    def _require_accepted(self) -> None:
        if self._opening.link is None:
            raise WebSocketStateError(_NOT_ACCEPTED)

    @property
    def closed(self) -> Closed:
        """True when the stream is gone; ``await ws.closed`` waits for that and gives the `CloseInfo`."""
        return Closed(self._opening)

    async def __aenter__(self) -> WebSocket:
        """Close it at the end of the block: with 1000, or after an exception with 1011, or what the exception says
        (`WebSocketClose`, `Abort`).
        """
        self._require_accepted()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, and wait until the end is settled unless the block was left by an exception."""
        if error is not None:
            self._link.close(close_for(error))
        else:
            await self.close()

    # Attributes

    @property
    def ready_state(self) -> ReadyState:
        """CONNECTING until it is accepted, OPEN until the first Close frame went either way, CLOSED when the stream is gone
        or the handler has given another answer.
        """
        return _ready_state(self._opening)

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended; None until that is settled."""
        link = self._opening.link
        return None if link is None else link.info

    @property
    def close_code(self) -> int | None:
        """The close code to report (RFC 6455 §7.1.5); None until the end is settled."""
        info = self.close_info
        return None if info is None else info.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason (RFC 6455 §7.1.6); None until the end is settled."""
        info = self.close_info
        return None if info is None else info.close_reason

    @property
    def protocol(self) -> str | None:
        """The subprotocol that was selected, or None (RFC 6455 §1.9)."""
        return self._opening.protocol

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions in use with their parameters, as in the 101 (RFC 6455 §9.1)."""
        return self._opening.extensions

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted and not yet taken by the transport, frame headers included."""
        link = self._opening.link
        return 0 if link is None else link.connection.buffered_amount

    @property
    def request(self) -> Request:
        """The request of the opening handshake: context only, its content is empty."""
        return self._opening.request

    @property
    def locals(self) -> dict[str, object]:
        """What middleware and handler keep for this connection: the same dict as the request's."""
        return self.request.locals

    @property
    def peer(self) -> str:
        """The peer's address for logs, such as ``"127.0.0.1:50312"``."""
        return self.request.peer

    def scope(self) -> TaskScope:
        """Make an ``async with`` block for tasks that end with the connection: ``async with ws.scope() as s: s.start_soon(…)``.

        It is `spry_core.scope` in all but this: when the end of the connection is settled its tasks are cancelled, and a
        `ConnectionClosed` that one of them raises then is no error. The body is not cancelled: it sees the end by itself.

        Raises:
            WebSocketStateError: It is not accepted.
        """
        return ConnectionScope(self._link)


def _control_payload(payload: object) -> bytes:
    """Return what a control frame shall carry (RFC 6455 §5.5)."""
    if not isinstance(payload, BYTES_LIKE):
        raise TypeError(f"the payload of a Ping or Pong is bytes, not {type(payload).__name__}")
    data = bytes(cast("BytesLike", payload))
    if len(data) > MAX_CONTROL_PAYLOAD:
        raise ValueError(f"a control frame carries at most {MAX_CONTROL_PAYLOAD} bytes (RFC 6455 §5.5)")
    return data
