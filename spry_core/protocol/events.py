"""What can happen on a connection: facts, frozen, the same class in both directions.

`Connection.next_event` gives them, `Connection.send` takes them; the method that an event passes through says
which way it went. Bytes are as on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from spry_core.closing import Close, CloseInfo
from spry_core.errors import RemoteProtocolError

RawFields: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""A header or trailer section: names (in lower case when received) and values, in wire order."""

Kind: TypeAlias = Literal["text", "binary"]
"""The two kinds of WebSocket message (RFC 6455 §5.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A valid opening handshake of a client (RFC 6455 §4.2.1)."""

    key: bytes
    """The value of Sec-WebSocket-Key: 16 random bytes in base64."""

    subprotocols: tuple[str, ...] = ()
    """The subprotocols offered, in the client's order."""

    extensions: tuple[str, ...] = ()
    """The extensions offered with their parameters, in the client's order, as on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer that a faulty opening handshake deserves (RFC 6455 §4.2.2)."""

    status_code: int
    """400, 405, 426 or 431."""

    reason: str
    """What is wrong, for a log or a short text content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """The head of a request: request-line and header section (RFC 9112 §3 and §5)."""

    method: bytes
    """Method token, case-sensitive, such as ``b"GET"`` (RFC 9110 §9.1)."""

    target: bytes
    """Request target as it stood in the request-line (RFC 9112 §3.2)."""

    headers: RawFields = ()
    """The header section."""

    http_version: bytes = b"1.1"
    """``b"1.1"`` or ``b"1.0"``."""

    websocket: Offer | Refusal | None = None
    """The opening handshake as found, or None if this is none: what is offered, or the answer that its faults
    deserve.
    """


class _UnfinishedRequestHead:
    """A `RequestHead` before it is one: its attributes can still be set."""

    __slots__ = RequestHead.__slots__

    method: bytes
    target: bytes
    headers: RawFields
    http_version: bytes
    websocket: Offer | Refusal | None


def request_head(
    method: bytes,
    target: bytes,
    headers: RawFields,
    http_version: bytes,
    websocket: Offer | Refusal | None = None,
) -> RequestHead:
    """Make a `RequestHead` in a third of the time: a frozen one would set each of its attributes by a call."""
    head = _UnfinishedRequestHead()
    head.method = method
    head.target = target
    head.headers = headers
    head.http_version = http_version
    head.websocket = websocket
    # No checker knows that a class with the same slots may take the place of another one.
    head.__class__ = RequestHead  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    return head  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """The head of a response, interim ones (1xx) too: status-line and header section (RFC 9112 §4 and §5)."""

    status_code: int
    """Three digits (RFC 9110 §15)."""

    headers: RawFields = ()
    """The header section."""

    reason_phrase: bytes = b""
    """The reason phrase; when sending, empty stands for the usual one."""

    http_version: bytes = b"1.1"
    """The peer's version; ours is always 1.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyData:
    """Some of a message's content (RFC 9112 §6)."""

    data: bytes
    """At least one byte when received."""


class _UnfinishedBodyData:
    """A `BodyData` before it is one."""

    __slots__ = BodyData.__slots__

    data: bytes


def body_data(data: bytes) -> BodyData:
    """Make a `BodyData` in half the time, as `request_head` makes a head."""
    event = _UnfinishedBodyData()
    event.data = data
    event.__class__ = BodyData  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    return event  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyEnd:
    """The content is complete."""

    trailers: RawFields = ()
    """The trailer section, never merged into the header section (RFC 9110 §6.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """The opening handshake has succeeded: the 101 (RFC 6455 §4.2.2)."""

    subprotocol: str | None = None
    """The subprotocol chosen, one of those offered, or None."""

    extensions: tuple[str, ...] = ()
    """The extensions in use with their parameters, as on the wire."""

    headers: RawFields = ()
    """Further fields of the 101."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One whole WebSocket message (RFC 6455 §5.6): `str` is text, `bytes` binary."""

    data: str | bytes
    """The payload, maybe empty."""

    compress: bool | None = None
    """When sent: whether to compress it (RFC 7692 §6); None leaves it to `Deflate.threshold`. Without a negotiated
    compression it goes out plain. None when received.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStart:
    """A message in pieces begins."""

    kind: Kind
    """Whether its pieces are `str` or `bytes`."""

    compress: bool | None = None
    """When sent: whether to compress it (RFC 7692 §6); None compresses wherever that is negotiated. None when
    received.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageData:
    """A piece of a message; when sent, one frame (RFC 6455 §5.4)."""

    data: str | bytes
    """The piece, of the kind that `MessageStart` said. At least one byte or character when received; text is cut
    between code points.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEnd:
    """A message in pieces is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """A Ping frame (RFC 6455 §5.5.2); the Pong to a received one is sent by the connection itself."""

    payload: bytes = b""
    """At most 125 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """A Pong frame (RFC 6455 §5.5.3)."""

    payload: bytes = b""
    """At most 125 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The peer broke a rule or a limit, or its time ran out; the answer is already in `data_to_send()`.

    It comes when everything that was received before it has been released.
    """

    error: RemoteProtocolError
    """What was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writable:
    """The unsent bytes were above `Limits.high_water` and are no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnded:
    """Nothing more will happen: exactly one of these, always last."""

    info: CloseInfo
    """How it ended."""


Event: TypeAlias = (
    RequestHead
    | ResponseHead
    | BodyData
    | BodyEnd
    | Accept
    | Message
    | MessageStart
    | MessageData
    | MessageEnd
    | Ping
    | Pong
    | Close
    | Failure
    | Writable
    | ConnectionEnded
)
"""The closed union: a `match` over it ends with `assert_never`."""

SentEvent: TypeAlias = (
    RequestHead
    | ResponseHead
    | BodyData
    | BodyEnd
    | Accept
    | Message
    | MessageStart
    | MessageData
    | MessageEnd
    | Ping
    | Pong
    | Close
)
"""Those that `Connection.send` takes."""
