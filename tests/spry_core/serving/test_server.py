"""All connections of one application: counted, and ended together, at exact moments."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import cast

import pytest

from secure import SecureClient, server_context
from spry_core import Application, Limits, Request, Timeouts, WebSocket, sleep
from spry_core.errors import LocalProtocolError
from spry_core.protocol import EngineName
from spry_core.serving import LogRecord, Server, StreamInfo
from spry_core.tasks import event, now
from spry_core.testing import (
    Cancelled,
    ClientWebSocket,
    MemoryDriver,
    MemoryPeer,
    MemoryPump,
    TestClient,
    stream,
)
from spry_system.tls import make_tls

app = Application()


@app.get("/slow")
async def slow(request: Request) -> str:
    await sleep(3.0)
    return "done"


@app.get("/forever")
async def forever(request: Request) -> None:
    await event().wait()


@app.ws("/silent")
async def silent(ws: WebSocket, request: Request) -> None:
    await ws.closed


DATE = b"Date: Sat, 01 Jan 2000 00:00:%02d GMT\r\n"


records = list[LogRecord]()


def server(limits: Limits | None = None, timeouts: Timeouts | None = None) -> Server:
    return Server(
        app, limits=limits, timeouts=timeouts, random=bytes, wall_clock=lambda: 0.0, report=records.append
    )


def test_the_settings_are_there_to_be_asked_for() -> None:
    limits, timeouts = Limits(max_body=1), Timeouts(head=1.0)
    one, other = server(), server(limits=limits, timeouts=timeouts)
    assert (one.limits, one.timeouts) == (Limits(), Timeouts())
    assert (other.limits, other.timeouts) == (limits, timeouts)


def test_nothing_can_be_registered_once_there_is_a_server() -> None:
    late = Application()
    Server(late, random=bytes, wall_clock=lambda: 0.0, report=records.append)
    with pytest.raises(LocalProtocolError):
        late.get("/too-late", slow)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="no engine 'fast'"):
        Server(
            app,
            engine=cast("EngineName", "fast"),
            random=bytes,
            wall_clock=lambda: 0.0,
            report=records.append,
        )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: app, "app is an Application, not of type function: call it, if it makes one"),
        ("demo:app", "app is an Application, not of type str"),
    ],
)
def test_what_is_no_application_is_refused_with_a_hint(given: object, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        TestClient(cast("Application", given))
    assert str(caught.value) == message


def test_sessions_are_counted_until_they_are_over() -> None:
    client = TestClient(app, limits=Limits(max_connections=2))
    assert (client.server.session_count, client.server.is_full) == (0, False)
    one, other = client.connect(), client.connect()
    assert (client.server.session_count, client.server.is_full) == (2, True)
    one.close()
    assert (client.server.session_count, client.server.is_full) == (1, False)
    other.reset()
    assert client.server.session_count == 0


def test_a_session_counts_while_a_handler_of_it_runs() -> None:
    client = TestClient(app)
    peer = client.connect()
    peer.send(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n")
    peer.reset()
    assert client.server.session_count == 1
    client.advance(3.0)
    assert client.server.session_count == 0


def test_a_stream_of_which_nothing_is_known_can_be_served() -> None:
    session = server().session(MemoryDriver())
    assert session.stream == StreamInfo()


def test_shutting_down_ends_idle_connections_and_finishes_answers() -> None:
    """RFC 9112 §9.6: the last answer says that it is the last."""
    client = TestClient(app)
    idle, busy = client.connect(), client.connect()
    busy.send(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\nGET /slow HTTP/1.1\r\nHost: t\r\n\r\n")
    client.shutdown()
    assert (idle.received, idle.is_ended, busy.is_ended, client.server.is_closing) == (b"", True, False, True)
    client.advance(3.0)
    assert busy.take() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n"
        b"Connection: close\r\n" + DATE % 3 + b"\r\ndone"
    )
    assert (busy.is_ended, client.server.closed) == (True, False)
    idle.close()
    busy.close()
    assert client.server.closed is True


def test_shutting_down_answers_a_head_that_has_begun_with_503() -> None:
    """RFC 9112 §9.6."""
    client = TestClient(app)
    peer = client.connect()
    peer.send(b"GET /slow HT")
    client.shutdown()
    assert peer.received == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n"
        b"Connection: close\r\n" + DATE % 0 + b"\r\nService Unavailable\n"
    )
    assert peer.is_ended is True


def test_shutting_down_closes_websockets() -> None:
    """RFC 6455 §7.4.1."""
    client = TestClient(app)
    ws = client.ws("/silent")
    client.shutdown(1012, "restart")
    info = ws.close_info
    assert info is not None
    assert (info.close_code, info.close_reason, info.initiator, client.server.closed) == (
        1012,
        "restart",
        "remote",
        True,
    )


TICK = 2.0**-20
"""The shortest step of time that is looked at, in seconds; floats hold it exactly beside whole ones."""


def test_at_the_end_of_the_grace_what_still_runs_is_cancelled() -> None:
    client = TestClient(app, timeouts=Timeouts(grace=4.0))
    peer = client.connect()
    peer.send(b"GET /forever HTTP/1.1\r\nHost: t\r\n\r\n")
    client.shutdown()
    client.advance(4.0 - TICK)
    assert len(client.driver.tasks()) == 1
    client.advance(TICK)
    assert client.driver.tasks() == []


def test_after_the_grace_and_the_close_timeout_the_stream_is_cut() -> None:
    stubborn = Application()

    @stubborn.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        await event().wait()

    client = TestClient(stubborn, timeouts=Timeouts(grace=4.0, close_timeout=9.0))
    peer = client.connect()
    peer.send(
        b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    peer.take()
    client.shutdown()
    assert peer.take() == b"\x88\x02\x03\xe9"
    client.advance(9.0 - TICK)
    assert peer.is_reset is False
    client.advance(TICK)
    assert peer.is_reset is True


def closed(*websockets: ClientWebSocket) -> list[bool]:
    return [ws.close_info is not None for ws in websockets]


def test_websockets_may_be_ended_in_batches_and_idle_connections_at_once() -> None:
    client = TestClient(app)
    idle = client.connect()
    websockets = [client.ws("/silent") for _ in range(5)]
    client.shutdown(grace=100.0, batch=2, interval=10.0)
    assert (idle.is_ended, closed(*websockets)) == (True, [True, True, False, False, False])
    client.advance(9.9)
    assert closed(*websockets) == [True, True, False, False, False]
    client.advance(0.1)
    assert closed(*websockets) == [True, True, True, True, False]
    client.advance(10.0)
    assert (closed(*websockets), client.now) == ([True] * 5, 20.0)


def test_at_the_end_of_the_grace_no_batch_is_waited_for() -> None:
    client = TestClient(app)
    websockets = [client.ws("/silent") for _ in range(3)]
    client.shutdown(grace=5.0, batch=1, interval=10.0)
    client.advance(4.9)
    assert closed(*websockets) == [True, False, False]
    client.advance(0.1)
    assert closed(*websockets) == [True, True, True]


def test_without_a_grace_batches_keep_their_interval() -> None:
    client = TestClient(app, timeouts=Timeouts(grace=None))
    websockets = [client.ws("/silent") for _ in range(2)]
    client.shutdown(batch=1, interval=1000.0)
    client.advance(1000.0)
    assert closed(*websockets) == [True, True]


def test_a_second_shutdown_ends_all_batches_if_it_shortens_the_grace() -> None:
    client = TestClient(app, timeouts=Timeouts(grace=None))
    websockets = [client.ws("/silent") for _ in range(3)]
    client.shutdown(batch=1, interval=10.0)
    client.shutdown()
    assert closed(*websockets) == [True, False, False]
    client.shutdown(grace=1.0)
    assert closed(*websockets) == [True, True, True]


def test_a_stream_that_was_accepted_a_moment_before_is_ended_too() -> None:
    client = TestClient(app)
    client.shutdown()
    ours, theirs = stream()
    pump = MemoryPump(client.driver, theirs, "connection")
    session = client.server.session(pump.driver)
    pump.start(session, session)
    peer = MemoryPeer(client.driver, ours)
    client.driver.settle()
    assert (peer.received, peer.is_ended, client.server.closed) == (b"", True, False)


def test_a_second_shutdown_changes_nothing_but_the_grace() -> None:
    client = TestClient(app)
    ws = client.ws("/silent")
    peer = client.connect()
    peer.send(b"GET /forever HTTP/1.1\r\nHost: t\r\n\r\n")
    client.server.shutdown(client.now, 1001, grace=100.0)
    client.server.shutdown(client.now, 1012)
    client.server.shutdown(client.now, 1012, grace=2.0)
    client.driver.settle()
    assert ws.close_info is not None
    assert ws.close_info.close_code == 1001
    client.advance(1.9)
    assert len(client.driver.tasks()) == 1
    client.advance(0.1)
    assert client.driver.tasks() == []


@pytest.mark.parametrize(
    ("code", "grace", "batch", "interval"),
    [
        (1005, None, None, 0.0),
        (999, None, None, 0.0),
        (1001, None, 0, 0.0),
        (1001, -1.0, None, 0.0),
        (1001, math.nan, None, 0.0),
        (1001, None, 1, -1.0),
    ],
)
def test_a_shutdown_that_cannot_be_is_refused_and_changes_nothing(
    code: int, grace: float | None, batch: int | None, interval: float
) -> None:
    """RFC 6455 §7.4."""
    one = server()
    with pytest.raises(ValueError):
        one.shutdown(0.0, code, grace=grace, batch=batch, interval=interval)
    assert one.is_closing is False


def test_aborting_cuts_every_stream_and_cancels_every_handler() -> None:
    ends = list[type[BaseException]]()
    aborted = Application()

    @aborted.get("/")
    async def handler(request: Request) -> None:
        try:
            await event().wait()
        except BaseException as error:
            ends.append(type(error))
            raise

    client = TestClient(aborted)
    peers = [client.connect(), client.connect()]
    peers[0].send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    client.server.abort(client.now)
    client.driver.settle()
    assert ([peer.is_reset for peer in peers], ends, client.server.closed) == (
        [True, True],
        [Cancelled],
        True,
    )


def living(seconds: float) -> Application:
    """Make an application whose lifespan takes so long to start, and as long to end."""
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        await sleep(seconds)
        yield
        await sleep(seconds)

    return app


def server_of(app: Application) -> tuple[Server, MemoryDriver]:
    one = Server(app, random=bytes, wall_clock=lambda: 0.0, report=records.append)
    driver = MemoryDriver()
    return one, driver


def test_no_session_is_made_before_the_lifespan_has_started() -> None:
    one, driver = server_of(living(2.0))
    with pytest.raises(LocalProtocolError, match="before the lifespan has started"):
        one.session(driver)
    one.start(driver)
    driver.settle()
    assert (one.has_started, one.next_deadline()) == (False, 2.0)
    one.handle_deadline(2.0)
    driver.settle()
    assert (one.has_started, one.failure, one.next_deadline()) == (True, None, None)
    one.session(driver)
    assert one.session_count == 1


def test_a_server_that_closes_cannot_be_started() -> None:
    one, driver = server_of(living(2.0))
    one.shutdown(0.0)
    with pytest.raises(LocalProtocolError, match="is closing"):
        one.start(driver)
    assert one.closed is True


def test_it_is_closed_when_the_lifespan_is_over_too() -> None:
    client = TestClient(living(2.0))
    assert client.get("/").status_code == 404
    client.server.shutdown(client.now)
    client.driver.settle()
    assert (client.server.session_count, client.server.closed) == (0, False)
    client.advance(1.9)
    assert client.server.closed is False
    client.advance(0.1)
    assert client.server.closed is True


@pytest.mark.parametrize("shorten", [False, True])
def test_a_lifespan_has_the_grace_to_start(shorten: bool) -> None:
    one, driver = server_of(living(9.0))
    one.start(driver)
    driver.settle()
    one.shutdown(0.0, grace=None if shorten else 4.0)
    if shorten:
        one.shutdown(1.0, grace=3.0)
    assert one.next_deadline() == 4.0
    one.handle_deadline(4.0)
    driver.settle()
    assert (one.has_started, one.closed, one.failure) == (False, True, None)


@pytest.mark.parametrize(
    ("grace", "later", "end"),
    [
        (10.0, None, 15.0),  # 10 seconds of grace and 5 to close
        (0.0, None, 5.0),
        (10.0, 2.0, 8.0),  # shortened after one second
        (None, None, 60.0),  # for as long as it takes
    ],
)
def test_a_lifespan_that_does_not_end_is_cancelled(
    grace: float | None, later: float | None, end: float
) -> None:
    client = TestClient(living(60.0), timeouts=Timeouts(grace=None))
    client.get("/")
    begin = client.now
    client.shutdown(grace=grace)
    if later is not None:
        client.advance(1.0)
        client.shutdown(grace=later)
    client.advance(begin + end - 0.25 - client.now)
    assert client.server.closed is False
    client.advance(0.25)
    assert (client.server.closed, client.server.failure) == (True, None)
    assert faults(client) == ([] if grace is None else ["lifespan: cancelled, it took too long to end"])


def faults(client: TestClient) -> list[str]:
    return [each.text for each in client.reports if each.logger == "spry.error"]


def test_a_lifespan_whose_sessions_used_up_the_grace_may_still_close() -> None:
    app = living(4.75)
    ends: list[float] = []

    @app.get("/slow")
    async def slow(request: Request) -> None:
        try:
            await sleep(100)
        finally:
            ends.append(now())

    client = TestClient(app)
    peer = client.connect()
    peer.send(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n")
    begin = client.now
    client.shutdown(grace=10.0)
    client.advance(10.0)
    assert (ends, client.server.session_count) == ([begin + 10.0], 1)
    client.advance(2.0)  # the peer has that long to read the answer and to end
    assert client.server.session_count == 0
    client.advance(4.5)
    assert client.server.closed is False
    client.advance(0.25)
    assert client.server.closed is True
    client.server.handle_deadline(client.now + 1.0)  # what was to cancel it comes too late
    assert faults(client) == []


def test_aborting_cancels_the_lifespan() -> None:
    client = TestClient(living(2.0))
    assert client.get("/").status_code == 404
    client.server.abort(client.now)
    client.driver.settle()
    assert (client.server.closed, client.server.failure) == (True, None)


def test_nothing_is_served_any_more_when_the_lifespan_has_ended_by_itself() -> None:
    failing = Application()

    @failing.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        raise KeyError("no database")
        yield

    one, driver = server_of(failing)
    one.start(driver)
    driver.settle()
    assert (one.is_closing, one.closed, repr(one.failure)) == (True, True, "KeyError('no database')")


def test_a_shutdown_is_logged_once() -> None:
    client = TestClient(app)
    client.connect()
    client.shutdown(grace=2.0)
    client.shutdown(grace=1.0)
    assert [(each.logger, each.text) for each in client.reports] == [
        ("spry.server", "shutting down, 1 connection, 2 s of grace")
    ]


def secure(server: Server, driver: MemoryDriver) -> MemoryPeer:
    """Accept a stream over TLS; return the client's end."""
    ours, theirs = stream()
    pump = MemoryPump(driver, ours, "a TLS stream")
    pump.start(server.tls_session(pump.driver, StreamInfo(secure=True), make_tls(server_context())))
    return MemoryPeer(driver, theirs)


