"""A few seconds of the long runs; `python3 dev.py soak` does the whole. And that their judge sees what must never be."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from random import Random
from typing import Final

import pytest

from soak import chaos, idle, stopping
from soak.chaos import Report
from soak.clients import Cut, Wrong, answer, closed, message, post
from soak.proxy import TOXICS, Proxy
from soak.server import BACKENDS

SEED: Final = 20261122
SECONDS: Final = 2.5
CLIENTS: Final = 12
SIGNALS: Final = 5
"""On each backend."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_lost_doubled_or_reordered_on_a_bad_network(backend: str) -> None:
    report = chaos.run(backend, SECONDS, CLIENTS, SEED)
    assert report.wrong == []
    assert report.connections > CLIENTS
    assert {outcome for _, _, outcome in report.outcomes} == {"whole", "cut"}
    assert report.messages > 100


@pytest.mark.parametrize("number", range(SIGNALS))
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signal_at_any_moment_ends_it_in_good_order_and_in_time(backend: str, number: int) -> None:
    """RFC 6455 §7.4.1: 1001 says that a server is going down."""
    assert stopping.run(backend, SEED + number) == []


MOST: Final = {
    "http": {"asyncio": 4.3, "uvloop": 4.9, "trio": 4.3},
    "websocket": {"asyncio": 9.8, "uvloop": 10.4, "trio": 13.0},
}
"""KiB, a third more than was measured."""


@pytest.mark.parametrize("kind", idle.KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_idle_connections_take_little_and_nobody_waits_among_them(backend: str, kind: str) -> None:
    report = idle.run(backend, kind, 400)
    assert MOST[kind][backend] / 2 < report.each < MOST[kind][backend]
    assert not report.is_slow


@pytest.mark.parametrize(
    ("calm", "wait", "is_slow"),
    [(0.001, 0.1, False), (0.001, 0.11, True), (0.1, 0.5, False), (0.1, 0.6, True)],
)
def test_a_busy_machine_makes_no_server_slow(calm: float, wait: float, is_slow: bool) -> None:
    assert idle.Report("http", 1, 1.0, calm, wait, wait).is_slow is is_slow


def test_no_more_idle_connections_are_opened_than_there_are_descriptors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fifth of a server's descriptors is the application's."""
    limits, asked = [(256, 1000), (256, 1000), (256, resource.RLIM_INFINITY)], list[tuple[int, int]]()

    def get(which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return limits.pop(0)

    def take(which: int, wanted: tuple[int, int]) -> None:
        asked.append(wanted)

    monkeypatch.setattr(resource, "getrlimit", get)
    monkeypatch.setattr(resource, "setrlimit", take)
    assert [idle.affordable(n) for n in (599, 601, 100_000)] == [599, 600, 100_000]
    assert asked == [(1000, 1000), (1000, 1000), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)]


# --------------------------------------------------------------------------------------------------------- the judge


def answers(*contents: bytes) -> bytes:
    return b"".join(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(each), each) for each in contents
    )


def judge(sent: bytes) -> int:
    """Let a server say this, whatever it is asked, to a client that expects its own contents back; and end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.write_eof()
        while await reader.read(65536):
            pass
        await closed(writer)

    async def run() -> int:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            return await post(server.sockets[0].getsockname()[1], "name", Random(SEED))

    return asyncio.run(run())


def expected() -> list[bytes]:
    """Return what that client sends."""
    random = Random(SEED)
    return [message("name", number, random).encode() for number in range(random.randrange(1, 12))]


def test_contents_that_come_back_in_order_are_whole() -> None:
    assert judge(answers(*expected())) == len(expected()) > 2


def test_contents_in_another_order_are_wrong() -> None:
    first, second, *others = expected()
    with pytest.raises(Wrong, match="instead of"):
        judge(answers(second, first, *others))


def test_a_content_that_comes_twice_is_wrong() -> None:
    first, *others = expected()
    with pytest.raises(Wrong, match="instead of"):
        judge(answers(first, first, *others))


def test_a_content_that_is_shorter_than_it_was_is_wrong() -> None:
    first, *others = expected()
    with pytest.raises(Wrong, match="instead of"):
        judge(answers(first[:-1], *others))


def test_a_missing_end_is_a_cut() -> None:
    with pytest.raises(Cut):
        judge(answers(*expected())[:-1])


def test_another_status_is_wrong() -> None:
    with pytest.raises(Wrong, match="500"):
        judge(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")


def test_a_chunked_content_is_read_to_its_end() -> None:
    async def run() -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
        )
        reader.feed_eof()
        content = await answer(reader)
        assert reader.at_eof()
        return content

    assert asyncio.run(run()) == b"abcd"


def test_the_growth_is_the_slope_of_memory_behind_the_beginning() -> None:
    report = Report(memory=[(0.0, 0), *((second, 1000 + 10 * second) for second in range(10, 40, 10))])
    assert report.growth() == pytest.approx(36_000)
    assert Report().growth() == 0.0


# --------------------------------------------------------------------------------------------------------- the proxy

SAID: Final = bytes(range(256)) * 300


def through(toxic: str, said: bytes = SAID) -> tuple[bytes, bool]:
    """Have a server's bytes come through a proxy; return what has come, and whether the stream was reset."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        with suppress(OSError):
            await reader.read()
        await closed(writer)

    async def run() -> tuple[bytes, bool]:
        received = b""
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            proxy = Proxy(server.sockets[0].getsockname()[1], Random(SEED))
            await proxy.open()
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.ports[toxic])
            try:
                async with asyncio.timeout(0.5 if TOXICS[toxic].cut == "silence" else 10):
                    while data := await reader.read(65536):
                        received += data
            except ConnectionResetError:
                return received, True
            except TimeoutError:
                return received + b"silence", False
            finally:
                await closed(writer)
                await proxy.close()
        return received, False

    return asyncio.run(run())


@pytest.mark.parametrize(
    "toxic", [name for name, toxic in TOXICS.items() if toxic.is_harmless and name != "slicer"]
)
def test_a_harmless_network_lets_every_byte_through_and_then_the_end(toxic: str) -> None:
    assert through(toxic, SAID[:10_000]) == (SAID[:10_000], False)


def test_one_that_cuts_with_an_end_lets_a_part_through() -> None:
    received, is_reset = through("limit_data")
    assert not is_reset
    assert received == SAID[: len(received)] != SAID


def test_one_that_resets_says_so() -> None:
    received, is_reset = through("reset_peer")
    assert is_reset
    assert received == SAID[: len(received)] != SAID
