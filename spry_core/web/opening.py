"""The server's side of one opening handshake: what the 101 says, and when it is sent (RFC 6455 §4.2.2).

A route with ``accept="auto"`` sends it before its handler runs, one with ``accept="manual"`` when the handler says so. What is
chosen, the subprotocol and the compression, is chosen in the same way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextlib import contextmanager

from spry_core.driver import Scope
from spry_core.errors import WebSocketStateError
from spry_core.headers import MutableHeaders, Pairs
from spry_core.protocol.deflate import negotiate
from spry_core.protocol.events import Accept, Offer, RawFields
from spry_core.web.exceptions import Abort
from spry_core.web.link import Link
from spry_core.web.options import WebSocketOptions
from spry_core.web.request import Request


class Opening:
    """One opening handshake, and what has become of it."""

    __slots__ = ("_options", "_scope", "extensions", "is_denied", "link", "protocol", "request")

    def __init__(self, request: Request, options: WebSocketOptions) -> None:
        self.request: Request = request
        self.link: Link | None = None
        """To the session that serves the WebSocket, as soon as the 101 is on its way."""
        self.protocol: str | None = None
        """The subprotocol selected, or None."""
        self.extensions: tuple[str, ...] = ()
        """The extensions in use, as on the wire."""
        self.is_denied: bool = False
        """True when it got another answer: there will be no WebSocket."""
        self._options = options
        self._scope: Scope | None = None

    async def accept(self, protocol: str | None = None, headers: Pairs | None = None) -> Link:
        """Choose what is not said, and send the 101. Cancelled it has done nothing.

        Raises:
            Abort: The answer has to be another one: 400 without a common subprotocol where the route requires one, 503 when
                the server shuts down.
            ConnectionClosed: The peer has left.
            ValueError: The client did not offer this subprotocol, or the 101 cannot have these fields; nothing was sent.
            WebSocketStateError: It has its answer already.
        """
        offer = self._offer()
        fields = () if headers is None else MutableHeaders(headers).raw()
        chosen = self._select(offer.subprotocols) if protocol is None else protocol
        if chosen is not None and not isinstance(chosen, str):
            chosen = await chosen
            self._offer()  # choosing may have taken its time
        if chosen is None and self._options.require_protocol:
            raise Abort(400, "no common subprotocol")
        if chosen is not None and chosen not in offer.subprotocols:
            who = "select_protocol" if protocol is None else "accept"
            raise ValueError(f"{who} chose {chosen!r}, which the client did not offer")
        self.link = link = self._accept(offer, chosen, fields)
        self._tie()
        return link

    def _tie(self) -> None:
        """From here on the end of the stream ends the handler's block, if that is how the route wants it."""
        if self.link is not None and self._options.on_disconnect == "cancel":
            self.link.cancels_on_end = True
            if self._scope is not None:
                self.link.interrupt_at_end(self._scope)

    @contextmanager
    def interrupted_by_end(self) -> Generator[None]:
        """Give a block that ends early when the stream is gone, once it is a WebSocket's."""
        with self.request.exchange.driver.scope() as self._scope:
            self._tie()
            try:
                yield
            finally:
                if self.link is not None:
                    self.link.spare(self._scope)

    def end(self) -> Link | None:
        """The handler is done: without a 101 by now it gets another answer. Return the link, if there is one."""
        self.is_denied = self.link is None
        return self.link

    def _accept(self, offer: Offer, protocol: str | None, fields: RawFields) -> Link:
        options, request = self._options, self.request
        exchange, extensions = request.exchange, self._agreed(offer)
        accept = Accept(
            subprotocol=protocol, extensions=extensions, headers=(*request.upgrade_fields(), *fields)
        )
        limits, timeouts = options.limits(exchange.limits), options.timeouts(exchange.timeouts)
        link = exchange.accept(accept, limits, timeouts, options.compression)
        request.seal()
        self.protocol, self.extensions = protocol, extensions
        return link

    def _offer(self) -> Offer:
        """Return what the client offers, as long as it waits for its answer."""
        if self.link is not None:
            raise WebSocketStateError("the WebSocket is accepted already")
        if self.is_denied:
            raise WebSocketStateError("the opening handshake has got another answer")
        offer = self.request.head.websocket
        assert isinstance(offer, Offer)  # what is refused comes to no route
        return offer

    def _agreed(self, offer: Offer) -> tuple[str, ...]:
        """Take the first acceptable offer of compression, if the route wants it (RFC 7692 §5)."""
        if self._options.compression is None or not offer.extensions:
            return ()
        agreement = negotiate(offer.extensions, self._options.compression)
        return () if agreement is None else (str(agreement),)

    def _select(self, offered: tuple[str, ...]) -> str | Awaitable[str | None] | None:
        """Choose one of the subprotocols offered (RFC 6455 §4.2.2): by the route's function, else the first of
        the route's own.
        """
        if not offered:
            return None
        if self._options.select_protocol is not None:
            return self._options.select_protocol(list(offered))
        return next((each for each in self._options.protocols if each in offered), None)
