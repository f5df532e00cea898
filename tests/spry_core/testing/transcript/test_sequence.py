from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import ASK, BYE, GET, HANDSHAKE, HELLO, POST, recorded
from spry_core.protocol import Connection
from spry_core.recording.values import Json
from spry_core.testing.transcript import MemoryRecorder, TranscriptError, parse
from spry_core.testing.transcript.reader import Line, Transcript
from spry_core.testing.transcript.sequence import State, Step, steps

HEAD: dict[str, Json] = {"transcript": 1, "role": "server", "spry": "1", "now": 10.0}


def of(text: str) -> list[Step]:
    return list(steps(parse(text.encode("ascii"))))


def titles(*entries: dict[str, Json]) -> list[tuple[str, str, str]]:
    """Return lane, kind and title of each step behind the head."""
    lines = "".join(f"{json.dumps(entry)}\n" for entry in (HEAD, *entries))
    return [(step.lane, step.kind, step.title) for step in of(lines)[1:]]


def test_a_request_is_told_from_its_head_to_the_end_of_the_stream() -> None:
    found = of(recorded(GET))
    assert [(step.number, step.now, step.lane, step.kind, step.title) for step in found] == [
        (1, 0.0, "inside", "begin", found[0].title),
        (2, 0.0, "inside", "state", "deadline at 10.000 s"),
        (3, 0.0, "in", "head", "GET /?*****=****** HTTP/1.1"),
        (4, 0.0, "inside", "state", "no deadline"),
        (5, 0.0, "in", "event", "event RequestHead GET /?*****=******"),
        (6, 0.0, "in", "event", "event BodyEnd"),
        (7, 0.0, "out", "send", "send ResponseHead 200"),
        (8, 0.0, "inside", "source", "read the wall clock"),
        (9, 0.0, "inside", "state", found[8].title),
        (10, 0.0, "out", "send", "send BodyData home"),
        (11, 0.0, "inside", "state", found[10].title),
        (12, 0.0, "out", "send", "send BodyEnd"),
        (13, 0.0, "inside", "state", "deadline at 15.000 s"),
        (14, 0.0, "out", "head", "HTTP/1.1 200 OK"),
        (14, 0.0, "out", "content", "4 bytes of content"),
        (15, 0.0, "inside", "call", found[15].title),
        (16, 0.0, "inside", "state", "0 bytes unsent"),
        (17, 1.0, "in", "end", "the stream is gone: ConnectionResetError"),
        (18, 1.0, "inside", "state", "phase http to closed, does not read, no deadline"),
        (19, 1.0, "in", "event", "event ConnectionEnded by transport, close code 1006"),
    ]
    assert found[0].title.startswith("a server's connection, Spry ")
    assert ("Cookie", "**********") in found[2].details
    assert ("headers.cookie", "**********") in found[4].details
    assert ("limits.max_body", "1048576") in found[0].details
    assert found[8].state == State("http", int(found[8].title.split()[0]), True, 30.0)


def test_an_offer_of_a_websocket_that_is_not_taken_up_is_told() -> None:
    """RFC 9110 §7.8: a server may ignore it."""
    found = of(recorded(HANDSHAKE.replace(b"/chat", b"/")))
    assert [(step.lane, step.title) for step in found if step.kind in ("event", "call", "send")][:4] == [
        ("in", "event RequestHead GET /?*****=******"),
        ("inside", "ignore_offer()"),
        ("in", "event BodyEnd"),
        ("out", "send ResponseHead 200"),
    ]


def test_a_chat_is_told_in_frames() -> None:
    found = of(recorded(HANDSHAKE, HELLO, ASK, BYE, pause=0.5))
    frames = [(step.now, step.lane, step.title) for step in found if step.kind in ("frame", "end")]
    assert frames == [
        (0.5, "in", "text frame, 120 bytes: hello hello hello hello hello hello hello hello hello hel..."),
        (0.5, "out", frames[1][2]),
        (1.0, "in", "ping frame, 1 byte: ?"),
        (1.0, "out", "pong frame, 1 byte: ?"),
        (1.5, "in", "close frame, 5 bytes: 1000 bye"),
        (1.5, "out", "close frame, 2 bytes: 1000"),
        (1.5, "out", "half close the stream"),
        (2.0, "in", "the stream is gone: ConnectionResetError"),
    ]
    assert frames[1][2].endswith(", compressed")
    assert [step.title for step in found if step.kind == "send"][1].startswith("send Message hello hello")
    assert {step.state.phase for step in found} == {"http", "open", "closing", "closed"}


