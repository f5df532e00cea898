"""The WebSocket half of a connection: messages, the closing handshake, keepalive (RFC 6455 §5 to §7).

It is given an accepted stream and nothing of HTTP. Frames are the engine's, messages are made in `assembly` and
counted in `account`, ours are cut in `data_frames`, what else we say is in `control_frames`, Pings are timed in
`keepalive`; which Close frames have passed says the table of `closing_handshake`. A connection that we *fail* (RFC 6455
§7.1.7) parses nothing more, but what was received before the fault is delivered and may still be answered: the Close frame
waits until it is released.
"""

from __future__ import annotations

from collections.abc import Iterator

from spry_core.closing import Close, CloseInfo, ConnectionLost, Initiator, KeepaliveTimeout, check_close
from spry_core.errors import LocalProtocolError, RemoteProtocolError, forget_frames
from spry_core.protocol.account import Account
from spry_core.protocol.assembly import Assembled, Assembly
from spry_core.protocol.closing_handshake import Direction, State, advance, fail, parse_close, reported
from spry_core.protocol.compression import Compressor, Decompressor
from spry_core.protocol.control_frames import ControlFrameWriter
from spry_core.protocol.data_frames import DataFrameWriter
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import EngineName, FramePart, Opcode, Role, frame_engine
from spry_core.protocol.events import (
    Failure,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    SentEvent,
)
from spry_core.protocol.keepalive import Keepalive
from spry_core.protocol.memory import LONG_READ_SIZE, READ_SIZE
from spry_core.protocol.stream import Stream
from spry_core.protocol.turn import STEP_SIZE

_KEEPALIVE = "keepalive timeout"


