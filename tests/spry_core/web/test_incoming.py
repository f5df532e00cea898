"""`spry_core.web.incoming`: messages piece by piece, as they arrive; nothing is lost, and nobody waits for a frame to end."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, TypeVar, assert_never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frames import BINARY, CLOSE_FRAME, CONTINUATION, TEXT, Frame, close_payload, frame
from sockets import UPGRADE, Opened, Peer, Running, client_of, close_frame, messages
from spry_core import (
    Close,
    ConnectionClosed,
    ConnectionLost,
    Limits,
    ProtocolFailure,
    Request,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
    WebSocketStateError,
)
from spry_core.errors import RemoteProtocolError
from spry_core.testing import TestClient
from spry_core.web.incoming import AnyIncoming, Incoming, IncomingBinary, IncomingMessage, IncomingText

T = TypeVar("T")


def first(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return the first frame of a message that goes on."""
    return frame(opcode, payload, fin=False)


def more(payload: bytes, *, fin: bool = False) -> bytes:
    """Return one more frame of it."""
    return frame(CONTINUATION, payload, fin=fin)


def begun(opened: Opened, data: bytes = first(b"abc")) -> AnyIncoming:
    """Return a message of which this has come, as a loop gives it."""
    opened.stream.send(data)
    return opened.start(opened.ws.incoming().__anext__).result


async def pieces_of(message: AnyIncoming) -> list[str | bytes]:
    """Return the pieces of a message."""
    return [piece async for piece in message]


async def everything(ws: WebSocket) -> list[tuple[str, list[str | bytes]]]:
    """Return all messages to the end, in pieces."""
    return [(message.kind, await pieces_of(message)) async for message in ws.incoming()]


# Pieces


def test_a_message_is_there_when_it_begins_and_its_pieces_as_they_come() -> None:
    """RFC 6455 §5.4."""
    opened = Opened()
    received = opened.start(everything, opened.ws)
    message = list[str | bytes]()

    async def read() -> None:
        async for incoming in opened.ws.incoming():
            message.append(incoming.kind)
            async for piece in incoming:
                message.append(piece)
            message.append("end")

    received.cancel()
    opened.start(read)
    opened.stream.send(first(b"\x00\x01", BINARY))
    assert message == ["binary", b"\x00\x01"]
    opened.stream.send(more(b"\x02"))
    opened.stream.send(more(b"", fin=True))
    assert message == ["binary", b"\x00\x01", b"\x02", "end"]


def test_text_is_cut_between_code_points() -> None:
    """RFC 6455 §5.4, §8.1: a fragment may end within one."""
    opened = Opened()
    received = opened.start(everything, opened.ws)
    opened.stream.send(first("grü".encode()[:-1]))
    opened.stream.send(more("ü€".encode()[1:-1]))
    opened.stream.send(more("€".encode()[-1:], fin=True))
    opened.stream.send(close_frame(1000))
    assert received.result == [("text", ["gr", "ü", "€"])]


def test_what_comes_in_one_frame_need_not_wait_for_its_end() -> None:
    opened = Opened()
    received = list[str | bytes]()
    data = frame(BINARY, b"0123456789")

    async def read() -> None:
        async for message in opened.ws.incoming():
            async for piece in message:
                received.append(piece)

    opened.start(read)
    for cut in (data[:9], data[9:13], data[13:]):
        opened.stream.send(cut)
    assert received == [b"012", b"3456", b"789"]


def test_messages_that_wait_whole_come_as_one_piece_and_empty_ones_as_none() -> None:
    opened = Opened()
    opened.peer.send("grüße", b"two", "", b"")
    received = opened.start(everything, opened.ws)
    opened.stream.send(close_frame(1000))
    assert received.result == [("text", ["grüße"]), ("binary", [b"two"]), ("text", []), ("binary", [])]


