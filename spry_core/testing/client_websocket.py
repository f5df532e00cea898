"""A client's WebSocket in memory: synchronous, and never waiting for what cannot come."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from spry_core.closing import CloseInfo
from spry_core.headers import Headers
from spry_core.protocol import Accept, Close, ConnectionEnded, Message, Ping, Pong
from spry_core.testing.conversation import Conversation


class ClientWebSocket:
    """One open WebSocket, as `TestClient.ws` gives it.

    What it does lets the driver settle, so the handler has answered when the call returns. Messages stay unread until
    `receive` takes them: who never receives is a slow reader, and the server notices. As a context manager it closes with 1000
    when the block ends, and cuts the stream when the block raises.
    """

    def __init__(self, conversation: Conversation, accept: Accept, path: str) -> None:
        self._conversation = conversation
        self._path = path
        self._info: CloseInfo | None = None
        self.protocol: Final = accept.subprotocol
        """The subprotocol that the server selected, or None (RFC 6455 §1.9)."""
        self.extensions: Final = accept.extensions
        """The extensions in use (RFC 6455 §9)."""
        self.headers: Final = Headers.from_raw(accept.headers)
        """The header section of the 101."""
        self.pings: Final[list[bytes]] = []
        """Payloads of the Pings that came before what was received last; they were answered when they came."""
        self.pongs: Final[list[bytes]] = []
        """Payloads of the Pongs that came before what was received last."""

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended, from this client's side; None while its stream is there."""
        return self._conversation.info

    def send(self, data: str | bytes) -> None:
        """Send one message, text for `str` and binary for `bytes`, and let the server deal with it.

        Raises:
            ConnectionClosed: The connection has ended, or a closing handshake is under way; nothing was sent.
            TypeError: `data` is neither.
        """
        self._conversation.driver.settle()
        if not self._conversation.is_open:
            raise self._conversation.closed_error()
        self._conversation.send(Message(data=data))
        self._conversation.driver.settle()

    def receive(self, *, timeout: float | None = None) -> str | bytes:
        """Return the next message; `str` is text, `bytes` binary.

        Time passes only while a handler sleeps or has set a timeout, or a handshake runs; never for keepalive alone.

        Args:
            timeout: Virtual seconds to wait at most; then they pass, whatever else is set.

        Raises:
            ConnectionClosed: The connection has ended (`ConnectionLost`, `ProtocolFailure` as for every user).
            Deadlock: Nothing can bring a message.
            TimeoutError: `timeout` has passed.
        """
        driver = self._conversation.driver
        end = None if timeout is None else driver.now() + timeout
        while self._info is None:
            left = None if end is None else end - driver.now()
            event = self._conversation.receive(f"a message on {self._path}", timeout=left, limit=timeout)
            match event:
                case Message():
                    return event.data
                case Ping():
                    self.pings.append(event.payload)
                case Pong():
                    self.pongs.append(event.payload)
                case ConnectionEnded():
                    self._info = event.info
                case _:  # Close and Failure: the end follows, and says more
                    pass
        raise self._conversation.closed_error()

    def ping(self, payload: bytes = b"") -> None:
        """Send a Ping (RFC 6455 §5.5.2); the server's Pong will be in `pongs`. Raises what `send` raises."""
        if not self._conversation.is_open:
            raise self._conversation.closed_error()
        self._conversation.send(Ping(payload=payload))
        self._conversation.driver.settle()

    def close(self, code: int | None = 1000, reason: str = "") -> CloseInfo:
        """Send a Close frame unless one has gone either way, and wait for the end of the stream.

        Messages that were not received are dropped. A second call returns the same.

        Raises:
            ValueError: No Close frame may say this (RFC 6455 §7.4).
            Deadlock: The server does not end the connection.
        """
        if self._conversation.is_open:
            self._conversation.send(Close(code=code, reason=reason))
        while self._info is None:
            event = self._conversation.receive(f"the end of the connection on {self._path}")
            if isinstance(event, ConnectionEnded):
                self._info = event.info
        return self._info

    def abort(self) -> None:
        """Cut the stream without a Close frame: the server sees 1006."""
        self._conversation.abort()
        self._conversation.driver.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()
