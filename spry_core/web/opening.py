"""The server's side of one opening handshake: what the 101 says, and when it is sent (RFC 6455 §4.2.2).

A route with ``accept="auto"`` sends it before its handler runs, one with ``accept="manual"`` when the handler says so. What is
chosen, the subprotocol and the compression, is chosen in the same way.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from spry_core.driver import Scope
from spry_core.errors import WebSocketStateError
from spry_core.headers import MutableHeaders, Pairs
from spry_core.protocol.deflate import negotiate
from spry_core.protocol.events import Accept, Offer
from spry_core.web.exceptions import Abort
from spry_core.web.link import Link
from spry_core.web.options import WebSocketOptions
from spry_core.web.request import Request

_UNINTERRUPTED: Final = nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What has become of an opening handshake that succeeded."""

    link: Link
    """To the session that serves the WebSocket."""

    protocol: str | None
    """The subprotocol selected, or None."""

    extensions: tuple[str, ...]
    """The extensions in use, as on the wire."""


class Opening:
    """One opening handshake that waits for its answer."""

    __slots__ = ("_offer", "_options", "_scope", "is_denied", "opened", "request")

    def __init__(self, request: Request, options: WebSocketOptions) -> None:
        self.request: Request = request
        self.opened: Opened | None = None
        """What it came to, as soon as the 101 is on its way."""
        self.is_denied: bool = False
        """True when it got another answer: there will be no WebSocket."""
        self._options = options
        self._scope: Scope | None = None
        offer = request.head.websocket
        assert isinstance(offer, Offer)  # what is refused comes to no route
        self._offer = offer

    async def accept(self, protocol: str | None = None, headers: Pairs | None = None) -> Opened:
        """Choose what is not said, and send the 101. Cancelled it has done nothing.

        Raises:
            Abort: The answer has to be another one: 400 without a common subprotocol where the route requires one, 503 when
                the server shuts down.
            ConnectionClosed: The peer has left.
            ValueError: The client did not offer this subprotocol, or the 101 cannot have these fields; nothing was sent.
            WebSocketStateError: It has its answer already.
        """
        self._check()
        fields = MutableHeaders(headers or ())
        chosen = await self._select() if protocol is None else protocol
        self._check()  # choosing may have taken its time
        if chosen is not None and chosen not in self._offer.subprotocols:
            who = "select_protocol" if protocol is None else "accept"
            raise ValueError(f"{who} chose {chosen!r}, which the client did not offer")
        self.opened = self._accept(chosen, fields)
        self._tie()
        return self.opened

    def _tie(self) -> None:
        """From here on the end of the stream ends the handler's block, if that is how the route wants it."""
        if self.opened is not None and self._options.on_disconnect == "cancel":
            self.opened.link.cancels_on_end = True
            if self._scope is not None:
                self.opened.link.interrupt_at_end(self._scope)

    def interrupted_by_end(self) -> AbstractContextManager[None]:
        """Give a block that ends early when the stream is gone, once it is a WebSocket's, if that is how the route wants it."""
        return self._interrupted() if self._options.on_disconnect == "cancel" else _UNINTERRUPTED

    @contextmanager
    def _interrupted(self) -> Generator[None]:
        with self.request.exchange.driver.scope() as self._scope:
            self._tie()
            try:
                yield
            finally:
                if self.opened is not None:
                    self.opened.link.spare(self._scope)

    def end(self) -> Opened | None:
        """The handler is done: without a 101 by now it gets another answer. Return what it came to."""
        self.is_denied = self.opened is None
        return self.opened

    def _accept(self, protocol: str | None, fields: MutableHeaders) -> Opened:
        options, request = self._options, self.request
        exchange, extensions = request.exchange, self._extensions()
        accept = Accept(
            subprotocol=protocol,
            extensions=extensions,
            headers=(*request.upgrade_fields(), *fields.raw()),
        )
        limits, timeouts = options.limits(exchange.limits), options.timeouts(exchange.timeouts)
        link = exchange.accept(accept, limits, timeouts, options.compression)
        request.seal()
        return Opened(link=link, protocol=protocol, extensions=extensions)

    def _check(self) -> None:
        if self.opened is not None:
            raise WebSocketStateError("the WebSocket is accepted already")
        if self.is_denied:
            raise WebSocketStateError("the opening handshake has got another answer")

    def _extensions(self) -> tuple[str, ...]:
        """Take the first acceptable offer of compression, if the route wants it (RFC 7692 §5)."""
        if self._options.compression is None:
            return ()
        agreement = negotiate(self._offer.extensions, self._options.compression)
        return () if agreement is None else (str(agreement),)

    async def _select(self) -> str | None:
        """Choose one of the subprotocols offered (RFC 6455 §4.2.2): by the route's function, else the first of
        the route's own.
        """
        selected = await self._ask()
        if selected is None and self._options.require_protocol:
            raise Abort(400, "no common subprotocol")
        return selected

    async def _ask(self) -> str | None:
        offered, options = self._offer.subprotocols, self._options
        if not offered:
            return None
        if options.select_protocol is not None:
            selected = options.select_protocol(list(offered))
            return selected if selected is None or isinstance(selected, str) else await selected
        return next((each for each in options.protocols if each in offered), None)
