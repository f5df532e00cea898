from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import ASK, BYE, CHUNKED, GET, HANDSHAKE, HELLO, POST, SECRET, app, recorded
from spry_core import Limits, Timeouts
from spry_core.closing import CloseInfo
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    BodyEnd,
    Connection,
    ConnectionEnded,
    Deflate,
    Event,
    Message,
    Ping,
    RequestHead,
    StreamEnd,
)
from spry_core.protocol.handshake import request as opening_handshake
from spry_core.recording.values import Json, as_bytes
from spry_core.testing import MemoryPeer, TestClient
from spry_core.testing.transcript import Difference, MemoryRecorder, Replayed, TranscriptError, parse, replay

ANSWER = b64encode(sha1(b64encode(bytes(16)) + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
CHAT = (HANDSHAKE, HELLO, ASK, BYE)


def run(text: str) -> Replayed:
    """Run a recording again."""
    return replay(parse(text.encode("ascii"), "chat.jsonl"))


def changed(text: str, number: int, entry: Json) -> str:
    """Return a recording with another line in place of this one."""
    lines = text.splitlines()
    lines[number - 1] = json.dumps(entry)
    return "".join(f"{line}\n" for line in lines)


def numbers(text: str, kind: str) -> list[int]:
    """Return which lines are of that kind."""
    return [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(f'{{"{kind}":')]


SAID = st.sampled_from([GET, POST, CHUNKED, HANDSHAKE, HELLO, ASK, BYE, b"\r\n", b"\x00", b"x" * 3000])
DOINGS: st.SearchStrategy[tuple[object, ...]] = st.one_of(
    st.tuples(st.just("send"), SAID, st.tuples(st.integers(1, 60), st.integers(1, 60))),
    st.tuples(st.just("send"), st.binary(min_size=1, max_size=20), st.just(())),
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.5, 5.0, 30.0])),
    st.tuples(st.sampled_from(["half_close", "reset", "close", "stall", "read", "shutdown"])),
)


def do(client: TestClient, peer: MemoryPeer, doing: tuple[object, ...]) -> None:
    """Do one thing of a program."""
    match doing:
        case ("send", bytes(data), (int(first), int(second))):
            for piece in (data[:first], data[first : first + second], data[first + second :]):
                if piece:
                    peer.send(piece)
        case ("send", bytes(data), _):
            peer.send(data)
        case ("advance", float(seconds)):
            client.advance(seconds)
        case ("stall" | "read" as how,):
            peer.is_reading = how == "read"
        case ("shutdown",):
            client.shutdown()
        case (str(name),):
            getattr(peer, name)()
        case _:
            raise AssertionError(doing)


@given(program=st.lists(DOINGS, max_size=12))
def test_whatever_happened_happens_again_and_no_secret_is_told(program: list[tuple[object, ...]]) -> None:
    """The same calls give the same bytes, events and deadlines, to the tick."""
    recorder = MemoryRecorder(redact=["x-key"])
    with TestClient(app(), limits=Limits(max_message_size=1000), record=recorder) as client:
        peer = client.connect()
        for doing in program:
            do(client, peer, doing)
    (recording,) = recorder.recordings
    text = recording.text
    assert run(text) == Replayed(len(recording.lines), is_complete=True)
    for line in recording.lines:
        if "HTTP/1.1 101" in line:
            return  # behind it what looks like a field is what people say to each other
        assert SECRET not in line
        entry: dict[str, Any] = json.loads(line)
        for value in [entry.get("data"), *entry.get("bytes", ())]:
            if value is not None and "end" not in value:
                assert SECRET.encode() not in as_bytes(value)


def test_a_chat_goes_as_it_went() -> None:
    text = recorded(*CHAT)
    assert run(text) == Replayed(len(text.splitlines()), is_complete=True)