def test_a_stream_counts_as_a_connection_from_the_beginning_of_its_tls_handshake() -> None:
    server, driver = server_of(Application())
    secure(server, driver)
    assert server.session_count == 1


@pytest.mark.parametrize("hello", [b"", SecureClient().say()[:100]], ids=["silent", "begun"])
def test_a_shutdown_ends_a_tls_handshake_at_once(hello: bytes) -> None:
    server, driver = server_of(Application())
    peer = secure(server, driver)
    if hello:
        peer.send(hello)
    server.shutdown(driver.now())
    driver.settle()
    assert peer.take() == b""
    assert peer.is_ended
    assert server.closed


def test_an_abort_resets_a_tls_handshake() -> None:
    server, driver = server_of(Application())
    peer = secure(server, driver)
    server.abort(driver.now())
    driver.settle()
    assert peer.is_reset
    assert server.closed


def test_a_stream_accepted_a_moment_before_is_ended_too_when_it_speaks_tls() -> None:
    server, driver = server_of(Application())
    server.shutdown(driver.now())
    peer = secure(server, driver)
    driver.settle()
    assert peer.is_ended
    assert server.closed


def test_a_tls_stream_that_failed_counts_until_it_is_gone() -> None:
    """Its session may be over before, but its descriptor is not."""
    server, driver = server_of(Application())
    stage = server.tls_session(driver.lend("pump", lambda: None), StreamInfo(), make_tls(server_context()))
    client = SecureClient()
    for _ in range(2):
        stage.receive_data(client.say(), 0.0)
        client.hear(b"".join(each for each in stage.data_to_send() if isinstance(each, bytes)))
    assert server.session_count == 1
    stage.receive_eof(0.0)
    assert server.session_count == 1
    stage.connection_lost(None, 0.0)
    assert server.session_count == 0


def test_no_tls_session_is_made_before_the_lifespan_has_started() -> None:
    server, driver = server_of(living(1.0))
    with pytest.raises(LocalProtocolError, match="before the lifespan has started"):
        secure(server, driver)


def test_a_server_that_has_never_served_logs_no_shutdown() -> None:
    unready = Application()

    @unready.lifespan
    async def prepare(app: Application) -> AsyncGenerator[None]:
        yield

    told = list[LogRecord]()
    server = Server(unready, random=bytes, wall_clock=lambda: 0.0, report=told.append)
    server.shutdown(0.0)
    assert (server.closed, told) == (True, [])
