"""The errors of Spry, in one tree.

A peer's mistake is an event that carries a `RemoteProtocolError`; a caller's mistake is an exception that
changed nothing. Wrong arguments are plain `TypeError` and `ValueError`. `ConnectionClosed` and its kin, which carry
how a connection ended, stand with that in `spry_core.closing`.
"""

from __future__ import annotations

from typing import Protocol


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


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error and of its causes.

    Their frames hold what was read and everybody who was called, also in a circle, for as long as the error is kept; and what
    a peer did wrong is not to be looked for in our code.
    """
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__


class Refusal(Protocol):
    """A response in place of the 101, whoever's class it is."""

    @property
    def status_code(self) -> int:
        """The status code (RFC 9110 §15)."""
        ...


class HandshakeRejected(SpryError):  # noqa: N818 - as in the specification
    """The server answered the client's opening handshake with a response other than 101 (RFC 6455 §4.1)."""

    def __init__(self, response: Refusal) -> None:
        """Carry the response, a `ResponseHead`, or what a client has made of one."""
        super().__init__(f"the opening handshake was refused with {response.status_code}")
        self._response = response

    @property
    def response(self) -> Refusal:
        """The response."""
        return self._response
