"""Tests of `spry_core.protocol.repeated`: heads that come again, alone and through `Connection`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from exchanges import answer
from spry_core.protocol import BodyEnd, Connection, Event, Failure, Limits, RequestHead
from spry_core.protocol.engines import EngineName
from spry_core.protocol.events import RawFields
from spry_core.protocol.head import EMPTY, Chunked, Framing, Length, Terms
from spry_core.protocol.repeated import KNOWN, LONGEST, OFFERS, remember
from traces import HANDSHAKE, counted, said

pytestmark = pytest.mark.engines_by_name  # the reference takes no head whole, and so knows none again

LIMITS = Limits()
TERMS = Terms(framing=EMPTY, persists=True, expects_continue=False, is_old=False, upgrades=False)
HEAD = RequestHead(method=b"GET", target=b"/")
EXTRA = {
    "authorization": b"Authorization: Bearer a",
    "cookie": b"Cookie: a=b",
    "proxy-authorization": b"Proxy-Authorization: Basic YTpi",
    "key": b"X-Api-Key: a",
    "token": b"X-Auth-Token: a",
    "subprotocols": b"Sec-WebSocket-Protocol: a",
    "page": b"Referer: https://a/?b",
    "tag": b'If-None-Match: "a"',
    "unheard of": b"A-Field-Of-Nobody: a",
    "content": b"Content-Length: 1",
    "no content": b"Content-Length: 0",
    "chunks": b"Transfer-Encoding: chunked",
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Leave nothing known to other tests, and nothing offered: so many drive out whatever was."""
    KNOWN.clear()
    for n in range(512):
        remember(b"%d of others" % n, HEAD, TERMS, LIMITS)
    yield
    KNOWN.clear()


def terms(framing: Framing = EMPTY, *, upgrades: bool = False) -> Terms:
    return Terms(framing=framing, persists=True, expects_continue=False, is_old=False, upgrades=upgrades)


def test_a_head_that_is_offered_twice_is_known() -> None:
    assert not remember(b"a", HEAD, TERMS, LIMITS)
    assert b"a" not in KNOWN
    assert remember(b"a", HEAD, TERMS, LIMITS)
    head, of_head, limits = KNOWN[b"a"]
    assert (head is HEAD, of_head is TERMS, limits is LIMITS) == (True, True, True)


@pytest.mark.parametrize(
    ("target", "fields", "settled"),
    [
        (b"/?token=a", (), terms()),
        (b"/", ((b"host", b"a"), (b"authorization", b"b")), terms()),
        (b"/", ((b"cookie", b"a"),), terms()),
        (b"/", ((b"proxy-authorization", b"a"),), terms()),
        (b"/", ((b"x-api-key", b"a"),), terms()),
        (b"/", ((b"accept", b"a"), (b"x-auth-token", b"b"), (b"te", b"c")), terms()),
        (b"/", (), terms(Length(1))),
        (b"/", (), terms(Chunked())),
        (b"/", (), terms(upgrades=True)),
    ],
)
def test_what_may_be_a_secret_and_what_is_more_than_a_head_is_never_known(
    target: bytes, fields: RawFields, settled: Terms
) -> None:
    head = RequestHead(method=b"GET", target=target, headers=fields)
    for _ in range(5):
        assert not remember(b"b", head, settled, LIMITS)
    assert not KNOWN


