from __future__ import annotations

import inspect

import pytest

from spry_core.protocol import Connection, Limits
from spry_core.recording.values import Entry
from spry_core.testing.transcript import MemoryRecorder, TranscriptError, parse
from spry_core.testing.transcript.calls import Naming, call_of

ERROR: Entry = {"error": "RemoteProtocolError", "text": "no", "section": "s", "close_code": 1008}
NOTHING: Entry = {"limits": {}, "timeouts": {}, "deflate": None}

CALLS: list[Entry] = [
    {"call": "receive_data", "now": 1.0, "data": "GET / HTTP/1.1\r\n"},
    {"call": "receive_eof", "now": 1.0},
    {"call": "connection_lost", "now": 1.0, "error": None},
    {"call": "connection_lost", "now": 1.0, "error": {"error": "OSError"}},
    {"call": "bytes_written", "now": 1.0, "n": 0},
    {"call": "handle_deadline", "now": 1.0},
    {"call": "send", "now": 1.0, "event": {"is": "ResponseHead", "status_code": 200}},
    {"call": "release", "now": 1.0, "n": 7},
    {"call": "receive_in_pieces", "now": 1.0, "wanted": True},
    {"call": "set_ping_interval", "now": 1.0, "seconds": 2.5},
    {"call": "set_ping_interval", "now": 1.0, "seconds": None},
    {"call": "ignore_offer"},
    {"call": "shutdown", "now": 1.0, "code": 1001, "reason": "bye"},
    {"call": "fail", "now": 1.0, "error": ERROR},
    {"call": "abort", "now": 1.0, "cause": {"error": "KeyError"}},
    {"call": "configure", **NOTHING, "limits": {"max_body": 5}},
    {"call": "configure", **NOTHING, "deflate": {"is": "Deflate", "level": 3}},
]


def connection() -> tuple[Connection, MemoryRecorder]:
    recorder = MemoryRecorder()
    return recorder("server", now=0.0, random=bytes), recorder


@pytest.mark.parametrize("entry", CALLS, ids=str)
def test_what_a_line_tells_of_is_called_with_the_same_arguments(entry: Entry) -> None:
    """So that the call that is made tells of itself what the line says."""
    made, recorder = connection()
    before = len(recorder.recordings[0].lines)
    call = call_of(made, entry)
    assert len(recorder.recordings[0].lines) == before  # read, and not called yet
    try:
        call()
    except Exception as error:
        assert "raised" in recorder.recordings[0].lines[-1], error  # noqa: PT017 - only some are refused
    head, *lines = recorder.recordings[0].text.splitlines()
    told = parse("\n".join([head, lines[before - 1], ""]).encode()).lines[1].entry
    assert told == entry


def test_every_call_that_is_recorded_can_be_made_again() -> None:
    """Those of `Connection` that change something: methods that return nothing, but for what is recorded as other calls."""
    changing = {
        name
        for name, method in inspect.getmembers(Connection, inspect.isfunction)
        if not name.startswith("_") and inspect.signature(method).return_annotation == "None"
    }
    shortcuts = {"release_messages", "send_message", "send_prepared", "send_response"}
    assert changing - shortcuts == {str(entry["call"]) for entry in CALLS}


def test_settings_are_changed_from_what_they_are() -> None:
    made, _ = connection()
    call_of(made, {"call": "configure", **NOTHING, "limits": {"max_body": 5}})()
    call_of(made, {"call": "configure", **NOTHING, "limits": {"max_fields": 6}})()
    assert made.limits == Limits(max_body=5, max_fields=6)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"call": "dance"}, "there is no call 'dance'"),
        ({"call": []}, "a text is needed"),
        ({"call": "fail", "now": 1.0, "error": {"error": "x"}}, "an error of the peer is needed"),
        ({"call": "release", "now": 1.0, "n": 1.5}, "a whole number is needed"),
    ],
)
def test_what_is_no_call_is_told(entry: Entry, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        call_of(connection()[0], entry)


def test_a_fault_is_named_by_file_and_line() -> None:
    for error, text in ((ValueError("no"), "no"), (KeyError("now"), "there is no 'now'")):
        with pytest.raises(TranscriptError, match=rf"^a\.jsonl:7: {text}$"), Naming("a.jsonl", 7):
            raise error
    with pytest.raises(TypeError), Naming("a.jsonl", 7):  # one of our own
        raise TypeError
    with Naming("a.jsonl", 7):
        pass
