"""The opening handshake of one WebSocket: what the 101 says, and when it is sent."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from frames import CLOSE_FRAME, TEXT, close_payload, frame
from sockets import SWITCH, UPGRADE, client_of, errors, messages, refused
from spry_core import (
    Application,
    ConnectionLost,
    Limits,
    Next,
    Outcome,
    ReadyState,
    Request,
    Timeouts,
    WebSocket,
    WebSocketStateError,
    sleep,
)
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.events import Offer, RequestHead
from spry_core.testing import Cancelled, MemoryPeer, TestClient
from spry_core.web.upgrade import WebSocketHandler


def talk(ws: WebSocket, request: Request) -> None:
    """Leave the connection open."""


def upgrade(*fields: str) -> bytes:
    """Return an opening handshake with more fields."""
    return UPGRADE[:-2] + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"


def switch(*fields: str) -> bytes:
    """Return the 101 with more fields."""
    return SWITCH[:-2] + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"


# Subprotocols


@pytest.mark.parametrize(
    ("offered", "selected"),
    [(("b", "a"), "a"), (("c", "b"), "b"), (("c",), None), ((), None)],
)
def test_of_the_routes_subprotocols_the_first_that_is_offered_is_selected(
    offered: tuple[str, ...], selected: str | None
) -> None:
    """RFC 6455 §4.2.2: the server's own order of preference."""
    with client_of(talk, protocols=("a", "b")).ws("/", subprotocols=offered) as ws:
        assert ws.protocol == selected
        assert ws.headers.get("sec-websocket-protocol") == selected


def test_a_function_may_select_and_gets_what_is_offered_in_the_clients_order() -> None:
    seen = list[list[str]]()

    def sync(offered: list[str]) -> str | None:
        seen.append(offered)
        return offered[-1] if len(offered) > 1 else None

    async def asynchronous(offered: list[str]) -> str | None:
        await sleep(1.0)
        return sync(offered)

    for select in (sync, asynchronous):
        client = client_of(talk, select_protocol=select)
        assert client.ws("/", subprotocols=("b", "a")).protocol == "a"
        assert client.ws("/", subprotocols=("b",)).protocol is None
        assert client.ws("/").protocol is None
    assert seen == [["b", "a"], ["b"]] * 2


@pytest.mark.parametrize("offered", [(), ("other",)])
def test_without_a_common_subprotocol_a_route_may_refuse(offered: tuple[str, ...]) -> None:
    client = client_of(talk, protocols=("chat",), require_protocol=True)
    response = refused(lambda: client.ws("/", subprotocols=offered))
    assert (response.status_code, response.text, errors(client)) == (400, "no common subprotocol", [])
    assert client.ws("/", subprotocols=("chat",)).protocol == "chat"


def test_a_selected_subprotocol_that_was_not_offered_is_a_500_and_logged() -> None:
    """RFC 6455 §4.2.2."""
    client = client_of(talk, select_protocol=lambda offered: "mine")
    assert refused(lambda: client.ws("/", subprotocols=("theirs",))).status_code == 500
    what = "ValueError(\"select_protocol chose 'mine', which the client did not offer\")"
    assert errors(client) == [f'40 127.0.0.1:50000 "GET /": ValueError in the application {what}']


# Compression


@pytest.mark.parametrize(
    ("compression", "offered", "agreed"),
    [
        (None, "permessage-deflate", ()),
        (True, "x-webkit-deflate-frame, other", ()),
        (True, "permessage-deflate; server_max_window_bits=7", ()),
        (
            True,
            "permessage-deflate; client_max_window_bits",
            ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",),
        ),
        (
            Deflate(server_max_window_bits=15, client_max_window_bits=15),
            "other, permessage-deflate; server_max_window_bits=7, permessage-deflate; server_no_context_takeover",
            ("permessage-deflate; server_no_context_takeover",),
        ),
    ],
    ids=repr,
)
def test_compression_is_what_the_first_acceptable_offer_and_the_route_agree_on(
    compression: Deflate | None, offered: str, agreed: tuple[str, ...]
) -> None:
    """RFC 7692 §5, §7.1."""
    seen = list[tuple[str, ...]]()
    client = client_of(lambda ws, request: seen.append(ws.extensions), compression=compression)
    stream = client.connect()
    stream.send(upgrade(f"Sec-WebSocket-Extensions: {offered}"))
    fields = [f"Sec-WebSocket-Extensions: {each}" for each in agreed]
    assert (stream.take(), seen) == (switch(*fields), [agreed])