def test_what_a_browser_says_of_itself_is_known() -> None:
    """RFC 9110 §10.1, §12.5; Fetch Metadata, Client Hints: alone, none of it may be a secret."""
    lines = (
        *(b"Connection: keep-alive", b"Cache-Control: max-age=0", b"Pragma: no-cache", b"Content-Length: 0"),
        *(
            b'Sec-CH-UA: "A";v="1"',
            b"Sec-CH-UA-Mobile: ?0",
            b'Sec-CH-UA-Platform: "B"',
            b"DNT: 1",
            b"Sec-GPC: 1",
        ),
        *(
            b"User-Agent: a",
            b"Accept: */*",
            b"Accept-Encoding: gzip",
            b"Accept-Language: en",
            b"Accept-Charset: x",
        ),
        *(
            b"Sec-Fetch-Site: none",
            b"Sec-Fetch-Mode: no-cors",
            b"Sec-Fetch-User: ?1",
            b"Sec-Fetch-Dest: empty",
        ),
        *(b"Upgrade-Insecure-Requests: 1", b"TE: trailers"),
    )
    fill(server(), data := request(b"/", *lines))
    assert list(KNOWN) == [data]


def test_so_many_are_known_at_most() -> None:
    for n in range(256):
        data = b"head %d" % n
        assert [remember(data, HEAD, TERMS, LIMITS) for _ in range(2)] == [False, True]
    assert len(KNOWN) == 256
    assert [remember(b"one more", HEAD, TERMS, LIMITS) for _ in range(2)] == [False, True]
    assert list(KNOWN) == [b"one more"]


def test_so_many_are_waited_for_at_most() -> None:
    """Who offers others all the time makes one that comes seldom be parsed each time, and nothing fill memory."""
    assert not remember(b"seldom", HEAD, TERMS, LIMITS)
    for n in range(256):
        assert not remember(b"other %d" % n, HEAD, TERMS, LIMITS)
    assert not remember(b"seldom", HEAD, TERMS, LIMITS)
    assert not KNOWN


# ---------------------------------------------------------------------------------------------------- on a connection


def request(target: bytes = b"/", *lines: bytes) -> bytes:
    return b"".join([each + b"\r\n" for each in (b"GET " + target + b" HTTP/1.1", b"Host: a", *lines, b"")])


def server(limits: Limits = LIMITS, engine: EngineName = "native") -> Connection:
    return Connection("server", now=0.0, random=counted, limits=limits, engine=engine)


def ask(conn: Connection, data: bytes) -> tuple[list[Event], bytes]:
    """Say this and answer it; return what came of both."""
    conn.receive_data(data, 0.0)
    found = list(conn)
    answer(conn)
    return found, said(conn)


def fill(conn: Connection, data: bytes) -> None:
    """Ask so often that a head is known that may be."""
    for _ in range(OFFERS + 1):
        ask(conn, data)


@pytest.mark.parametrize("engine", ["native", "pure"])
def test_a_head_that_is_known_says_what_it_said(engine: EngineName) -> None:
    conn, data = server(engine=engine), request(b"/a", b"Accept: c")
    first = ask(conn, data)
    assert first[0] == [
        RequestHead(method=b"GET", target=b"/a", headers=((b"host", b"a"), (b"accept", b"c"))),
        BodyEnd(),
    ]
    assert [ask(conn, data) == first for _ in range(5)] == [True] * 5
    assert list(KNOWN) == [data]
    # For all connections of the same limits, but each asks twice for something as long before the dict is looked at.
    other = server(engine=engine)
    ask(other, data)
    [head, _], _ = ask(other, data)
    assert head is KNOWN[data][0]
    assert conn.next_deadline() == other.next_deadline()


def test_the_reference_engine_reads_each_head() -> None:
    fill(server(engine="reference"), request(b"/b"))
    assert not KNOWN


def test_under_other_limits_a_known_head_is_judged_anew() -> None:
    data = request(b"/c", b"Accept: c")
    fill(server(), data)
    known = KNOWN[data][0]
    conn = server(Limits(max_fields=2))
    ask(conn, request(b"/c", b"Accept: d"))
    [head, _], _ = ask(conn, data)
    assert (head == known, head is known) == (True, False)
    few = server(Limits(max_fields=1))
    ask(few, request(b"/" + b"c" * (len(data) - len(request()))))
    few.receive_data(data, 0.0)
    assert [event.error.status_code for event in few if isinstance(event, Failure)] == [431]