def test_what_has_come_of_a_message_before_anybody_asked_for_pieces_is_the_first_piece() -> None:
    opened = Opened()
    opened.stream.send(first(b"abc") + more("dé".encode()[:-1]))
    received = opened.start(everything, opened.ws)
    opened.stream.send(more("é".encode()[1:], fin=True) + close_frame(1000))
    assert received.result == [("text", ["abcd", "é"])]


def test_the_two_kinds_are_told_apart() -> None:
    def check(message: AnyIncoming) -> Literal["text", "binary"]:
        match message.kind:
            case "text":
                text: IncomingText = message
                assert isinstance(text, IncomingText)
                return text.kind
            case "binary":
                binary: IncomingBinary = message
                assert isinstance(binary, IncomingBinary)
                return binary.kind
            case _:
                assert_never(message.kind)

    opened = Opened()
    opened.peer.send("text", b"binary")
    incoming = opened.ws.incoming()
    kinds = [check(opened.driver.run(anext, incoming)) for _ in range(2)]
    assert kinds == ["text", "binary"]


def test_the_loops_are_their_own_iterators() -> None:
    opened = Opened()
    opened.peer.send("one")
    incoming = opened.ws.incoming()
    message = opened.driver.run(anext, incoming)
    assert isinstance(incoming, Incoming)
    assert isinstance(message, IncomingMessage)
    assert (aiter(incoming) is incoming, aiter(message) is message) == (True, True)


def test_a_message_that_was_read_to_its_end_stays_at_its_end() -> None:
    opened = Opened()
    opened.peer.send("one", "two")
    incoming = opened.ws.incoming()
    one = opened.driver.run(anext, incoming)
    assert opened.driver.run(pieces_of, one) == ["one"]
    two = opened.driver.run(anext, incoming)
    assert (opened.driver.run(pieces_of, one), opened.driver.run(pieces_of, two)) == ([], ["two"])


# Backpressure


def test_reading_stops_within_a_frame_while_pieces_wait() -> None:
    opened = Opened(limits=Limits(max_queue_size=10))
    data = frame(BINARY, bytes(range(100)))
    message = begun(opened, data[:16])  # ten bytes of payload behind the header
    opened.stream.send(data[16:26])
    assert opened.stream.unread == 10
    assert opened.driver.run(anext, message) == bytes(range(10))
    assert opened.stream.unread == 10  # the piece is still in its consumer's hands
    asking = opened.start(anext, message)
    assert (asking.result, opened.stream.unread) == (bytes(range(10, 20)), 0)
    opened.stream.send(data[26:])
    rest = opened.driver.run(pieces_of, message)
    assert (b"".join(each for each in rest if isinstance(each, bytes)), opened.stream.unread) == (
        bytes(range(20, 100)),
        0,
    )


def test_a_message_bigger_than_the_queue_is_joined() -> None:
    opened = Opened(limits=Limits(max_queue_size=10))
    data = frame(BINARY, bytes(200))
    message = begun(opened, data[:20])
    reading = opened.start(message.read)
    for start in range(20, len(data), 7):
        assert reading.is_waiting
        opened.stream.send(data[start : start + 7])
    assert (reading.result, opened.stream.unread) == (bytes(200), 0)


def test_messages_are_held_back_as_whole_ones_are() -> None:
    opened = Opened(max_queue=2)
    incoming = opened.ws.incoming()
    first_one = opened.start(anext, incoming)
    opened.peer.send("one", "two")
    opened.peer.send("three")
    assert opened.stream.unread == len(messages("three"))
    assert opened.driver.run(first_one.result.read) == "one"
    assert opened.stream.unread == len(messages("three"))
    opened.start(anext, incoming)
    assert opened.stream.unread == 0


# Reading a message whole


def test_a_message_may_be_joined_and_once_more() -> None:
    opened = Opened()
    message = begun(opened, first(b"ab"))
    reading = opened.start(message.read)
    opened.stream.send(more("é".encode(), fin=True))
    assert reading.result == "abé"
    assert opened.driver.run(message.read) == "abé"


