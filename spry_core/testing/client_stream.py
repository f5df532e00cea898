"""A response in a test's hands that is read piece by piece, as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from spry_core.headers import Headers
from spry_core.protocol import BodyData, BodyEnd, ConnectionEnded, ResponseHead
from spry_core.testing.conversation import Conversation
from spry_core.testing.parked import Deadlock
from spry_core.testing.response import ClientResponse

MAX_CONTENT: Final = 64 * 1024 * 1024
"""Bytes of content that `ClientStream.read` waits for at most, and so `TestClient.get`."""

MAX_PIECES: Final = 10_000
"""Pieces of content that it waits for at most."""


class ClientStream:
    """The response that `TestClient.stream` gives: its head has come, its content comes when it is asked for.

    What is not asked for stays unread: who reads slowly is a slow reader, and the server notices. As a context manager it cuts
    the connection when the block ends before the response does; so the rest of a response without an end is left behind.
    """

    def __init__(
        self,
        conversation: Conversation,
        what: str,
        head: ResponseHead,
        interim: tuple[ResponseHead, ...],
        give_back: Callable[[Conversation], None],
    ) -> None:
        self._conversation = conversation
        self._what = what
        self._give_back = give_back
        self._has_ended = False
        self.status_code: Final = head.status_code
        """Three digits (RFC 9110 §15)."""
        self.reason_phrase: Final = head.reason_phrase.decode("latin-1")
        """The reason phrase, maybe empty (RFC 9112 §4)."""
        self.headers: Final = Headers.from_raw(head.headers)
        """The header section."""
        self.interim: Final = interim
        """The interim responses (1xx) that came before it (RFC 9110 §15.2)."""
        self.trailers: Headers = Headers()
        """The trailer section, when the content has ended (RFC 9110 §6.5)."""

    @property
    def has_ended(self) -> bool:
        """True when all of it was received."""
        return self._has_ended

    def receive(self, *, timeout: float | None = None) -> bytes:
        """Return the next piece of the content; none at its end, and ever after.

        Pieces are what the wire shows: a server's chunk is one or several, and they may be cut elsewhere.

        Args:
            timeout: Virtual seconds to wait at most; then they pass, whatever else is set.

        Raises:
            ConnectionClosed: The connection has ended in the midst of it.
            Deadlock: Nothing can bring more of it.
            TimeoutError: `timeout` has passed.
        """
        driver = self._conversation.driver
        end = None if timeout is None else driver.now() + timeout
        while not self._has_ended:
            left = None if end is None else end - driver.now()
            match self._conversation.receive(self._what, timeout=left, limit=timeout):
                case BodyData() as body:
                    return body.data
                case BodyEnd() as body_end:
                    self._has_ended = True
                    self.trailers = Headers.from_raw(body_end.trailers)
                    self._give_back(self._conversation)
                case ConnectionEnded():
                    raise self._conversation.closed_error()
                case _:  # a Failure: the end follows, and carries it
                    pass
        return b""

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the pieces of the content, up to its end. Raises what `receive` raises."""
        while piece := self.receive():
            yield piece

    def read(self) -> ClientResponse:
        """Return the response with the rest of its content.

        Raises:
            ConnectionClosed: The connection has ended in the midst of it.
            Deadlock: Nothing can bring the rest; or there is more of it than `MAX_CONTENT` or `MAX_PIECES`.
        """
        content = bytearray()
        for count, piece in enumerate(self.pieces(), start=1):
            content += piece
            if len(content) > MAX_CONTENT or count > MAX_PIECES:
                raise Deadlock(
                    f"{self._what} has not ended after {count} pieces, {len(content)} bytes "
                    f"(time {self._conversation.driver.now()}): `client.stream` reads one piece after the other"
                )
        return ClientResponse(
            status_code=self.status_code,
            reason_phrase=self.reason_phrase,
            headers=self.headers,
            content=bytes(content),
            trailers=self.trailers,
            interim=self.interim,
        )

    def close(self) -> None:
        """Cut the connection, unless all of it was received."""
        if not self._has_ended:
            self._conversation.abort()
            self._conversation.driver.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif not self._has_ended:
            self._conversation.abort()
