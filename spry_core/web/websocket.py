"""The WebSocket of an application: messages in, messages out, and the end, the same on every backend.

It is written once, over what the driver lends. Receiving and sending stand in files of their own; here is what is left: the
end, and the attributes.
"""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType

from spry_core.closing import CloseInfo, check_close
from spry_core.web.failure import close_for
from spry_core.web.link import Link, ReadyState
from spry_core.web.receiving import Receiving
from spry_core.web.request import Request
from spry_core.web.sending import Sending


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
        await self._link.driver.checkpoint(False)
        while (info := self._link.info) is None:
            await self._link.settling.wait()
        return info


class Closed:
    """What `WebSocket.closed` gives: true when the stream is gone; await it to wait for that."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __bool__(self) -> bool:
        """Tell whether the stream is gone."""
        return self._link.connection.closed

    def __await__(self) -> Generator[object, None, CloseInfo]:
        """Wait until the stream is gone; any number of tasks may."""
        return self._wait().__await__()

    async def _wait(self) -> CloseInfo:
        await self._link.driver.checkpoint(False)
        while not self._link.connection.closed:
            await self._link.ending.wait()
        info = self._link.info
        assert info is not None
        return info


class WebSocket(Receiving, Sending):
    """One WebSocket connection (RFC 6455), as its handler gets it."""

    def __init__(self, link: Link, request: Request, protocol: str | None) -> None:
        super().__init__(link)
        self._request = request
        self._protocol = protocol

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
        """
        self._link.close(check_close(code, reason))
        return Closing(self._link)

    def abort(self) -> None:
        """Cut the connection: no Close frame, unsent messages are dropped; the peer sees 1006."""
        self._link.abort()

    @property
    def closed(self) -> Closed:
        """True when the stream is gone; ``await ws.closed`` waits for that and gives the `CloseInfo`."""
        return Closed(self._link)

    async def __aenter__(self) -> WebSocket:
        """Close it at the end of the block: with 1000, or after an exception with 1011, or what the exception says
        (`WebSocketClose`, `Abort`).
        """
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
        """OPEN until the first Close frame went either way, CLOSED when the stream is gone."""
        return self._link.ready_state

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended; None until that is settled."""
        return self._link.info

    @property
    def close_code(self) -> int | None:
        """The close code to report (RFC 6455 §7.1.5); None until the end is settled."""
        return None if self._link.info is None else self._link.info.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason (RFC 6455 §7.1.6); None until the end is settled."""
        return None if self._link.info is None else self._link.info.close_reason

    @property
    def protocol(self) -> str | None:
        """The subprotocol that was selected, or None (RFC 6455 §1.9)."""
        return self._protocol

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted and not yet taken by the transport, frame headers included."""
        return self._link.connection.buffered_amount

    @property
    def request(self) -> Request:
        """The request of the opening handshake: context only, its content is empty."""
        return self._request

    @property
    def locals(self) -> dict[str, object]:
        """What middleware and handler keep for this connection: the same dict as the request's."""
        return self._request.locals

    @property
    def peer(self) -> str:
        """The peer's address for logs, such as ``"127.0.0.1:50312"``."""
        return self._request.peer