@pytest.mark.parametrize(("data", "whole"), [(messages("é"), "é"), (messages(b""), b""), (messages(""), "")])
def test_a_message_that_came_whole_may_be_joined(data: bytes, whole: str | bytes) -> None:
    opened = Opened()
    opened.stream.send(data)
    message = opened.driver.run(anext, opened.ws.incoming())
    assert opened.driver.run(message.read) == whole


def test_reading_and_iterating_exclude_each_other() -> None:
    opened = Opened()
    message = begun(opened)
    assert opened.driver.run(anext, message) == "abc"
    with pytest.raises(WebSocketStateError, match="pieces of the message were taken"):
        opened.driver.run(message.read)
    opened.stream.send(more(b"d", fin=True))
    assert opened.driver.run(pieces_of, message) == ["d"]
    other = begun(opened)
    opened.start(other.read).cancel()
    with pytest.raises(WebSocketStateError, match="joined by `read`"):
        opened.driver.run(anext, other)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_a_message_bigger_than_its_reader_wants_fails_the_connection(size: int) -> None:
    """RFC 6455 §7.4.1: 1009. The bound counts bytes, and one equal to it passes."""
    opened = Opened()
    message = begun(opened, first("é".encode()))
    reading = opened.start(lambda: message.read(4))
    opened.stream.send(more(b"x" * (size - 2), fin=True) + messages("dropped"))
    if size <= 4:
        assert reading.result == "é" + "x" * (size - 2)
        return
    error = reading.error
    assert isinstance(error, ProtocolFailure)
    assert isinstance(error.__cause__, RemoteProtocolError)
    assert (error.close_code, error.__cause__.close_code, error.__cause__.section) == (
        1009,
        1009,
        "RFC 6455 §7.4.1",
    )
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1009))]
    assert opened.ws.close_info is not None
    assert (opened.ws.close_info.initiator, opened.ws.close_info.sent) == ("local", Close(code=1009))
    assert isinstance(opened.start(opened.ws.receive).error, ProtocolFailure)


def test_a_message_is_found_too_big_before_it_is_there() -> None:
    opened = Opened()
    message = begun(opened, first(b"12345"))
    reading = opened.start(lambda: message.read(4))
    assert isinstance(reading.error, ProtocolFailure)
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1009))]


def test_a_message_that_came_whole_may_be_too_big_as_well() -> None:
    opened = Opened()
    opened.peer.send("12345")
    message = opened.driver.run(anext, opened.ws.incoming())
    assert isinstance(opened.start(lambda: message.read(4)).error, ProtocolFailure)
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1009))]


def test_a_message_that_is_too_big_is_no_fault_of_a_peer_that_has_closed() -> None:
    opened = Opened()
    opened.stream.send(messages("12345") + close_frame(4000))
    message = opened.driver.run(anext, opened.ws.incoming())
    error = opened.start(lambda: message.read(4)).error
    assert (type(error), opened.ws.close_code) == (ConnectionClosed, 4000)


def test_the_bound_must_be_a_size() -> None:
    opened = Opened()
    message = begun(opened)
    with pytest.raises(ValueError, match="max_size is negative: -1"):
        opened.driver.run(lambda: message.read(-1))
    opened.stream.send(more(b"", fin=True))
    assert opened.driver.run(message.read) == "abc"


# Messages of any size


def test_messages_of_any_size_are_read_in_pieces_or_with_a_bound() -> None:
    opened = Opened(limits=Limits(max_message_size=None, max_queue_size=10))
    incoming = opened.ws.incoming()
    data = frame(BINARY, bytes(1000)) + messages("grüße")
    opened.stream.send(data)
    message = opened.driver.run(anext, incoming)
    assert sum(map(len, opened.driver.run(pieces_of, message))) == 1000
    text = opened.driver.run(anext, incoming)
    with pytest.raises(TypeError, match=r"read wants max_size here: .* \(max_message_size=None\)"):
        opened.driver.run(text.read)
    assert opened.driver.run(lambda: text.read(7)) == "grüße"


# Leaving


