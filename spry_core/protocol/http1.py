"""HTTP/1.1 on a connection, as far as it is the same for both roles: one exchange after the other, until the stream
ends or becomes a WebSocket. What only a server or only a client does stands in `http1_server` and `http1_client`.

What the peer sent lies in `_held` until it is its turn: the head of the next request is not looked at before
the present exchange is over, so answers come in order and what is behind an opening handshake is never taken
for HTTP. Incoming bytes pass the scanners of `head` and `chunked` before the engine sees them; outgoing
events pass the table of `exchange` and the checks of the role before the engine writes them. So every rule stands
above the engines, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar, Final

from spry_core.errors import LocalProtocolError, RemoteProtocolError, forget_frames
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.engines import EngineName, Role, http_engine
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    Failure,
    RequestHead,
    ResponseHead,
    SentEvent,
    body_data,
)
from spry_core.protocol.exchange import State, Step, advance, step_of
from spry_core.protocol.head import HeadScanner, refuse
from spry_core.protocol.incoming import IncomingContent
from spry_core.protocol.outgoing import OutgoingContent
from spry_core.protocol.stream import Stream
from spry_core.protocol.turn import HEAD_STEPS
from spry_core.protocol.writer import MessageWriter

END: Final = BodyEnd()
"""The end of nearly every content."""

_WAITS: Final = (Deadline.HEAD, Deadline.BODY, Deadline.KEEP_ALIVE, Deadline.OPENING)


class Http1(ABC):
    """HTTP/1.1 over one stream."""

    __slots__ = (
        "_engine",
        "_held",
        "_incoming",
        "_keep_alive",
        "_lingered",
        "_outgoing",
        "_request",
        "_scanner",
        "_state",
        "_stream",
        "_writer",
        "accepted",
        "is_over",
    )

    role: ClassVar[Role]
    """Which side of the connection we are."""

    def __init__(self, stream: Stream, *, engine: EngineName, wall_clock: Callable[[], float] | None) -> None:
        limits = stream.limits
        is_server = self.role == "server"
        self._stream = stream
        longest = max(limits.max_request_line + limits.max_header_section, limits.max_trailer_section)
        self._engine = http_engine(engine, self.role, longest + 1024)
        self._writer = MessageWriter(stream, self._engine, wall_clock)
        self._scanner = HeadScanner("request" if is_server else "response", limits)
        self._state = State.IDLE
        self._held = bytearray()
        self._request: RequestHead | None = None
        self._incoming: IncomingContent | None = None
        self._outgoing: OutgoingContent | None = None
        self._keep_alive = True
        self._lingered = 0
        self.is_over: bool = False
        """True when nothing more is parsed: the last answer is given and what comes is thrown away."""
        self.accepted: Accept | None = None
        """What was agreed when the stream switched to WebSocket."""

    @property
    def awaits_continue(self) -> bool:
        """True if the client waits for a 100 before it sends its content (RFC 9110 §10.1.1)."""
        return False

    @property
    def wants_read(self) -> bool:
        """False while enough is held behind the present request, or of its content and not consumed."""
        if self.is_over or self._incoming is None:
            return True
        return self._incoming.unreleased < self._stream.limits.max_read_ahead

    @property
    def _is_waiting(self) -> bool:
        """True while some of what the peer sent is here and to be parsed later."""
        return self._stream.turn.is_awaited

    # Receiving

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer."""
        if self.is_over:
            self._linger(len(data))
            return
        if self._held or not self._take_at_once(data, now):
            self._held += data
            self._parse(now)

    def _take_at_once(self, data: bytes, now: float) -> bool:
        """Take a read that is nothing but content, and so need not be held; tell whether it was one."""
        incoming = self._incoming
        if incoming is None or incoming.is_done or not incoming.take_whole(len(data)):
            return False
        self._deliver_content(data, now)
        return True

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
        else:
            self._take_end_within(now)

    @abstractmethod
    def _take_end_within(self, now: float) -> None:
        """The peer's bytes have ended within an exchange, and not inside a content."""
        ...

    def _end_content(self, now: float) -> None:
        assert self._incoming is not None
        if not self._incoming.ends_with_stream:
            self._fail(refuse(400, "the stream ended inside the content", "RFC 9112 §8"), now)
            return
        self._incoming.finish()
        self._engine.end_content()
        self._deliver_end(END, now)
        self._finish(now)

    def _end_if_drained(self, now: float) -> None:
        """The peer has ended its side: so do we, when every request that it sent is answered."""
        if self._state is not State.IDLE or self.is_over or self._is_waiting:
            return
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
        if turn.is_awaited:
            return  # also behind an answer: a handler may give it inside a call of the pump, and then nobody else has a turn
        try:
            while self._held and not self.is_over:
                if turn.left <= 0:
                    self._stream.wait_for_turn(now)
                    return
                if not self._parse_some(now):
                    return
        except RemoteProtocolError as error:
            self._fail(error, now)

    def _parse_some(self, now: float) -> bool:
        """Decode a head or some content; return False if that needs more bytes, or is not due yet."""
        if self._incoming is not None and not self._incoming.is_done:
            return self._parse_content(now)
        return self._parse_next(now)

    @abstractmethod
    def _parse_next(self, now: float) -> bool:
        """Decode the next head, if one is due."""
        ...

    def _parse_head(self, now: float) -> bool:
        head = self._scanner.feed(self._held)
        if head is None:
            return False
        self._stream.turn.left -= HEAD_STEPS
        self._receive_head(head, now)
        return True

    @abstractmethod
    def _receive_head(self, head: bytes, now: float) -> None:
        """Judge what a head says, on the bytes as they came: an engine may have made one Content-Length of two. Then begin
        what it begins, and tell the owner of it.
        """
        ...

    def _parse_content(self, now: float) -> bool:
        assert self._incoming is not None
        before = len(self._held)
        data = self._incoming.take(self._held)
        if len(self._held) == before:
            return False
        self._deliver_content(data, now)
        return True

    def _deliver_content(self, data: bytes, now: float) -> None:
        incoming = self._incoming
        assert incoming is not None
        data = self._engine.receive_content(data)
        if data:
            self._deliver_data(body_data(data), now)
        if incoming.is_done:
            self._deliver_end(BodyEnd(trailers=incoming.trailers) if incoming.trailers else END, now)

    def _deliver_data(self, event: BodyData, now: float) -> None:
        assert self._incoming is not None
        self._incoming.count(len(event.data), now)
        self._stream.events.append(event)

    def _deliver_end(self, event: BodyEnd, now: float) -> None:
        self._stream.deadlines.clear(Deadline.BODY)
        late = self._state is State.LATE
        self._state = advance(self._state, step_of(event, is_request_side=self.role == "server"))
        if late:
            self._stream.deadlines.clear(Deadline.LINGER)
            self._lingered = 0
        else:
            self._stream.events.append(event)
        if self._state is State.DONE:
            self._next(now)

    # Sending

    def send(self, event: SentEvent, now: float) -> None:
        """Say this. Raises `LocalProtocolError` or `ValueError` and changes nothing if it may not be said."""
        self._check_alive()
        step = step_of(event, is_request_side=self.role == "client")
        following = advance(self._state, step)
        match event:
            case BodyData():
                assert self._outgoing is not None
                self._outgoing.check_data(event.data)
                self._writer.write(self._engine.write_data(event.data, self._outgoing.is_chunked), now)
            case BodyEnd():
                assert self._outgoing is not None
                self._outgoing.check_end(event)
                self._writer.write(self._engine.write_end(event.trailers, self._outgoing.is_chunked), now)
            case _:
                self._send_head(event, now)
        self._state = following
        self._after_send(step, now)

    def _check_alive(self) -> None:
        if self.is_over or self._stream.end is not None:
            raise LocalProtocolError("the connection takes nothing more: its last answer is given")

    def send_response(self, head: ResponseHead, content: bytes, now: float) -> None:
        """Say a whole response. Raises as `send` does, before anything is said."""
        for event in self.response_events(head, content):
            self.send(event, now)

    @abstractmethod
    def response_events(self, head: ResponseHead, content: bytes) -> tuple[SentEvent, ...]:
        """Check a whole response; return what there is to `send` for it. Raises as `send` does."""
        ...

    @abstractmethod
    def _send_head(self, event: SentEvent, now: float) -> None:
        """Check and write the head of a message."""
        ...

    def ignore_offer(self) -> None:
        """Answer an opening handshake as an ordinary request, which has all the time of one (RFC 9110 §7.8)."""
        self._stream.deadlines.clear(Deadline.OPENING)

    def _switch(self, accept: Accept) -> None:
        self._stream.deadlines.clear(*_WAITS)
        self.accepted = accept

    def take_held(self) -> bytes:
        """Hand over what lies behind the opening handshake, once."""
        held = bytes(self._held)
        self._held.clear()
        return held

    def _after_send(self, step: Step, now: float) -> None:
        if self._state is State.DONE:
            self._next(now)
            self._look_further(now)

    def _look_further(self, now: float) -> None:
        """The peer may have sent the next message already, or its end."""
        if self._held:
            self._parse(now)
        if self._stream.received_end:
            self._end_if_drained(now)

    def _next(self, now: float) -> None:
        """The exchange is over: go on with the next, or end."""
        if not self._keep_alive:
            self._finish(now)
            return
        self._engine.next_cycle()
        self._state = advance(self._state, Step.NEXT)
        self._request = self._incoming = self._outgoing = None

    # Credit, ends and time

    def release(self, n: int, now: float) -> None:
        """The owner has consumed `n` bytes of content."""
        if self._incoming is not None:
            self._incoming.release(n, now)

    @abstractmethod
    def bytes_written(self, now: float) -> None:
        """Some of what was unsent is gone."""
        ...

    def shutdown(self, now: float) -> None:
        """Serve, or ask for, nothing but the present request."""
        self._keep_alive = False
        if self._state is State.IDLE and not self.is_over:
            self._finish(now)

    def _finish(self, now: float) -> None:
        """End our side after what is queued; nothing more is parsed (RFC 9112 §9.6)."""
        self.is_over = True
        self._keep_alive = False
        self._held.clear()
        self._stream.deadlines.clear(*_WAITS, Deadline.LINGER)
        self._stream.take_no_turn()
        self._end_side(now)

    @abstractmethod
    def _end_side(self, now: float) -> None:
        """End our side of the stream, or all of it."""
        ...

    def abort(self) -> None:
        """Cut the stream: nothing more is parsed or said."""
        self.is_over = True
        self._held.clear()
        self._stream.abort()

    def _fail(self, error: RemoteProtocolError, now: float) -> None:
        """The peer broke a rule or a limit: answer if there is still an answer to give, and end."""
        forget_frames(error)
        self._end_failing(error, now)
        self._stream.events.append(Failure(error=error))

    @abstractmethod
    def _end_failing(self, error: RemoteProtocolError, now: float) -> None:
        """End in the way that this fault deserves."""
        ...

    def handle(self, deadline: Deadline, now: float) -> None:
        """Do what `deadline` brings."""
        assert deadline is Deadline.OPENING
        status = HTTPStatus.SERVICE_UNAVAILABLE
        self._fail(refuse(status, "the opening handshake took too long", "RFC 9110 §15.6.4"), now)
