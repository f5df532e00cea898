"""The client's part of HTTP/1.1: one request goes out at a time, and its answer is judged.

What is the same for a server stands in `http1`.
"""

from __future__ import annotations

from typing import ClassVar

from spry_core.errors import RemoteProtocolError
from spry_core.protocol import handshake
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.engines import Role
from spry_core.protocol.events import Offer, RequestHead, ResponseHead, SentEvent
from spry_core.protocol.exchange import State, Step, advance, step_of
from spry_core.protocol.head import (
    EMPTY,
    Framing,
    UntilClose,
    check_response,
    may_persist,
    read_response,
    refuse,
)
from spry_core.protocol.http1 import END, Http1
from spry_core.protocol.incoming import IncomingContent
from spry_core.protocol.outgoing import content_of


class Http1Client(Http1):
    """HTTP/1.1 over one stream that we have made."""

    __slots__ = ()

    role: ClassVar[Role] = "client"

    # Receiving

    def _take_end_within(self, now: float) -> None:
        if self._state is State.LATE:
            self._finish(now)
        else:
            self._fail(refuse(400, "the stream ended before the response", "RFC 9112 §8"), now)

    def _parse_next(self, now: float) -> bool:
        if self._state in (State.REQUEST, State.WAITING):
            return self._parse_head(now)
        if self._state in (State.IDLE, State.LATE):
            raise refuse(400, "a response that nobody asked for", "RFC 9112 §9.2")
        return False

    def _receive_head(self, head: bytes, now: float) -> None:
        assert self._request is not None
        response = read_response(head)
        may_switch = isinstance(self._request.websocket, Offer) and self._state is State.WAITING
        if response.status_code == 101 and not may_switch:
            raise refuse(400, "a 101 that nobody asked for", "RFC 9110 §15.2.2")
        framing = check_response(response, self._request.method)
        self._engine.receive_head(head)
        if response.status_code == 101:
            self._deliver_switch(response)
        else:
            self._deliver_head(response, framing, now)

    def _deliver_head(self, head: ResponseHead, framing: Framing, now: float) -> None:
        is_final = head.status_code >= 200
        if is_final:
            self._incoming = IncomingContent(
                framing, self._stream, now, is_judged=False, decodes=not self._engine.decodes_chunks
            )
            if isinstance(framing, UntilClose) or not may_persist(head):
                self._keep_alive = False
            self._stream.deadlines.clear(Deadline.OPENING)
        self._state = advance(self._state, step_of(head, is_request_side=False))
        self._stream.events.append(head)
        if is_final and framing is EMPTY:
            self._deliver_end(END, now)

    def _deliver_switch(self, head: ResponseHead) -> None:
        assert self._request is not None
        assert isinstance(self._request.websocket, Offer)
        accept = handshake.check(self._request.websocket, head)
        self._state = advance(self._state, Step.SWITCH)
        self._switch(accept)
        self._stream.events.append(accept)

    # Sending

    def response_events(self, head: ResponseHead, content: bytes) -> tuple[SentEvent, ...]:
        """Refuse: responses come from a server."""
        step_of(head, is_request_side=True)
        raise AssertionError(head)  # pragma: no cover - it has raised

    def _send_head(self, event: SentEvent, now: float) -> None:
        assert isinstance(event, RequestHead)  # `step_of` has refused every other event
        self._outgoing = content_of(event)
        self._request = event
        self._incoming = None
        self._keep_alive = may_persist(event)
        if isinstance(event.websocket, Offer):
            self._stream.deadlines.set(Deadline.OPENING, now, self._stream.timeouts.opening)
        self._writer.write(self._engine.write_request(event), now)

    # Ends

    def bytes_written(self, now: float) -> None:
        """Some of what was unsent is gone: nothing waits for that."""

    def _end_side(self, now: float) -> None:
        """Nobody would hear what the server may still say."""
        self._stream.close()

    def _end_failing(self, error: RemoteProtocolError, now: float) -> None:
        self._finish(now)