def test_leaving_the_inner_loop_drops_the_rest_which_still_counts() -> None:
    opened = Opened(limits=Limits(max_message_size=10, max_queue_size=4))
    incoming = opened.ws.incoming()
    opened.stream.send(first(b"1234") + more(b"5678"))
    message = opened.driver.run(anext, incoming)
    assert opened.driver.run(anext, message) == "12345678"
    following = opened.start(anext, incoming)
    opened.stream.send(more(b"90", fin=True) + messages("next"))
    assert opened.driver.run(following.result.read) == "next"
    with pytest.raises(WebSocketStateError, match="the rest of the message was dropped"):
        opened.driver.run(anext, message)
    assert opened.ws.close_info is None
    after = opened.start(anext, incoming)
    opened.stream.send(first(b"12345") + more(b"67890", fin=True) + first(b"12345"))
    again = opened.start(anext, incoming)
    opened.stream.send(more(b"678901"))
    assert (after.result.kind, again.result.kind, opened.start(anext, incoming).error.__class__) == (
        "text",
        "text",
        ProtocolFailure,
    )
    assert opened.ws.close_code == 1009


@pytest.mark.parametrize("by", ["receive", "listen"])
def test_leaving_the_outer_loop_drops_the_rest_and_messages_come_whole_again(by: str) -> None:
    opened = Opened(limits=Limits(max_queue_size=4))

    async def take_one_piece() -> object:
        async for message in opened.ws.incoming():
            async for piece in message:
                return piece
        raise AssertionError("no message")

    data = first(b"1234")  # of ten bytes
    data += more(b"56") + more(b"78", fin=True) + messages("next") + first(b"wh") + more(b"ole")
    taking = opened.start(take_one_piece)
    opened.stream.send(data[:10])
    assert taking.result == "1234"
    opened.stream.send(data[10:])
    received = list[str | bytes]()

    async def receive_two() -> None:
        received.extend([await opened.ws.receive(), await opened.ws.receive()])

    if by == "receive":
        opened.start(receive_two)
    else:
        opened.ws.listen(received.append)
        opened.driver.settle()
    opened.stream.send(more(b"", fin=True))
    assert received == ["next", "whole"]


def test_messages_that_have_come_in_pieces_are_joined_for_who_wants_them_whole() -> None:
    opened = Opened(limits=Limits(max_queue_size=6))
    incoming = opened.ws.incoming()
    opened.start(anext, incoming).cancel()  # pieces from here on
    opened.stream.send(first(b"one ") + more(b"and ") + more(b"more"))
    receiving = opened.start(opened.ws.receive)
    opened.stream.send(more(b" of it", fin=True))
    assert (receiving.result, opened.stream.unread) == ("one and more of it", 0)


def test_pieces_go_on_behind_what_was_joined_for_somebody_who_has_gone() -> None:
    opened = Opened()
    incoming = opened.ws.incoming()
    opened.start(anext, incoming).cancel()
    opened.stream.send(first(b"one ") + more(b"and "))
    opened.start(opened.ws.receive).cancel()
    received = opened.start(everything, opened.ws)
    opened.stream.send(more(b"more", fin=True) + close_frame(1000))
    assert received.result == [("text", ["one and ", "more"])]


def test_a_message_that_somebody_else_has_dropped_says_so() -> None:
    opened = Opened()
    message = begun(opened)
    opened.start(opened.ws.receive).cancel()
    with pytest.raises(
        WebSocketStateError, match="the rest of the message was dropped: somebody has received"
    ):
        opened.driver.run(message.read)
    opened.stream.send(more(b"", fin=True) + close_frame(1000))
    assert type(opened.start(message.read).error) is ConnectionClosed


# One consumer