@pytest.mark.parametrize("extra", sorted(EXTRA))
def test_what_may_not_be_known_is_not(extra: str) -> None:
    data = request(b"/d", EXTRA[extra]) + {"content": b"x", "chunks": b"0\r\n\r\n"}.get(extra, b"")
    conn = server()
    first = ask(conn, data)
    assert [ask(conn, data) == first for _ in range(7)] == [True] * 7
    assert list(KNOWN) == [data] * (extra == "no content")


@pytest.mark.parametrize("behind", [b"", b"GET", b"\r\n", b"\0\r\n"])
def test_known_heads_may_stand_behind_each_other(behind: bytes) -> None:
    """RFC 9112 §9.3.2: each is taken when the one before it is answered, and what is behind them is looked at then."""
    conn, data = server(), request(b"/i")
    conn.receive_data(data * 9 + behind, 0.0)
    for n in range(9):
        head, end = list(conn)
        assert (head, end) == (
            RequestHead(method=b"GET", target=b"/i", headers=((b"host", b"a"),)),
            BodyEnd(),
        )
        assert (head is KNOWN.get(data, (None,))[0]) is (n >= 2)  # found, and offered twice
        answer(conn)
    assert [event.error.status_code for event in conn if isinstance(event, Failure)] == [400] * (
        behind == b"\0\r\n"
    )


def test_what_begins_like_a_known_head_is_another_one() -> None:
    data, conn = request(b"/j", b"TE: y"), server()
    fill(conn, data)
    assert data in KNOWN
    longer = data[:-2] + b"Z: a\r\n\r\n"
    assert ask(conn, longer)[0] == [
        replace(KNOWN[data][0], headers=(*KNOWN[data][0].headers, (b"z", b"a"))),
        BodyEnd(),
    ]
    conn.receive_data(data[:-1], 0.0)
    assert list(conn) == []
    conn.receive_data(b"\n", 0.0)
    assert list(conn) == [KNOWN[data][0], BodyEnd()]


def test_a_head_with_a_query_is_not_known() -> None:
    fill(server(), request(b"/e?f"))
    assert not KNOWN


@pytest.mark.parametrize("more", [0, 1])
def test_short_heads_alone_are_known(more: int) -> None:
    data = request(b"/" + b"f" * (LONGEST - len(request()) + more))
    fill(server(), data)
    assert list(KNOWN) == [data] * (not more)


def test_an_opening_handshake_is_never_known() -> None:
    assert len(HANDSHAKE) <= LONGEST
    fill(server(), HANDSHAKE)
    assert not KNOWN


def test_a_connection_whose_heads_differ_soon_stops_offering_them() -> None:
    conn, same = server(), request(b"/0")
    for n in range(OFFERS + 1):
        ask(conn, request(b"/%d" % n))
    for _ in range(5):
        ask(conn, same)
    assert not KNOWN
    fill(server(), same)
    assert list(KNOWN) == [same]


def test_a_known_head_behind_empty_lines_ends_them() -> None:
    """RFC 9112 §2.2: so many may come before each request."""
    conn, data = server(), request(b"/g")
    fill(conn, data)
    assert data in KNOWN
    for _ in range(2 * LIMITS.max_empty_lines):
        conn.receive_data(b"\r\n", 0.0)
        assert ask(conn, data)[0] == [KNOWN[data][0], BodyEnd()]


def test_known_heads_count_among_the_requests_of_a_connection() -> None:
    limits, data = Limits(max_requests=9), request(b"/h")
    conn = server(limits)
    answers = [ask(conn, data)[1] for _ in range(8)]
    assert data in KNOWN
    assert answers == answers[:1] * 8
    conn.receive_data(data, 0.0)
    answer(conn)
    out = b"".join([each for each in conn.data_to_send() if isinstance(each, bytes)])
    assert b"\r\nConnection: close\r\n" in out
