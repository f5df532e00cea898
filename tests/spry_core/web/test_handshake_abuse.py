"""What a hostile peer can do with the opening handshake: lists that bomb, bytes that are no ASCII, and what looks like a token
to a lenient reader; as a server behind a whole application, and as a client (RFC 6455 §4, RFC 7692 §5).
"""

from __future__ import annotations

import time
import tracemalloc
from base64 import b64encode
from typing import Final

import pytest

from frames import PING, PONG, TEXT, frame
from handshakes import EXTENSIONS, KEY, NOISE, ODD, OWN, PROTOCOL, WIDE, filled, shake
from sockets import client_of
from spry_core import Limits, Request, WebSocket
from spry_core.protocol import Connection, Event, Failure, RequestHead
from spry_core.protocol.deflate import Deflate, negotiate, parse_agreement
from spry_core.protocol.events import BodyEnd, Offer
from spry_core.protocol.handshake import accept_key, examine, request
from spry_core.protocol.head import Length
from spry_core.testing import TestClient
from steps import steps
from traces import connection, counted, fetched

ACCEPT: Final = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


async def talk(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


def a_client(limits: Limits | None = None) -> TestClient:
    return client_of(talk, limits=limits, protocols=("chat", "chat.v2"), compression=True)


def answer_to(client: TestClient, data: bytes) -> tuple[int, dict[bytes, bytes]]:
    """Return the status code and the fields that the server answers, and see that it serves on."""
    peer = client.connect()
    peer.send(data)
    head, _, rest = peer.take().partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
    code = int(start.split()[1])
    if code == 101:
        peer.send(frame(TEXT, b"hi") + frame(PING, b"p"))
        assert rest + peer.take() in (
            frame(TEXT, b"hi", mask=None) + frame(PONG, b"p", mask=None),
            frame(PONG, b"p", mask=None) + frame(TEXT, b"hi", mask=None),
        )
    peer.close()
    return code, fields


# ------------------------------------------------------------------------------------------------------------- lists that bomb

SWALLOWING: Final = {"a quoted string that never ends", "escaped quotes"}
"""What is open still behind three lines, so that all that follows is part of a quoted string (RFC 9110 §5.6.4)."""


@pytest.mark.parametrize("name", NOISE)
def test_a_list_that_bombs_is_an_offer_of_nothing_and_what_stands_behind_it_is_found(name: str) -> None:
    """RFC 6455 §4.2.1, §9.1: three full lines of it, then one good element. More than a hundred members are too many."""
    unit = NOISE[name]
    noise = filled(unit, WIDE)
    noise = noise[: noise.rindex(b",") + 1] if b"," in unit else noise
    noise = b'"' + noise if name.startswith("a quoted") else noise
    for field, good in ((EXTENSIONS, b"permessage-deflate"), (PROTOCOL, b"chat")):
        began = time.process_time()
        code, fields = answer_to(a_client(), shake(*[(field, noise)] * 3, (field, good)))
        assert time.process_time() - began < 1.0, "quadratic work would take minutes"
        if 3 * noise.count(b",") >= 100:
            assert code == 431
            continue
        assert code == 101
        found = fields.get(field.lower(), b"")
        assert found.startswith(good) == (name not in SWALLOWING), found


MANY_NAMES: Final = b",".join(b"p%d" % i for i in range(1300))


def test_thousands_of_subprotocols_are_too_many_or_looked_through_once() -> None:
    """RFC 6455 §4.2.2: the server's first that is there, wherever it stands."""
    lines = [(PROTOCOL, MANY_NAMES)] * 3
    assert answer_to(a_client(), shake(*lines))[0] == 431
    client = a_client(limits=Limits(max_fields=10_000))
    code, fields = answer_to(client, shake(*lines, (PROTOCOL, b"chat.v2, chat")))
    assert (code, fields[b"sec-websocket-protocol"]) == (101, b"chat")
    code, fields = answer_to(client, shake(*lines))
    assert (code, b"sec-websocket-protocol" in fields) == (101, False)


@pytest.mark.parametrize("field", [EXTENSIONS, PROTOCOL])
@pytest.mark.parametrize(("members", "is_offer"), [(99, True), (100, True), (101, False), (2600, False)])
def test_what_a_handshake_offers_is_held_in_proportion_to_its_bytes(
    field: bytes, members: int, is_offer: bool
) -> None:
    """RFC 6455 §10.4: it lives as long as the WebSocket, and thousands of short names would take twenty times as much."""
    names = b",".join(b"p%d" % i for i in range(members))
    data = shake(*[(field, names[i : i + WIDE]) for i in range(0, len(names), WIDE)])
    conn = connection()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        conn.receive_data(data, 0.0)
        held = list(conn)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert isinstance(held[0], RequestHead)
    assert isinstance(held[0].websocket, Offer) == is_offer
    assert grown < 3 * len(data) + 24 * 1024


def test_more_than_the_limits_of_a_head_is_431_whatever_it_is() -> None:
    """RFC 6585 §5."""
    assert answer_to(a_client(), shake(*[(EXTENSIONS, filled(b"a,"))] * 5))[0] == 431
    assert answer_to(a_client(), shake((PROTOCOL, filled(b"a,", 8300))))[0] == 431
    assert answer_to(a_client(), shake(*[(PROTOCOL, b"a")] * 96))[0] == 431
    assert answer_to(a_client(), shake(*[(PROTOCOL, b"a")] * 95))[0] == 101


def head_of(field: bytes, value: bytes) -> RequestHead:
    fields = [(name.lower(), data) for name, data in OWN.items()]
    return RequestHead(method=b"GET", target=b"/", headers=(*fields, (field.lower(), value)))


@pytest.mark.parametrize("field", [EXTENSIONS, PROTOCOL, b"Upgrade", b"Connection"])
@pytest.mark.parametrize("name", NOISE)
def test_twice_as_long_a_list_is_twice_the_work(name: str, field: bytes) -> None:
    """No step is taken again for each element."""

    def examined(size: int) -> int:
        head = head_of(field, filled(NOISE[name], size))
        return steps(lambda: examine(head, Length(0), 1_000_000))

    assert examined(8000) <= 2.1 * examined(4000) + 100


@pytest.mark.parametrize("name", NOISE)
def test_twice_as_many_offers_are_twice_the_work(name: str) -> None:
    """RFC 7692 §5.1: a server looks at each offer once, and at each of its parameters once."""

    def negotiated(n: int) -> int:
        offers = [filled(NOISE[name], 100).decode()] * n
        return steps(lambda: negotiate(offers, Deflate()))

    assert negotiated(200) <= 2.1 * negotiated(100) + 100


def test_an_answer_is_compared_with_each_offer_once() -> None:
    """RFC 7692 §5.1, as a server's owner and as a client."""

    def compared(n: int) -> int:
        offers = ["permessage-deflate; server_max_window_bits=9"] * n + ["permessage-deflate"]
        return steps(lambda: parse_agreement(["permessage-deflate"], offers))

    assert compared(200) <= 2.1 * compared(100) + 100


# ---------------------------------------------------------------------------------------------------------- what is no ASCII


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_ascii_is_in_no_token_and_ends_no_process(name: str) -> None:
    """RFC 6455 §4.2.1, RFC 9110 §5.6.2: each field of the handshake, with it in front, behind, and instead."""
    client, odd = a_client(), ODD[name]
    for bent in (odd, odd + b"websocket", b"websocket" + odd):
        assert answer_to(client, shake(upgrade=bent))[0] == 426
    for bent in (odd, odd + b"Upgrade", b"Upgrade" + odd, b"Upgrade" + odd + b"keep-alive"):
        assert answer_to(client, shake(connection=bent))[0] == 426
    for bent in (odd, odd + b"13", b"13" + odd, b"1" + odd):
        assert answer_to(client, shake(sec_websocket_version=bent))[0] == 426
    for bent in (odd, odd + KEY, KEY + odd, odd + KEY[len(odd) :]):
        assert answer_to(client, shake(sec_websocket_key=bent))[0] == 400
    for bent in (odd, odd + b"chat", b"chat" + odd, b'"' + odd + b'"'):
        code, fields = answer_to(client, shake((PROTOCOL, bent)))
        assert (code, b"sec-websocket-protocol" in fields) == (101, False)
        code, fields = answer_to(client, shake((PROTOCOL, bent + b", chat.v2")))
        assert (code, fields[b"sec-websocket-protocol"]) == (101, b"chat.v2")
    for bent in (
        odd,
        odd + b"permessage-deflate",
        b"permessage-deflate; " + odd,
        b"permessage-deflate=" + odd,
    ):
        code, fields = answer_to(client, shake((EXTENSIONS, bent)))
        assert (code, b"sec-websocket-extensions" in fields) == (101, False)
        code, fields = answer_to(client, shake((EXTENSIONS, bent + b", permessage-deflate")))
        assert code == 101
        assert fields[b"sec-websocket-extensions"].startswith(b"permessage-deflate")
    for bent in (odd, b"http://t" + odd, b"http://" + odd, odd + b"http://t"):
        assert answer_to(client, shake((b"Origin", bent)))[0] == 403
    for bent in (odd, b"t" + odd):
        assert answer_to(client, shake(host=bent))[0] == 400
    assert answer_to(client, shake((b"X-" + odd, b"x")))[0] == 400
    assert answer_to(client, shake((b"X-Any", odd)))[0] == 101
    assert answer_to(client, shake(target=b"/" + odd))[0] == 400
    assert [each for each in client.reports if each.exception is not None] == []


def test_a_handler_that_chooses_sees_tokens_only() -> None:
    """RFC 6455 §4.1: what is no token names no subprotocol, so no odd text reaches the application."""
    seen = list[list[str]]()

    def select(offered: list[str]) -> str | None:
        seen.append(offered)
        return None

    client = client_of(talk, select_protocol=select)
    for odd in ODD.values():
        answer_to(client, shake((PROTOCOL, b"a, " + odd + b", b" + odd + b", b")))
    assert seen == [["a", "b"]] * len(ODD)


# ---------------------------------------------------------------------------------------------------------------- as a client


def asked(*, subprotocols: tuple[str, ...] = ("chat",)) -> Connection:
    """Make a client that waits for the answer to its handshake."""
    conn = connection("client")
    offer = "permessage-deflate; client_max_window_bits"
    head = request(host="t", target="/", random=counted, subprotocols=subprotocols, extensions=(offer,))
    assert isinstance(head.websocket, Offer)
    conn.send(head, 0.0)
    conn.send(BodyEnd(), 0.0)
    fetched(conn)
    return conn


def switched(*more: tuple[bytes, bytes], **changes: bytes) -> bytes:
    """Make a 101 as `shake` makes a request."""
    own = {
        b"Upgrade": b"websocket",
        b"Connection": b"Upgrade",
        b"Sec-WebSocket-Accept": accept_key(b64encode(counted(16))),
    }
    changed = {name.replace("_", "-").lower(): value for name, value in changes.items()}
    fields = [(name, changed.get(name.decode().lower(), value)) for name, value in own.items()]
    lines = b"".join(b"%s: %s\r\n" % field for field in (*fields, *more))
    return b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n"


def failure_of(data: bytes) -> tuple[str, bytes]:
    """Return the section of the rule that a server's answer breaks, and what we say to that."""
    conn = asked()
    conn.receive_data(data, 0.0)
    events: list[Event] = list(conn)
    assert not conn.is_open
    (failure,) = [each for each in events if isinstance(each, Failure)]
    return failure.error.section, fetched(conn)[0]


def test_a_good_answer_opens() -> None:
    conn = asked()
    conn.receive_data(switched((PROTOCOL, b"chat"), (EXTENSIONS, b"permessage-deflate")), 0.0)
    assert conn.is_open


@pytest.mark.parametrize("name", ODD)
def test_an_answer_that_is_no_ascii_fails_the_handshake(name: str) -> None:
    """RFC 6455 §4.1: nothing is sent to a server that does not keep to it."""
    odd = ODD[name]
    opening = ("RFC 6455 §4.1", b"")
    for bent in (odd, b"websocket" + odd, odd + b"websocket"):
        assert failure_of(switched(upgrade=bent)) == opening
    assert failure_of(switched(connection=b"Upgrade" + odd)) == opening
    assert failure_of(switched(sec_websocket_accept=ACCEPT + odd)) == opening
    for bent in (odd, b"chat" + odd, odd + b"chat"):
        assert failure_of(switched((PROTOCOL, bent))) == opening
    for bent in (odd, b"permessage-deflate" + odd, b"permessage-deflate; " + odd):
        assert failure_of(switched((EXTENSIONS, bent))) == ("RFC 7692 §7.1", b"")
    assert failure_of(switched((b"X" + odd, b"")))[1] == b""


@pytest.mark.parametrize("name", NOISE)
def test_an_answer_with_a_list_that_bombs_fails_the_handshake(name: str) -> None:
    """RFC 6455 §4.1, §9.1."""
    began = time.process_time()
    if not name.startswith("commas"):  # which are a list of nothing
        assert failure_of(switched((EXTENSIONS, filled(NOISE[name]))))[1] == b""
    assert failure_of(switched((PROTOCOL, filled(NOISE[name])))) == ("RFC 6455 §4.1", b"")
    assert time.process_time() - began < 1.0