def test_who_waits_for_a_message_or_a_piece_is_alone() -> None:
    opened = Opened()
    waiting = opened.start(anext, opened.ws.incoming())
    for second in (opened.ws.receive, opened.ws.incoming().__anext__, opened.ws.discard_incoming):
        with pytest.raises(WebSocketBusyError, match="somebody else is receiving"):
            opened.driver.run(second)
    opened.stream.send(first(b"abc"))
    message = waiting.result
    assert opened.driver.run(anext, message) == "abc"
    waiting_for_piece = opened.start(anext, message)
    for busy in (message.__anext__, opened.ws.receive, opened.ws.incoming().__anext__):
        with pytest.raises(WebSocketBusyError, match="somebody else is receiving"):
            opened.driver.run(busy)
    opened.stream.send(more(b"d", fin=True))
    assert (waiting_for_piece.result, opened.driver.run(pieces_of, message)) == ("d", [])


def test_between_two_messages_somebody_else_may_receive() -> None:
    """Nobody can tell a loop that was left from one that is slow."""
    opened = Opened()
    opened.peer.send("one", "two", "three")
    incoming = opened.ws.incoming()
    one = opened.driver.run(anext, incoming)
    assert opened.driver.run(one.read) == "one"
    assert opened.driver.run(opened.ws.receive) == "two"
    three = opened.driver.run(anext, incoming)
    assert opened.driver.run(three.read) == "three"


# Ends


@pytest.mark.parametrize("code", [1000, 4001])
def test_the_loop_ends_when_the_peer_has_closed(code: int) -> None:
    opened = Opened()
    received = opened.start(everything, opened.ws)
    opened.stream.send(messages("last") + close_frame(code))
    assert (received.result, opened.ws.close_code) == ([("text", ["last"])], code)


def test_the_loop_raises_when_the_connection_is_lost() -> None:
    opened = Opened()
    received = opened.start(everything, opened.ws)
    opened.stream.reset()
    assert isinstance(received.error, ConnectionLost)


def lose(opened: Opened) -> None:
    opened.stream.reset()


def end(opened: Opened) -> None:
    opened.stream.half_close()


def break_a_rule(opened: Opened) -> None:
    opened.stream.send(frame(0x3, b""))


def close(opened: Opened) -> None:
    opened.ws.close()
    opened.client.advance(5.0)


def abort(opened: Opened) -> None:
    opened.ws.abort()
    opened.driver.settle()


ENDS = [
    (lose, ConnectionLost, 1006, False),
    (end, ConnectionLost, 1006, False),
    (break_a_rule, ProtocolFailure, 1002, True),
    (close, ConnectionClosed, 1000, False),
    (abort, ConnectionClosed, 1006, False),
]
"""What ends a connection, how that is told, and whether what came before is to be had: not when the handler has returned."""


@pytest.mark.parametrize("is_joined", [False, True])
@pytest.mark.parametrize(("how", "kind", "code", "keeps"), ENDS)
def test_half_a_message_is_never_taken_for_a_whole_one(
    how: Callable[[Opened], None],
    kind: type[ConnectionClosed],
    code: int,
    keeps: bool,
    is_joined: bool,
) -> None:
    opened = Opened()
    message = begun(opened)
    reading: Running[object] = opened.start(message.read if is_joined else message.__anext__)
    if not is_joined:
        assert reading.result == "abc"
        opened.stream.send(more(b"def"))
        how(opened)
        if keeps:
            assert opened.driver.run(anext, message) == "def"
        reading = opened.start(anext, message)
    else:
        how(opened)
    assert (type(reading.error), opened.ws.close_code) == (kind, code)
    again = opened.start(message.read if is_joined else message.__anext__)
    assert type(again.error) is kind


def test_who_waits_for_a_piece_when_we_close_hears_of_the_end() -> None:
    opened = Opened()
    message = begun(opened)
    assert opened.driver.run(anext, message) == "abc"
    waiting = opened.start(anext, message)
    opened.ws.close(4000)
    opened.stream.send(more(b"late", fin=True))
    assert waiting.is_waiting
    opened.stream.send(close_frame(4000))
    assert (type(waiting.error), opened.ws.close_code) == (ConnectionClosed, 4000)