def test_a_keepalive_ping_is_told_with_its_deadline() -> None:
    found = of(recorded(HANDSHAKE, pause=6.0))
    assert [(step.now, step.title) for step in found if step.kind in ("time", "source")] == [
        (5.0, "a deadline is due"),
        (5.0, "drew random bytes"),
    ]


def test_a_clients_connection_goes_the_other_way_round() -> None:
    recorder = MemoryRecorder()
    connection: Connection = recorder("client", now=0.0, random=bytes)
    connection.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0.0)
    found = of(recorder.recordings[0].text)
    assert found[0].title.startswith("a client's connection")
    assert [(step.lane, step.title) for step in found if step.kind == "head"] == [("in", "HTTP/1.1 200 OK")]


@pytest.mark.parametrize(
    ("entry", "lane", "kind", "title"),
    [
        ({"call": "receive_eof", "now": 11}, "in", "end", "the peer ends its direction"),
        ({"call": "connection_lost", "now": 11, "error": None}, "in", "end", "the stream is gone"),
        ({"call": "release", "now": 11, "n": 5}, "inside", "call", "release(n=5)"),
        ({"raised": {"error": "ValueError"}}, "inside", "mistake", "refused: ValueError"),
        ({"raised": {"error": "X", "text": "no"}}, "inside", "mistake", "refused: X no"),
        ({"cut": "the limit of size"}, "inside", "cut", "the recording ends here: the limit of size"),
        ({"event": {"is": "Failure", "error": {"text": "bad"}}}, "in", "event", "event Failure: bad"),
        ({"event": {"is": "Ping", "payload": {"base64": "/w=="}}}, "in", "event", r"event Ping \xff"),
        ({"event": 5}, "in", "event", "event 5"),
        ({"bytes": [{"end": "HALF_CLOSE"}]}, "out", "end", "half close the stream"),
        ({"bytes": {"end": "ABORT"}}, "out", "end", "abort the stream"),
        ({"bytes": ["HTTP"]}, "out", "bytes", "4 bytes, not yet complete"),
        (
            {"state": {"phase": "http", "buffered": 0, "wants_read": True, "deadline": None}},
            "inside",
            "state",
            "as before",
        ),
    ],
)
def test_each_line_has_its_words(entry: dict[str, Json], lane: str, kind: str, title: str) -> None:
    assert titles(entry) == [(lane, kind, title)]


def test_reading_again_is_told() -> None:
    state: dict[str, Json] = {"phase": "http", "buffered": 0, "wants_read": False, "deadline": None}
    assert [title for _, _, title in titles({"state": state}, {"state": {**state, "wants_read": True}})] == [
        "does not read",
        "reads",
    ]


def test_details_are_named_by_where_they_stand() -> None:
    event: Json = {"is": "X", "headers": [["a", "b"], ["c"]], "b": {"base64": "/w=="}, "n": {"m": 1}}
    (step,) = of("".join(f"{json.dumps(entry)}\n" for entry in (HEAD, {"event": event})))[1:]
    assert step.details == (
        ("is", "X"),
        ("headers.a", "b"),
        ("headers.", '["c"]'),
        ("b", r"\xff"),
        ("n.m", "1"),
    )


def test_bytes_that_are_none_are_told_with_their_line() -> None:
    with pytest.raises(TranscriptError) as caught:
        titles({"call": "receive_data", "now": 1, "data": 5})
    assert str(caught.value) == "-:2: bytes are needed"


def test_a_fault_of_the_file_is_the_last_step() -> None:
    fault = TranscriptError("a\x1b", 3, "this is no JSON")
    found = list(steps(Transcript("a", (Line(1, "transcript", HEAD),), fault)))
    assert [(step.number, step.kind, step.title) for step in found[1:]] == [
        (3, "fault", r"a\x1b:3: this is no JSON")
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    kind=st.sampled_from(["call", "random", "clock", "raised", "state", "bytes", "event", "cut"]), value=JSON
)
def test_whatever_stands_there_becomes_printable_steps_or_a_fault_with_its_line(
    kind: str, value: Json
) -> None:
    try:
        told = [title for _, _, title in titles({kind: value})]
    except TranscriptError as error:
        told = [str(error)]
        assert error.number == 2  # noqa: PT017 - only some values are faulty
    assert all(title.isprintable() for title in told)


def test_what_was_posted_is_content() -> None:
    assert "5 bytes of content" in [step.title for step in of(recorded(POST)) if step.kind == "content"]
