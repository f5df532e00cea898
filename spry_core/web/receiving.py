"""Receiving on a WebSocket: messages one by one, in a loop, piece by piece, or through callbacks.

It is written once, over what the driver lends: every wait looks at the state again in a loop, and a message is taken after the
last wait. So a cancelled `receive` has lost nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Final, Literal, NoReturn

from spry_core.closing import CloseInfo, ConnectionClosed
from spry_core.errors import RemoteProtocolError, WebSocketStateError
from spry_core.web.exceptions import WebSocketClose
from spry_core.web.incoming import Incoming
from spry_core.web.json_text import from_json
from spry_core.web.link import Link
from spry_core.web.linked import Linked
from spry_core.web.subscription import OnDone, OnError, OnMessage, Subscription

_INVALID_PAYLOAD: Final = 1007


class Receiving(Linked):
    """The receiving half of `WebSocket`.

    Messages have one consumer at a time. `listen` is one until its subscription ends, and `discard_incoming` until it returns.
    `receive` and its kin and the two loops are one only while they wait: between two waits nobody can tell one task from
    another, nor a loop that was left from one that is slow, and whoever asks next gets the next message.
    """

    __slots__ = ()

    async def receive(self) -> str | bytes:
        """Return the next message: `str` for text, `bytes` for binary (RFC 6455 §5.6).

        Cancelling it loses no message.

        Raises:
            ConnectionClosed: No message is left and none can come; `ConnectionLost`, `KeepaliveTimeout` or
                `ProtocolFailure` if the connection did not end well.
            WebSocketBusyError: Somebody else is receiving.
            WebSocketStateError: Messages of this route may be of any size (`max_message_size=None`): use `incoming`.
        """
        return await self._receive()

    async def _receive(self, *, ends_loop: bool = False) -> str | bytes:
        """Return the next message; raise what says that none can come, or end a loop that need not hear of it."""
        link = self._connected or self._link
        inbox, checkpoints = link.inbox, link.checkpoints
        if inbox.items and checkpoints.left > 1:  # no wait is due, so nobody can come in between
            await checkpoints.pass_one()
            if (next_one := inbox.take_next()) is not None:
                return next_one
        if inbox.is_boundless:
            self._bounded("receive")  # says why not
        inbox.claim_for_a_wait(self, "receive")
        try:
            inbox.come_back_for_next()
            await checkpoints.pass_one()
            while (message := inbox.take()) is None:
                if link.flow.is_settled and link.info is not None:
                    error = link.closed_error()
                    raise StopAsyncIteration if ends_loop and type(error) is ConnectionClosed else error
                await inbox.mail.wait()
                checkpoints.waited()
            return message
        finally:
            inbox.unclaim(self)

    async def receive_text(self) -> str:
        """Return the next message, which must be text.

        A binary one fails the connection with 1003 (RFC 6455 §7.4.1). Cancelling it loses no message.

        Raises what `receive` raises; `ProtocolFailure` for a binary message, with the fault as its ``__cause__``.
        """
        message = await self.receive()
        if not isinstance(message, str):
            await self._refuse("text")
        return message

    async def receive_bytes(self) -> bytes:
        """Return the next message, which must be binary.

        A text fails the connection with 1003 (RFC 6455 §7.4.1). Cancelling it loses no message.

        Raises what `receive` raises; `ProtocolFailure` for a text, with the fault as its ``__cause__``.
        """
        message = await self.receive()
        if not isinstance(message, bytes):
            await self._refuse("binary")
        return message

    # Any: the types are those of the peer's JSON.
    async def receive_json(self) -> Any:  # noqa: ANN401
        """Return the value that the next message is in JSON; it must be text (RFC 8259).

        Raises what `receive_text` raises, and `ValueError` for what is no JSON: the message is taken then and the
        connection stays open. If that error leaves the handler, it closes with 1007 (RFC 6455 §7.4.1) and is nobody's fault here.
        """
        text = await self.receive_text()
        try:
            return from_json(text)
        except ValueError as error:
            raise _NotJson(str(error)) from None

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Iterate over the messages.

        The loop ends when the connection has closed cleanly or we closed it, and raises what `receive` raises
        otherwise. After it, `close_info` is set.
        """
        return self

    def __anext__(self) -> Awaitable[str | bytes]:
        """Give what returns the next message, or ends the loop."""
        return self._receive(ends_loop=True)

    def incoming(self) -> Incoming:
        """Iterate over the messages as they begin, to take each piece by piece, or as a whole of bounded size.

        ``async for message in ws.incoming()`` gives `IncomingText` or `IncomingBinary`, which ``message.kind`` tells apart;
        ``async for piece in message`` gives what has come, ``await message.read()`` joins it. A piece is consumed when the
        next one is asked for, so a peer sends no further than `Limits.max_queue_size` ahead, however big its frames are.

        What is left of a message is dropped when the next one is asked for, or when somebody receives otherwise; messages come
        whole again then. Ends as a loop over the WebSocket itself does.
        """
        return Incoming(self._link, self._link.checkpoints)

    async def discard_incoming(self) -> CloseInfo:
        """Throw away what comes until the end of the connection is settled, and return how it ended.

        It does not raise for how that was. For handlers that only send: the peer's Close is seen in any case, but messages
        that nobody takes would stop the reading. Cancelled, it leaves what comes later to others.

        Raises:
            WebSocketBusyError: Somebody else is receiving.
        """
        link = self._link
        await self._link.checkpoints.pass_one()
        try:
            with link.inbox.discarding("discard_incoming"):
                return await link.wait_until_settled()
        finally:
            link.leave_alone()

    def listen(
        self, on_message: OnMessage, on_error: OnError | None = None, on_done: OnDone | None = None
    ) -> Subscription:
        """Call `on_message` with each message from now on, one at a time, in order; returns at once.

        A callback may be sync or async, and the next message waits for it. An exception in a callback closes
        the connection as one of the handler would.

        Args:
            on_message: Called with `str` or `bytes`.
            on_error: Called with the `ConnectionClosed` of a connection that did not end well.
            on_done: Called with the `CloseInfo`, on any end.

        Raises:
            ConnectionClosed: The connection is over, and its handler too.
            WebSocketBusyError: Somebody else is receiving.
            WebSocketStateError: Messages of this route may be of any size (`max_message_size=None`): use `incoming`.
        """
        return Subscription(self._bounded("listen"), on_message, on_error, on_done)

    def _bounded(self, what: str) -> Link:
        link = self._connected or self._link
        if link.inbox.is_boundless:
            raise WebSocketStateError(
                f"{what}: messages of this route may be of any size (max_message_size=None), so take them by `incoming`"
            )
        return link

    async def _refuse(self, wanted: Literal["text", "binary"]) -> NoReturn:
        error = RemoteProtocolError(
            f"a message that is not {wanted}", close_code=1003, section="RFC 6455 §7.4.1"
        )
        await self._link.refuse(error)


class _NotJson(WebSocketClose, ValueError):  # noqa: N818 - an answer, as `WebSocketClose` is
    """A peer has sent what is no JSON: an answer if nobody catches it, since no application made that mistake."""

    def __init__(self, what: str) -> None:
        super().__init__(_INVALID_PAYLOAD)
        self._what = what

    def __str__(self) -> str:
        return self._what