def test_a_fault_behind_a_message_waits_until_that_is_answered() -> None:
    """RFC 6455 §7.1.7: the last message is done with when the next one is asked for."""
    opened = Opened()

    async def echo() -> None:
        async for message in opened.ws.incoming():
            content = "".join([piece async for piece in message if isinstance(piece, str)])
            await opened.ws.send(content)

    opened.peer.send("whole")
    echoing = opened.start(echo)
    opened.stream.send(first(b"in ") + more(b"pieces", fin=True) + frame(0x3, b""))
    assert isinstance(echoing.error, ProtocolFailure)
    assert opened.peer.frames() == [
        Frame(TEXT, b"whole"),
        Frame(TEXT, b"in pieces"),
        Frame(CLOSE_FRAME, close_payload(1002)),
    ]


@pytest.mark.parametrize("data", [messages("whole"), first(b"in ") + more(b"pieces", fin=True)])
def test_a_fault_behind_a_message_waits_until_what_was_joined_is_answered(data: bytes) -> None:
    opened = Opened(timeouts=Timeouts(close_timeout=5.0))

    async def echo() -> None:
        async for message in opened.ws.incoming():
            content = await message.read()
            assert opened.stream.take() == b""
            await opened.ws.send(content)

    opened.stream.send(data + frame(0x3, b""))
    echoing = opened.start(echo)
    assert isinstance(echoing.error, ProtocolFailure)
    assert [each.opcode for each in opened.peer.frames()] == [TEXT, CLOSE_FRAME]


# Cancellation


@pytest.mark.parametrize("what", ["message", "piece", "read"])
def test_every_call_is_a_cancellation_point_that_takes_nothing(what: str) -> None:
    opened = Opened()
    opened.peer.send("kept")
    incoming = opened.ws.incoming()
    message = opened.driver.run(anext, incoming) if what != "message" else None
    taken = list[object]()

    async def take() -> None:
        task.cancel()
        if message is None:
            taken.append(await anext(incoming))
        else:
            taken.append(await (message.read() if what == "read" else anext(message)))

    task = opened.driver.start(take)
    opened.driver.settle()
    assert taken == []
    kept = message if message is not None else opened.driver.run(anext, incoming)
    assert opened.driver.run(kept.read if what != "piece" else kept.__anext__) == "kept"


@pytest.mark.parametrize("is_joined", [False, True])
def test_what_is_over_is_a_cancellation_point_too(is_joined: bool) -> None:
    opened = Opened()
    opened.peer.send("one")
    message = opened.driver.run(anext, opened.ws.incoming())
    opened.driver.run(message.read) if is_joined else opened.driver.run(pieces_of, message)
    passed = list[object]()

    async def take() -> None:
        task.cancel()
        passed.append(await (message.read() if is_joined else pieces_of(message)))

    task = opened.driver.start(take)
    opened.driver.settle()
    assert (task.is_done, passed) == (True, [])


def test_a_message_that_was_left_in_the_middle_by_a_cancellation_can_be_gone_on_with() -> None:
    opened = Opened()
    message = begun(opened, first(b"one "))
    opened.start(message.read).cancel()
    opened.stream.send(more(b"two "))
    opened.start(message.read).cancel()
    opened.stream.send(more(b"three", fin=True))
    assert opened.driver.run(message.read) == "one two three"


class Reader:
    """Takes messages by all three ways, and goes on where it was when it has been cancelled."""

    def __init__(self, opened: Opened, ways: list[str]) -> None:
        self._ws = opened.ws
        self._incoming = opened.ws.incoming()
        self._ways = ways
        self._message: AnyIncoming | None = None
        self._parts: list[str | bytes] = []
        self.received: list[str | bytes] = []

    async def go_on(self) -> None:
        with suppress(ConnectionClosed, StopAsyncIteration):
            await self._take_all()

    async def _take_all(self) -> None:
        while True:
            way = self._ways[len(self.received) % len(self._ways)]
            if way == "receive":
                self.received.append(await self._ws.receive())
                continue
            if self._message is None:
                self._message = await anext(self._incoming)
            if way == "read":
                self.received.append(await self._message.read())
            else:
                await self._read_pieces(self._message)
            self._message = None

    async def _read_pieces(self, message: AnyIncoming) -> None:
        async for piece in message:
            self._parts.append(piece)
        self.received.append(joined(message.kind, self._parts))
        self._parts = []


