"""Receiving on a WebSocket: messages one by one, in a loop, or through callbacks.

It is written once, over what the driver lends: every wait looks at the state again in a loop, and a message is taken after the
last wait. So a cancelled `receive` has lost nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from spry_core.closing import ConnectionClosed
from spry_core.web.linked import Linked
from spry_core.web.subscription import OnDone, OnError, OnMessage, Subscription


class Receiving(Linked):
    """The receiving half of `WebSocket`."""

    async def receive(self) -> str | bytes:
        """Return the next message: `str` for text, `bytes` for binary (RFC 6455 §5.6).

        Cancelling it loses no message.

        Raises:
            ConnectionClosed: No message is left and none can come; `ConnectionLost`, `KeepaliveTimeout` or
                `ProtocolFailure` if the connection did not end well.
            WebSocketBusyError: Somebody else is receiving.
        """
        link = self._link
        inbox = link.inbox
        with inbox.consuming("receive"):
            inbox.come_back()
            await self._checkpoints.pass_one()
            while (message := inbox.take()) is None:
                if link.info is not None:
                    raise link.closed_error()
                await inbox.mail.wait()
                self._checkpoints.waited()
            return message

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Iterate over the messages.

        The loop ends when the connection has closed cleanly or we closed it, and raises what `receive` raises
        otherwise. After it, `close_info` is set.
        """
        return self

    async def __anext__(self) -> str | bytes:
        """Return the next message, or end the loop."""
        try:
            return await self.receive()
        except ConnectionClosed as error:
            if type(error) is ConnectionClosed:
                raise StopAsyncIteration from None
            raise

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
        """
        return Subscription(self._link, on_message, on_error, on_done)
