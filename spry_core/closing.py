"""How a connection ends: the Close frame's content, which codes may be in it, the record of an end, and the errors that
carry that record.

This stands at the bottom of the house because the protocol fills the record in (`spry_core.protocol`), and middleware,
handlers and logs read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from spry_core.errors import ResponseSealedError, SpryError

MAX_CLOSE_REASON: Final = 123
"""Longest close reason in UTF-8 bytes: 125 of a control frame less the two of the code (RFC 6455 §5.5)."""

NO_STATUS_RECEIVED: Final = 1005
"""Reported when the peer's Close frame had no code; never on the wire (RFC 6455 §7.4.1)."""

ABNORMAL_CLOSURE: Final = 1006
"""Reported when no Close frame came; never on the wire (RFC 6455 §7.4.1)."""

Initiator = Literal["local", "remote", "transport", "timeout", "shutdown"]
"""Who ended a connection: we, the peer, the stream below, a deadline, or the server's shutdown."""


def is_wire_close_code(code: int) -> bool:
    """Tell whether a Close frame may carry `code` (RFC 6455 §7.4 and the registry that §11.7 opens).

    1000 to 1003 and 1007 to 1014 are registered, 3000 to 4999 are for libraries and applications.
    """
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The content of a Close frame (RFC 6455 §5.5.1); as an event, that frame itself."""

    code: int | None = None
    """The close code, or None for an empty Close frame."""

    reason: str = ""
    """The close reason, at most `MAX_CLOSE_REASON` bytes as UTF-8."""


def check_close(code: int | None, reason: str) -> Close:
    """Return the `Close` of these two, or raise `ValueError` if no Close frame may say this (RFC 6455 §5.5.1,
    §7.4).
    """
    if code is None:
        if reason:
            raise ValueError("a close reason needs a close code (RFC 6455 §5.5.1)")
    elif not is_wire_close_code(code):
        raise ValueError(f"close code {code} may not be sent (RFC 6455 §7.4)")
    if len(reason.encode()) > MAX_CLOSE_REASON:
        raise ValueError(f"the close reason is longer than {MAX_CLOSE_REASON} bytes (RFC 6455 §5.5)")
    return Close(code=code, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseInfo:
    """How a connection ended; for a WebSocket complete as soon as the end is settled.

    Settled means: both Close frames are through, or we failed the connection, or the stream is lost, or the
    closing handshake ran out of time. The end of the TCP connection may come a little later.
    """

    initiator: Initiator
    """Who ended it."""

    sent: Close | None = None
    """The Close frame that we sent, if any."""

    received: Close | None = None
    """The Close frame that the peer sent, if any."""

    cause: BaseException | None = None
    """What broke the connection, or None: an error of the peer, of the stream, of the handler, or a deadline.
    """

    close_code: int = ABNORMAL_CLOSURE
    """The code to report (RFC 6455 §7.1.5): the peer's; 1005 if its Close was empty; 1006 if none came; ours
    if we failed it.
    """

    close_reason: str = ""
    """The reason that belongs to `close_code` (RFC 6455 §7.1.6)."""

    duration: float = 0.0
    """Seconds from the opening (of the WebSocket, or of the stream if it never became one) to the end."""

    bytes_received: int = 0
    """Payload bytes of the data messages received."""

    bytes_sent: int = 0
    """Payload bytes of the data messages sent."""

    messages_received: int = 0
    """Data messages received."""

    messages_sent: int = 0
    """Data messages sent."""

    @property
    def clean(self) -> bool:
        """True if a Close frame went both ways (RFC 6455 §7.1.4)."""
        return self.sent is not None and self.received is not None

    @property
    def headers(self) -> NoReturn:
        """There is no response left: the 101 was it. Raises `ResponseSealedError`."""
        raise ResponseSealedError(
            "a CloseInfo has no headers: put those of the 101 into request.upgrade_headers"
        )

    @property
    def status_code(self) -> NoReturn:
        """There is no response left: the 101 was it. Raises `ResponseSealedError`."""
        raise ResponseSealedError(
            "a CloseInfo has no status_code: the 101 is sent, and the WebSocket has ended"
        )


class ConnectionClosed(SpryError):  # noqa: N818 - the field's term for it; nobody says ConnectionClosedError
    """The caller used a connection that has ended."""

    def __init__(self, info: CloseInfo | None = None, message: str = "") -> None:
        """Carry `info`, None while the closing handshake still runs."""
        super().__init__(message or self.describe(info))
        self.info = info

    @staticmethod
    def describe(info: CloseInfo | None) -> str:
        """Say in words how the connection ended."""
        if info is None:
            return "the connection is closing"
        reason = f" {info.close_reason!r}" if info.close_reason else ""
        return f"the connection has ended: {info.close_code}{reason}, by {info.initiator}"

    @property
    def close_code(self) -> int:
        """The code to report (RFC 6455 §7.1.5); 1006 while none is known."""
        return ABNORMAL_CLOSURE if self.info is None else self.info.close_code

    @property
    def close_reason(self) -> str:
        """The reason that belongs to it (RFC 6455 §7.1.6)."""
        return "" if self.info is None else self.info.close_reason


class ConnectionLost(ConnectionClosed):
    """The stream ended without a closing handshake (close code 1006)."""


class KeepaliveTimeout(ConnectionClosed):
    """The peer was silent for `Timeouts.ping_timeout` after a Ping; we closed with 1011."""


class ProtocolFailure(ConnectionClosed):
    """The peer broke the protocol and we failed the connection (RFC 6455 §7.1.7); the `__cause__` says how."""
