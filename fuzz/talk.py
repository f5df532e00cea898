"""Two connections of ours and a program of calls between them: what one says the other understands, in order.

The program is the input: each step is a byte that says what is done and to whom, and what it needs behind it. Most of what
it tries is refused, which must then change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final
from zlib import crc32

from fuzz.drive import check_end
from fuzz.misuse import CALLS, EVENTS, attempt
from fuzz.owner import consumed
from spry_core.protocol import (
    ABORT,
    Accept,
    BodyEnd,
    Close,
    Connection,
    Deflate,
    Event,
    Failure,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Offer,
    RequestHead,
    ResponseHead,
    Role,
    SentEvent,
    StreamEnd,
)
from spry_core.protocol.deflate import negotiate, offer
from spry_core.protocol.handshake import request
from traces import counted

STEPS: Final = 300

# What is said of a peer that keeps to the rules, and of us who do not wait, cut the stream, or find it too big.
_NO_FAULTS: Final = (
    *("the stream ended", "the head took too long", "the content came too slowly"),
    *("the opening handshake took too long", "keepalive timeout", "the message is too big", "not wanted"),
    "the message has too many frames",
)


class End:
    """One of the two: a connection, its pump, its owner."""

    def __init__(self, role: Role) -> None:
        self.role: Role = role
        self.conn = Connection(role, now=0.0, random=counted)
        self.heard: list[Event] = []
        self.said: list[SentEvent] = []
        self.on_the_way: list[bytes | StreamEnd] = []
        """Fetched, not yet with the peer."""
        self.is_through = False
        """True when the peer has had the end of what is sent here."""

    def say(self, event: SentEvent, now: float) -> None:
        """Say it, if that may be said."""
        if attempt(self.conn, lambda: self.conn.send(event, now)):
            self.said.append(event)

    def look(self, now: float) -> None:
        """Take what has happened, consume it, fetch what is to be sent."""
        while (event := self.conn.next_event()) is not None:
            self.heard.append(event)
            if (size := consumed(event)) is not None:
                self.conn.release(size, now)
        items = self.conn.data_to_send()
        if items[-1:] == [ABORT]:
            self.on_the_way.clear()
        self.on_the_way += items
        self.conn.bytes_written(sum(len(item) for item in items if isinstance(item, bytes)), now)


class Talk:
    """A client, a server, and the time."""

    def __init__(self, program: bytes) -> None:
        self.now = 0.0
        self.client, self.server = End("client"), End("server")
        self._program = program
        self._at = 0
        self._random = Random(crc32(program))

    def run(self) -> None:
        """Run the program, then carry all that is on the way, then let both streams end."""
        for _ in range(STEPS):
            if self._at >= len(self._program):
                break
            self._step(self._next())
        for _ in range(STEPS):
            if not self._carry(self.client, 1 << 20) | self._carry(self.server, 1 << 20):
                break
        for end in (self.client, self.server):
            end.conn.connection_lost(None, self.now)
            end.look(self.now)
            check_end(end.conn, end.heard)
        self._judge(self.client, self.server)
        self._judge(self.server, self.client)

    def _next(self) -> int:
        """Return the next byte of the program, 0 behind its end."""
        byte = self._program[self._at] if self._at < len(self._program) else 0
        self._at += 1
        return byte

    def _step(self, code: int) -> None:
        end, other = (self.client, self.server) if code & 1 else (self.server, self.client)
        STEP_KINDS[(code >> 1) % len(STEP_KINDS)](self, end)
        end.look(self.now)
        other.look(self.now)

    def send_some(self, end: End) -> None:
        """Say one of the events that are known."""
        end.say(EVENTS[self._next() % len(EVENTS)], self.now)

    def send_message(self, end: End) -> None:
        """Say a message whole, of any size."""
        size = self._next() ** 2 // 16
        data = bytes(self._random.randbytes(size)) if size % 2 else "é" * size
        end.say(Message(data=data, compress=(None, True, False)[size % 3]), self.now)

    def send_pieces(self, end: End) -> None:
        """Say a message in pieces."""
        size = self._next()
        end.say(MessageStart(kind="binary"), self.now)
        for n in (size, 0, 1):
            end.say(MessageData(data=b"\0" * n), self.now)
        end.say(MessageEnd(), self.now)

    def open(self, end: End) -> None:
        """Say the opening handshake, with an offer, or take up the one that has come."""
        byte = self._next()
        if end.role == "client":
            extensions = (offer(Deflate()),) if byte & 1 else ()
            protocols = ("chat",) if byte & 2 else ()
            head = request(
                host="a", target="/", random=counted, subprotocols=protocols, extensions=extensions
            )
            end.say(head, self.now)
            end.say(BodyEnd(), self.now)
            return
        last = next((event for event in reversed(end.heard) if isinstance(event, RequestHead)), None)
        if last is not None and isinstance(last.websocket, Offer):
            agreement = negotiate(last.websocket.extensions, Deflate())
            end.say(Accept(extensions=() if agreement is None else (str(agreement),)), self.now)

    def want_pieces(self, end: End) -> None:
        """Want messages in pieces, or whole again."""
        is_wanted = self._next() % 4 != 0
        attempt(end.conn, lambda: end.conn.receive_in_pieces(is_wanted, self.now))

    def exchange(self, end: End) -> None:
        """Say a request, or an answer, as a whole."""
        if end.role == "client":
            end.say(RequestHead(method=b"GET", target=b"/", headers=((b"Host", b"a"),)), self.now)
        else:
            end.say(ResponseHead(status_code=(200, 404, 204)[self._next() % 3]), self.now)
        end.say(BodyEnd(), self.now)

    def close(self, end: End) -> None:
        """Say Close."""
        end.say(Close(code=1000), self.now)

    def carry(self, end: End) -> None:
        """Carry some of what is on the way."""
        self._carry(end, self._next() + 1)

    def carry_all(self, end: End) -> None:
        """Carry what is on the way."""
        self._carry(end, 1 << 20)

    def wait(self, end: End) -> None:
        """Let time go on, maybe beyond deadlines."""
        self.now += (0.001, 1.0, 6.0, 30.0)[self._next() % 4]
        self.client.conn.handle_deadline(self.now)
        self.server.conn.handle_deadline(self.now)

    def call_some(self, end: End) -> None:
        """Make some other call."""
        call = CALLS[20 + self._next() % (len(CALLS) - 20)]
        attempt(end.conn, lambda: call(end.conn, self._random, self.now))

    def lose(self, end: End) -> None:
        """Now and then: the stream of one end is gone."""
        if self._next() > 250:
            end.conn.connection_lost(None, self.now)

    def _carry(self, sender: End, n: int) -> bool:
        """Carry at most `n` bytes and what ends the stream; tell whether anything was carried."""
        receiver = self.server if sender is self.client else self.client
        carried = False
        while sender.on_the_way and n > 0 and not receiver.conn.closed:
            item = sender.on_the_way.pop(0)
            carried = True
            if isinstance(item, StreamEnd):
                receiver.conn.receive_eof(self.now)
                sender.is_through = True
            elif not sender.is_through:
                if item[n:]:
                    sender.on_the_way.insert(0, item[n:])
                n -= len(item)
                receiver.conn.receive_data(item[: n + len(item)], self.now)
            self._settle(receiver)
        sender.look(self.now)
        receiver.look(self.now)
        return carried

    def _settle(self, end: End) -> None:
        """Let it have its turns."""
        end.look(self.now)
        while (moment := end.conn.next_deadline()) is not None and moment <= self.now:
            end.conn.handle_deadline(self.now)
            end.look(self.now)

    def _judge(self, hearer: End, sayer: End) -> None:
        """What was heard is what was said, from the first of it on, and it broke no rule."""
        faults = [str(event.error) for event in hearer.heard if isinstance(event, Failure)]
        wrong = [fault for fault in faults if not fault.startswith(_NO_FAULTS)]
        assert not wrong, f"the {hearer.role} finds {wrong} in what the {sayer.role} said: {sayer.said}"
        for facts in (_messages, _requests):
            heard, said = facts(hearer.heard), facts(sayer.said)
            assert heard == said[: len(heard)], f"the {hearer.role} heard {heard}, and {said} was said"


StepKind = Callable[[Talk, End], None]

STEP_KINDS: Final[tuple[StepKind, ...]] = (
    *(Talk.carry_all, Talk.carry_all, Talk.want_pieces),
    *([Talk.open] * 3),
    *(Talk.send_some, Talk.send_some, Talk.send_message, Talk.send_pieces, Talk.exchange, Talk.carry),
    *(Talk.wait, Talk.call_some, Talk.close, Talk.lose),
)


def _messages(events: list[Event] | list[SentEvent]) -> list[str | bytes]:
    """Return the messages that are complete, those in pieces put together."""
    found: list[str | bytes] = []
    text, binary, is_text = "", b"", False
    for event in events:
        match event:
            case Message(data=data):
                found.append(data)
            case MessageStart(kind=kind):
                text, binary, is_text = "", b"", kind == "text"
            case MessageData(data=str(data)):
                text += data
            case MessageData(data=bytes(data)):
                binary += data
            case MessageEnd():
                found.append(text if is_text else binary)
            case _:
                pass
    return found


def _requests(events: list[Event] | list[SentEvent]) -> list[str | bytes]:
    """Return the methods of the requests."""
    return [event.method for event in events if isinstance(event, RequestHead)]


def check_talk(program: bytes) -> None:
    """Run a program of calls."""
    Talk(program[: 2 * STEPS]).run()
