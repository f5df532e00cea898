"""Our own engine and the reference make the same connection of the same bytes; of frames `websockets` has a third opinion."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from itertools import count
from random import Random
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame as TheirFrame
from websockets.streams import StreamReader

from abuses import ROWS
from ambiguous.corpus import REQUESTS
from ambiguous.responses import RESPONSES
from differential.engine_differences import OTHER_WORDS, in_our_words
from engines import NAMES, in_place
from frames import BINARY, CLOSE_FRAME, CONTINUATION, MASK, PING, PONG, TEXT, frame
from fuzz import subjects
from fuzz.checks import cut
from fuzz.drive import Make
from fuzz.engines import check_engines, check_same, seeds, seen
from fuzz.mutation import mutate
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Agreement, Connection, Message, Role
from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName, Opcode, frame_engine
from spry_core.testing import strategies
from traces import HANDSHAKE, connection, counted, open_websocket

SEEDS: Final = st.integers(0, 1 << 30)
BOTH: Final[tuple[EngineName, ...]] = ("reference", "pure")

# --------------------------------------------------------------------------------------------------------- connections


def cuts_of(data: bytes) -> list[list[bytes]]:
    """Cut in three ways: not at all, everywhere, and here and there; nothing stays nothing."""
    if not data:
        return [[]]
    random = Random(len(data))
    return [[data], [data[i : i + 1] for i in range(len(data))], cut(data, random)]


@pytest.mark.parametrize("name", REQUESTS)
def test_the_requests_of_the_corpus_are_the_same_to_each_engine(name: str) -> None:
    """Right and wrong ones (RFC 9112)."""
    data = REQUESTS[name].data
    for number, pieces in enumerate(cuts_of(data[:2000])):
        check_same(subjects.server, pieces, number)
    check_same(connection, [data], 3)


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_the_responses_of_the_corpus_are_the_same_to_each_engine(name: str, method: bytes) -> None:
    for number, pieces in enumerate(cuts_of(RESPONSES[name].data[:2000])):
        check_same(lambda: subjects.client(method), pieces, number)


@pytest.mark.parametrize("name", ROWS)
def test_the_abuses_of_frames_are_the_same_to_each_engine(name: str) -> None:
    """RFC 6455 §5."""
    for data, makes in ((ROWS[name].frames, subjects.SERVERS), (ROWS[name].bare, subjects.CLIENTS)):
        cuts = cuts_of(data[:600])
        for number, make in enumerate(makes):
            check_same(make, cuts[number % 3], number)


def test_a_sample_of_changed_seeds_is_the_same_to_each_engine() -> None:
    """The seeds themselves are in tests/test_fuzz.py; `python3 dev.py fuzz engines` goes on for as long as one likes."""
    random, known = Random(6), seeds()
    for _ in range(1000):
        check_engines(mutate(known, random))


CONVERSATIONS: Final[list[tuple[Make, st.SearchStrategy[bytes]]]] = [
    (connection, strategies.http_conversations().map(lambda each: each.data)),
    (subjects.server, strategies.http_conversations().map(lambda each: each.data)),
    (subjects.server, strategies.broken_requests(limits=subjects.LIMITS).map(lambda each: each.data)),
    (connection, strategies.broken_handshakes().map(lambda each: each.data)),
    (partial(subjects.client, b"GET"), strategies.responses().map(lambda each: each.data)),
    (partial(subjects.client, b"HEAD"), strategies.responses(method=b"HEAD").map(lambda each: each.data)),
    (
        partial(subjects.client, b"GET"),
        strategies.broken_responses(limits=subjects.LIMITS).map(lambda each: each.data),
    ),
    (connection, strategies.websocket_conversations().map(lambda each: HANDSHAKE + each.data)),
    (open_websocket, strategies.websocket_conversations(max_size=12).map(lambda each: each.data)),
    (
        partial(open_websocket, "client"),
        strategies.websocket_conversations(role="server", max_size=12).map(lambda each: each.data),
    ),
    (
        partial(open_websocket, limits=subjects.LIMITS),
        strategies.broken_websockets(limits=subjects.LIMITS).map(lambda each: each.data),
    ),
    (
        partial(open_websocket, "client", limits=subjects.LIMITS),
        strategies.broken_websockets(role="server", limits=subjects.LIMITS).map(lambda each: each.data),
    ),
    (
        partial(open_websocket, agreement=Agreement()),
        strategies.websocket_conversations(agreement=Agreement(), max_size=8).map(lambda each: each.data),
    ),
    (
        partial(open_websocket, limits=subjects.LIMITS, agreement=Agreement()),
        strategies.broken_compressed(limits=subjects.LIMITS).map(lambda each: each.data),
    ),
]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Make, list[bytes]]:
    """Choose a connection and what it hears."""
    make, strategy = draw(st.sampled_from(CONVERSATIONS))
    data = draw(strategy)
    return make, draw(strategies.cuts(data)) if data else []


@given(conversations(), SEEDS)
@settings(max_examples=500)
def test_whatever_a_peer_may_say_is_the_same_to_each_engine(
    chosen: tuple[Make, list[bytes]], seed: int
) -> None:
    """Right and wrong, on either side, compressed and not."""
    make, pieces = chosen
    check_same(make, pieces, seed)


# ------------------------------------------------------------------------------------------ that it would be noticed


CHANGES: Final[list[Callable[[Connection], None]]] = [
    lambda conn: conn.send(Message(data="more"), 0.0),
    lambda conn: conn.set_ping_interval(7.0, 0.0),
    lambda conn: conn.shutdown(0.0),
    lambda conn: conn.receive_in_pieces(True, 0.0),
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_engine_that_does_otherwise_is_found_out(change: Callable[[Connection], None]) -> None:
    """In what it writes, when it wakes, how it ends, which events there are."""
    made = count()

    def make() -> Connection:
        conn = open_websocket()
        if next(made) >= 2:  # the reference is the first, steadily and in the storm
            change(conn)
        return conn

    pieces = [frame(TEXT, b"a") * 3 + frame(PING, b"p"), frame(BINARY, b"b" * 50)]
    check_same(open_websocket, pieces, 1)
    with pytest.raises(AssertionError, match=r"^reference and pure part behind"):
        check_same(make, pieces, 1)


def test_what_is_seen_is_everything() -> None:
    """Else two could be the same by saying nothing."""
    notes = seen("pure", open_websocket, [frame(TEXT, b"a") + frame(PING, b"p")], 1)
    text = repr(notes)
    for each in (
        "Look(wants_read=True",
        "Message(data='a'",
        "Ping(payload=b'p')",
        "\\x8a\\x01p",
        "'ConnectionEnded'",
    ):
        assert each in text


def test_another_engine_is_in_its_place_only_for_a_while() -> None:
    def text_of_fault() -> str:
        conn = open_websocket()
        conn.receive_data(b"\x83\x80", 0.0)
        return str(list(conn)[-1])

    before = text_of_fault()
    found = dict[str, str]()
    for name in NAMES:
        with in_place(name):
            found[name] = text_of_fault()
    assert "Invalid opcode 0x3" in found["reference"]
    assert found["pure"] == found["native"]
    assert "an opcode that has no meaning" in found["pure"]
    assert text_of_fault() == before


# ---------------------------------------------------------------------------------------------------------------- words


def texts(data: bytes, role: Role) -> dict[str, tuple[str, str]]:
    """Return text and section of the fault that each engine finds."""
    found = dict[str, tuple[str, str]]()
    for name in BOTH:
        with in_place(name):
            engine = frame_engine(DEFAULT_ENGINE, role, lambda opcode, length, rsv1: None, counted)
            engine.receive_data(data)
            with pytest.raises(RemoteProtocolError) as caught:
                engine.next_part()
            found[name] = str(caught.value), caught.value.section
    return found


FAULTS: Final[list[tuple[bytes, Role]]] = [
    *((frame(opcode), "server") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    (frame(PING, fin=False), "server"),
    (frame(PING, b"a" * 126), "server"),
    (frame(TEXT, b"a", length_form=16), "server"),
    (frame(TEXT, b"a", length_form=64), "server"),
    (b"\x82\xff" + b"\xff" * 8 + MASK, "server"),
    (frame(TEXT, b"a", rsv=1), "server"),
    (frame(TEXT, b"a", mask=None), "server"),
    (frame(TEXT, b"a"), "client"),
]


def test_every_row_of_other_words_is_needed_and_there_are_no_others() -> None:
    used = set[str]()
    for data, role in FAULTS:
        found = texts(data, role)
        assert in_our_words(*found["reference"]) == found["pure"]
        used |= {row.reference for row in OTHER_WORDS if found["reference"][0].startswith(row.reference)}
    assert used == {row.reference for row in OTHER_WORDS}


def test_the_words_of_a_rule_above_the_engines_are_the_same_to_all() -> None:
    assert in_our_words("the message is too big", "RFC 6455 §5.2") == (
        "the message is too big",
        "RFC 6455 §5.2",
    )
    assert in_our_words("Invalid opcode 0x3", "RFC 9112") == ("Invalid opcode 0x3", "RFC 9112")


# -------------------------------------------------------------------------------------------------------- third opinion

Read = tuple[int, bytes, bool, int]
"""Opcode, payload, FIN, and the reserved bits as a number."""

Reader = Callable[[bytes, Role], tuple[list[Read], bool]]

ROOM: Final = 1 << 20
"""The longest frame that is taken."""


def by_websockets(data: bytes, role: Role) -> tuple[list[Read], bool]:
    """Read frames until one is refused or not complete; return them, and whether one was refused."""
    reader, found = StreamReader(), list[Read]()
    reader.feed_data(data)

    def parse() -> Generator[None]:
        while True:
            one = yield from TheirFrame.parse(reader.read_exact, mask=role == "server", max_size=ROOM)
            found.append((one.opcode, bytes(one.data), one.fin, 4 * one.rsv1))

    try:
        next(parse())
    except (ProtocolError, PayloadTooBig):
        return found, True
    return found, False


def by_engine(name: EngineName, data: bytes, role: Role) -> tuple[list[Read], str, bool]:
    """Do the same with one of ours; return the text of the fault, and whether all bytes are used up."""

    def admit(opcode: Opcode, length: int, rsv1: bool) -> None:
        if length > ROOM:
            raise RemoteProtocolError("too long", close_code=1009, section="x")
        if rsv1:  # nothing was agreed about it
            raise RemoteProtocolError("RSV1", close_code=1002, section="x")

    found, begun = list[Read](), b""
    with in_place(name):
        engine = frame_engine(DEFAULT_ENGINE, role, admit, counted)
    engine.receive_data(data)
    try:
        while (part := engine.next_part()) is not None:
            begun += part.data
            if part.ends_frame:
                found.append((part.opcode, begun, part.ends_message, 4 * part.rsv1))
                begun = b""
    except RemoteProtocolError as error:
        return found, str(error), False
    return found, "", not (engine.has_data or begun)


_ANY_FORM: Final = "websockets takes a length in any of its forms, where RFC 6455 §5.2 asks for the shortest"
TAKEN: Final = {
    "a length that is not in its shortest form": _ANY_FORM,
    "Payload length used 2 bytes when 1 would have sufficed": _ANY_FORM,
    "Payload length used 8 bytes when 2 would have sufficed": _ANY_FORM,
    # Of a control frame the form alone tells that it is too long.
    "a control frame of more than 125 bytes": _ANY_FORM,
    "Control frame with payload len > 125": _ANY_FORM,
}
"""What our engines refuse and websockets may take, and why."""


def disagreement(data: bytes, role: Role, by_others: Reader = by_websockets) -> str:
    """Say what websockets makes of the bytes otherwise; empty if nothing, or if it has been reviewed."""
    theirs, refused = by_others(data, role)
    for name in BOTH:
        ours, fault, is_all = by_engine(name, data, role)
        if theirs[: len(ours)] != ours[: len(theirs)]:
            return f"{name} reads {ours}, websockets {theirs}"
        if fault in TAKEN:
            continue
        # Of a frame that is not complete websockets judges the first two bytes at once, an engine all of its header.
        if len(theirs) > len(ours) or (refused and not fault and is_all):
            return f"{name} reads {len(ours)} frames ({fault}), websockets {len(theirs)} ({refused})"
        if len(ours) > len(theirs) or (fault and not refused and is_whole(data, role, len(ours))):
            return f"{name} reads {len(ours)} frames ({fault}), websockets {len(theirs)} ({refused})"
    return ""


def is_whole(data: bytes, role: Role, count: int) -> bool:
    """Tell whether the frame behind the first ones is complete: websockets judges most of its header only then."""
    reader, found = StreamReader(), 0
    reader.feed_data(data)

    def skip() -> Generator[None]:
        nonlocal found
        while True:
            first, second = yield from reader.read_exact(2)
            assert first is not None
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes((yield from reader.read_exact(2 if length == 126 else 8)), "big")
            yield from reader.read_exact(length + 4 * (second >> 7))
            found += 1

    next(skip())
    return found > count


@st.composite
def frame_streams(draw: st.DrawFn) -> tuple[bytes, Role]:
    """Make frames, most of them in order, and change a byte now and then."""
    role: Role = draw(st.sampled_from(["server", "client"]))
    key = MASK if role == "server" else None
    made = st.builds(
        frame,
        st.sampled_from([TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE_FRAME, TEXT, BINARY, 3, 11]),
        st.binary(max_size=20) | st.sampled_from([b"x" * 125, b"x" * 126, b"x" * 300, b"x" * 65536]),
        fin=st.sampled_from([True, True, True, False]),
        rsv=st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4]),
        mask=st.sampled_from([key, key, key, key, MASK, None]),
        length_form=st.sampled_from([None, None, None, None, 64]),
    )
    data = b"".join(draw(st.lists(made, min_size=1, max_size=5)))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=2)):
        if place < len(data):
            data = data[:place] + bytes((byte,)) + data[place + 1 :]
    return data[: draw(st.integers(1, 400)) if draw(st.booleans()) else None], role


@given(frame_streams())
@example((frame(TEXT, mask=None) + b"\x81\xfe", "client"))
@settings(max_examples=1000)
def test_websockets_reads_the_same_frames(stream: tuple[bytes, Role]) -> None:
    data, role = stream
    assert disagreement(data, role) == ""


@pytest.mark.parametrize("name", ROWS)
def test_websockets_reads_the_same_of_the_abuses(name: str) -> None:
    assert disagreement(ROWS[name].frames, "server") == ""
    assert disagreement(ROWS[name].bare, "client") == ""


def test_websockets_takes_a_length_in_any_form() -> None:
    data = frame(TEXT, b"a", length_form=16)
    assert by_websockets(data, "server") == ([(TEXT, b"a", True, 0)], False)
    assert by_engine("pure", data, "server") == ([], "a length that is not in its shortest form", False)


def test_a_reader_that_reads_otherwise_is_found_out() -> None:
    data = frame(TEXT, b"a") + frame(PING)
    assert by_engine("pure", data, "server") == ([(TEXT, b"a", True, 0), (PING, b"", True, 0)], "", True)
    assert by_websockets(data, "server") == ([(TEXT, b"a", True, 0), (PING, b"", True, 0)], False)
    wrong: list[tuple[list[Read], bool]] = [
        ([(TEXT, b"b", True, 0), (PING, b"", True, 0)], False),
        ([(TEXT, b"a", True, 0)], False),
        ([(TEXT, b"a", True, 0), (PING, b"", True, 0), (PING, b"", True, 0)], False),
        ([(TEXT, b"a", True, 0), (PING, b"", True, 0)], True),
    ]
    readings = iter(wrong)
    for _ in wrong:
        assert disagreement(data, "server", lambda data, role: next(readings)) != ""
