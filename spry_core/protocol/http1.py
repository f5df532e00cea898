"""The HTTP/1.1 half of a connection: one exchange after the other, until the stream ends or becomes a
WebSocket.

What the peer sent lies in `_held` until it is its turn: the head of the next request is not looked at before
the present exchange is over, so answers come in order and what is behind an opening handshake is never taken
for HTTP. Incoming bytes pass the scanners of `head` and `chunked` before the engine sees them; outgoing
events pass the table of `exchange` and the checks here before the engine writes them. So every rule stands
above the engines, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Final, assert_never

from spry_core.errors import LocalProtocolError, RemoteProtocolError, forget_frames
from spry_core.protocol import handshake
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.engines import EngineName, HttpEvent, Role, http_engine
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    Failure,
    Offer,
    RequestHead,
    ResponseHead,
    SentEvent,
)
from spry_core.protocol.exchange import State, Step, advance, step_of
from spry_core.protocol.head import (
    Framing,
    HeadScanner,
    Length,
    UntilClose,
    check_request,
    check_response,
    expects_continue,
    may_persist,
    read_request,
    read_response,
    refuse,
)
from spry_core.protocol.incoming import IncomingContent, joined
from spry_core.protocol.outgoing import (
    OutgoingContent,
    check_interim_head,
    check_response_head,
    content_of,
    with_close,
)
from spry_core.protocol.stream import HALF_CLOSE, Stream
from spry_core.protocol.turn import HEAD_STEPS
from spry_core.protocol.writer import MessageWriter

_WAITS: Final = (Deadline.HEAD, Deadline.BODY, Deadline.KEEP_ALIVE, Deadline.OPENING)


class Http1:
    """HTTP/1.1 over one stream, either role."""

    def __init__(
        self,
        role: Role,
        stream: Stream,
        *,
        now: float,
        engine: EngineName,
        wall_clock: Callable[[], float] | None,
    ) -> None:
        limits = stream.limits
        self._is_server = role == "server"
        self._stream = stream
        longest = max(limits.max_request_line + limits.max_header_section, limits.max_trailer_section)
        self._engine = http_engine(engine, role, longest + 1024)
        self._writer = MessageWriter(stream, self._engine, wall_clock)
        self._scanner = HeadScanner("request" if self._is_server else "response", limits)
        self._state = State.IDLE
        self._held = bytearray()
        self._request: RequestHead | None = None
        self._framing: Framing = Length(0)
        self._incoming: IncomingContent | None = None
        self._outgoing: OutgoingContent | None = None
        self._requests = 0
        self._keep_alive = True
        self._expects_continue = False
        self._lingered = 0
        self._is_still_answering = False  # the time to ask again is over, but for that
        self.is_over: bool = False
        """True when nothing more is parsed: the last answer is given and what comes is thrown away."""
        self.accepted: Accept | None = None
        """What was agreed when the stream switched to WebSocket."""
        if self._is_server:
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
        limit = self._stream.limits.max_read_ahead
        if self._is_behind or (self._is_server and self._state in (State.WAITING, State.ANSWER)):
            return len(self._held) < limit
        return self._incoming is None or self._incoming.unreleased < limit

    @property
    def _is_behind(self) -> bool:
        """True while the next request must wait: a peer that asks and does not read is not to fill memory with answers."""
        is_full = self._stream.unsent > self._stream.limits.high_water
        return self._is_server and self._state is State.IDLE and is_full

    # Receiving

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer."""
        if self.is_over:
            self._linger(len(data))
            return
        self._held += data
        self._parse(now)

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more; requests that are already here are still answered."""
        if not self._stream.turn.is_awaited:
            self._take_end(now)

    def _take_end(self, now: float) -> None:
        if self.is_over:
            self._close()
        elif self._incoming is not None and not self._incoming.is_done:
            self._end_content(now)
        elif self._state is State.IDLE:
            self._end_if_drained(now)
        elif not self._is_server and self._state is State.LATE:
            self._finish(now)
        elif not self._is_server:
            self._fail(refuse(400, "the stream ended before the response", "RFC 9112 §8"), now)

    def _end_content(self, now: float) -> None:
        assert self._incoming is not None
        if not self._incoming.ends_with_stream:
            self._fail(refuse(400, "the stream ended inside the content", "RFC 9112 §8"), now)
            return
        self._incoming.finish()
        for event in self._engine.receive_eof():
            self._deliver(event, now)
        self._finish(now)

    def _end_idle(self, now: float) -> None:
        if self._held:
            self._fail(refuse(400, "the stream ended inside a head", "RFC 9112 §8"), now)
        else:
            self._finish(now)

    def _linger(self, n: int) -> None:
        self._lingered += n
        if self._lingered > self._stream.limits.max_linger:
            self._close()

    def _close(self) -> None:
        self._stream.deadlines.clear(Deadline.LINGER)
        self._stream.close()

    def go_on(self, now: float) -> None:
        """Decode more of what came; its end, if that has come meanwhile, follows it."""
        self._parse(now)
        if self._stream.received_end:
            self.receive_eof(now)

    def _parse(self, now: float) -> None:
        """Decode as much of `_held` as is due, until this turn is over."""
        turn = self._stream.turn
        try:
            while self._held and not self.is_over and self._parse_some(now):
                if turn.left <= 0 and self._held and not self.is_over:
                    self._stream.wait_for_turn(now)
                    return
        except RemoteProtocolError as error:
            self._fail(error, now)

    def _parse_some(self, now: float) -> bool:
        """Decode a head or some content; return False if that needs more bytes, or is not due yet."""
        if self._incoming is not None and not self._incoming.is_done:
            return self._parse_content(now)
        if self._is_server and self._state is State.IDLE:
            if self._is_behind:
                self._stream.deadlines.clear(Deadline.KEEP_ALIVE)  # the next request is here
                return False
            return self._parse_head(now)
        if not self._is_server and self._state in (State.REQUEST, State.WAITING):
            return self._parse_head(now)
        if not self._is_server and self._state in (State.IDLE, State.LATE):
            raise refuse(400, "a response that nobody asked for", "RFC 9112 §9.2")
        return False

    def _parse_head(self, now: float) -> bool:
        deadlines = self._stream.deadlines
        head = self._scanner.feed(self._held)
        if self._is_server and not deadlines.is_set(Deadline.HEAD):
            deadlines.set(Deadline.HEAD, now, self._stream.timeouts.head)
        deadlines.clear(Deadline.KEEP_ALIVE)
        self._is_still_answering = False
        if head is None:
            return False
        self._stream.turn.spend(HEAD_STEPS)
        judged = self._judge(head)
        for event in self._engine.receive_data(head):
            # Of an engine's heads only their place counts: what it has tidied up stands there as it came.
            self._deliver(judged if isinstance(event, RequestHead | ResponseHead) else event, now)
        return True

    def _judge(self, head: bytes) -> RequestHead | ResponseHead:
        """Find the framing, on the bytes as they came: an engine may have made one Content-Length of two."""
        if self._is_server:
            self._request = read_request(head)
            self._framing = check_request(self._request)
            return self._request
        assert self._request is not None
        response = read_response(head)
        may_switch = isinstance(self._request.websocket, Offer) and self._state is State.WAITING
        if response.status_code == 101 and not may_switch:
            raise refuse(400, "a 101 that nobody asked for", "RFC 9110 §15.2.2")
        self._framing = check_response(response, self._request.method)
        return response

    def _parse_content(self, now: float) -> bool:
        assert self._incoming is not None
        data = self._incoming.take(self._held)
        if not data:
            return False
        for event in joined(self._engine.receive_data(data)):
            self._deliver(event, now)
        return True

    def _deliver(self, event: HttpEvent, now: float) -> None:
        match event:
            case RequestHead():
                self._deliver_request(event, now)
            case ResponseHead():
                self._deliver_response(event, now)
            case BodyData():
                self._deliver_data(event, now)
            case BodyEnd():
                self._deliver_end(event, now)
            case _:
                assert_never(event)

    def _deliver_request(self, head: RequestHead, now: float) -> None:
        stream, framing = self._stream, self._framing
        self._expects_continue = expects_continue(head)
        self._incoming = IncomingContent(framing, stream, now, is_invited=not self._expects_continue)
        websocket = handshake.examine(head, framing, self._stream.limits.max_fields)
        if websocket is not None:
            head = replace(head, websocket=websocket)
            stream.deadlines.set(Deadline.OPENING, now, stream.timeouts.opening)
        self._requests += 1
        allowed = stream.limits.max_requests
        self._keep_alive = (
            self._keep_alive
            and may_persist(head)
            and (allowed is None or self._requests < allowed)
            and (websocket is None or framing == Length(0))
        )
        stream.deadlines.clear(Deadline.HEAD)
        self._request = head
        self._state = advance(self._state, Step.REQUEST_HEAD)
        stream.events.append(head)

    def _deliver_response(self, head: ResponseHead, now: float) -> None:
        assert self._request is not None
        if head.status_code == 101:
            self._deliver_switch(head, now)
            return
        if head.status_code >= 200:
            self._incoming = IncomingContent(self._framing, self._stream, now, is_judged=False)
            if isinstance(self._framing, UntilClose) or not may_persist(head):
                self._keep_alive = False
            self._stream.deadlines.clear(Deadline.OPENING)
        self._state = advance(self._state, step_of(head, is_request_side=False))
        self._stream.events.append(head)

    def _deliver_switch(self, head: ResponseHead, now: float) -> None:
        assert self._request is not None
        assert isinstance(self._request.websocket, Offer)
        accept = handshake.check(self._request.websocket, head)
        self._state = advance(self._state, Step.SWITCH)
        self._switch(accept)
        self._stream.events.append(accept)

    def _deliver_data(self, event: BodyData, now: float) -> None:
        assert self._incoming is not None
        self._expects_continue = False
        if self._state is State.LATE:
            self._lingered += len(event.data)
            if self._lingered > self._stream.limits.max_linger:
                self._finish(now)
            return
        self._incoming.count(len(event.data), now)
        self._stream.events.append(event)

    def _deliver_end(self, event: BodyEnd, now: float) -> None:
        self._stream.deadlines.clear(Deadline.BODY)
        self._expects_continue = False
        late = self._state is State.LATE
        self._state = advance(self._state, step_of(event, is_request_side=self._is_server))
        if not late:
            self._stream.events.append(event)
        if self._state is State.DONE:
            self._next(now)

    # Sending

    def send(self, event: SentEvent, now: float) -> None:
        """Say this. Raises `LocalProtocolError` or `ValueError` and changes nothing if it may not be said."""
        if self.is_over or self._stream.end is not None:
            raise LocalProtocolError("the connection takes nothing more: its last answer is given")
        step = step_of(event, is_request_side=not self._is_server)
        following = advance(self._state, step)
        match event:
            case RequestHead():
                self._send_request(event, now)
            case ResponseHead():
                self._send_response(event, now)
            case Accept():
                self._send_accept(event, now)
            case BodyData():
                assert self._outgoing is not None
                self._outgoing.check_data(event.data)
                self._writer.write(event, now)
            case BodyEnd():
                assert self._outgoing is not None
                self._outgoing.check_end(event)
                self._writer.write(event, now)
            case _:  # pragma: no cover - `step_of` has refused every other event
                raise AssertionError(event)
        self._state = following
        self._after_send(step, now)

    def _send_request(self, head: RequestHead, now: float) -> None:
        self._outgoing = content_of(head)
        self._request = head
        self._incoming = None
        self._keep_alive = may_persist(head)
        if isinstance(head.websocket, Offer):
            self._stream.deadlines.set(Deadline.OPENING, now, self._stream.timeouts.opening)
        self._writer.write(head, now)

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
        self._writer.write_response_head(head.status_code, head.reason_phrase, fields, now)

    def ignore_offer(self) -> None:
        """Answer an opening handshake as an ordinary request, which has all the time of one (RFC 9110 §7.8)."""
        self._stream.deadlines.clear(Deadline.OPENING)

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
            assert self._incoming is not None
            self._expects_continue = False
            self._incoming.invite(now)
        self._writer.write_response_head(head.status_code, head.reason_phrase, list(head.headers), now)

    def _send_accept(self, accept: Accept, now: float) -> None:
        assert self._request is not None
        if not isinstance(self._request.websocket, Offer):
            raise LocalProtocolError("this request offers no WebSocket (RFC 6455 §4.2.1)")
        self._writer.write(handshake.response(self._request.websocket, accept), now)
        self._switch(accept)

    def _switch(self, accept: Accept) -> None:
        self._stream.deadlines.clear(*_WAITS)
        self.accepted = accept

    def take_held(self) -> bytes:
        """Hand over what lies behind the opening handshake, once."""
        held = bytes(self._held)
        self._held.clear()
        return held

    def _after_send(self, step: Step, now: float) -> None:
        if step is Step.RESPONSE_END and self._state is State.LATE:
            self._discard_content(now)
        elif self._state is State.DONE:
            self._next(now)
            self._parse(now)
            self._end_if_drained(now)

    def _end_if_drained(self, now: float) -> None:
        """End when the peer has ended its side and every request that it sent is answered."""
        waits = self._held and (self._is_behind or self._stream.turn.is_awaited)
        if self._stream.received_end and self._state is State.IDLE and not waits and not self.is_over:
            self._end_idle(now)

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
        """The exchange is over: go on with the next, or end."""
        deadlines = self._stream.deadlines
        if not self._keep_alive:
            self._finish(now)
            return
        deadlines.clear(Deadline.LINGER)
        self._lingered = 0
        self._engine.next_cycle()
        self._state = advance(self._state, Step.NEXT)
        self._request = self._incoming = self._outgoing = None
        if self._is_server:
            deadlines.set(Deadline.KEEP_ALIVE, now, self._stream.timeouts.keep_alive)

    # Credit, ends and time

    def release(self, n: int, now: float) -> None:
        """The owner has consumed `n` bytes of content."""
        if self._incoming is not None:
            self._incoming.release(n, now)

    def bytes_written(self, now: float) -> None:
        """Some of what was unsent is gone: the next request may have its turn."""
        if self._is_server and self._state is State.IDLE:
            self._begin_idle(now)
            self._parse(now)
            self._end_if_drained(now)

    def _begin_idle(self, now: float) -> None:
        """Give the peer its time to ask again, if it had passed while our answer was still on its way."""
        if self._is_still_answering and not self._stream.unsent and not self.is_over:
            self._is_still_answering = False
            self._stream.deadlines.set(Deadline.KEEP_ALIVE, now, self._stream.timeouts.keep_alive)

    def shutdown(self, now: float) -> None:
        """Serve no request but the present one; to a head that has begun to come in say 503 (RFC 9112 §9.6)."""
        self._keep_alive = False
        if self._state is not State.IDLE or self.is_over:
            return
        if self._is_server and self._held:
            self._writer.write_failure(503, None, now)
        self._finish(now)

    def _finish(self, now: float) -> None:
        """End our side after what is queued; then read and drop till the peer ends its own (RFC 9112 §9.6)."""
        self.is_over = True
        self._keep_alive = False
        self._held.clear()
        self._stream.deadlines.clear(*_WAITS, Deadline.LINGER)
        self._stream.take_no_turn()
        if self._is_server:
            self._stream.half_close()
        else:
            self._stream.close()
        if self._stream.end is HALF_CLOSE:
            self._stream.deadlines.set(Deadline.LINGER, now, self._stream.timeouts.linger)

    def abort(self) -> None:
        """Cut the stream: nothing more is parsed or said."""
        self.is_over = True
        self._held.clear()
        self._stream.abort()

    def _fail(self, error: RemoteProtocolError, now: float) -> None:
        """The peer broke a rule or a limit: answer if there is still an answer to give, and end."""
        forget_frames(error)
        if self._is_server and self._state in (State.IDLE, State.REQUEST, State.WAITING):
            self._writer.write_failure(error.status_code or 400, self._request, now)
            self._finish(now)
        elif self._is_server and self._state is not State.LATE:
            self.abort()  # half an answer is out; it must not look like a whole one
        else:
            self._finish(now)
        self._stream.events.append(Failure(error=error))

    def handle(self, deadline: Deadline, now: float) -> None:
        """Do what `deadline` brings."""
        match deadline:
            case Deadline.HEAD if not self._held:
                self._finish(now)
            case Deadline.HEAD:
                self._fail(refuse(408, "the head took too long", "RFC 9110 §15.5.9"), now)
            case Deadline.BODY:
                self._fail(refuse(408, "the content came too slowly", "RFC 9110 §15.5.9"), now)
            case Deadline.OPENING:
                status = HTTPStatus.SERVICE_UNAVAILABLE
                self._fail(refuse(status, "the opening handshake took too long", "RFC 9110 §15.6.4"), now)
            case Deadline.KEEP_ALIVE if self._stream.unsent:
                self._is_still_answering = True  # the peer's time begins when the answer has gone
            case Deadline.LINGER if self._state is State.LATE and not self.is_over:
                self._finish(now)
            case Deadline.LINGER:
                self._close()
            case _:
                self._finish(now)