class WebSocketProtocol:
    """WebSocket over one accepted stream, either role."""

    __slots__ = (
        "_account",
        "_assembly",
        "_cause",
        "_control",
        "_engine",
        "_failure",
        "_initiator",
        "_is_behind",
        "_is_server",
        "_keepalive",
        "_opened",
        "_outgoing",
        "_received",
        "_sent",
        "_state",
        "_stream",
        "info",
        "sender",
    )

    def __init__(
        self,
        role: Role,
        stream: Stream,
        *,
        now: float,
        engine: EngineName,
        agreement: Agreement | None = None,
        deflate: Deflate | None = None,
    ) -> None:
        """Begin on an accepted stream; messages are compressed if there is an `agreement` about that, ours as
        `deflate` says.
        """
        compressor = decompressor = None
        if agreement is not None:
            compressor = Compressor(agreement, role, deflate or Deflate())
            decompressor = Decompressor(agreement, role, stream.turn)
        self._is_server = role == "server"
        self._stream = stream
        self._account = Account(stream.limits)
        self._assembly = Assembly(stream.limits, self._account, decompressor)
        self._engine = frame_engine(engine, role, self._assembly, stream.random)
        self._keepalive = Keepalive(stream, now)
        self._outgoing = DataFrameWriter(self._engine, stream, compressor)
        self._control = ControlFrameWriter(self._outgoing, stream, self._keepalive)
        self._state = State.OPEN
        self._opened = now
        self._failure: RemoteProtocolError | None = None
        self._cause: BaseException | None = None
        self._initiator: Initiator | None = None
        self._sent: Close | None = None
        self._received: Close | None = None
        self._is_behind = False  # frames are here that were not parsed
        self.info: CloseInfo | None = None
        """How the connection ended, as soon as that is settled."""
        self.sender: DataFrameWriter | None = self._outgoing
        """What says messages, while they may be sent; then None."""

    @property
    def is_open(self) -> bool:
        """True while messages may be sent."""
        return self.sender is not None

    @property
    def is_deaf(self) -> bool:
        """True when nothing more is parsed: what comes is thrown away."""
        return self._failure is not None or self._received is not None or self.info is not None

    @property
    def wants_read(self) -> bool:
        """False while enough messages wait to be consumed; once we have sent Close, none is kept any more."""
        account = self._account
        if self._is_behind or ((account.places <= 0 or account.left <= 0) and self._state is State.OPEN):
            return self.is_deaf
        return True

    @property
    def read_size(self) -> int:
        """How many bytes to ask the stream for at most: more where a read of several messages makes no piece longer."""
        return READ_SIZE if self._assembly.gives_pieces else LONG_READ_SIZE

    @property
    def _is_full(self) -> bool:
        """True while enough messages wait to be consumed: what is behind them is not parsed, so it costs what it was on
        the wire and no more.
        """
        return self._state is State.OPEN and self._account.is_full

    @property
    def _is_waiting(self) -> bool:
        """True while some of what the peer sent is here and to be parsed later."""
        return not self.is_deaf and (self._is_behind or self._assembly.is_waiting)

    # Receiving

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer."""
        longest = self._assembly.longest
        if longest is None and self.is_deaf:
            return
        if self._keepalive.has_pinged:
            self._keepalive.take_sign_of_life(now)
        if longest is None or self._is_behind:
            self._engine.receive_data(data)
        elif self._take_run(data, longest):
            return  # nothing else has come, as nearly always, and nobody waits for an answer
        self.go_on(now)

    def go_on(self, now: float) -> None:
        """Parse what there is, as far as there is room for it, and until this turn is over."""
        try:
            self._parse(now)
        except RemoteProtocolError as error:
            self._fail(error, now)
        if self._stream.received_end and not self._is_waiting:
            self._take_end(now)
        if self._failure is not None and self.info is None and (self._account.is_empty or not self.is_open):
            self._finish_failing(now)
        self._look(now)

    def _parse(self, now: float) -> None:
        if self._assembly.is_waiting:
            self._deliver(self._assembly.go_on())
        turn, assembly, engine = self._stream.turn, self._assembly, self._engine
        received = assembly.received
        while turn.left > 0 and not (self.is_deaf or assembly.is_waiting or self._is_full):
            if assembly.longest is not None and (
                self._take_run(b"", assembly.longest) or turn.left <= 0 or self._is_full
            ):
                break
            part = engine.next_part()
            if part is None:
                self._is_behind = False
                return
            self._take(part, now)
            turn.spend(1, assembly.received - received)
            received = assembly.received
        self._is_behind = engine.has_data
        if turn.left <= 0 and (self._is_behind or assembly.is_waiting):
            self._stream.wait_for_turn(now)

    def _take_run(self, data: bytes, longest: int) -> bool:
        """Take `data`, and the run of messages that comes next, as far as there is room for it. True if that was all."""
        account, stream, assembly = self._account, self._stream, self._assembly
        turn = stream.turn
        while True:
            most = account.places
            if most > turn.left:  # noqa: PLR1730 - `min` is another call for each message
                most = turn.left
            messages, sizes, has_more = self._engine.take_messages(data, most, account.left, longest)
            if messages:
                total = sum(sizes)
                account.add_messages(sizes, total)
                # Of a longer one most came in turns before this.
                turn.left -= len(sizes) + (total if total < LONG_READ_SIZE else LONG_READ_SIZE) // STEP_SIZE  # noqa: FURB136 - as above
                stream.events.append(messages)
            if not has_more or assembly.inflate is None:
                return not has_more
            messages, sizes, has_more = self._engine.take_compressed(
                assembly.inflate, account.places, account.left, longest
            )
            if messages:  # which have counted their steps
                account.add_messages(sizes, sum(sizes))
                stream.events.append(messages)
            if not has_more or not messages:
                return not has_more
            data = b""

    def _take_begun(self, is_wanted: bool = True) -> None:
        """Let a message that the engine gathers go on in parts, of which the first is what has come of it, if that is wanted."""
        part = self._engine.take_begun(is_wanted)
        if part is not None:
            self._deliver(self._assembly.add(part))

    def _drop(self) -> None:
        """Keep nothing of the message that is coming in, nor of any other."""
        self._assembly.drop()
        self._take_begun(is_wanted=False)

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more. What it sent before, and waits for room, comes first."""
        if not self._is_waiting:
            self._take_end(now)

    def _take_end(self, now: float) -> None:
        if self._failure is not None and self.info is None:
            return  # what was received before the fault may still be answered
        if self.info is None and self._sent is None and self._stream.unsent:
            # A peer that has left and still reads a byte now and then would keep the write deadline away for ever.
            self._stream.deadlines.set(Deadline.CLOSE, now, self._stream.timeouts.close_timeout)
        self._settle("transport", ConnectionLost(None, "the stream ended without a Close frame"), now)
        self._stream.close()

    def _take(self, part: FramePart, now: float) -> None:
        match part.opcode:
            case Opcode.PING:
                self._take_ping(part.data, now)
            case Opcode.PONG:
                self._advance(Direction.RECEIVED, Pong(payload=part.data))
                self._keepalive.take_pong(part.data, now)
                self._stream.events.append(Pong(payload=part.data))
            case Opcode.CLOSE:
                self._take_close(parse_close(part.data), now)
            case _:
                self._deliver(self._assembly.add(part))

    def _deliver(self, assembled: Iterator[Assembled]) -> None:
        for event in assembled:
            self._advance(Direction.RECEIVED, event)
            if self._state is State.OPEN:
                self._stream.events.append(event)

    def _take_ping(self, payload: bytes, now: float) -> None:
        self._advance(Direction.RECEIVED, Ping(payload=payload))
        self._stream.events.append(Ping(payload=payload))
        if self._state is State.OPEN:
            self._control.answer(payload, now)

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
            case Message() | MessageStart() | MessageData() | MessageEnd():
                self._outgoing.send(event, now)
            case Ping() | Pong():
                self._control.send(event, now)
            case Close():
                self._close(check_close(event.code, event.reason), "local", now)
            case _:  # pragma: no cover - the table has refused every other event
                raise AssertionError(event)

    def _send_close(self, close: Close, initiator: Initiator, now: float) -> None:
        self._control.close(close, now)
        self._advance(Direction.SENT, close)
        self._sent = close
        self._initiator = self._initiator or initiator
        self._drop()
        self._keepalive.stop()
        self._stream.deadlines.set(Deadline.CLOSE, now, self._stream.timeouts.close_timeout)

    def _advance(self, direction: Direction, event: Assembled | Ping | Pong | Close) -> None:
        self._state = advance(self._state, direction, event)
        if self._state is not State.OPEN:
            self.sender = None

    # Credit and keepalive

    def release(self, n: int, now: float) -> None:
        """The owner has consumed `n` bytes of messages, oldest first; 0 stands for what has none."""
        self._account.release(n)
        self._use_room(now)

    def release_messages(self, n: int, now: float) -> None:
        """The owner has consumed the `n` oldest messages, which came whole."""
        self._account.release_messages(n)
        # As `_use_room`, and nearly always nothing is left to do.
        if (
            self._is_behind
            or self._failure is not None
            or (self._assembly.inflate is not None and self._assembly.is_waiting)
            or self._keepalive.has_pinged
        ):
            self._use_room(now)

    def sizes(self, n: int) -> list[int]:
        """Return the bytes of the `n` oldest messages that are not released, which must have come whole."""
        return self._account.sizes(n)

    def _use_room(self, now: float) -> None:
        if self._failure is not None or self._is_waiting:
            self.go_on(now)
        else:
            self._look(now)

    def receive_in_pieces(self, wanted: bool, now: float) -> None:
        """Get messages in pieces from now on, or whole again from the next one."""
        if not wanted and self._stream.limits.max_message_size is None:
            raise LocalProtocolError("messages of any size come in pieces")
        if wanted:
            self._take_begun()
        self._deliver(self._assembly.receive_in_pieces(wanted))
        self._look(now)

    def bytes_written(self, now: float) -> None:
        """Some of what was unsent is gone: a Pong that had no room may have it now."""
        if self.info is not None and self._sent is None and not self._stream.unsent:
            self._stream.deadlines.clear(Deadline.CLOSE)  # nothing is left to be read too slowly
        if self._control.late_pong is not None:
            self._control.go_on(now)

    def set_ping_interval(self, seconds: float | None, now: float) -> None:
        """Send keepalive Pings at this interval from now on; None turns keepalive off."""
        self._keepalive.set_interval(seconds, now)

    @property
    def latency(self) -> float | None:
        """Seconds from the last Ping that was answered to its Pong."""
        return self._keepalive.latency

    @property
    def answered_until(self) -> float | None:
        """When the last Ping that was answered had been sent."""
        return self._keepalive.answered

    def _look(self, now: float) -> None:
        """The peer's silence is not judged while it is we who do not read."""
        if self._keepalive.has_pinged:
            self._keepalive.judge(self.wants_read, now)

    # Ends

    def shutdown(self, close: Close, now: float) -> None:
        """Close with this because the whole server ends, unless the connection is ending already."""
        if self.is_open:
            self._close(close, "shutdown", now)

    def fail(self, error: RemoteProtocolError, now: float) -> None:
        """Fail the connection because the owner cannot take what came, unless it is ending already."""
        if self.is_open and self._failure is None:
            self._fail(error, now)
            self.go_on(now)

    def _close(self, close: Close, initiator: Initiator, now: float) -> None:
        """Begin the closing handshake. A connection that we are failing has none, and nobody wants what was
        received before the fault any more.
        """
        self._send_close(close, initiator, now)
        if self._failure is not None:
            self._finish_failing(now)
        else:
            self.go_on(now)  # what waited for room is dropped, and the peer's Close may stand behind it

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
        forget_frames(error)
        self._drop()
        self._keepalive.stop()
        self._stream.deadlines.set(Deadline.RELEASE, now, self._stream.timeouts.close_timeout)

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
        self.sender, self._stream.is_settled = None, True
        self._drop()
        self._keepalive.stop()
        self._stream.deadlines.clear(Deadline.RELEASE)
        self._control.drop()
        is_ended_by_us = self._failure is not None or initiator == "timeout"
        code, reason = reported(self._sent, self._received, is_ended_by_us=is_ended_by_us)
        self.info = CloseInfo(
            initiator="timeout" if initiator == "timeout" else self._initiator or initiator,
            sent=self._sent,
            received=self._received,
            cause=cause,
            close_code=code,
            close_reason=reason,
            duration=now - self._opened,
            messages_sent=self._outgoing.messages,
            bytes_sent=self._outgoing.size,
            messages_received=self._account.messages,
            bytes_received=self._account.size,
        )

    def handle(self, deadline: Deadline, now: float) -> None:
        """Do what `deadline` brings."""
        match deadline:
            case Deadline.PING:
                self._control.keep_alive(now)
                self._look(now)
            case Deadline.PONG:
                self._fail_keepalive(now)
            case Deadline.RELEASE:
                self._finish_failing(now)
            case _:
                self.abort("timeout", ConnectionLost(None, "the closing handshake took too long"), now)

    def _fail_keepalive(self, now: float) -> None:
        """The peer is silent: nobody waits for what it might still read (RFC 6455 §7.4.1, 1011)."""
        self._initiator = "timeout"
        self._failure = fail(1011, _KEEPALIVE, "RFC 6455 §5.5.2")
        self._cause = KeepaliveTimeout(None, _KEEPALIVE)
        self._finish_failing(now)
