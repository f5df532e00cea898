"""The answer that a client in memory has got, complete and as it was on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from spry_core.errors import HandshakeRejected
from spry_core.headers import Headers
from spry_core.protocol import Accept, ConnectionEnded, ResponseHead
from spry_core.testing.conversation import Conversation

_CHARSET: Final = "charset="


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientResponse:
    """A final response with its content."""

    status_code: int
    """Three digits (RFC 9110 §15)."""

    reason_phrase: str = ""
    """The reason phrase, maybe empty (RFC 9112 §4)."""

    headers: Headers
    """The header section."""

    content: bytes = b""
    """The content, without the framing of HTTP/1.1 (RFC 9112 §6)."""

    trailers: Headers
    """The trailer section (RFC 9110 §6.5)."""

    interim: tuple[ResponseHead, ...] = ()
    """The interim responses (1xx) that came before it (RFC 9110 §15.2)."""

    @property
    def text(self) -> str:
        """The content as text, in the charset that Content-Type names, else in UTF-8.

        Raises `UnicodeDecodeError` if it is none, and `LookupError` for an unknown charset.
        """
        _, found, charset = self.headers.get("content-type", "").lower().partition(_CHARSET)
        return self.content.decode(charset.partition(";")[0].strip(' "') if found else "utf-8")

    # Any: the types are those of the server's JSON.
    def json(self) -> Any:  # noqa: ANN401
        """Return the content as JSON; raises `ValueError` if it is none (RFC 8259)."""
        return json.loads(self.content)


class ClientRejected(HandshakeRejected):
    """The server answered a client in memory otherwise than with a 101; a `HandshakeRejected` whose `response` is complete."""

    def __init__(self, response: ClientResponse) -> None:
        super().__init__(response)
        self._complete = response

    @property
    def response(self) -> ClientResponse:
        """The response with its content, as the wire has it."""
        return self._complete


def receive_head(
    conversation: Conversation, what: str
) -> tuple[ResponseHead | Accept, tuple[ResponseHead, ...]]:
    """Receive the head of the final response, or the 101; `what` it answers goes into the text of errors.

    Returns it, and the interim responses that came before it.

    Raises:
        ConnectionClosed: The connection has ended without one.
        Deadlock: Nothing can bring it.
    """
    interim: list[ResponseHead] = []
    while True:
        match conversation.receive(what):
            case Accept() as accept:
                return accept, tuple(interim)
            case ResponseHead() as head if head.status_code >= 200:
                return head, tuple(interim)
            case ResponseHead() as head:
                interim.append(head)
            case ConnectionEnded():
                raise conversation.closed_error()
            case _:  # a Failure: the end follows, and carries it
                pass
