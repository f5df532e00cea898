"""Bytes on their way: when they arrive, how they are cut, and what may happen to them."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core import Application, Request, Timeouts, WebSocket
from spry_core.closing import ConnectionClosed, ConnectionLost
from spry_core.testing import Deadlock, MemoryDriver, TestClient
from spry_core.testing.pipe import End
from spry_core.testing.weather import (
    SEGMENT,
    Accident,
    HalfClose,
    Lane,
    Loss,
    Reset,
    Weather,
    WeatherPipe,
)

Trace = list[tuple[float, bytes | str]]


def watched(end: End, driver: MemoryDriver, *, size: int = 1 << 20) -> Trace:
    """Read whatever comes to `end` at once, and note when it came."""
    trace: Trace = []

    def read() -> None:
        while data := end.incoming.read(size):
            trace.append((driver.now(), data))
        if end.incoming.is_reset:
            trace.append((driver.now(), "reset"))
        elif end.incoming.is_finished:
            trace.append((driver.now(), "end"))

    end.incoming.wake_reader = read
    return trace


def test_bytes_take_their_time_in_each_direction() -> None:
    driver = MemoryDriver()
    weather = Weather(to_server=Lane(latency=0.5), to_client=Lane(latency=2.0))
    ours, theirs = weather.stream(driver)
    there, back = watched(theirs, driver), watched(ours, driver)
    ours.outgoing.write(b"ping")
    theirs.outgoing.write(b"pong")
    assert (there, len(ours.outgoing)) == ([], 4)
    driver.advance(3.0)
    assert (there, back) == ([(0.5, b"ping")], [(2.0, b"pong")])
    assert len(ours.outgoing) == 0


def test_without_any_conditions_bytes_arrive_at_once() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather().stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(b"now")
    ours.outgoing.finish()
    assert there == [(0.0, b"now"), (0.0, "end")]


def test_a_bandwidth_is_shared_by_all_that_is_written() -> None:
    """The second write waits until the line is free again."""
    driver = MemoryDriver()
    ours, theirs = Weather(bandwidth=10, latency=1.0).stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(bytes(20))
    ours.outgoing.write(bytes(10))
    driver.advance(2.5)
    ours.outgoing.finish()
    driver.advance(10.0)
    assert there == [(3.0, bytes(20)), (4.0, bytes(10)), (4.0, "end")]


def test_what_is_written_together_travels_in_segments() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(bandwidth=SEGMENT).stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(bytes(2 * SEGMENT + SEGMENT // 2))
    driver.advance(10.0)
    assert there == [(1.0, bytes(SEGMENT)), (2.0, bytes(SEGMENT)), (2.5, bytes(SEGMENT // 2))]


def test_each_piece_is_read_by_itself_and_maybe_in_parts() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(piece=3, cuts=[1, 5]).stream(driver)
    ours.outgoing.write(b"abcdefghij")
    assert [theirs.incoming.read(2) for _ in range(7)] == [b"a", b"bc", b"d", b"e", b"fg", b"h", b"ij"]
    ours.outgoing.write(b"k")
    assert [theirs.incoming.read(9), theirs.incoming.read(9)] == [b"k", b""]


def test_cuts_are_counted_from_the_beginning_of_the_direction() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(cuts=[2, 3]).stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(b"a")
    ours.outgoing.write(b"bcd")
    assert [data for _, data in there] == [b"a", b"b", b"c", b"d"]


def test_jitter_is_drawn_by_the_seed_and_lets_nothing_overtake() -> None:
    def trace(seed: int) -> Trace:
        driver = MemoryDriver()
        ours, theirs = Weather(latency=1.0, jitter=1.0).stream(driver, seed=seed)
        there = watched(theirs, driver)
        for each in b"abcdef":
            ours.outgoing.write(bytes([each]))
        driver.advance(2.0)
        return there

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)
    assert b"".join(data for _, data in trace(1) if isinstance(data, bytes)) == b"abcdef"
    assert all(1.0 <= when <= 2.0 for when, _ in trace(1))


def test_a_reset_overtakes_what_waits_for_the_line() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(bandwidth=10, latency=1.0, piece=10).stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(bytes(30))
    driver.advance(0.5)
    ours.reset()
    driver.advance(10.0)
    assert there == [(1.5, "reset")]


def test_who_writes_to_an_end_that_is_closed_is_reset_a_round_trip_later() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(latency=1.0).stream(driver)
    back = watched(ours, driver)
    theirs.close()
    ours.outgoing.write(b"too late")
    driver.advance(5.0)
    assert back == [(1.0, "end"), (2.0, "reset")]


def test_a_direction_is_lost_behind_so_many_bytes() -> None:
    """What is lost stays unread for its writer, as bytes do that nobody has acknowledged."""
    driver = MemoryDriver()
    ours, theirs = Weather(to_server=Lane(accident=Loss(after=3))).stream(driver)
    there, back = watched(theirs, driver), watched(ours, driver)
    ours.outgoing.write(b"abcde")
    ours.outgoing.finish()
    theirs.outgoing.write(b"still here")
    assert (there, back) == ([(0.0, b"abc")], [(0.0, b"still here")])
    assert len(ours.outgoing) == 2


def test_a_direction_is_lost_from_a_time_on() -> None:
    driver = MemoryDriver(now=100.0)
    ours, theirs = Weather(to_server=Lane(latency=0.5, accident=Loss(at=2.0))).stream(driver)
    there = watched(theirs, driver)
    for _ in range(4):
        ours.outgoing.write(b"a")
        driver.advance(1.0)
    assert there == [(100.5, b"a"), (101.5, b"a")]
    assert len(ours.outgoing) == 2


def test_a_stream_is_cut_behind_so_many_bytes() -> None:
    """A reset overtakes what was not read; here all of it was."""
    driver = MemoryDriver()
    ours, theirs = Weather(
        to_server=Lane(latency=1.0, accident=Reset(after=2)), to_client=Lane(latency=3.0)
    ).stream(driver)
    there, back = watched(theirs, driver), watched(ours, driver)
    ours.outgoing.write(b"abc")
    driver.advance(10.0)
    assert (there, back) == ([(1.0, b"ab"), (1.0, "reset")], [(4.0, "reset")])


def test_an_accident_behind_no_byte_comes_before_the_first() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(to_server=Lane(accident=Reset(after=0))).stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(b"abc")
    assert there == [(0.0, "reset")]


def test_a_direction_ends_in_good_order_and_the_other_goes_on() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(to_server=Lane(latency=1.0, accident=HalfClose(at=3.0))).stream(driver)
    there, back = watched(theirs, driver), watched(ours, driver)
    ours.outgoing.write(b"abc")
    driver.advance(2.5)
    ours.outgoing.write(b"def")
    theirs.outgoing.write(b"go on")
    driver.advance(5.0)
    ours.outgoing.write(b"ghi")
    driver.advance(5.0)
    assert there == [(1.0, b"abc"), (3.0, "end")]
    assert back == [(2.5, b"go on")]
    assert len(ours.outgoing) == 0


def test_an_accident_happens_once() -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(to_server=Lane(accident=HalfClose(after=1))).stream(driver)
    there = watched(theirs, driver)
    ours.outgoing.write(b"ab")
    ours.outgoing.write(b"cd")
    assert there == [(0.0, b"a"), (0.0, "end")]


@pytest.mark.parametrize("accident", [Loss, Reset, HalfClose])
def test_an_accident_has_one_moment(accident: type[Accident]) -> None:
    with pytest.raises(ValueError, match="say when"):
        accident()
    with pytest.raises(ValueError, match="say when"):
        accident(after=1, at=1.0)
    with pytest.raises(ValueError, match="finite and not negative"):
        accident(after=-1)
    with pytest.raises(ValueError, match="finite and not negative"):
        accident(at=float("inf"))


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="latency and jitter"):
        Weather(latency=-1.0)
    with pytest.raises(ValueError, match="latency and jitter"):
        Weather(jitter=float("nan"))
    with pytest.raises(ValueError, match="bandwidth"):
        Weather(bandwidth=0)
    with pytest.raises(ValueError, match="piece"):
        Weather(piece=0)
    with pytest.raises(ValueError, match="cuts"):
        Weather(cuts=[0])
    with pytest.raises(ValueError, match="cuts"):
        Weather(cuts=[2, 2])


def test_weather_shows_itself() -> None:
    assert repr(Weather(latency=1.0, to_client=Lane(accident=Loss(after=3)))) == (
        "Weather(to_server=Lane(latency=1.0, jitter=0.0, bandwidth=None, piece=None, cuts=(), accident=None), "
        "to_client=Lane(latency=0.0, jitter=0.0, bandwidth=None, piece=None, cuts=(), "
        "accident=Loss(after=3, at=None)))"
    )


LANES = st.builds(
    Lane,
    latency=st.floats(0, 100),
    jitter=st.floats(0, 100),
    bandwidth=st.none() | st.floats(0.01, 1e9),
    piece=st.none() | st.integers(1, 50),
    cuts=st.sets(st.integers(1, 60), max_size=5).map(lambda cuts: tuple(sorted(cuts))),
)


@given(lane=LANES, writes=st.lists(st.tuples(st.floats(0, 10), st.binary(max_size=30))), seed=st.integers())
def test_without_losses_the_same_bytes_arrive_in_order_and_never_early(
    lane: Lane, writes: list[tuple[float, bytes]], seed: int
) -> None:
    driver = MemoryDriver()
    ours, theirs = Weather(to_server=lane).stream(driver, seed=seed)
    there = watched(theirs, driver)
    sent: Trace = []
    for pause, data in writes:
        driver.advance(pause)
        sent += [(driver.now(), data[at : at + 1]) for at in range(len(data))]
        ours.outgoing.write(data)
    ours.outgoing.finish()
    driver.wait_until(lambda: bool(there) and there[-1][1] == "end", "the end")
    pieces = [(when, data) for when, data in there if isinstance(data, bytes)]
    came = [(when, data[at : at + 1]) for when, data in pieces for at in range(len(data))]
    assert [byte for _, byte in came] == [byte for _, byte in sent]
    assert all(arrived >= left + lane.latency for (left, _), (arrived, _) in zip(sent, came, strict=True))
    total = len(came)
    edges = {*accumulate(len(data) for _, data in pieces)}
    assert {cut for cut in lane.cuts if cut < total} <= edges
    assert there[-1][1] == "end"
    assert [what for _, what in there].count("end") == 1


# ----------------------------------------------------------------------------------------------- below an application

app = Application()


@app.ws("/echo")
async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


@app.get("/big")
async def big(request: Request) -> bytes:
    return bytes(100_000)


@app.post("/length")
async def length(request: Request) -> str:
    return str(len(await request.read()))


def test_a_message_and_its_echo_take_a_round_trip() -> None:
    client = TestClient(app, weather=Weather(latency=0.25))
    with client.ws("/echo") as ws:
        assert client.now == 0.5
        ws.send("a")
        assert ws.receive() == "a"
        assert client.now == 1.0
    assert client.now == 1.5  # the server ends the stream with its Close frame


def test_a_big_answer_takes_as_long_as_the_line_needs() -> None:
    client = TestClient(app, weather=Weather(to_client=Lane(bandwidth=10_000)))
    assert client.get("/big").content == bytes(100_000)
    assert client.now == pytest.approx(10.0, abs=0.05)  # the head is sent as well


def test_content_reaches_the_server_in_bad_weather() -> None:
    weather = Weather(latency=0.1, jitter=0.2, bandwidth=20_000, piece=700)
    client = TestClient(app, weather=weather)
    assert client.post("/length", content=bytes(200_000)).text == "200000"
    chunks = (bytes(1_000) for _ in range(20))
    assert client.post("/length", content=chunks, headers={"Expect": "100-continue"}).text == "20000"


def test_one_connection_may_have_a_weather_of_its_own() -> None:
    client = TestClient(app)
    far, near = client.ws("/echo", weather=Weather(latency=5.0)), client.ws("/echo")
    assert client.now == 10.0
    near.send("near")
    assert (near.receive(), client.now) == ("near", 10.0)
    far.send("far")
    assert (far.receive(), client.now) == ("far", 20.0)
    raw = client.connect(weather=Weather(latency=1.0))
    raw.send(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
    assert raw.received == b""
    client.advance(2.0)
    assert raw.received.startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_the_weather_may_change_for_connections_to_come() -> None:
    client = TestClient(app)
    client.weather = Weather(latency=1.0)
    assert (client.post("/length", content=b"abc").text, client.now) == ("3", 2.0)


def test_a_peer_that_is_lost_is_found_by_keepalive() -> None:
    """Its Pongs do not arrive: what a client cannot tell from silence, the server sees as 1011 (and nobody waits for long)."""
    timeouts = Timeouts(ping_interval=20.0, ping_timeout=20.0)
    client = TestClient(app, timeouts=timeouts)
    ws = client.ws("/echo", weather=Weather(to_server=Lane(accident=Loss(at=30.0))))
    with pytest.raises(ConnectionClosed) as caught:
        ws.receive(timeout=3600.0)
    assert (caught.value.close_code, client.now) == (1011, 60.0)


def test_a_lost_answer_is_a_deadlock_and_a_cut_one_a_lost_connection() -> None:
    client = TestClient(app, weather=Weather(to_client=Lane(accident=Loss(after=50))))
    with pytest.raises(Deadlock, match=r"^nothing can bring the answer to GET /big"):
        client.get("/big")
    client = TestClient(app, weather=Weather(to_client=Lane(accident=Reset(after=50))))
    with pytest.raises(ConnectionLost):
        client.get("/big")


def keepalive_trace(seed: int) -> list[object]:
    """Return all that can be seen of ten minutes in bad weather."""
    timeouts = Timeouts(ping_interval=20.0, ping_timeout=20.0)
    client = TestClient(app, seed=seed, timeouts=timeouts)
    ws = client.ws("/echo", weather=Weather(latency=0.3, jitter=1.5, bandwidth=500, piece=3))
    seen: list[object] = []
    for number in range(20):
        ws.send(f"message {number}")
        seen.append((ws.receive(), client.now))
        client.advance(30.0)
        seen.append((list(ws.pings), client.now))
    return seen


def test_bad_weather_is_the_same_for_the_same_seed() -> None:
    assert keepalive_trace(7) == keepalive_trace(7)
    assert keepalive_trace(7) != keepalive_trace(8)


def test_a_pipe_counts_what_is_on_its_way() -> None:
    """A pump keeps to a window of what was written and not read, wherever that is."""
    driver = MemoryDriver()
    ours, theirs = Weather(latency=1.0).stream(driver)
    assert isinstance(ours.outgoing, WeatherPipe)
    ours.outgoing.write(b"abc")
    driver.advance(1.0)
    ours.outgoing.write(b"de")
    assert len(ours.outgoing) == 5
    assert theirs.incoming.read(1) == b"a"
    assert len(ours.outgoing) == 4
