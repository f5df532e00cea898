"""The server's part of HTTP/1.1: requests come in, are answered in order, and have their time.

What is the same for a client stands in `http1`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import handshake, repeated
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.engines import EngineName, Role
from spry_core.protocol.events import (
    Accept,
    BodyData,
    Offer,
    RawFields,
    RequestHead,
    ResponseHead,
    SentEvent,
    body_data,
    request_head,
)
from spry_core.protocol.exchange import State, Step, advance, step_of
from spry_core.protocol.head import (
    EMPTY,
    KNOWN,
    NOTABLE,
    Framing,
    Length,
    Terms,
    may_persist,
    read_request,
    refuse,
    settle,
)
from spry_core.protocol.http1 import END, Http1
from spry_core.protocol.incoming import IncomingContent
from spry_core.protocol.outgoing import check_interim_head, check_response_head, plain_length, with_close
from spry_core.protocol.stream import HALF_CLOSE, Stream
from spry_core.protocol.turn import HEAD_STEPS

# Where two steps at once lead to: a request without content has come, and a whole response has gone out.
_COMPLETE: Final = advance(advance(State.IDLE, Step.REQUEST_HEAD), Step.REQUEST_END)
_ANSWERED: Final = advance(advance(State.WAITING, Step.RESPONSE_HEAD), Step.RESPONSE_END)
_NEXT: Final = advance(_ANSWERED, Step.NEXT)
_WITHOUT_CONTENT: Final = frozenset((b"HEAD", b"CONNECT"))  # what is said to these depends on that
_END_OF_HEAD: Final = b"\r\n\r\n"
# Those that every request meets: to look into an Enum costs several times what a name of the module costs.
_IDLE: Final = State.IDLE
_WAITING: Final = State.WAITING
_ANSWER: Final = State.ANSWER
_HEAD: Final = Deadline.HEAD
_KEEP_ALIVE: Final = Deadline.KEEP_ALIVE


class Http1Server(Http1):
    """HTTP/1.1 over one accepted stream."""

    __slots__ = ("_expects_continue", "_is_still_answering", "_offers", "_requests", "_size", "_terms")

    role: ClassVar[Role] = "server"

    def __init__(
        self, stream: Stream, *, now: float, engine: EngineName, wall_clock: Callable[[], float] | None
    ) -> None:
        super().__init__(stream, engine=engine, wall_clock=wall_clock)
        self._requests = 0
        # How long the last head was if it was short (see `repeated`), or -1 when too many were offered in vain.
        self._size = 0
        self._offers = repeated.OFFERS
        self._terms: Terms | None = None  # of the request in hand, or the last one
        self._expects_continue = False
        self._is_still_answering = False  # the time to ask again is over, but for that
        stream.deadlines.set(Deadline.HEAD, now, stream.timeouts.head)

    @property
    def awaits_continue(self) -> bool:
        """True if the client waits for a 100 before it sends its content (RFC 9110 §10.1.1)."""
        return self._expects_continue and self._state is State.REQUEST

    @property
    def wants_read(self) -> bool:
        """False while enough is held behind the present request, or of its content and not consumed."""
        if self.is_over:
            return True
        stream, state = self._stream, self._state
        is_behind = state is _IDLE and stream.unsent > stream.limits.high_water  # `_is_behind`
        if is_behind or state is _WAITING or state is _ANSWER:
            return len(self._held) < stream.limits.max_read_ahead
        return self._incoming is None or super().wants_read

    @property
    def _is_behind(self) -> bool:
        """True while the next request must wait: a peer that asks and does not read is not to fill memory with answers."""
        return self._state is State.IDLE and self._stream.unsent > self._stream.limits.high_water

    @property
    def _is_waiting(self) -> bool:
        """True while a request is here and to be parsed later, behind others or behind our answers."""
        return super()._is_waiting or (self._is_behind and bool(self._held))

    # Receiving

    def _take_end_within(self, now: float) -> None:
        """The request is complete: it is answered all the same."""

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer. A read that is one request and nothing else is taken here, as it would be further in."""
        stream = self._stream
        if (
            self._state is not _IDLE
            or self._held
            or self.is_over
            or stream.unsent > stream.limits.high_water  # `_is_behind`
        ):
            super().receive_data(data, now)
            return
        try:
            end = self._take_next(data, now)
        except RemoteProtocolError as error:
            self._fail(error, now)
            return
        if end < len(data):
            self._held.extend(memoryview(data)[end:])
            self._parse(now)

    def _parse_next(self, now: float) -> bool:
        if self._state is not _IDLE:
            return False
        stream = self._stream
        deadlines = stream.deadlines
        if stream.unsent > stream.limits.high_water:  # `_is_behind`
            deadlines.clear(Deadline.KEEP_ALIVE)  # the next request is here
            return False
        end = self._take_next(self._held, now)
        if end:
            del self._held[:end]
            return self._incoming is not None  # else its answer comes before anything behind it is due
        self._is_still_answering = False
        deadlines.clear(Deadline.KEEP_ALIVE)
        if not deadlines.is_set(Deadline.HEAD):
            deadlines.set(Deadline.HEAD, now, stream.timeouts.head)
        return self._parse_head(now) and self._incoming is not None  # as above

    def _take_next(self, data: bytes | bytearray, now: float) -> int:
        """Take the head with which `data` begins, if it is known or the engine takes it whole; return where it ends, or 0."""
        size = self._size
        if (
            size > 0
            and (len(data) == size or data.startswith(_END_OF_HEAD, size - 4))
            and self._take_known(bytes(data[:size]), now)
        ):
            return size
        end = self._take_head(data, now)
        if end and size >= 0:
            if end == size:
                self._offer(bytes(data[:end]))
            else:
                self._size = end if end <= repeated.LONGEST else 0
        return end

    def _take_known(self, data: bytes, now: float) -> bool:
        """Take a head that is known, as `_take_head` would; tell whether it is one."""
        known, scanner = repeated.KNOWN.get(data), self._scanner
        if known is None or known[2] is not scanner.limits or scanner.has_begun:
            return False
        self._stream.turn.left -= HEAD_STEPS
        head = self._request = known[0]
        self._is_still_answering = False
        self._deliver_head(head, (), known[1], now)
        return True

    def _offer(self, data: bytes) -> None:
        """Let a head be known that is as long as the one before it, if it comes again."""
        head, terms = self._request, self._terms
        assert head is not None
        assert terms is not None
        if not repeated.remember(data, head, terms, self._scanner.limits):
            self._offers -= 1
            if not self._offers:
                self._size = -1

    def _take_head(self, data: bytes | bytearray, now: float) -> int:
        """Take the head with which `data` begins, if the engine takes it whole; return where it ends, or 0."""
        scanner = self._scanner
        if scanner.has_begun:
            return 0
        taken = self._engine.take_request(data, scanner.limits, KNOWN, NOTABLE)
        if taken is None:
            return 0
        method, target, version, fields, noted, end = taken
        self._stream.turn.left -= HEAD_STEPS
        head = self._request = request_head(method, target, fields, version)
        self._is_still_answering = False
        terms = settle(head, noted)
        if terms.framing is EMPTY:
            self._deliver_head(head, noted, terms, now)
            return end
        content = _content_at(data, end, terms.framing)
        self._deliver_head(head, noted, terms, now, content)
        return end + len(content)

    def _receive_head(self, head: bytes, now: float) -> None:
        request = self._request = read_request(head)
        noted = tuple([field for field in request.headers if field[0] in NOTABLE])
        terms = settle(request, noted)
        self._engine.receive_head(head)
        self._deliver_head(request, noted, terms, now)

    def _deliver_head(
        self, head: RequestHead, noted: RawFields, terms: Terms, now: float, content: bytes = b""
    ) -> None:
        """Begin a request, and complete it if it has no content, or all of that is here: `content`."""
        stream, framing = self._stream, terms.framing
        self._terms = terms
        self._requests = requests = self._requests + 1
        allowed = stream.limits.max_requests
        if not terms.persists or (allowed is not None and requests >= allowed):
            self._keep_alive = False
        if terms.upgrades:
            head = self._request = self._examine(head, noted, framing, now)
        running = stream.deadlines.running
        if _KEEP_ALIVE in running:
            del running[_KEEP_ALIVE]
        if _HEAD in running:
            del running[_HEAD]
        events = stream.events
        events.append(head)
        if framing is EMPTY:
            self._state = _COMPLETE
            events.append(END)
        elif content:  # what an `IncomingContent` would come to that is complete as soon as it is made
            self._state = _COMPLETE
            events += body_data(content), END
        else:
            self._state = advance(self._state, Step.REQUEST_HEAD)
            self._expects_continue = terms.expects_continue
            self._incoming = IncomingContent(
                framing,
                stream,
                now,
                is_invited=not terms.expects_continue,
                decodes=not self._engine.decodes_chunks,
            )

    def _examine(self, head: RequestHead, noted: RawFields, framing: Framing, now: float) -> RequestHead:
        """Look for the opening handshake in a request that may be one."""
        websocket = handshake.look(head, noted, framing, self._stream.limits.max_fields)
        if websocket is None:
            return head
        self._stream.deadlines.set(Deadline.OPENING, now, self._stream.timeouts.opening)
        if framing is not EMPTY:
            self._keep_alive = False
        return request_head(head.method, head.target, head.headers, head.http_version, websocket)

    def _deliver_data(self, event: BodyData, now: float) -> None:
        self._expects_continue = False
        if self._state is not State.LATE:
            super()._deliver_data(event, now)
            return
        self._lingered += len(event.data)
        if self._lingered > self._stream.limits.max_linger:
            self._finish(now)

    # Sending

    def send_response(self, head: ResponseHead, content: bytes, now: float) -> None:
        """Say a whole response. Nearly all of them are plain: a length that fits, and a connection that goes on."""
        request = self._request
        if (
            self._state is not _WAITING
            or not self._keep_alive
            or self.is_over
            or request is None
            or request.websocket is not None
        ):
            super().send_response(head, content, now)
            return
        method, writer, stream = request.method, self._writer, self._stream
        if method not in _WITHOUT_CONTENT and writer.write_known_response(head, content, now):
            # What `_next` does on a connection that goes on, with an engine that keeps nothing.
            self._state = _NEXT
            self._request = self._incoming = self._outgoing = None
            seconds = stream.timeouts.keep_alive
            if seconds is not None:
                stream.deadlines.running[_KEEP_ALIVE] = now + seconds
        elif plain_length(head, method) == len(content):
            writer.write_plain_response(head, content, now)
            self._state = _ANSWERED
            self._next(now)
        else:
            super().send_response(head, content, now)
            return
        if self._held or stream.received_end:
            self._look_further(now)

    def response_events(self, head: ResponseHead, content: bytes) -> tuple[SentEvent, ...]:
        """Check a whole response; return what there is to `send` for it. An answer to HEAD goes without the content."""
        self._check_alive()
        if head.status_code < 200:
            raise LocalProtocolError("an interim response is not a whole one (RFC 9110 §15.2)")
        advance(self._state, step_of(head, is_request_side=False))
        assert self._request is not None
        _, outgoing = check_response_head(head, self._request)
        if self._request.method == b"HEAD":
            content = b""
        outgoing.check_data(content)
        outgoing.check_end(END)
        return (head, BodyData(data=content), END) if content else (head, END)

    def _send_head(self, event: SentEvent, now: float) -> None:
        match event:
            case ResponseHead():
                self._send_response(event, now)
            case Accept():
                self._send_accept(event, now)
            case _:  # pragma: no cover - `step_of` has refused every other event
                raise AssertionError(event)

    def _send_response(self, head: ResponseHead, now: float) -> None:
        assert self._request is not None
        if head.status_code == 101:
            raise LocalProtocolError("a 101 is sent by the event Accept (RFC 6455 §4.2.2)")
        if head.status_code < 200:
            self._send_interim(head, now)
            return
        fields, outgoing = check_response_head(head, self._request)
        self._outgoing = outgoing
        if self._must_close(head):
            self._keep_alive = False
            fields = with_close(fields)
        self._stream.deadlines.clear(Deadline.OPENING)
        self._writer.write_response_head(head.status_code, head.reason_phrase, fields, now, self._terms)

    def _must_close(self, head: ResponseHead) -> bool:
        """Tell whether the connection ends with this answer (RFC 9112 §9.3, §9.6)."""
        drops_frames = self._request is not None and self._request.websocket is not None and bool(self._held)
        # What is still to come of the request will not be waited for, unless the owner goes on reading it.
        max_linger = self._stream.limits.max_linger
        is_too_long = self._incoming is not None and self._incoming.is_longer_than(max_linger)
        says_close = not self._keep_alive or not may_persist(head)
        return says_close or self.awaits_continue or drops_frames or is_too_long

    def _send_interim(self, head: ResponseHead, now: float) -> None:
        if self._request is not None and self._request.http_version == b"1.0":
            raise LocalProtocolError("HTTP/1.0 knows no interim responses (RFC 9110 §15.2)")
        check_interim_head(head)
        if head.status_code == 100:
            self._expects_continue = False
            if self._incoming is not None:
                self._incoming.invite(now)
        self._writer.write_response_head(head.status_code, head.reason_phrase, list(head.headers), now)

    def _send_accept(self, accept: Accept, now: float) -> None:
        assert self._request is not None
        if not isinstance(self._request.websocket, Offer):
            raise LocalProtocolError("this request offers no WebSocket (RFC 6455 §4.2.1)")
        head = handshake.response(self._request.websocket, accept)
        self._writer.write_response_head(head.status_code, head.reason_phrase, head.headers, now)
        self._switch(accept)

    def _after_send(self, step: Step, now: float) -> None:
        if step is Step.RESPONSE_END and self._state is State.LATE:
            self._discard_content(now)
        else:
            super()._after_send(step, now)

    def _discard_content(self, now: float) -> None:
        """Nobody wants the rest of a request that is answered: read and drop it within bounds, or end here."""
        assert self._incoming is not None
        if not self._keep_alive or self._incoming.is_longer_than(self._stream.limits.max_linger):
            self._finish(now)
            return
        self._stream.deadlines.clear(Deadline.BODY)
        self._stream.deadlines.set(Deadline.LINGER, now, self._stream.timeouts.linger)
        self._incoming.release(self._incoming.unreleased, now)

    def _next(self, now: float) -> None:
        super()._next(now)
        if not self.is_over:
            self._stream.deadlines.set(Deadline.KEEP_ALIVE, now, self._stream.timeouts.keep_alive)

    # Ends and time

    def bytes_written(self, now: float) -> None:
        """Some of what was unsent is gone: the next request may have its turn."""
        if self._state is _IDLE:
            if self._is_still_answering and not self._stream.unsent and not self.is_over:
                # It had passed while our answer was still on its way: give the peer its time to ask again.
                self._is_still_answering = False
                self._stream.deadlines.set(Deadline.KEEP_ALIVE, now, self._stream.timeouts.keep_alive)
            if self._held or self._stream.received_end:
                self._look_further(now)

    def shutdown(self, now: float) -> None:
        """Serve no request but the present one; to a head that has begun to come in say 503 (RFC 9112 §9.6)."""
        if self._state is State.IDLE and not self.is_over and self._held:
            self._writer.write_failure(503, None, now)
        super().shutdown(now)

    def _end_side(self, now: float) -> None:
        """Read and drop till the peer ends its own side (RFC 9112 §9.6)."""
        self._stream.half_close()
        if self._stream.end is HALF_CLOSE:
            self._stream.deadlines.set(Deadline.LINGER, now, self._stream.timeouts.linger)

    def _end_failing(self, error: RemoteProtocolError, now: float) -> None:
        if self._state in (State.IDLE, State.REQUEST, State.WAITING):
            terms = None if self._state is State.IDLE else self._terms
            self._writer.write_failure(error.status_code or 400, self._request, now, terms)
            self._finish(now)
        elif self._state is State.LATE:
            self._finish(now)
        else:
            self.abort()  # half an answer is out; it must not look like a whole one

    def handle(self, deadline: Deadline, now: float) -> None:
        """Do what `deadline` brings."""
        match deadline:
            case Deadline.HEAD if self._held:
                self._fail(refuse(408, "the head took too long", "RFC 9110 §15.5.9"), now)
            case Deadline.BODY:
                self._fail(refuse(408, "the content came too slowly", "RFC 9110 §15.5.9"), now)
            case Deadline.OPENING:
                super().handle(deadline, now)
            case Deadline.KEEP_ALIVE if self._stream.unsent:
                self._is_still_answering = True  # the peer's time begins when the answer has gone
            case Deadline.LINGER if self._state is not State.LATE or self.is_over:
                self._close()
            case _:
                self._finish(now)


def _content_at(data: bytes | bytearray, start: int, framing: Framing) -> bytes:
    """Return the content that begins there if its length is announced and all of it is here, and else nothing."""
    if not isinstance(framing, Length) or start + framing.size > len(data):
        return b""
    content = data[start : start + framing.size]
    return content if isinstance(content, bytes) else bytes(content)