def joined(kind: str, parts: list[str | bytes]) -> str | bytes:
    if kind == "text":
        return "".join(part for part in parts if isinstance(part, str))
    return b"".join(part for part in parts if isinstance(part, bytes))


def fragments(message: str | bytes, cuts: list[int]) -> bytes:
    """Return the frames of a message that is cut at these places."""
    payload = message.encode() if isinstance(message, str) else message
    places = sorted({cut % (len(payload) + 1) for cut in cuts})
    parts = [payload[a:b] for a, b in zip([0, *places], [*places, len(payload)], strict=True)]
    opcode = TEXT if isinstance(message, str) else BINARY
    return b"".join(
        frame(CONTINUATION if n else opcode, part, fin=n == len(parts) - 1) for n, part in enumerate(parts)
    )


MESSAGES = st.lists(
    st.tuples(
        st.one_of(st.text("aé€😀", max_size=12), st.binary(max_size=12)),
        st.lists(st.integers(0, 50), max_size=3),
    ),
    min_size=1,
    max_size=8,
)
WAYS = st.lists(st.sampled_from(["receive", "read", "pieces"]), min_size=1, max_size=5)
STEPS = st.lists(st.one_of(st.integers(1, 40), st.just(0)), max_size=40)
"""How many bytes come, and at 0 a cancellation of whoever is reading, which need not have ended before the next bytes come."""


