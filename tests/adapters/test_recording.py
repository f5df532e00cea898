"""Connections of real servers are recorded, over TLS too, and run again as they ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.leaks import nothing_left
from adapters.peer import Peer
from adapters.secure_peer import secured
from adapters.serving import App, connected, serving, upgraded
from frames import CLOSE_FRAME, TEXT, close_payload, frame
from secure import server_context
from spry_core import Timeouts
from spry_core.testing.transcript import Transcript, read, replay
from spry_system import record_in

pytestmark = pytest.mark.anyio

REQUEST = b"GET /hello/you?token=SECRET HTTP/1.1\r\nHost: test\r\nCookie: sid=SECRET\r\n\r\n"


async def ask(peer: Peer) -> None:
    """Have one request answered."""
    await peer.send(REQUEST)
    assert (await peer.receive_until(b"!")).endswith(b"\r\n\r\nHello, you!")


def recordings(folder: Path) -> list[Transcript]:
    """Return what was recorded, each run again to its end, without a secret."""
    transcripts: list[Transcript] = []
    for path in sorted(folder.iterdir()):
        assert replay(path).is_complete
        assert "SECRET" not in path.read_text("ascii")
        transcripts.append(read(path))
    return transcripts


def events(transcript: Transcript) -> list[str]:
    """Return the names of what the session took."""
    found = [line.entry["event"] for line in transcript.lines if line.kind == "event"]
    return [str(each["is"]) for each in found if isinstance(each, dict)]


async def test_each_connection_is_recorded_and_runs_again(tmp_path: Path) -> None:
    async with nothing_left():
        async with serving(App(), make_connection=record_in(tmp_path)) as server:
            async with await connected(server) as peer:
                await ask(peer)
                await ask(peer)
            async with await upgraded(server, "/echo") as peer:
                await peer.send(frame(TEXT, b"hello"))
                assert await peer.receive(7) == frame(TEXT, b"hello", mask=None)
                await peer.send(frame(CLOSE_FRAME, close_payload(1000)))
                assert await peer.receive_all() == frame(CLOSE_FRAME, close_payload(1000), mask=None)
    first, second = recordings(tmp_path)
    assert events(first) == ["RequestHead", "BodyEnd", "RequestHead", "BodyEnd", "ConnectionEnded"]
    assert events(second) == ["RequestHead", "BodyEnd", "Message", "Close", "ConnectionEnded"]


async def test_over_tls_it_is_recorded_as_it_was_said(tmp_path: Path) -> None:
    """A recording of ciphertext could not be run again."""
    recorder = record_in(tmp_path)
    timeouts = Timeouts(linger=0.05)
    async with (
        serving(App(), ssl_context=server_context(), timeouts=timeouts, make_connection=recorder) as server,
        secured(server) as peer,
    ):
        await ask(peer)
    (transcript,) = recordings(tmp_path)
    assert events(transcript) == ["RequestHead", "BodyEnd", "ConnectionEnded"]


async def test_serving_goes_on_where_nothing_can_be_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "records"
    recorder = record_in(folder)
    folder.rmdir()
    async with serving(App(), make_connection=recorder) as server:
        for _ in range(2):
            async with await connected(server) as peer:
                await ask(peer)
    told = [record.getMessage() for record in caplog.records if record.name == "spry.server"]
    assert told.count("a recording cannot be written: No such file or directory") == 1
