"""What a hostile peer can do with frames, row by row: the Close frame that each deserves, to the byte, in both roles
(RFC 6455 §5, §7.1.7, §7.4.1).

A row is one abuse. Each is seen alone, behind a message that must still be answered, cut anywhere, behind a Close frame of
the peer and behind one of ours. `test_cuts` holds that cuts change nothing; here it is what must come out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from abuses import EVERY, LIMITS, ROWS, Abuse
from frames import CLOSE_FRAME, MASK, PING, PONG, TEXT, close_payload, frame
from spry_core.closing import Close
from spry_core.protocol import (
    CLOSE,
    HALF_CLOSE,
    Agreement,
    Connection,
    ConnectionEnded,
    Failure,
    Message,
    Ping,
    Role,
)
from traces import COUNTED_MASK, Owner, fetched, open_websocket, two_way_cuts

ROLES: Final[tuple[Role, ...]] = ("server", "client")


def opened(role: Role, row: Abuse) -> Connection:
    agreement = Agreement() if row.deflates else None
    return open_websocket(role, limits=LIMITS, agreement=agreement)


def from_peer(role: Role, opcode: int, payload: bytes) -> bytes:
    """Write a frame of the peer of `role`."""
    return frame(opcode, payload, mask=MASK if role == "server" else None)


def from_us(role: Role, opcode: int, payload: bytes) -> bytes:
    """Write a frame as `role` does."""
    return frame(opcode, payload, mask=None if role == "server" else COUNTED_MASK)


def closing(role: Role, code: int | None) -> bytes:
    return from_us(role, CLOSE_FRAME, b"" if code is None else close_payload(code))


def masks_in(row: Abuse, role: Role) -> int:
    """Return by how much the masking keys before the place move it."""
    return len(row.of_peer(role)) - len(row.bare) if role == "server" else 0


def test_no_row_hides_another() -> None:
    assert len(ROWS) == len(EVERY)
    assert {row.code for row in ROWS.values()} == {1002, 1007, 1008, 1009}


@pytest.mark.parametrize("name", ROWS)
def test_each_deserves_its_close_frame(name: str) -> None:
    """RFC 6455 §7.1.7: the code on the wire and the end of our side, whichever role we have."""
    row = ROWS[name]
    for role in ROLES:
        conn = opened(role, row)
        conn.receive_data(row.of_peer(role) + from_peer(role, TEXT, b"never"), 0.0)
        owner = Owner(conn)
        owner.look()
        pongs = from_us(role, PONG, b"") * has_ping(row)
        assert fetched(conn) == (pongs + closing(role, row.code), HALF_CLOSE)
        failure = owner.heard[-1]
        assert isinstance(failure, Failure)
        assert failure.error.close_code == row.code
        assert failure.error.section.startswith(("RFC 6455 §", "RFC 7692 §"))
        info = conn.close_info
        assert info is not None
        assert (info.initiator, info.sent, info.received) == ("local", Close(code=row.code), None)
        assert (info.close_code, info.cause) == (row.code, failure.error)


def has_ping(row: Abuse) -> bool:
    """Tell whether a Ping stands before the fault, which is answered first."""
    return frame(PING, mask=None) in row.bare and row.bare.index(frame(PING, mask=None)) < row.found_at - 2


@pytest.mark.parametrize("name", ROWS)
def test_each_is_found_as_early_as_it_is_certain(name: str) -> None:
    """RFC 6455 §10.4: by the header of the frame, without a byte of its payload where that does not matter."""
    row = ROWS[name]
    conn = opened("client", row)  # where no masking key stands between header and payload
    conn.receive_data(row.bare[: row.found_at], 0.0)
    Owner(conn).look()
    data, end = fetched(conn)
    assert (data.endswith(closing("client", row.code)), end) == (True, HALF_CLOSE)


LATEST: Final = [name for name in ROWS if name.startswith(("the text", "a Close"))]


@pytest.mark.parametrize("name", LATEST)
def test_none_is_found_before_it_is_certain(name: str) -> None:
    """A byte less may still become something that is allowed."""
    row = ROWS[name]
    conn = opened("client", row)
    conn.receive_data(row.bare[: row.found_at - 1], 0.0)
    Owner(conn).look()
    assert fetched(conn)[1] is None
    assert conn.is_open


def pieces_of(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield from two_way_cuts(data)


def play(conn: Connection, pieces: list[bytes]) -> tuple[list[object], bytes]:
    """Let an owner echo what comes; return the events and all that was written, ends left out."""
    owner, sent = Owner(conn, echoes=True), b""
    for piece in pieces:
        conn.receive_data(piece, 0.0)
        owner.look()
        sent += fetched(conn)[0]
    return list(owner.heard), sent


@pytest.mark.parametrize("name", ROWS)
def test_what_came_before_in_the_same_read_is_answered_first_however_it_is_cut(name: str) -> None:
    """Delivered and answered, then the Close frame (RFC 6455 §7.1.7), for all cuts in two and for single bytes."""
    row = ROWS[name]
    for role in ROLES:
        before = [from_peer(role, TEXT, b"ok"), from_peer(role, PING, b"p")]
        echoed = [from_us(role, TEXT, b"ok"), from_us(role, PONG, b"p")]
        if row.deflates:  # an owner that echoes would compress it
            before, echoed = before[1:], echoed[1:]
        pongs = [from_us(role, PONG, b"")] * has_ping(row)
        if row.says is not None:
            echoed.append(from_us(role, TEXT, row.says))
        frames = b"".join(before) + row.of_peer(role)
        if len(frames) > 150:  # whose payload, thrown away, says nothing new
            frames = frames[: len(b"".join(before)) + row.found_at + masks_in(row, role) + 2]
        expected = sorted([*echoed, *pongs, closing(role, row.code)])
        for pieces in pieces_of(frames):
            conn = opened(role, row)
            heard, sent = play(conn, pieces)
            # A Pong is written when the Ping is read, an echo when its owner looks, so which is first depends on the cut.
            assert sorted(split(sent, expected)) == expected
            assert sent.endswith(closing(role, row.code))
            assert isinstance(heard[-1], Failure)
            assert sum(isinstance(event, Failure) for event in heard) == 1
            assert heard.count(Message(data="ok")) == (not row.deflates)


def split(sent: bytes, expected: list[bytes]) -> list[bytes]:
    """Take `sent` apart into the frames that are expected, each once; what is left over stands at the end."""
    found: list[bytes] = []
    for each in sorted(expected, key=len, reverse=True):
        before, is_there, behind = sent.partition(each)
        if is_there:
            found.append(each)
            sent = before + behind
    return [*found, sent] if sent else found


@pytest.mark.parametrize("name", ROWS)
def test_behind_the_peers_close_nobody_looks(name: str) -> None:
    """RFC 6455 §5.5.1, §1.4: what stands behind it is thrown away, and the end is clean."""
    row = ROWS[name]
    for role in ROLES:
        conn = opened(role, row)
        conn.receive_data(from_peer(role, CLOSE_FRAME, close_payload(4001)) + row.of_peer(role), 0.0)
        data, end = fetched(conn)
        assert (data, end) == (closing(role, 4001), HALF_CLOSE if role == "server" else None)
        assert list(conn) == [Close(code=4001)]
        conn.receive_data(row.of_peer(role), 0.0)
        conn.receive_eof(0.0)
        assert fetched(conn) == (b"", CLOSE)
        conn.connection_lost(None, 0.0)
        (last,) = conn
        assert isinstance(last, ConnectionEnded)
        assert (last.info.clean, last.info.initiator, last.info.close_code) == (True, "remote", 4001)


@pytest.mark.parametrize("name", ROWS)
def test_behind_our_own_close_no_second_one_is_sent(name: str) -> None:
    """RFC 6455 §5.5.1: a fault of framing ends the handshake unclean; what is only wrong in what nobody wants any more is
    passed over, and the peer's Close behind it is found.
    """
    row = ROWS[name]
    for role in ROLES:
        conn = opened(role, row)
        conn.send(Close(code=4001), 0.0)
        assert fetched(conn) == (closing(role, 4001), None)
        conn.receive_data(row.of_peer(role) + from_peer(role, CLOSE_FRAME, close_payload(4002)), 0.0)
        data, end = fetched(conn)
        events = [event for event in conn if event != Ping()]
        info = conn.close_info
        assert data == b""
        if (
            row.code == 1009 and row.is_framing
        ):  # a header alone: it is too big for nobody, and its payload never ends
            assert (end, events, info) == (None, [], None)
            continue
        assert info is not None
        assert (info.clean, info.sent) == (not row.is_framing, Close(code=4001))
        if row.is_framing:
            assert (end, info.close_code) == (HALF_CLOSE, 4001)
            assert [type(event) for event in events] == [Failure]
        else:
            assert (end, info.close_code) == (HALF_CLOSE if role == "server" else None, 4002)
            assert events == [Close(code=4002)]


@pytest.mark.parametrize("name", ROWS)
def test_in_pieces_each_deserves_the_same(name: str) -> None:
    """Whether a message comes whole or in pieces changes no verdict."""
    row = ROWS[name]
    for role in ROLES:
        conn = opened(role, row)
        conn.receive_in_pieces(True, 0.0)
        heard, sent = play(conn, [row.of_peer(role) + from_peer(role, TEXT, b"never")])
        assert sent.endswith(closing(role, row.code))
        failure = heard[-1]
        assert isinstance(failure, Failure)
        assert failure.error.close_code == row.code


GOOD_CODES: Final = (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("code", GOOD_CODES)
def test_every_other_close_is_answered_with_its_code_and_nothing_of_its_reason(code: int, role: Role) -> None:
    """RFC 6455 §5.5.1, §7.4."""
    for reason in ("", "é" * 61 + "x", "\0", "\U0010ffff"):
        conn = open_websocket(role)
        conn.receive_data(from_peer(role, CLOSE_FRAME, close_payload(code, reason)), 0.0)
        assert fetched(conn)[0] == closing(role, code)
        assert list(conn) == [Close(code=code, reason=reason)]


EDGES: Final = (0, 1000, 1100, 2000, 3000, 4000, 5000, 0x8000, 65_500)
NEAR: Final = sorted({code for edge in EDGES for code in range(max(edge - 20, 0), edge + 36)})


@pytest.mark.parametrize("role", ROLES)
def test_a_code_is_answered_or_refused_by_the_registry_alone(role: Role) -> None:
    """RFC 6455 §7.4.2: all around each thousand, so that no edge is forgotten."""
    answered = {code for code in NEAR if is_answered(open_websocket(role), role, code)}
    assert answered == {code for code in NEAR if code in GOOD_CODES or 3000 <= code <= 4999}


def is_answered(conn: Connection, role: Role, code: int) -> bool:
    conn.receive_data(from_peer(role, CLOSE_FRAME, close_payload(code)), 0.0)
    data, _ = fetched(conn)
    assert data in (closing(role, code), closing(role, 1002))
    return data == closing(role, code) and isinstance(conn.next_event(), Close)