def test_messages_are_compressed_as_the_route_says() -> None:
    """RFC 7692 §7.2.1: level and threshold are the sender's own business."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.send("Hello")
        await ws.send("Hello", compress=True)
        await ws.send("Hello, hello", compress=False)
        await ws.send("Hello, hello")

    compression = Deflate(threshold=6, server_no_context_takeover=True)
    stream = client_of(handler, compression=compression).connect()
    stream.send(upgrade("Sec-WebSocket-Extensions: permessage-deflate"))
    received = stream.take()
    wire = received[received.index(b"\r\n\r\n") + 4 :]
    assert wire[:7] == b"\x81\x05Hello"
    assert wire[7:16] == bytes.fromhex("c107f248cdc9c90700")  # RFC 7692 §7.2.3.1
    assert wire[16:30] == b"\x81\x0cHello, hello"
    assert (wire[30], wire[31:32]) == (0xC1, bytes([len(wire) - 32]))


# Accepting by hand


def opened_by_hand(
    handler: WebSocketHandler, *fields: str, timeouts: Timeouts | None = None, protocols: tuple[str, ...] = ()
) -> tuple[TestClient, MemoryPeer]:
    """Send an opening handshake to a route that accepts by hand."""
    client = client_of(handler, accept="manual", timeouts=timeouts, protocols=protocols)
    stream = client.connect()
    stream.send(upgrade(*fields))
    return client, stream


def test_the_handler_may_choose_the_subprotocol_and_add_fields() -> None:
    """RFC 6455 §4.2.2."""
    chosen = list[str | None]()
    app = Application()

    async def stamp(request: Request, next: Next) -> Outcome:
        request.upgrade_headers["x-stamp"] = "1"
        return await next()

    app.middleware.use(stamp)

    @app.ws("/", accept="manual", protocols=("a", "b"))
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept("c", {"x-room": "hall"})
        chosen.append(ws.protocol)

    stream = TestClient(app).connect()
    stream.send(upgrade("Sec-WebSocket-Protocol: b, c"))
    assert (stream.take(), chosen) == (
        switch("Sec-WebSocket-Protocol: c", "X-Stamp: 1", "X-Room: hall"),
        ["c"],
    )


def test_without_a_word_the_subprotocol_is_chosen_as_the_route_says() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept()

    _, stream = opened_by_hand(handler, "Sec-WebSocket-Protocol: b, a", protocols=("a", "b"))
    assert stream.take() == switch("Sec-WebSocket-Protocol: a")


def test_what_the_client_did_not_offer_or_no_101_can_have_is_refused_and_may_be_mended() -> None:
    raised = list[str]()

    async def handler(ws: WebSocket, request: Request) -> None:
        tries: list[tuple[str | None, Mapping[str, str]]] = [
            ("d", {}),
            (None, {"x\n": "1"}),
            (None, {"sec-websocket-accept": "mine"}),
        ]
        for protocol, headers in tries:
            try:
                await ws.accept(protocol, headers)
            except ValueError as error:
                raised.append(str(error))
        await ws.accept("a", {"x": "1"})

    _, stream = opened_by_hand(handler, "Sec-WebSocket-Protocol: a")
    assert stream.take() == switch("Sec-WebSocket-Protocol: a", "X: 1")
    assert raised == [
        "accept chose 'd', which the client did not offer",
        "the field name 'x\\n' is not a token (RFC 9110 §5.6.2)",
        "the opening handshake sets Sec-WebSocket-Accept itself (RFC 6455 §4)",
    ]


def test_it_is_accepted_once() -> None:
    raised = list[str]()

    async def handler(ws: WebSocket, request: Request) -> None:
        for _ in range(2):
            try:
                await ws.accept()
            except WebSocketStateError as error:
                raised.append(str(error))

    _, stream = opened_by_hand(handler)
    assert (stream.take(), raised) == (SWITCH, ["the WebSocket is accepted already"])


def test_a_route_that_accepts_by_itself_has_accepted() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept()

    client = client_of(handler)
    stream = client.connect()
    stream.send(UPGRADE)
    assert stream.take() == SWITCH + frame(CLOSE_FRAME, close_payload(1011), mask=None)
    assert [each.split(": ", 1)[1] for each in errors(client)] == [
        "WebSocketStateError in the application WebSocketStateError('the WebSocket is accepted already')"
    ]


def test_of_two_tasks_that_accept_one_does() -> None:
    outcomes = list[str]()

    async def slowly(offers: list[str]) -> str:
        await sleep(1.0)
        return offers[0]

    async def handler(ws: WebSocket, request: Request) -> None:
        client.driver.start(accept, ws)
        await accept(ws)

    async def accept(ws: WebSocket) -> None:
        try:
            await ws.accept()
            outcomes.append("accepted")
        except WebSocketStateError:
            outcomes.append("too late")

    client = client_of(handler, accept="manual", select_protocol=slowly)
    stream = client.connect()
    stream.send(upgrade("Sec-WebSocket-Protocol: a"))
    client.advance(1.0)
    assert (stream.take(), outcomes) == (switch("Sec-WebSocket-Protocol: a"), ["accepted", "too late"])


def test_who_was_refused_cannot_be_accepted_any_more() -> None:
    sockets = list[WebSocket]()

    async def handler(ws: WebSocket, request: Request) -> str:
        sockets.append(ws)
        return "no"

    client, stream = opened_by_hand(handler)
    (ws,) = sockets
    assert stream.take().startswith(b"HTTP/1.1 200 OK\r\n")
    assert (ws.ready_state, bool(ws.closed), ws.close_info) == (ReadyState.CLOSED, True, None)
    with pytest.raises(WebSocketStateError, match="the opening handshake has got another answer"):
        client.driver.run(ws.accept)


def test_a_handler_that_takes_too_long_is_cancelled_and_the_answer_is_a_503() -> None:
    """`Timeouts.opening`: to the answer, whatever the handler waits for."""
    ends = list[str]()

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await sleep(60.0)
        except Cancelled:
            ends.append(ws.ready_state.name)
            raise

    client, stream = opened_by_hand(handler, timeouts=Timeouts(opening=5.0))
    client.advance(4.9)
    assert (stream.take(), ends) == (b"", [])
    client.advance(0.1)
    assert stream.take().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert (ends, client.driver.tasks()) == (["CONNECTING"], [])


def test_a_handler_that_accepted_in_time_has_no_such_deadline() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept()
        await sleep(60.0)
        await ws.send("still here")

    client, stream = opened_by_hand(handler, timeouts=Timeouts(opening=5.0, ping_interval=None))
    client.advance(60.0)
    assert stream.take() == SWITCH + b"\x81\x0astill here"


def test_a_peer_that_leaves_before_the_101_is_noticed_by_who_accepts() -> None:
    raised = list[type[Exception]]()

    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(1.0)
        try:
            await ws.accept()
        except ConnectionLost as error:
            raised.append(type(error))
            raise

    client, stream = opened_by_hand(handler)
    stream.reset()
    client.advance(1.0)
    assert (raised, errors(client)) == ([ConnectionLost], [])


def test_a_server_that_shuts_down_accepts_nothing() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(1.0)
        await ws.accept()

    client, stream = opened_by_hand(handler)
    client.shutdown(grace=5.0)
    client.advance(1.0)
    assert stream.take().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


def test_a_cancelled_accept_has_sent_nothing() -> None:
    async def handler(ws: WebSocket, request: Request) -> str:
        task = client.driver.start(accept, ws)
        task.cancel()
        while not task.is_done:
            await sleep(0)
        return "no"

    async def accept(ws: WebSocket) -> None:
        await ws.accept()

    client = client_of(handler, accept="manual")
    stream = client.connect()
    stream.send(UPGRADE)
    client.advance(0.0)
    assert stream.take().startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_accept_that_is_cancelled_while_it_chooses_has_sent_nothing_and_may_be_tried_again() -> None:
    async def slowly(offers: list[str]) -> str:
        await sleep(1.0)
        return offers[0]

    async def handler(ws: WebSocket, request: Request) -> None:
        task = client.driver.start(accept, ws)
        await sleep(0.5)
        task.cancel()
        await sleep(1.0)
        await ws.accept("b")

    async def accept(ws: WebSocket) -> None:
        await ws.accept()

    client = client_of(handler, accept="manual", select_protocol=slowly)
    stream = client.connect()
    stream.send(upgrade("Sec-WebSocket-Protocol: a, b"))
    client.advance(1.4)
    assert stream.take() == b""
    client.advance(0.2)
    assert stream.take() == switch("Sec-WebSocket-Protocol: b")


def test_frames_behind_the_opening_handshake_wait_for_the_101() -> None:
    """RFC 6455 §4.1."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(1.0)
        await ws.accept()
        await ws.send(f"got {await ws.receive()!r}")

    client = client_of(handler, accept="manual")
    stream = client.connect()
    stream.send(UPGRADE + messages("early"))
    client.advance(1.0)
    assert stream.take() == SWITCH + b"\x81\x0bgot 'early'"


