"""The WebSocket half of a connection: messages, the closing handshake, keepalive (RFC 6455 §5 to §7).

It is given an accepted stream and nothing of HTTP. Frames are the engine's, whole messages are made in
`assembly`, which Close frames have passed says the table of `closing_handshake`. A connection that we *fail*
(RFC 6455 §7.1.7) parses nothing more, but what was received before the fault is delivered and may still be
answered: the Close frame waits until it is released.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from spry_core.closing import (
    ABNORMAL_CLOSURE,
    NO_STATUS_RECEIVED,
    Close,
    CloseInfo,
    ConnectionLost,
    Initiator,
    KeepaliveTimeout,
    check_close,
    is_wire_close_code,
)
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol.assembly import Assembly, fail
from spry_core.protocol.closing_handshake import Direction, State, advance
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.engines import EngineName, FramePart, Opcode, Role, frame_engine
from spry_core.protocol.events import (
    Failure,
    Kind,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    SentEvent,
)
from spry_core.protocol.stream import Stream

_KEEPALIVE = "keepalive timeout"


class WebSocketProtocol:
    """WebSocket over one accepted stream, either role."""

    def __init__(self, role: Role, stream: Stream, *, now: float, engine: EngineName) -> None:
        self._is_server = role == "server"
        self._stream = stream
        self._engine = frame_engine(engine, role, self._admit, stream.random)
        self._assembly = Assembly(stream.limits)
        self._state = State.OPEN
        self._opened = now
        self._failure: RemoteProtocolError | None = None
        self._cause: BaseException | None = None
        self._initiator: Initiator | None = None
        self._sent: Close | None = None
        self._received: Close | None = None
        self._outgoing: Kind | None = None
        self._is_continuing = False
        self._late_pong: bytes | None = None
        self._unreleased: deque[int] = deque()
        self._unreleased_size = 0
        self._traffic = {Direction.SENT: [0, 0], Direction.RECEIVED: [0, 0]}
        self.info: CloseInfo | None = None
        """How the connection ended, as soon as that is settled."""
        stream.deadlines.set(Deadline.PING, now, stream.timeouts.ping_interval)

    @property
    def is_open(self) -> bool:
        """True while messages may be sent."""
        return self._state is State.OPEN and self.info is None

    @property
    def is_deaf(self) -> bool:
        """True when nothing more is parsed: what comes is thrown away."""
        return self._failure is not None or self._received is not None or self.info is not None

    @property
    def wants_read(self) -> bool:
        """False while enough whole messages wait to be consumed; once we have sent Close, none is kept any more."""
        limits = self._stream.limits
        is_full = len(self._unreleased) >= limits.max_queue or self._unreleased_size >= limits.max_queue_size
        return self.is_deaf or self._state is not State.OPEN or not is_full

    # Receiving

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer."""
        if self.is_deaf:
            return
        self._take_sign_of_life(now)
        self._engine.receive_data(data)
        try:
            while (part := self._next_part()) is not None:
                self._take(part, now)
        except RemoteProtocolError as error:
            self._fail(error, now)
        self._look(now)

    def _next_part(self) -> FramePart | None:
        return None if self.is_deaf else self._engine.next_part()

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more."""
        if self._failure is not None and self.info is None:
            return  # what was received before the fault may still be answered
        self._settle("transport", ConnectionLost(None, "the stream ended without a Close frame"), now)
        self._stream.close()

    def _admit(self, opcode: Opcode, length: int) -> None:
        if not opcode.is_control:
            self._assembly.admit(opcode, length)

    def _take(self, part: FramePart, now: float) -> None:
        match part.opcode:
            case Opcode.PING:
                self._take_ping(part.data, now)
            case Opcode.PONG:
                self._advance(Direction.RECEIVED, Pong(payload=part.data))
                self._stream.events.append(Pong(payload=part.data))
            case Opcode.CLOSE:
                self._take_close(_parse_close(part.data), now)
            case _:
                self._take_data(part)

    def _take_data(self, part: FramePart) -> None:
        done = self._assembly.add(part)
        if done is None:
            return
        message, size = done
        self._advance(Direction.RECEIVED, message)
        if self._state is State.OPEN:
            self._count(Direction.RECEIVED, size)
            self._unreleased.append(size)
            self._unreleased_size += size
            self._stream.events.append(message)

    def _take_ping(self, payload: bytes, now: float) -> None:
        self._advance(Direction.RECEIVED, Ping(payload=payload))
        self._stream.events.append(Ping(payload=payload))
        if self._state is not State.OPEN:
            return
        if self._stream.unsent >= self._stream.limits.high_water:
            self._late_pong = payload  # a peer may be answered the latest only (RFC 6455 §5.5.3)
        else:
            self._write(Opcode.PONG, payload, now)

    def _take_close(self, close: Close, now: float) -> None:
        self._advance(Direction.RECEIVED, close)
        self._received = close
        if self._state is State.CLOSE_RECEIVED:
            # Its code alone: no reason of ours ever repeats what a peer said.
            self._send_close(Close(code=close.code), "remote", now)
        self._stream.events.append(close)
        self._settle("remote", None, now)
        self._end_side()

    def _end_side(self) -> None:
        """The server ends its side of the stream first, the client waits for that (RFC 6455 §7.1.1)."""
        if self._is_server or self._stream.received_end:
            self._stream.half_close()

    # Sending

    def send(self, event: SentEvent, now: float) -> None:
        """Say this. Raises `LocalProtocolError`, `TypeError` or `ValueError` and changes nothing if it may
        not be said.
        """
        if self.info is not None:
            raise LocalProtocolError("the connection has ended")
        advance(self._state, Direction.SENT, event)
        match event:
            case Message():
                self._send_message(event, now)
            case MessageStart() | MessageData() | MessageEnd():
                self._send_piece(event, now)
            case Ping() | Pong():
                self._send_control(event, now)
            case Close():
                self._close(check_close(event.code, event.reason), "local", now)
            case _:  # pragma: no cover - the table has refused every other event
                raise AssertionError(event)

    def _send_message(self, message: Message, now: float) -> None:
        if self._outgoing is not None:
            raise LocalProtocolError("a message in pieces is under way (RFC 6455 §5.4)")
        kind: Kind = "text" if isinstance(message.data, str) else "binary"
        payload = _encode(message.data, kind)
        self._write(Opcode.TEXT if kind == "text" else Opcode.BINARY, payload, now)
        self._count(Direction.SENT, len(payload))

    def _send_piece(self, event: MessageStart | MessageData | MessageEnd, now: float) -> None:
        if isinstance(event, MessageStart) == (self._outgoing is not None):
            what = "is not under way" if self._outgoing is None else "is under way"
            raise LocalProtocolError(f"a message in pieces {what} (RFC 6455 §5.4)")
        match event:
            case MessageStart():
                self._outgoing, self._is_continuing = event.kind, False
            case MessageData():
                assert self._outgoing is not None
                self._send_fragment(_encode(event.data, self._outgoing), False, now)
            case _:
                self._send_fragment(b"", True, now)
                self._outgoing = None
                self._traffic[Direction.SENT][0] += 1

    def _send_fragment(self, payload: bytes, fin: bool, now: float) -> None:
        first = Opcode.TEXT if self._outgoing == "text" else Opcode.BINARY
        self._write(Opcode.CONTINUATION if self._is_continuing else first, payload, now, fin)
        self._is_continuing = True
        self._traffic[Direction.SENT][1] += len(payload)

    def _send_control(self, event: Ping | Pong, now: float) -> None:
        if len(event.payload) > 125:
            raise ValueError("a control frame carries at most 125 bytes (RFC 6455 §5.5)")
        self._write(Opcode.PING if isinstance(event, Ping) else Opcode.PONG, event.payload, now)

    def _send_close(self, close: Close, initiator: Initiator, now: float) -> None:
        payload = b"" if close.code is None else close.code.to_bytes(2, "big") + close.reason.encode()
        self._write(Opcode.CLOSE, payload, now)
        self._advance(Direction.SENT, close)
        self._sent = close
        self._initiator = self._initiator or initiator
        self._late_pong = None
        self._assembly.drop()
        self._stream.deadlines.clear(Deadline.PING, Deadline.PONG)
        self._stream.deadlines.set(Deadline.CLOSE, now, self._stream.timeouts.close_timeout)

    def _write(self, opcode: Opcode, payload: bytes, now: float, fin: bool = True) -> None:
        self._stream.write(self._engine.frame(opcode, payload, fin), now)

    def _advance(self, direction: Direction, event: Message | Ping | Pong | Close) -> None:
        self._state = advance(self._state, direction, event)

    def _count(self, direction: Direction, size: int) -> None:
        self._traffic[direction][0] += 1
        self._traffic[direction][1] += size

    # Credit and keepalive

    def release(self, n: int, now: float) -> None:
        """The owner has consumed `n` bytes of messages, oldest first; 0 stands for one empty message."""
        while self._unreleased and n >= self._unreleased[0]:
            size = self._unreleased.popleft()
            self._unreleased_size -= size
            n -= size
            if not n:
                break
        if n and self._unreleased:
            self._unreleased[0] -= n
            self._unreleased_size -= n
        self._look(now)
        if self._failure is not None and self.info is None and not self._unreleased:
            self._finish_failing(now)

    def receive_in_pieces(self, wanted: bool, now: float) -> None:
        """Get messages in pieces from now on, or whole again from the next one."""
        if not wanted and self._stream.limits.max_message_size is None:
            raise LocalProtocolError("messages of any size come in pieces")

    def set_ping_interval(self, seconds: float | None, now: float) -> None:
        """Send keepalive Pings at this interval from now on; None turns keepalive off."""
        self._stream.timeouts = replace(self._stream.timeouts, ping_interval=seconds)
        deadlines = self._stream.deadlines
        if seconds is None:
            deadlines.clear(Deadline.PONG)
        if self.is_open and not self.is_deaf and not deadlines.is_set(Deadline.PONG):
            deadlines.set(Deadline.PING, now, seconds)

    @property
    def latency(self) -> float | None:
        """Seconds from the last Ping that was answered to its Pong."""
        return None

    def bytes_written(self, now: float) -> None:
        """Some of what was unsent is gone: a Pong that had no room may have it now."""
        if self._late_pong is not None and self._stream.unsent < self._stream.limits.high_water:
            payload, self._late_pong = self._late_pong, None
            self._write(Opcode.PONG, payload, now)

    def _look(self, now: float) -> None:
        """The peer's silence is not judged while it is we who do not read."""
        if self.wants_read:
            self._stream.deadlines.resume(Deadline.PONG, now)
        else:
            self._stream.deadlines.hold(Deadline.PONG, now)

    def _take_sign_of_life(self, now: float) -> None:
        deadlines = self._stream.deadlines
        if deadlines.is_set(Deadline.PONG):
            deadlines.clear(Deadline.PONG)
            deadlines.set(Deadline.PING, now, self._stream.timeouts.ping_interval)

    # Ends

    def shutdown(self, close: Close, now: float) -> None:
        """Close with this because the whole server ends, unless the connection is ending already."""
        if self.is_open:
            self._close(close, "shutdown", now)

    def _close(self, close: Close, initiator: Initiator, now: float) -> None:
        """Begin the closing handshake. A connection that we are failing has none, and nobody wants what was
        received before the fault any more.
        """
        self._send_close(close, initiator, now)
        if self._failure is not None:
            self._finish_failing(now)

    def abort(self, initiator: Initiator, cause: BaseException | None, now: float) -> None:
        """Cut the stream, without a Close frame."""
        self._settle(initiator, cause, now)
        self._stream.abort()

    def lose(self, cause: BaseException | None, now: float) -> CloseInfo:
        """Take note that the stream is gone; return how the connection ended."""
        if self._failure is not None and self.info is None:
            self._stream.events.append(Failure(error=self._failure))
        self._settle(
            "transport", cause or ConnectionLost(None, "the stream ended without a Close frame"), now
        )
        assert self.info is not None
        return self.info

    def _fail(self, error: RemoteProtocolError, now: float) -> None:
        """Fail the connection, after what was received before the fault is released (RFC 6455 §7.1.7)."""
        self._failure = self._cause = error
        self._assembly.drop()
        self._stream.deadlines.clear(Deadline.PING, Deadline.PONG)
        if self._unreleased and self.is_open:
            self._stream.deadlines.set(Deadline.RELEASE, now, self._stream.timeouts.close_timeout)
        else:
            self._finish_failing(now)

    def _finish_failing(self, now: float) -> None:
        assert self._failure is not None
        self._stream.deadlines.clear(Deadline.RELEASE)
        if self._state is State.OPEN:
            reason = _KEEPALIVE if isinstance(self._cause, KeepaliveTimeout) else ""
            self._send_close(Close(code=self._failure.close_code, reason=reason), "local", now)
        self._stream.half_close()
        self._stream.events.append(Failure(error=self._failure))
        self._settle("local", self._cause, now)

    def _settle(self, initiator: Initiator, cause: BaseException | None, now: float) -> None:
        if self.info is not None:
            return
        self._stream.deadlines.clear(Deadline.PING, Deadline.PONG, Deadline.RELEASE)
        self._late_pong = None
        code, reason = self._reported(initiator)
        sent, received = self._traffic[Direction.SENT], self._traffic[Direction.RECEIVED]
        self.info = CloseInfo(
            initiator="timeout" if initiator == "timeout" else self._initiator or initiator,
            sent=self._sent,
            received=self._received,
            cause=cause,
            close_code=code,
            close_reason=reason,
            duration=now - self._opened,
            messages_sent=sent[0],
            bytes_sent=sent[1],
            messages_received=received[0],
            bytes_received=received[1],
        )

    def _reported(self, initiator: Initiator) -> tuple[int, str]:
        """Return code and reason to report: the peer's, or ours if we failed or timed out (RFC 6455 §7.1.5,
        §7.1.6).
        """
        ended_by_us = self._failure is not None or initiator == "timeout"
        close = self._received or (self._sent if ended_by_us else None)
        if close is None:
            return ABNORMAL_CLOSURE, ""
        return (NO_STATUS_RECEIVED if close.code is None else close.code), close.reason

    def handle(self, deadline: Deadline, now: float) -> None:
        """Do what `deadline` brings."""
        match deadline:
            case Deadline.PING:
                self._send_keepalive(now)
            case Deadline.PONG:
                self._fail_keepalive(now)
            case Deadline.RELEASE:
                self._finish_failing(now)
            case _:
                self.abort("timeout", ConnectionLost(None, "the closing handshake took too long"), now)

    def _send_keepalive(self, now: float) -> None:
        deadlines, timeouts = self._stream.deadlines, self._stream.timeouts
        self._write(Opcode.PING, self._stream.random(4), now)
        if timeouts.ping_timeout is None:  # no answer is waited for, so the next interval begins here
            deadlines.set(Deadline.PING, now, timeouts.ping_interval)
        else:
            deadlines.set(Deadline.PONG, now, timeouts.ping_timeout)
            self._look(now)

    def _fail_keepalive(self, now: float) -> None:
        """The peer is silent: nobody waits for what it might still read (RFC 6455 §7.4.1, 1011)."""
        self._initiator = "timeout"
        self._failure = fail(1011, _KEEPALIVE, "RFC 6455 §5.5.2")
        self._cause = KeepaliveTimeout(None, _KEEPALIVE)
        self._finish_failing(now)


def _encode(data: str | bytes, kind: Kind) -> bytes:
    """Return the payload of a message or piece of that kind, or raise `TypeError`."""
    if kind == "text" and isinstance(data, str):
        return data.encode()
    if kind == "binary" and isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(
        f"a {kind} message is made of {'str' if kind == 'text' else 'bytes'}, not {type(data).__name__}"
    )


def _parse_close(payload: bytes) -> Close:
    """Read the payload of a Close frame (RFC 6455 §5.5.1, §7.4)."""
    if not payload:
        return Close()
    if len(payload) == 1:
        raise fail(1002, "a Close frame with half a code", "RFC 6455 §5.5.1")
    code = int.from_bytes(payload[:2], "big")
    if not is_wire_close_code(code):
        raise fail(1002, "a close code that no Close frame may carry", "RFC 6455 §7.4")
    try:
        return Close(code=code, reason=payload[2:].decode())
    except UnicodeDecodeError as error:
        raise fail(1007, "the close reason is not UTF-8", "RFC 6455 §5.5.1") from error