def test_a_file_is_read_first(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(recorded(GET))
    assert replay(tmp_path / "a.jsonl").is_complete
    assert replay(str(tmp_path / "a.jsonl"), engine="reference").is_complete


def client_recording(use: Callable[[Connection], None]) -> str:
    """Return the recording of a client's connection."""
    recorder = MemoryRecorder()
    use(recorder("client", now=5.0, random=lambda n: b"\x07" * n, can_half_close=False))
    return recorder.recordings[0].text


def test_a_client_goes_as_it_went() -> None:
    """Its masks are drawn again (RFC 6455 §5.3)."""

    def use(connection: Connection) -> None:
        connection.configure(limits=Limits(max_body=7), timeouts=Timeouts(), deflate=Deflate(level=2))
        connection.send(opening_handshake(host="a", target="/", random=bytes), 5.0)
        connection.send(BodyEnd(), 5.0)
        connection.data_to_send()
        connection.receive_data(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + ANSWER + b"\r\n\r\n\x81\x01a",
            6.0,
        )
        list(connection)
        connection.send(Message(data="hello"), 6.5)
        connection.receive_in_pieces(True, 6.5)
        connection.set_ping_interval(3.0, 6.5)
        connection.handle_deadline(9.5)
        connection.fail(RemoteProtocolError("no", section="s", close_code=1008), 9.5)
        connection.data_to_send()
        connection.receive_eof(9.6)
        connection.abort(9.7, OSError())
        connection.connection_lost(OSError(), 9.8)
        list(connection)

    text = client_recording(use)
    assert '"random"' in text
    assert run(text).is_complete


def test_mistakes_of_the_caller_are_made_again() -> None:
    """Also those with arguments of a wrong kind, of which nothing is left to make again: they changed nothing."""

    def use(connection: Connection) -> None:
        with pytest.raises(LocalProtocolError):
            connection.send(Message(data=5), 5.0)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the mistake
        with pytest.raises(ValueError, match="code"):
            connection.shutdown(5.0, 99)
        connection.ignore_offer()
        connection.release(0, 5.0)

    text = client_recording(use)
    assert len(numbers(text, "raised")) == 2
    assert run(text) == Replayed(len(text.splitlines()), is_complete=False)


@pytest.mark.parametrize("max_size", range(2000, 3400, 100))
def test_a_recording_that_was_cut_goes_as_far_as_it_goes(max_size: int) -> None:
    """Also where it was cut between a call and what came of it."""
    recorder = MemoryRecorder(max_size=max_size)
    with TestClient(app(), record=recorder) as client:
        peer = client.connect()
        peer.send(GET)
        peer.send(GET)
    text = recorder.recordings[0].text
    assert numbers(text, "cut") == [len(text.splitlines())]
    assert run(text) == Replayed(len(text.splitlines()) - 1, is_complete=False)


# ------------------------------------------------------------------------------------------ a core that was changed


def difference(text: str) -> Difference:
    with pytest.raises(Difference) as caught:
        run(text)
    return caught.value


def test_one_byte_that_is_another_is_found_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = recorded(*CHAT)
    number = numbers(text, "bytes")[1]
    honest, count = Connection.data_to_send, 0

    def data_to_send(self: Connection) -> list[bytes | StreamEnd]:
        nonlocal count
        items = honest(self)
        count += bool(items)
        if count == 2:
            count += 1
            assert isinstance(items[0], bytes)
            items[0] = items[0][:-1] + b"?"
        return items

    monkeypatch.setattr(Connection, "data_to_send", data_to_send)
    found = difference(text)
    assert found.number == number
    recorded_line = json.loads(text.splitlines()[number - 1])
    assert found.expected == recorded_line
    assert found.found is not None
    assert found.found != recorded_line
    assert str(found) == (
        f"chat.jsonl:{number}: the core does something else\n"
        f"  recorded: {json.dumps(found.expected)}\n"
        f"  now:      {json.dumps(found.found)}\n"
        "look at it with: python -m spry_core.testing.transcript chat.jsonl"
    )


def no_event(connection: Connection) -> None:
    return None


def another_deadline(connection: Connection) -> float:
    return 77.0


def test_an_event_that_does_not_come_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = recorded(GET)
    monkeypatch.setattr(Connection, "next_event", no_event)
    found = difference(text)
    assert (found.number, found.found) == (numbers(text, "event")[0], None)
    assert "now:      nothing" in str(found)


def test_an_event_too_many_is_found_at_the_latest_behind_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = recorded(GET)
    honest, has_ended = Connection.next_event, False

    def next_event(self: Connection) -> Event | None:
        nonlocal has_ended
        event = Ping() if has_ended else honest(self)
        has_ended = has_ended or isinstance(event, ConnectionEnded)
        return event

    monkeypatch.setattr(Connection, "next_event", next_event)
    found = difference(text)
    assert (found.number, found.expected) == (len(text.splitlines()) + 1, None)
    assert found.found == {"event": {"is": "Ping"}}
    assert "recorded: nothing" in str(found)


def test_a_deadline_that_is_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = recorded(HANDSHAKE)
    monkeypatch.setattr(Connection, "next_deadline", another_deadline)
    assert difference(text).number == numbers(text, "state")[0] == 2


def test_random_bytes_that_are_not_asked_for_any_more_are_found() -> None:
    """The payload of a keepalive Ping comes after five seconds."""
    text = recorded(HANDSHAKE, pause=6.0)
    (number,) = numbers(text, "random")
    found = difference(changed(text, number, {"random": "ab", "n": 2}))
    assert found.number == number
    assert found.found == {"random": {"base64": "AAAAAA=="}, "n": 4}
    lines = text.splitlines()
    assert difference("\n".join([*lines[: number - 1], *lines[number:], ""])).number == number


def test_a_clock_that_was_not_read_before_is_found() -> None:
    text = recorded(GET)
    (number,) = numbers(text, "clock")
    lines = text.splitlines()
    found = difference("\n".join([*lines[: number - 1], *lines[number:], ""]))
    assert (found.number, found.found) == (number, {"clock": 0.0})


def test_a_line_that_nothing_brings_is_found() -> None:
    text = recorded(GET)
    number = numbers(text, "call")[1]
    assert difference(changed(text, number, {"clock": 1.0})).number == number


def test_the_text_is_bounded_and_names_another_version() -> None:
    text = recorded(GET)
    head = json.loads(text.splitlines()[0])
    text = changed(text, 1, {**head, "spry": "0.0.1"})
    number = numbers(text, "event")[0]
    found = str(difference(changed(text, number, {"event": "x" * 1000})))
    assert f'  recorded: {{"event": "{"x" * 386}...\n' in found
    assert "(recorded with Spry '0.0.1', this is " in found


# ---------------------------------------------------------------------------------------------------- a broken file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": "proxy"}, "there is no role 'proxy'"),
        ({"engine": "x"}, "no engine 'x'; there is: native, pure, reference"),
        ({"limits": {"max_x": 1}}, "Limits has no 'max_x'"),
        ({"redacted": ["host"]}, "host cannot be redacted: a replay needs it"),
        ({"now": "a"}, "a number is needed"),
    ],
)
def test_a_head_that_cannot_be_replayed_is_told(change: dict[str, Json], message: str) -> None:
    text = recorded(GET)
    head = json.loads(text.splitlines()[0])
    with pytest.raises(TranscriptError) as caught:
        run(changed(text, 1, {**head, **change}))
    assert str(caught.value) == f"chat.jsonl:1: {message}"


