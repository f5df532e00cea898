"""A response that is read piece by piece, and one that never ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from spry_core import Application, Request, Response, sleep
from spry_core.closing import ConnectionLost, ProtocolFailure
from spry_core.testing import Deadlock, TestClient, client_stream
from spry_core.testing.weather import HalfClose, Lane, Weather

app = Application()
gone, written = list[str](), list[int]()


async def ticks(seconds: float) -> AsyncIterator[bytes]:
    try:
        number = 0
        while True:
            yield b"%d," % number
            number += 1
            await sleep(seconds)
    finally:
        gone.append("ticks")


async def lines() -> AsyncIterator[bytes]:
    while True:
        written.append(1_000)
        yield bytes(1_000)


@app.get("/ticks")
async def every_second(request: Request) -> Response:
    return Response(ticks(1.0), status_code=203, headers={"x-kind": "endless"})


@app.get("/flood")
async def flood(request: Request) -> AsyncIterator[bytes]:
    return lines()


@app.get("/three")
async def three(request: Request) -> list[int]:
    return [1, 2, 3]


@app.post("/length")
async def length(request: Request) -> str:
    return str(len(await request.read()))


def test_pieces_come_when_they_are_asked_for() -> None:
    """Time passes for the piece that is waited for, and no further."""
    client = TestClient(app)
    with client.stream("GET", "/ticks") as response:
        assert (response.status_code, response.reason_phrase) == (203, "Non-Authoritative Information")
        assert (response.headers["x-kind"], response.interim) == ("endless", ())
        assert [response.receive(), client.now, response.receive(), client.now] == [b"0,", 0.0, b"1,", 1.0]
        for number, piece in enumerate(response.pieces(), start=2):
            assert piece == b"%d," % number
            if number == 9:
                break
        assert (client.now, response.has_ended) == (9.0, False)


def test_leaving_the_block_cuts_a_response_that_goes_on() -> None:
    gone.clear()
    client = TestClient(app)
    with client.stream("GET", "/ticks"):
        pass
    assert (gone, client.driver.tasks(), client.server.session_count) == (["ticks"], [], 0)
    assert client.get("/three").json() == [1, 2, 3]


def test_leaving_the_block_with_an_error_cuts_it_too() -> None:
    gone.clear()
    client = TestClient(app)
    with pytest.raises(ZeroDivisionError), client.stream("GET", "/ticks"):
        _ = 1 // 0
    client.driver.settle()
    assert (gone, client.server.session_count) == (["ticks"], 0)


def test_a_response_that_has_ended_leaves_its_connection_for_the_next_request() -> None:
    client = TestClient(app)
    with client.stream("GET", "/three") as response:
        assert b"".join(response.pieces()) == b"[1,2,3]"
        assert (response.has_ended, response.receive()) == (True, b"")
    with client.stream("POST", "/length", content=b"abc", headers={"a": "b"}) as response:
        assert response.read().text == "3"
    assert client.get("/three").json() == [1, 2, 3]
    assert client.server.session_count == 1


def test_other_requests_go_over_other_connections_meanwhile() -> None:
    client = TestClient(app)
    with client.stream("GET", "/ticks") as slow, client.stream("GET", "/three") as quick:
        assert client.get("/three").json() == [1, 2, 3]
        assert slow.receive() == b"0,"
        assert quick.read().json() == [1, 2, 3]
    client.driver.settle()
    assert client.server.session_count == 1


def test_who_does_not_read_is_a_slow_reader() -> None:
    """The server writes what its buffers hold, and then waits."""
    written.clear()
    client = TestClient(app)
    with client.stream("GET", "/flood") as response:
        held = sum(written)
        client.advance(5.0)
        assert sum(written) == held < 4 * 65_536
        read = sum(len(response.receive()) for _ in range(20))
        assert read < sum(written) <= read + held


def test_a_wait_for_a_piece_may_have_a_limit() -> None:
    client = TestClient(app)
    with client.stream("GET", "/ticks") as response:
        assert response.receive(timeout=0.5) == b"0,"
        with pytest.raises(TimeoutError):
            response.receive(timeout=0.25)
        assert client.now == 0.25
        assert (response.receive(timeout=0.75), client.now) == (b"1,", 1.0)


def test_getting_what_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_stream, "MAX_PIECES", 500)
    with TestClient(app) as client:
        with pytest.raises(Deadlock) as caught:
            client.get("/ticks")
        content = sum(len(f"{number},") for number in range(501))
        assert str(caught.value) == (
            f"the answer to GET /ticks has not ended after 501 pieces, {content} bytes (time 500.0): "
            "`client.stream` reads one piece after the other"
        )
        assert client.get("/three").json() == [1, 2, 3]


def test_getting_what_is_too_big_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_stream, "MAX_CONTENT", 100_000)
    client = TestClient(app)
    with pytest.raises(
        Deadlock, match=r"^the answer to GET /flood has not ended after \d+ pieces, 1\d{5} bytes"
    ):
        client.get("/flood")
    assert client.get("/three").json() == [1, 2, 3]


def test_a_connection_that_ends_in_the_content_is_an_error() -> None:
    broken = Application()

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        await sleep(1.0)  # a reset overtakes what was not read
        raise LookupError

    @broken.get("/")
    async def handler(request: Request) -> AsyncIterator[bytes]:
        return half()

    client = TestClient(broken)
    with client.stream("GET", "/") as response:
        assert response.receive() == b"half"
        with pytest.raises((ConnectionLost, ProtocolFailure)):
            response.receive()


def test_content_that_ends_too_early_fails_the_connection() -> None:
    """A chunked message without its last chunk is incomplete (RFC 9112 §8)."""
    client = TestClient(app, weather=Weather(to_client=Lane(accident=HalfClose(at=0.5))))
    with client.stream("GET", "/ticks") as response:
        assert response.receive() == b"0,"
        with pytest.raises(ProtocolFailure):
            response.receive()


def test_leaving_the_block_with_an_error_leaves_a_response_that_has_ended_alone() -> None:
    client = TestClient(app)
    response = client.stream("GET", "/three")
    response.read()
    error = KeyError()
    response.__exit__(KeyError, error, None)
    assert client.get("/three").json() == [1, 2, 3]
    assert client.server.session_count == 1
