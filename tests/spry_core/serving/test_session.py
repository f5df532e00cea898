"""One connection meets one application: tasks, ends, and what is logged of them."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar

import pytest

from clients import GET, answering, closing, faults, held, http, lines, opened, waiting, websocket
from eager import EagerDriver
from fakes import pause
from sockets import SWITCH, UPGRADE
from spry_core import (
    Abort,
    Application,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    Limits,
    Next,
    Outcome,
    Request,
    Response,
    Rethrow,
    Timeouts,
    WebSocket,
    sleep,
)
from spry_core.errors import HandshakeRejected, RemoteProtocolError
from spry_core.protocol import ABORT, Connection
from spry_core.serving import LogRecord, Server
from spry_core.tasks import event, scope
from spry_core.testing import (
    Cancelled,
    ClientResponse,
    MemoryDriver,
    MemoryPeer,
    MemoryPump,
    TestClient,
    stream,
)
from spry_core.testing.transcript import MemoryRecorder

DATE = b"Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"


def text(content: bytes) -> bytes:
    """Return the answer with this text, at time 0."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % len(
        content
    )
    return head + DATE + b"\r\n" + content


# Requests


def test_a_request_is_answered() -> None:
    async def handler(request: Request) -> str:
        return "hello"

    peer = http(handler).connect()
    peer.send(GET)
    assert peer.received == text(b"hello")


def test_an_idle_connection_keeps_nothing_of_the_last_request() -> None:
    async def handler(request: Request) -> bytes:
        request.locals["mark"] = mark
        return await request.read()

    mark = object()
    client = http(handler)
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc")
    assert peer.take().endswith(b"abc")
    gc.collect()
    requests = [each for each in gc.get_objects() if type(each) is Request]
    assert [each for each in requests if each.locals.get("mark") is mark] == []
    peer.send(GET)
    assert peer.take().endswith(b"\r\n\r\n")


def test_pipelined_requests_are_answered_in_order() -> None:
    """RFC 9112 §9.3.2."""

    async def handler(request: Request) -> str:
        name = request.params["name"]
        await sleep(1.0 if name == "slow" else 0.0)
        return name

    client = http(handler, path="/:name", timeouts=Timeouts(head=None))
    peer = client.connect()
    peer.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: t\r\n\r\n" % name for name in (b"slow", b"fast", b"last")))
    assert peer.received == b""
    assert len(client.driver.tasks()) == 1
    client.advance(1.0)
    contents = [part[-4:] for part in peer.received.split(b"HTTP/1.1 200 OK")[1:]]
    assert contents == [b"slow", b"fast", b"last"]


def test_each_request_has_context_variables_of_its_own() -> None:
    variable = ContextVar[str]("variable", default="untouched")
    seen = list[str]()

    async def handler(request: Request) -> None:
        seen.append(variable.get())
        variable.set("touched")

    peer = http(handler).connect()
    peer.send(GET + GET)
    peer.send(GET)
    assert seen == ["untouched"] * 3