def test_a_head_that_is_not_complete_is_told() -> None:
    with pytest.raises(TranscriptError) as caught:
        run('{"transcript":1}\n')
    assert str(caught.value) == "chat.jsonl:1: there is no 'role'"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"call": "dance", "now": 1}, "there is no call 'dance'"),
        ({"call": 5}, "a text is needed"),
        ({"call": "receive_eof"}, "there is no 'now'"),
        ({"call": "send", "now": 1, "event": {"is": "Failure"}}, "'Failure' is nothing that can be sent"),
        ({"call": "fail", "now": 1, "error": {"error": "x"}}, "an error of the peer is needed"),
        ({"random": 5}, None),
    ],
)
def test_a_line_that_cannot_be_replayed_is_told(call: dict[str, Json], message: str | None) -> None:
    text = recorded(HANDSHAKE, pause=6.0)
    number = numbers(text, "call" if message else "random")[0]
    with pytest.raises(TranscriptError) as caught:
        run(changed(text, number, call))
    assert str(caught.value) == f"chat.jsonl:{number}: {message or 'bytes are needed'}"


def test_what_is_told_of_the_end_is_compared_too() -> None:
    text = recorded(GET)
    last = len(text.splitlines())
    entry = json.loads(text.splitlines()[-1])
    entry["event"]["info"]["initiator"] = "local"
    assert difference(changed(text, last, entry)).number == last
    assert CloseInfo(initiator="local").cause is None
    assert RequestHead(method=b"GET", target=b"/").websocket is None