@given(sent=MESSAGES, ways=WAYS, steps=STEPS, room=st.integers(1, 20), queue=st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_whoever_is_cancelled_whenever_and_however_the_messages_are_taken(
    sent: list[tuple[str | bytes, list[int]]], ways: list[str], steps: list[int], room: int, queue: int
) -> None:
    opened = Opened(limits=Limits(max_queue_size=room), max_queue=queue)
    reader = Reader(opened, ways)
    data = b"".join(fragments(message, cuts) for message, cuts in sent)
    task = opened.driver.start(reader.go_on)
    for step in [*steps, len(data) or 1]:
        if task.is_done:
            task = opened.driver.start(reader.go_on)
        if not step:
            task.cancel()
        elif data:
            opened.stream.send(data[:step])
            data = data[step:]
    if task.is_done or task.is_cancelled:
        opened.driver.settle()
        task = opened.driver.start(reader.go_on)
    opened.driver.settle()
    assert reader.received == [message for message, _ in sent]
    assert opened.stream.unread == 0
    opened.stream.send(close_frame(1000))
    assert (task.is_done, opened.ws.close_code) == (True, 1000)


# When the handler has returned


def test_a_task_that_waits_for_pieces_when_the_handler_returns_loses_none() -> None:
    received = list[object]()
    app_driver = list[TestClient]()

    async def handler(ws: WebSocket, request: Request) -> None:
        async def read() -> None:
            async for message in ws.incoming():
                received.append(await message.read())

        app_driver[0].driver.start(read)

    client = client_of(handler)
    app_driver.append(client)
    peer = Peer(client)
    peer.stream.send(first(b"in ") + more(b"pieces", fin=True))
    peer.send("next")
    assert received == ["in pieces", "next"]


def test_a_message_that_the_handler_left_in_the_middle_is_dropped_when_it_returns() -> None:
    kept = list[tuple[WebSocket, AnyIncoming]]()

    async def handler(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            async for piece in message:
                assert piece == "1234"
                kept.append((ws, message))
                return

    client = client_of(handler, limits=Limits(max_queue_size=4))
    peer = Peer(client)
    peer.stream.send(first(b"1234"))
    peer.stream.send(more(b"5678") + more(b"9"))
    peer.stream.send(more(b"", fin=True) + messages("thrown away"))
    assert peer.stream.unread == 0
    ws, message = kept[0]
    with pytest.raises(WebSocketStateError, match="the rest of the message was dropped"):
        client.driver.run(anext, message)
    waiting = Running(client.driver, anext, ws.incoming())
    peer.send("kept")
    assert client.driver.run(waiting.result.read) == "kept"


# Compressed messages


OFFER = UPGRADE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


class Compressed:
    """A WebSocket with permessage-deflate, in the hands of the test (RFC 7692)."""

    def __init__(self, *, limits: Limits) -> None:
        self.sockets: list[WebSocket] = []
        self.client = client_of(self._handle, limits=limits, compression=True)
        self.stream = self.client.connect()
        self.stream.send(OFFER)
        (self.ws,) = self.sockets
        assert self.ws.extensions != ()
        self.stream.take()

    async def _handle(self, ws: WebSocket, request: Request) -> None:
        self.sockets.append(ws)
        await ws.closed

    def start(self, function: Callable[[], Awaitable[T]]) -> Running[T]:
        return Running(self.client.driver, function)

    def run(self, function: Callable[[], Awaitable[T]]) -> T:
        return self.client.driver.run(function)


def deflated(payload: bytes, opcode: int = BINARY) -> bytes:
    """Return the frame of one compressed message (RFC 7692 §7.2.1)."""
    compressor = zlib.compressobj(wbits=-12)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return frame(opcode, data[:-4], rsv=4)


def test_a_compressed_message_is_inflated_no_further_than_its_reader_is() -> None:
    """RFC 7692 §6.2; what waits, waits compressed."""
    compressed = Compressed(limits=Limits(max_queue_size=10_000, max_message_size=None))
    incoming = compressed.ws.incoming()
    compressed.stream.send(deflated(bytes(1_000_000)) + deflated("grün".encode(), TEXT))
    message = compressed.run(incoming.__anext__)
    pieces = compressed.run(lambda: pieces_of(message))
    assert (len(b"".join(each for each in pieces if isinstance(each, bytes))), max(map(len, pieces))) == (
        1_000_000,
        10_000,
    )
    text = compressed.run(incoming.__anext__)
    assert compressed.run(lambda: text.read(5)) == "grün"


def test_a_compressed_message_is_too_big_before_it_is_inflated_whole() -> None:
    compressed = Compressed(limits=Limits(max_queue_size=1000, max_message_size=None))
    compressed.stream.send(deflated(bytes(1_000_000)))
    message = compressed.run(compressed.ws.incoming().__anext__)
    reading = compressed.start(lambda: message.read(5000))
    assert isinstance(reading.error, ProtocolFailure)
    assert compressed.stream.take() == b"\x88\x02\x03\xf1"
    assert compressed.ws.close_info is not None
    assert compressed.ws.close_info.bytes_received <= 7000


@pytest.mark.parametrize("whole", [True, False])
def test_the_rest_of_a_compressed_message_is_dropped_like_any_other(whole: bool) -> None:
    compressed = Compressed(limits=Limits(max_queue_size=1000))
    incoming = compressed.ws.incoming()
    compressed.start(incoming.__anext__).cancel()  # pieces from here on
    compressed.stream.send(deflated(bytes(100_000)) + messages("next"))
    message = compressed.run(incoming.__anext__)
    assert compressed.run(message.__anext__) == bytes(1000)
    if whole:
        assert compressed.run(compressed.ws.receive) == "next"
    else:
        following = compressed.run(incoming.__anext__)
        assert compressed.run(following.read) == "next"


def test_a_compressed_message_that_waits_is_dropped_when_we_close() -> None:
    compressed = Compressed(limits=Limits(max_queue_size=1000, max_message_size=None))
    compressed.stream.send(deflated(bytes(100_000)) + close_frame(1000))
    message = compressed.run(compressed.ws.incoming().__anext__)
    compressed.ws.close(4000)
    error = compressed.start(message.__anext__).error
    assert (type(error), compressed.ws.close_code) == (ConnectionClosed, 1000)