def test_no_task_is_there_while_a_connection_idles() -> None:
    async def handler(request: Request) -> None:
        """Answer 204."""

    client = http(handler)
    peer = client.connect()
    assert client.driver.tasks() == []
    peer.send(GET)
    assert (client.driver.tasks(), peer.received) == ([], b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n")


def test_content_is_fed_as_it_arrives() -> None:
    pieces = list[bytes]()

    async def handler(request: Request) -> None:
        async for piece in request.body:
            pieces.append(piece)

    peer = http(handler).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.send(b"2\r\nab\r\n")
    assert pieces == [b"ab"]
    peer.send(b"1\r\nc\r\n0\r\nSum: 1\r\n\r\n")
    assert pieces == [b"ab", b"c"]
    assert peer.received.startswith(b"HTTP/1.1 204 ")


# What applications do wrong


def test_a_callback_that_raises_is_an_error_of_the_handler() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        def on_message(message: str | bytes) -> None:
            raise LookupError("of the callback")

        ws.listen(on_message)

    client = websocket(handler)
    ws = client.ws("/")
    ws.send("a")
    assert ws.close().close_code == 1011
    assert [repr(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        "LookupError('of the callback')"
    ]


# What peers do wrong


def test_a_broken_request_is_answered_and_logged_in_one_line() -> None:
    """RFC 9112 §3.2: two Host fields."""

    async def handler(request: Request) -> None:
        raise AssertionError("not called")

    client = http(handler)
    peer = client.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert peer.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    (record,) = client.reports
    assert (record.logger, record.level, record.exception, record.text.count("\n")) == (
        "spry.error",
        30,
        None,
        0,
    )
    assert record.text.startswith("127.0.0.1:50000")


def test_a_connection_that_breaks_does_not_touch_the_others() -> None:
    async def handler(request: Request) -> str:
        return "fine"

    client = http(handler)
    other = client.connect()
    client.connect().send(b"\x00\x01\x02\r\n\r\n")
    other.send(GET)
    assert other.received == text(b"fine")


def test_broken_content_reaches_the_handler_as_the_end_of_the_connection() -> None:
    errors = list[BaseException]()

    async def handler(request: Request) -> None:
        try:
            await request.read()
        except ConnectionClosed as error:
            errors.append(error)
            raise

    client = http(handler)
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n")
    assert peer.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert [type(error) for error in errors] == [ConnectionLost]


def test_a_websocket_that_breaks_the_protocol_is_failed_and_logged() -> None:
    """RFC 6455 §5.1: a client masks."""
    infos = list[CloseInfo]()

    async def handler(ws: WebSocket, request: Request) -> None:
        infos.append(await ws.closed)

    client = websocket(handler)
    peer = opened(client)
    peer.send(b"\x81\x01a")
    assert peer.take() == b"\x88\x02\x03\xea"
    peer.close()
    assert [(info.close_code, type(info.cause)) for info in infos] == [(1002, RemoteProtocolError)]
    assert [record.level for record in client.reports if record.logger == "spry.error"] == [30]


# Ends


def test_asking_for_content_of_a_peer_that_has_left_raises() -> None:
    errors = list[BaseException]()

    async def handler(request: Request) -> None:
        try:
            await request.read()
        except ConnectionClosed as error:
            errors.append(error)
            raise

    client = http(handler)
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
    peer.reset()
    assert [type(error) for error in errors] == [ConnectionLost]
    assert [record.logger for record in client.reports if record.exception is not None] == []


def test_a_websocket_whose_stream_is_lost_is_told_as_1006() -> None:
    errors = list[ConnectionClosed]()

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await ws.receive()
        except ConnectionClosed as error:
            errors.append(error)
            raise

    client = websocket(handler)
    opened(client).reset()
    assert [(type(error), error.close_code) for error in errors] == [(ConnectionLost, 1006)]
    assert [record.logger for record in client.reports] == ["spry.access"]


def test_a_handler_may_be_cancelled_when_the_connection_ends() -> None:
    seen = list[str]()

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await event().wait()
        finally:
            seen.append("cleaned up")

    client = websocket(handler, on_disconnect="cancel")
    opened(client).reset()
    assert (seen, client.server.session_count) == (["cleaned up"], 0)


def test_middleware_resumes_with_how_the_connection_ended() -> None:
    outcomes = list[tuple[type[object], int]]()
    app = Application()

    async def note(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, CloseInfo)
        outcomes.append((type(outcome), outcome.close_code))
        return outcome

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        """Return at once; the connection stays open."""

    app.middleware.use(note)
    ws = TestClient(app).ws("/")
    assert outcomes == []
    ws.close(4001)
    assert outcomes == [(CloseInfo, 4001)]


def test_an_opening_handshake_that_is_not_answered_in_time_is_a_503_and_cancels() -> None:
    seen = list[type[BaseException]]()
    app = Application()

    async def stuck(request: Request, next: Next) -> Outcome:
        try:
            await event().wait()
        except BaseException as error:
            seen.append(type(error))
            raise
        return await next()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise AssertionError("not called")

    app.middleware.use(stuck)
    client = TestClient(app, timeouts=Timeouts(opening=10.0))
    with pytest.raises(HandshakeRejected) as caught:
        client.ws("/")
    assert isinstance(caught.value.response, ClientResponse)
    assert (caught.value.response.status_code, client.now, seen) == (503, 10.0, [Cancelled])


def test_a_request_whose_offer_is_ignored_has_all_the_time_of_a_request() -> None:
    """RFC 9110 §7.8: on a path without a WebSocket an offer is as if it had not been made."""

    async def handler(request: Request) -> str:
        await sleep(60.0)
        return "plain"

    client = http(handler)
    peer = client.connect()
    peer.send(UPGRADE)
    client.advance(60.0)
    assert peer.take() == text(b"plain").replace(b"00:00:00", b"00:01:00")
    assert lines(client) == ['127.0.0.1:50000 "GET /" 200 5 B 60000.0 ms']


def test_keepalive_pings_go_out_and_pongs_are_taken() -> None:
    """RFC 6455 §5.5.2."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.closed

    client = websocket(handler, timeouts=Timeouts(ping_interval=20.0, ping_timeout=5.0))
    peer = opened(client)
    client.advance(20.0)
    ping = peer.take()
    assert (ping[:2], len(ping)) == (b"\x89\x04", 6)
    peer.send(b"\x8a\x84\0\0\0\0" + ping[2:])
    client.advance(20.0)
    assert peer.take()[:2] == b"\x89\x04"
    client.advance(5.0)
    assert peer.take() == b"\x88\x13\x03\xf3keepalive timeout"


def test_a_ping_of_the_peer_is_answered_although_nobody_reads() -> None:
    """RFC 6455 §5.5.3."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await event().wait()

    peer = opened(websocket(handler))
    peer.send(b"\x89\x82\0\0\0\0hi")
    assert peer.received == b"\x8a\x02hi"


def test_senders_wait_for_a_slow_reader_and_go_on_when_there_is_room() -> None:
    sent = list[int]()

    async def handler(ws: WebSocket, request: Request) -> None:
        for number in range(10):
            await ws.send(bytes(60_000))
            sent.append(number)

    peer = websocket(handler).connect()
    peer.is_reading = False
    peer.send(UPGRADE)
    assert sent == [0, 1]  # one is in the pipe, one unsent and under the water mark; the third waits
    peer.is_reading = True
    assert sent == list(range(10))
    assert peer.received == SWITCH + (b"\x82\x7e\xea\x60" + bytes(60_000)) * 10


def test_a_session_can_be_told_to_end_alone() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.closed

    client = websocket(handler)
    other = opened(client)
    ours, theirs = stream()
    pump = MemoryPump(client.driver, theirs, "connection")
    session = client.server.session(pump.driver)
    pump.start(session, session)
    peer = MemoryPeer(client.driver, ours)
    peer.send(UPGRADE)
    session.shutdown(client.now)
    client.driver.settle()
    assert (peer.take(), other.take()) == (SWITCH + b"\x88\x02\x03\xe9", b"")
    peer.close()
    assert session.closed is True
    session.shutdown(client.now)
    assert session.data_to_send() == []


# The log


def test_each_request_is_one_access_line() -> None:
    async def handler(request: Request) -> Response:
        await sleep(0.25)
        return Response("made", status_code=201)

    client = http(handler)
    client.get("/")
    assert lines(client) == ['127.0.0.1:50000 "GET /" 201 4 B 250.0 ms']
    assert [(record.logger, record.level) for record in client.reports] == [("spry.access", 20)]


def test_each_websocket_is_one_access_line_at_its_end() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.closed

    client = websocket(handler)
    ws = client.ws("/")
    client.advance(1.5)
    assert lines(client) == []
    ws.close()
    assert lines(client) == [
        '127.0.0.1:50000 "GET /" websocket 1000 by remote, 0 in (0 B), 0 out (0 B), 1500.0 ms'
    ]


def test_without_the_access_log_only_faults_are_recorded() -> None:
    told = list[LogRecord]()

    app = Application()

    @app.get("/")
    async def fail(request: Request) -> None:
        raise LookupError

    @app.ws("/ws")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise LookupError

    driver = MemoryDriver()
    server = Server(app, random=bytes, wall_clock=lambda: 0.0, report=told.append, access_log=False)
    for request in (GET, UPGRADE.replace(b"/", b"/ws", 1)):
        ours, theirs = stream()
        pump = MemoryPump(driver, theirs, "connection")
        session = server.session(pump.driver)
        pump.start(session, session)
        peer = MemoryPeer(driver, ours)
        peer.send(request)
        peer.close()
    assert server.session_count == 0
    assert [(each.logger, each.level) for each in told] == [("spry.error", 40), ("spry.error", 40)]


def test_what_a_peer_sends_is_escaped_and_cut_in_the_log() -> None:
    async def handler(request: Request) -> None:
        """Answer 204."""

    client = http(handler)
    client.get('/"%22' + "x" * 5000)
    (line,) = lines(client)
    assert len(line) < 300
    assert "\n" not in line


# From outside, and inside out


def test_without_a_grace_handlers_are_left_alone() -> None:
    client = http(waiting, timeouts=Timeouts(grace=None))
    session, peer = held(client)
    peer.send(GET)
    session.shutdown(client.now)
    client.advance(1e6)
    assert len(client.driver.tasks()) == 1


def test_a_websocket_that_is_not_closed_in_time_is_cut() -> None:
    client = websocket(closing, timeouts=Timeouts(close_timeout=9.0))
    session, peer = held(client)
    peer.send(UPGRADE)
    session.shutdown(client.now, grace=0.0)
    client.driver.settle()
    client.advance(8.9)
    assert (peer.take(), peer.is_reset) == (SWITCH + b"\x88\x02\x03\xe9", False)
    client.advance(0.1)
    assert (peer.is_reset, session.closed) == (True, True)


def swallow(task: object) -> None:
    pass


@pytest.mark.parametrize(
    ("close_timeout", "said"),
    [
        (5.0, ['peer "GET /": still running 5 s after it was cancelled; the shutdown waits for it']),
        (None, []),  # it has had no time to end
    ],
)
def test_a_handler_that_swallows_its_cancellation_is_named_once(
    close_timeout: float | None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = http(waiting, timeouts=Timeouts(close_timeout=close_timeout))
    session, peer = held(client)
    peer.send(GET)
    (task,) = client.driver.tasks()
    monkeypatch.setattr(type(task), "cancel", swallow)
    session.shutdown(client.now, grace=2.0)
    session.shutdown(client.now, grace=1.5)
    client.advance(6.4)
    assert lines(client) == ([] if close_timeout else said)
    client.advance(10.0)
    assert (lines(client), peer.is_reset, session.closed) == (said, True, False)


def test_an_answer_that_nobody_reads_is_cut_after_the_grace_and_the_close_timeout() -> None:
    async def handler(request: Request) -> bytes:
        return bytes(1_000_000)

    client = http(handler, timeouts=Timeouts(write=None, close_timeout=5.0))
    session, peer = held(client)
    peer.is_reading = False
    peer.send(GET)
    session.shutdown(client.now, grace=2.0)
    client.advance(6.9)
    assert peer.is_reset is False
    client.advance(0.1)
    assert (peer.is_reset, session.closed) == (True, True)


def test_an_aborted_session_is_cut_and_its_handlers_cancelled() -> None:
    client = http(waiting)
    session, peer = held(client)
    peer.send(GET)
    session.abort(client.now)
    client.driver.settle()
    assert (peer.is_reset, session.closed, client.driver.tasks()) == (True, True, [])


def test_what_is_started_after_the_cancellation_is_cancelled_at_once() -> None:
    client = http(waiting)
    session, _ = held(client)
    seen = list[str]()

    async def late() -> None:
        seen.append("begun")
        await event().wait()
        seen.append("not reached")

    session.abort(client.now)
    session.start(late)
    client.driver.settle()
    assert (seen, session.closed) == (["begun"], True)


def test_an_error_of_our_own_costs_the_connection_and_nothing_else() -> None:
    client = http(answering)
    session, peer = held(client)

    async def broken() -> None:
        raise LookupError("of our own")

    session.start(broken)
    client.driver.settle()
    assert (peer.is_reset, session.closed) == (True, True)
    assert [(record.level, record.text, repr(record.exception)) for record in client.reports] == [
        (40, "peer: internal error", "LookupError('of our own')")
    ]
    assert client.get("/").text == "fine"


def half_close(peer: MemoryPeer) -> None:
    peer.half_close()


def begin_frame(peer: MemoryPeer) -> None:
    peer.send(b"\x81")


def ping(peer: MemoryPeer) -> None:
    peer.send(b"\x89\x80\0\0\0\0")


@pytest.mark.parametrize(
    ("step", "do"),
    [
        ("receive_data", begin_frame),
        ("take_event", ping),
        ("bytes_written", ping),
        ("receive_eof", half_close),
    ],
)
def test_want_of_memory_costs_the_connection_and_one_line(
    monkeypatch: pytest.MonkeyPatch, step: str, do: Callable[[MemoryPeer], None]
) -> None:
    """Its handler sees the end of the connection, which is no error of the application."""
    seen = list[ConnectionClosed]()

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await ws.receive()
        except ConnectionClosed as error:
            seen.append(error)
            raise

    client = websocket(handler)
    peer, other = opened(client), opened(client)

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(Connection, step, fail)
    do(peer)
    assert peer.is_reset
    assert [(type(error), error.close_code) for error in seen] == [(ConnectionLost, 1006)]
    assert not other.is_reset
    told = [record for record in client.reports if record.logger == "spry.error"]
    assert [(record.level, record.text, record.exception) for record in told] == [
        (40, '127.0.0.1:50000 "GET /": out of memory, connection aborted', None)
    ]


def test_a_streamed_answer_goes_on_when_the_peer_reads_again() -> None:
    async def handler(request: Request) -> Iterator[bytes]:
        return iter([bytes(60_000)] * 5)

    peer = http(handler).connect()
    peer.is_reading = False
    peer.send(GET)
    peer.is_reading = True
    assert peer.received.count(b"\r\nea60\r\n") == 5
    assert peer.received.endswith(b"\r\n0\r\n\r\n")


def test_a_callback_may_send_while_it_is_called() -> None:
    """It runs inside `receive_data`: the pump looks at everything afterwards by itself."""

    async def handler(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)

    peer = opened(websocket(handler))
    peer.send(b"\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b")
    assert peer.received == b"\x81\x01a\x81\x01b"


def test_a_callback_may_end_the_websocket_while_it_is_called() -> None:
    """RFC 6455 §5.5.1. It runs inside `receive_data`, too."""

    async def handler(ws: WebSocket, request: Request) -> None:
        def on_message(message: str | bytes) -> None:
            ws.close(4000)

        ws.listen(on_message)

    peer = opened(websocket(handler))
    peer.send(b"\x81\x81\0\0\0\0a")
    assert peer.received == b"\x88\x02\x0f\xa0"


def test_a_task_that_cuts_its_websocket_wakes_the_others_before_the_stream_is_gone() -> None:
    codes = list[int | None]()

    async def read(ws: WebSocket) -> None:
        try:
            await ws.receive()
        except ConnectionClosed as error:
            codes.append(error.close_code)

    async def handler(ws: WebSocket, request: Request) -> None:
        async with scope() as tasks:
            tasks.start_soon(read, ws)
            await pause()
            await pause()
            ws.abort()

    driver = EagerDriver()
    session = websocket(handler).server.session(driver)
    session.receive_data(UPGRADE, 7.0)
    for _ in range(4):
        driver.run()
    assert (codes, session.data_to_send(), session.closed) == ([1006], [ABORT], False)


def test_what_bytes_lead_to_that_come_inside_of_a_call_waits_for_the_end_of_that_call() -> None:
    """A driver that writes at once may come back in with the answer to what it has written."""
    order = list[str]()

    async def note(name: str) -> None:
        order.append(f"task of {name}")

    async def handler(ws: WebSocket, request: Request) -> None:
        async with scope() as tasks:

            def on_message(message: str | bytes) -> None:
                tasks.start_soon(note, str(message))
                if message == "a":
                    session.receive_data(b"\x81\x81\0\0\0\0b", 7.0)
                order.append(f"callback of {message!s}")

            ws.listen(on_message)
            await event().wait()

    driver = EagerDriver()
    session = websocket(handler).server.session(driver)
    driver.is_pumping = True
    session.receive_data(UPGRADE, 7.0)
    driver.run()
    session.receive_data(b"\x81\x81\0\0\0\0a", 7.0)
    assert order == ["callback of a", "callback of b", "task of a", "task of b"]


def test_an_answer_may_be_given_inside_of_the_call_that_brought_its_request() -> None:
    """Then nobody has to be told to look: the pump does so after its call."""
    driver = EagerDriver()
    session = http(answering).server.session(driver)
    driver.is_pumping = True
    session.receive_data(GET, 7.0)
    assert (b"".join(each for each in session.data_to_send() if isinstance(each, bytes)), driver.notes) == (
        text(b"fine"),
        [],
    )


def test_messages_come_one_by_one_out_of_a_connection_that_is_recorded() -> None:
    seen = list[str | bytes]()

    async def handler(ws: WebSocket, request: Request) -> None:
        ws.listen(seen.append)

    app = Application()
    app.ws("/", handler)
    recorder = MemoryRecorder()
    peer = opened(TestClient(app, record=recorder))
    peer.send(b"\x81\x81\0\0\0\0a\x82\x81\0\0\0\0b")
    assert seen == ["a", b"b"]


def test_a_broken_pipelined_request_is_not_blamed_on_the_one_before() -> None:
    client = http(answering)
    peer = client.connect()
    peer.send(GET + b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    failures = [record.text for record in client.reports if record.logger == "spry.error"]
    assert len(failures) == 1
    assert failures[0].startswith("127.0.0.1:50000: ")


def test_room_for_an_answer_that_belongs_to_no_request_wakes_nobody() -> None:
    client = http(answering, limits=Limits(high_water=0))
    peer = client.connect()
    peer.send(b"\x00\r\n\r\n")
    assert peer.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")


# Whose fault it is, and what the log says of it


def test_the_text_of_an_exception_stays_in_the_log() -> None:
    async def handler(request: Request) -> None:
        raise LookupError("secret")

    client = http(handler)
    assert (client.get("/").text, faults(client)) == (
        "Internal Server Error",
        [(40, '127.0.0.1:50000 "GET /": LookupError in the application', "LookupError('secret')")],
    )
    assert lines(client)[1:] == ['127.0.0.1:50000 "GET /" 500 21 B 0.0 ms']


def test_an_answer_that_broke_off_says_so_in_the_log() -> None:
    async def handler(request: Request) -> Iterator[bytes]:
        return iter([bytes(60_000)] * 10)

    client = http(handler)
    peer = client.connect()
    peer.is_reading = False
    peer.send(GET)
    peer.reset()
    assert lines(client) == ['127.0.0.1:50000 "GET /" 200 incomplete 180000 B 0.0 ms']


def test_an_answer_that_the_connection_gave_is_in_the_log() -> None:
    """RFC 9110 §15.5.9."""

    async def handler(request: Request) -> None:
        await request.read()

    client = http(handler, timeouts=Timeouts(body=5.0))
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
    client.advance(5.0)
    assert peer.received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert lines(client) == [
        '127.0.0.1:50000 "POST /": the content came too slowly (RFC 9110 §15.5.9)',
        '127.0.0.1:50000 "POST /" 408 5000.0 ms',
    ]


def test_a_websocket_that_its_handler_outlives_is_logged_at_its_own_end() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(60.0)

    client = websocket(handler)
    peer = opened(client)
    client.advance(1.0)
    peer.reset()
    assert lines(client) == [
        '127.0.0.1:50000 "GET /" websocket 1006 by transport, 0 in (0 B), 0 out (0 B), 1000.0 ms'
    ]
    client.advance(59.0)
    assert (len(lines(client)), client.server.session_count) == (1, 0)


def test_a_websocket_whose_handler_is_cancelled_is_logged_all_the_same() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(60.0)

    client = websocket(handler)
    peer = opened(client)
    client.shutdown(grace=1.0)
    peer.send(b"\x88\x82\0\0\0\0\x03\xe9")
    peer.close()
    client.advance(1.0)
    assert lines(client) == [
        "shutting down, 1 connection, 1 s of grace",
        '127.0.0.1:50000 "GET /" websocket 1001 by shutdown, 0 in (0 B), 0 out (0 B), 0.0 ms',
    ]


def test_a_hostile_peer_makes_one_line_of_bounded_length() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.closed

    app = Application()
    app.ws("/**", handler)
    client = TestClient(app)
    peer = client.connect()
    peer.send(UPGRADE.replace(b"/", b"/" + b"%0a" * 2000, 1))
    peer.take()
    peer.send(b"\xff\xff" * 100)
    (fault,) = faults(client)
    assert fault[1].startswith('127.0.0.1:50000 "GET /%0a%0a')
    assert (len(fault[1]) <= 200, fault[0], fault[2]) == (True, 30, "None")


def test_the_answer_to_an_opening_handshake_that_took_too_long_is_in_the_log() -> None:
    app = Application()

    async def stuck(request: Request, next: Next) -> Outcome:
        await event().wait()
        return await next()

    app.middleware.use(stuck)
    app.ws("/", closing)
    client = TestClient(app, timeouts=Timeouts(opening=3.0))
    peer = client.connect()
    peer.send(UPGRADE)
    client.advance(3.0)
    assert peer.take().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert lines(client) == [
        '127.0.0.1:50000 "GET /": the opening handshake took too long (RFC 9110 §15.6.4)',
        '127.0.0.1:50000 "GET /" 503 3000.0 ms',
    ]


async def mirror(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        async for piece in request.body:
            yield piece.upper()

    return Response(pieces())


def test_content_can_be_streamed_back_while_it_comes() -> None:
    """RFC 9110 §10.1.1: the first piece that the stream asks for is what invites the content."""
    peer = http(mirror).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert peer.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    peer.send(b"3\r\nabc\r\n")
    assert peer.take() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        + DATE
        + b"Transfer-Encoding: chunked\r\n\r\n3\r\nABC\r\n"
    )
    peer.send(b"2\r\nde\r\n")
    assert peer.take() == b"2\r\nDE\r\n"
    peer.send(b"0\r\n\r\n")
    assert (peer.take(), peer.is_ended) == (b"0\r\n\r\n", False)


def test_a_peer_that_does_not_read_what_is_streamed_back_is_not_read_either() -> None:
    size = 4_000_000
    peer = http(mirror, limits=Limits(max_body=size)).connect()
    peer.is_reading = False
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size)
    taken = size - peer.unread
    assert 65_536 < taken < 500_000  # the pipe, the high-water mark, what is read ahead
    peer.is_reading = True
    head, _, content = peer.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (content.count(b"A"), content[-5:], peer.unread) == (size, b"0\r\n\r\n", 0)


def test_the_errors_of_an_application_can_be_told_as_the_client_wants_them() -> None:
    """RFC 9110 §12.5.1: which content an error has is for a filter to negotiate."""
    app = Application()

    @app.exceptions.filter(Abort)
    def tell(error: Abort, request: Request) -> Response:
        if "application/json" not in request.headers.get("accept", ""):
            raise Rethrow
        return Response.json({"error": error.status_code}, error.status_code, error.headers)

    @app.post("/")
    async def page(request: Request) -> None:
        await request.json()

    client = TestClient(app)
    wanted = {"accept": "application/json"}
    assert client.get("/nowhere").text == "Not Found"
    assert client.get("/nowhere", headers=wanted).json() == {"error": 404}
    assert client.post("/", headers=wanted, content="no JSON").json() == {"error": 400}
    denied = client.get("/", headers=wanted)
    assert (denied.json(), denied.headers["allow"]) == ({"error": 405}, "OPTIONS, POST")


def test_what_is_only_strange_is_a_warning_without_a_traceback() -> None:
    async def handler(ws: WebSocket, request: Request) -> str:
        return "nobody gets this"

    app = Application()
    app.ws("/", handler)
    client = TestClient(app)
    opened(client)
    (report,) = [each for each in client.reports if each.logger == "spry.error"]
    assert (report.level, report.exception) == (30, None)
    assert report.text.startswith("what the WebSocket handler ")
    assert report.text.endswith("returned (str) is ignored: the 101 was the answer")


def test_a_message_can_be_taken_in_pieces() -> None:
    pieces = list[str | bytes]()

    async def handler(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            async for piece in message:
                pieces.append(piece)

    peer = opened(websocket(handler))
    peer.send(b"\x01\x82\0\0\0\0ab")
    assert pieces == ["ab"]
    peer.send(b"\x80\x81\0\0\0\0c")
    assert pieces == ["ab", "c"]