@pytest.mark.parametrize("who", ["the route", "the handler", "another task"])
def test_the_end_may_cancel_the_handler_whoever_has_accepted(who: str) -> None:
    notes = list[str]()

    async def handler(ws: WebSocket, request: Request) -> None:
        sockets.append(ws)
        if who == "the handler":
            await ws.accept()
        try:
            await sleep(60.0)
        except Cancelled:
            notes.append("cancelled")
            raise

    async def accept() -> None:
        await sockets[0].accept()

    sockets = list[WebSocket]()
    client = client_of(handler, accept="auto" if who == "the route" else "manual", on_disconnect="cancel")
    stream = client.connect()
    stream.send(UPGRADE)
    if who == "another task":
        client.driver.start(accept)
        client.driver.settle()
    assert (stream.take(), notes) == (SWITCH, [])
    stream.reset()
    assert (notes, errors(client), client.driver.tasks()) == (["cancelled"], [], [])


def test_a_handler_that_is_over_before_the_end_is_cancelled_by_nobody() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept()

    client, stream = opened_by_hand(handler)
    assert stream.take() == SWITCH
    stream.reset()
    assert (errors(client), client.driver.tasks()) == ([], [])


def test_before_the_101_the_end_cancels_nobody() -> None:
    """It is a request of HTTP until then, whose handler goes on."""
    notes = list[str]()

    async def handler(ws: WebSocket, request: Request) -> str:
        await sleep(1.0)
        notes.append("went on")
        return "nobody gets this"

    client = client_of(handler, accept="manual", on_disconnect="cancel")
    stream = client.connect()
    stream.send(UPGRADE)
    stream.reset()
    client.advance(1.0)
    assert (notes, errors(client)) == (["went on"], [])


def test_the_limits_of_the_route_hold_from_the_101_on() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept()

    client = client_of(handler, accept="manual", max_message_size=5, limits=Limits(max_message_size=1))
    stream = client.connect()
    stream.send(UPGRADE + messages("12345"))
    assert stream.take() == SWITCH
    stream.send(frame(TEXT, b"123456"))
    assert stream.take() == frame(CLOSE_FRAME, close_payload(1009), mask=None)


# The request


def test_the_head_of_an_opening_handshake_is_the_same_behind_the_101() -> None:
    heads = list[RequestHead]()

    async def look(request: Request, next: Next) -> Outcome:
        heads.append(request.head)
        return await next()

    def note(ws: WebSocket, request: Request) -> None:
        heads.append(request.head)

    app = Application()
    app.middleware.use(look)
    app.ws("/", note)
    stream = TestClient(app).connect()
    stream.send(
        upgrade("Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate", "X: 1")
    )
    before, behind = heads
    assert before == behind
    assert isinstance(behind.websocket, Offer)
    assert (behind.websocket.subprotocols, behind.websocket.extensions) == (
        ("a", "b"),
        ("permessage-deflate",),
    )
