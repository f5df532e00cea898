"""Every error of Spry, in one tree.

A peer's mistake is an event that carries a `RemoteProtocolError`; a caller's mistake is an exception that
changed nothing. Wrong arguments are plain `TypeError` and `ValueError`.
"""

from __future__ import annotations

from spry_core.closing import ABNORMAL_CLOSURE, CloseInfo


class SpryError(Exception):
    """The root of the tree."""


class LocalProtocolError(SpryError):
    """The caller asked for what this state forbids; nothing was changed."""


class WebSocketStateError(LocalProtocolError):
    """The operation does not fit the state of this WebSocket, for example before it is accepted."""


class WebSocketBusyError(LocalProtocolError):
    """Somebody else is consuming the messages, or holds the right to send them."""


class BufferFull(LocalProtocolError):  # noqa: N818 - the name of the specification; it is an error all the same
    """`send_nowait` found `Limits.max_unsent` bytes or more unsent; nothing was queued."""


class ResponseSealedError(LocalProtocolError):
    """The 101 is on its way: there is no response left to change (RFC 9110 §15.2.2)."""


class RemoteProtocolError(SpryError):
    """The peer broke the standard or a limit. It travels in events; nobody raises it at the application."""

    def __init__(
        self, message: str, *, section: str, status_code: int | None = None, close_code: int | None = None
    ) -> None:
        """Say what was wrong, under which section, and what to answer: a status code (HTTP) or a close code
        (WebSocket).
        """
        super().__init__(message)
        self.section = section
        self.status_code = status_code
        self.close_code = close_code


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


class HandshakeRejected(SpryError):  # noqa: N818 - as in the specification
    """The server answered the client's opening handshake with a response other than 101 (RFC 6455 §4.1)."""

    def __init__(self, response: object) -> None:
        """Carry the response, a `ResponseHead`."""
        super().__init__("the opening handshake was refused")
        self.response = response
