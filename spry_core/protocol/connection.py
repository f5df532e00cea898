"""One connection: bytes and time in, events and bytes out, whatever is spoken on it.

`Connection` has two halves of a face. The pump moves bytes, the owner deals in events:

    pump                                     owner
    receive_data  receive_eof                next_event, iteration
    connection_lost  bytes_written           send
    data_to_send  wants_read  closed         release
    next_deadline  handle_deadline           shutdown, abort

What the owner may ask besides stands in `facts`.

What changes state returns None; events and bytes are always fetched. A peer's mistake is an event, a caller's
mistake an exception that changed nothing. Exactly one `ConnectionEnded` comes, always last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spry_core.closing import CloseInfo, ConnectionLost, Initiator, check_close, is_wire_close_code
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.deflate import Deflate, parse_agreement
from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName, Role, check_engine
from spry_core.protocol.events import ConnectionEnded, Event, Message, ResponseHead, SentEvent
from spry_core.protocol.facts import Facts
from spry_core.protocol.http1 import Http1
from spry_core.protocol.http1_client import Http1Client
from spry_core.protocol.http1_server import Http1Server
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.memory import READ_SIZE
from spry_core.protocol.prepared import PreparedMessage
from spry_core.protocol.stream import ABORT, CLOSE, Stream, StreamEnd
from spry_core.protocol.turn import STEPS
from spry_core.protocol.websocket import WebSocketProtocol


class Connection(Facts):
    """HTTP/1.1 on one byte stream, which may become a WebSocket (RFC 9112, RFC 6455)."""

    __slots__ = ("_cause", "_engine", "_initiator", "_spoken", "_started")

    def __init__(
        self,
        role: Role,
        *,
        now: float,
        random: Callable[[int], bytes],
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = DEFAULT_ENGINE,
        can_half_close: bool = True,
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        """Begin at the start of an accepted (or made) stream.

        Args:
            role: ``"server"`` or ``"client"``.
            now: Seconds on a clock that never runs backwards; only differences matter.
            random: Gives so many random bytes, for masks, keys and keepalive Pings (RFC 6455 §5.3, §10.3).
            limits: Sizes in bytes.
            timeouts: Durations in seconds.
            engine: Who does the grammar work.
            can_half_close: False for a stream that cannot end one direction alone.
            wall_clock: Seconds since the epoch, for the Date of each final response; none is sent without it.
        """
        check_engine(engine)
        self._role = role
        self._engine: EngineName = engine
        self._stream = Stream(
            limits=limits or Limits(),
            timeouts=timeouts or Timeouts(),
            random=random,
            can_half_close=can_half_close,
        )
        if role == "server":
            self._http = Http1Server(self._stream, now=now, engine=engine, wall_clock=wall_clock)
        else:
            self._http = Http1Client(self._stream, engine=engine, wall_clock=wall_clock)
        self._websocket = None
        self._spoken: Http1 | WebSocketProtocol = self._http
        self._agreement = self._deflate = None
        self._started = now
        self._initiator: Initiator | None = None
        self._cause: BaseException | None = None

    # The pump's half

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer; `next_event` then gives the events they complete, in wire order.

        Args:
            data: At least one byte, in the order of arrival, cut anywhere.
            now: Seconds on a clock that never runs backwards; only differences matter.

        Raises:
            LocalProtocolError: The stream is gone or its end was received already, or `data` is empty.

        RFC 9112 §2.2 (parsing), RFC 6455 §5.2 (framing).
        """
        if not data:
            raise LocalProtocolError("no bytes: the end of the stream has a method of its own, receive_eof")
        stream = self._stream
        if stream.is_lost or stream.received_end:
            raise LocalProtocolError("bytes after the end of the stream")
        if stream.end is CLOSE or stream.end is ABORT:
            return  # already on their way when we ended the stream
        stream.turn.left = STEPS  # `begin`
        self._spoken.receive_data(data, now)
        if self._http is not None and self._http.accepted is not None:
            self._switch_if_agreed(now)

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more; a second time changes nothing."""
        if self._stream.is_lost or self._stream.received_end:
            return
        self._stream.received_end = True
        self._note_initiator("remote")
        self._spoken.receive_eof(now)

    def connection_lost(self, error: BaseException | None, now: float) -> None:
        """Take note that the stream is gone: by an `error`, by the peer, or because the pump did what we
        said. The last call counts.

        `ConnectionEnded` follows, and `closed` is True from here on.
        """
        if self._stream.is_lost:
            return
        self._stream.lose()
        info = (
            self._end_of_http(error, now) if self._http is not None else self._as_websocket().lose(error, now)
        )
        self._stream.events.append(ConnectionEnded(info=info))

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Hand over what to write now, in order, each byte once.

        At its end stands at most one `StreamEnd`: ``HALF_CLOSE`` and ``CLOSE`` come after the bytes,
        ``ABORT`` drops what is unsent.
        """
        return self._stream.data_to_send()

    def bytes_written(self, n: int, now: float) -> None:
        """Take note that the transport took `n` of the bytes handed over: moves the send water mark and the
        write deadline.

        Raises:
            LocalProtocolError: More than is unsent.
        """
        stream = self._stream
        if stream.is_lost:
            return
        if not 0 <= n <= stream.unsent:
            raise LocalProtocolError(f"{n} bytes written where {stream.unsent} were unsent")
        stream.bytes_written(n, now)
        self._spoken.bytes_written(now)

    @property
    def wants_read(self) -> bool:
        """False: do not read the stream now (backpressure, pipelining). One more read is still taken."""
        stream = self._stream
        if stream.is_lost or stream.received_end or stream.turn.is_awaited:
            return False
        if stream.end is CLOSE or stream.end is ABORT:
            return False
        return self._spoken.wants_read

    @property
    def read_size(self) -> int:
        """How many bytes to ask the stream for in one read, at most. It is enough to look at this behind a full read."""
        return READ_SIZE if self._websocket is None else self._websocket.read_size

    @property
    def closed(self) -> bool:
        """True when the stream is gone: nothing more will happen."""
        return self._stream.is_lost

    def next_deadline(self) -> float | None:
        """Return the next moment at which time alone changes something, or None."""
        stream = self._stream
        if stream.unsent:
            stream.time_writing()
        return stream.deadlines.next()

    def handle_deadline(self, now: float) -> None:
        """Do everything that has fallen due at `now`, in the order of the deadlines; being late or early does
        no harm.
        """
        is_our_turn = False
        self._stream.time_writing()
        while (deadline := self._stream.deadlines.pop_due(now)) is not None:
            if deadline is Deadline.TURN:
                is_our_turn = (
                    True  # the last, since another one may follow, and is not to follow in this call
                )
            elif deadline is Deadline.WRITE:
                self._cut("timeout", ConnectionLost(None, "the peer does not read"), now)
            else:
                self._note_initiator("timeout")
                self._spoken.handle(deadline, now)
        if is_our_turn and self._stream.end not in (CLOSE, ABORT):
            self._take_turn(now)

    def _take_turn(self, now: float) -> None:
        """Parse more of what came earlier."""
        self._stream.take_no_turn()
        self._stream.turn.begin()
        self._spoken.go_on(now)
        self._switch_if_agreed(now)

    # The owner's half

    def next_event(self) -> Event | None:
        """Return what happened next, or None when there is no more yet."""
        events = self._stream.events
        if not events:
            return None
        event = events[0]
        if not isinstance(event, list):
            del events[0]
            return event
        message = Message(data=event.pop(0))
        if not event:
            del events[0]
        return message

    def take_event(self) -> Event | list[str | bytes] | None:
        """Do the same for an owner in a hurry: messages may come as a list of their bare data, a run of them at once."""
        events = self._stream.events
        return events.pop(0) if events else None

    def __iter__(self) -> Iterator[Event]:
        """Iterate over what has happened so far."""
        while (event := self.next_event()) is not None:
            yield event

    def send(self, event: SentEvent, now: float) -> None:
        """Say this: the same event classes as come out, in the other direction.

        Raises:
            LocalProtocolError: The state does not allow it; nothing was changed.
            ValueError, TypeError: The event is not one that can stand on the wire; nothing was changed.

        RFC 9112 §2 (messages), RFC 6455 §5.1 (frames).
        """
        if self._stream.is_lost:
            raise LocalProtocolError("the stream is gone")
        self._spoken.send(event, now)
        self._switch_if_agreed(now)

    def send_response(self, head: ResponseHead, content: bytes, now: float) -> None:
        """Say a whole response: ``send(head)``, ``send(BodyData(data=content))`` unless that is empty or the request is HEAD,
        and ``send(BodyEnd())``, as one. Whatever is wrong with any of it is found before a byte of it goes out.

        Raises:
            LocalProtocolError: The state does not allow it, or the content is not as long as `head` says; nothing was changed.
            ValueError: `head` cannot stand on the wire; nothing was changed.

        RFC 9112 §4 (responses), §6 (content).
        """
        if self._http is None or self._stream.is_lost:
            self.send(head, now)  # says why not
        else:
            self._http.send_response(head, content, now)

    def _response_events(self, head: ResponseHead, content: bytes) -> tuple[SentEvent, ...]:
        """Return what there is to `send` for a whole response; raise as `send_response` does."""
        return (head,) if self._http is None else self._http.response_events(head, content)

    def send_message(self, data: str | bytes, compress: bool | None, now: float) -> None:
        """Say ``Message(data=data, compress=compress)``, which need not be made for it; raises as `send`."""
        websocket = self._websocket
        if websocket is None or (sender := websocket.sender) is None:
            self.send(Message(data=data, compress=compress), now)  # says why not
        else:
            sender.send_message(data, compress, now)

    def send_prepared(self, message: PreparedMessage, compress: bool | None, now: float) -> None:
        """Say ``Message(data=message.data, compress=compress)``, and encode it only if nobody has; raises as `send`."""
        websocket = self._websocket
        if websocket is None or (sender := websocket.sender) is None or self._role == "client":
            self.send_message(message.data, compress, now)  # which is masked, or says why not
        else:
            sender.send_prepared(message, compress, now)

    def release(self, n: int, now: float) -> None:
        """Say that `n` received bytes (of content, or of messages) were consumed, so that reading may go on.

        Of messages it counts the payload bytes, oldest first; 0 stands for what has none: an empty message, or
        the end of one in pieces. It may bring events: what waited compressed for room, or a `Failure`.

        Raises:
            LocalProtocolError: `n` is negative.
        """
        if n < 0:
            raise LocalProtocolError(f"{n} bytes cannot be consumed")
        if self._stream.is_lost:
            return
        self._spoken.release(n, now)

    def release_messages(self, n: int, now: float) -> None:
        """Say that the `n` oldest messages, all of which came whole, were consumed: `release` for the bytes of each.

        Raises:
            LocalProtocolError: The stream is no WebSocket.
        """
        websocket = self._websocket or self._as_websocket()
        if not self._stream.is_lost:
            websocket.release_messages(n, now)

    def _sizes(self, n: int) -> list[int]:
        """Return the bytes of the `n` oldest messages that are not released, which must have come whole."""
        return self._as_websocket().sizes(n)

    def receive_in_pieces(self, wanted: bool, now: float) -> None:
        """Get messages as `MessageStart`, `MessageData`, `MessageEnd` from now on, or whole again.

        With True, what has come of the present message is an event at once. With False, messages are whole again from
        the next one that begins.

        Raises:
            LocalProtocolError: The stream is no WebSocket, or messages of any size (`Limits.max_message_size` None)
                are wanted whole.
        """
        self._as_websocket().receive_in_pieces(wanted, now)

    def set_ping_interval(self, seconds: float | None, now: float) -> None:
        """Send keepalive Pings at this interval, the first one so many seconds from now, or behind the answer to the
        one that is on its way; None turns keepalive off.

        Raises:
            LocalProtocolError: The stream is no WebSocket.
            ValueError: `seconds` is negative or 0.
        """
        self._as_websocket().set_ping_interval(seconds, now)

    def _as_websocket(self) -> WebSocketProtocol:
        if self._websocket is None:
            raise LocalProtocolError("the stream is no WebSocket")
        return self._websocket

    def ignore_offer(self) -> None:
        """Say that the WebSocket offered by the present request will not be opened: it is an ordinary request then.

        `Timeouts.opening` no longer applies to it. A server may ignore an offer (RFC 9110 §7.8).
        """
        if self._http is not None:
            self._http.ignore_offer()

    def shutdown(self, now: float, code: int = 1001, reason: str = "") -> None:
        """End as soon as that is polite: a WebSocket with this Close, HTTP after the present answer, at once
        when idle.

        Raises:
            ValueError: No Close frame may say this (RFC 6455 §7.4).
        """
        close = check_close(code, reason)
        if self._stream.is_lost:
            return
        if self._http is not None:
            self._note_initiator("shutdown")
            self._http.shutdown(now)
        else:
            self._as_websocket().shutdown(close, now)

    def fail(self, error: RemoteProtocolError, now: float) -> None:
        """Fail the WebSocket connection for what its peer has sent and the owner cannot take (RFC 6455 §7.1.7).

        It ends as by a fault that was found here: what came behind is not parsed, and the Close frame, with the close
        code of `error`, goes out when what was delivered is released. Nothing happens unless it is open.

        Raises:
            LocalProtocolError: The stream is no WebSocket.
            ValueError: `error` has no close code that a Close frame may carry.
        """
        if error.close_code is None or not is_wire_close_code(error.close_code):
            raise ValueError(f"close code {error.close_code} may not be sent (RFC 6455 §7.4)")
        self._as_websocket().fail(error, now)

    def abort(self, now: float, cause: BaseException | None = None) -> None:
        """Cut the stream: what is unsent is dropped, no Close frame is sent (close code 1006)."""
        self._cut("local", cause, now)

    def _cut(self, initiator: Initiator, cause: BaseException | None, now: float) -> None:
        if self._stream.is_lost or self._stream.end is ABORT:
            return
        if self._http is not None:
            self._initiator, self._cause = self._initiator or initiator, cause
            self._http.abort()
        else:
            self._as_websocket().abort(initiator, cause, now)

    def _note_initiator(self, initiator: Initiator) -> None:
        """Remember who has begun the end of HTTP; of a WebSocket its own half knows."""
        if self._http is not None and not self._http.is_over:
            self._initiator = self._initiator or initiator

    # Settings, and the switch

    def configure(self, *, limits: Limits, timeouts: Timeouts, deflate: Deflate | None = None) -> None:
        """Obey these from now on; deadlines that run already run on as they were set, and the limits of heads
        stay what they were.

        `deflate` says how our own messages are compressed, if the handshake agrees on compression: level, memory level
        and threshold. The windows are those of the agreement.

        Raises:
            LocalProtocolError: The stream is a WebSocket already.
        """
        if self._websocket is not None:
            raise LocalProtocolError("limits and timeouts are settled when the WebSocket is accepted")
        self._stream.configure(limits, timeouts)
        self._deflate = deflate

    def _switch_if_agreed(self, now: float) -> None:
        http = self._http
        if http is None or http.accepted is None:
            return
        self._agreement = parse_agreement(http.accepted.extensions)
        self._http = None
        self._spoken = self._websocket = WebSocketProtocol(
            self._role,
            self._stream,
            now=now,
            engine=self._engine,
            agreement=self._agreement,
            deflate=self._deflate,
        )
        if held := http.take_held():
            self._websocket.receive_data(held, now)
        if self._stream.received_end:
            self._websocket.receive_eof(now)

    def _end_of_http(self, error: BaseException | None, now: float) -> CloseInfo:
        has_ended = error is None and self._http is not None and self._http.is_over
        initiator = self._initiator or ("local" if has_ended else "transport")
        return CloseInfo(initiator=initiator, cause=error or self._cause, duration=now - self._started)
