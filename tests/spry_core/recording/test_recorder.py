from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from spry_core.protocol import Connection, ConnectionEnded
from spry_core.recording import Recorder


class List:
    """A sink that keeps what it gets, and fails when it is told to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_closed = False
        self.error: OSError | None = None

    def write(self, line: str) -> None:
        assert not self.is_closed
        if self.error is not None:
            raise self.error
        self.lines.append(line)

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True
        if self.error is not None:
            raise self.error


class Bench:
    """A recorder, its sinks, and what it reports."""

    def __init__(self, max_size: int = 1 << 20) -> None:
        self.sinks: list[List] = []
        self.reports: list[str] = []
        self.recorder = Recorder(self.open, redact=["X-Key"], max_size=max_size, report=self.reports.append)

    def open(self) -> List:
        self.sinks.append(List())
        return self.sinks[-1]

    def connect(self) -> Connection:
        return self.recorder("server", now=0.0, random=bytes)


def test_each_connection_has_a_sink_of_its_own_which_is_closed_with_it() -> None:
    bench = Bench()
    first, second = bench.connect(), bench.connect()
    first.connection_lost(None, 1.0)
    assert len(list(first)) == 1
    assert [sink.is_closed for sink in bench.sinks] == [True, False]
    assert json.loads(bench.sinks[0].lines[0])["redacted"][-1] == "x-key"
    first.release(0, 2.0)  # comes too late
    assert json.loads(bench.sinks[0].lines[-1])["event"]["is"] == "ConnectionEnded"
    assert isinstance(second, Connection)
    assert bench.reports == []


def test_a_recording_that_is_too_long_ends_and_says_so() -> None:
    bench = Bench(max_size=2000)
    connection = bench.connect()
    for _ in range(20):
        connection.receive_data(b"G" * 20, 0.0)
    connection.connection_lost(None, 0.0)
    assert isinstance(list(connection)[-1], ConnectionEnded)
    (sink,) = bench.sinks
    assert sink.is_closed
    assert sink.lines[-1] == '{"cut":"the limit of size"}'
    assert sum(len(line) + 1 for line in sink.lines[:-1]) <= 2000
    assert bench.reports == ["a recording has reached its limit of size and ends there"]


@pytest.mark.parametrize(
    ("error", "reason"), [(OSError(28, "No space left on device"), "No space left on device"), (OSError(), "OSError")]
)  # fmt: skip
def test_an_error_of_the_sink_ends_the_recording_and_not_the_connection(error: OSError, reason: str) -> None:
    bench = Bench()
    connection = bench.connect()
    bench.sinks[0].error = error
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0.0)
    assert len(list(connection)) == 2
    assert bench.sinks[0].is_closed
    assert bench.reports == [f"a recording cannot be written: {reason}"] * 2  # the line, and the end


def test_without_a_sink_the_connection_goes_on() -> None:
    def fail() -> List:
        raise OSError(24, "Too many open files")

    reports: list[str] = []
    connection = Recorder(fail, report=reports.append)("server", now=0.0, random=bytes)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0.0)
    assert len(list(connection)) == 2
    assert reports == ["a recording cannot be written: Too many open files"]
    quiet: Callable[..., Connection] = Recorder(fail)
    assert quiet("server", now=0.0, random=bytes).next_event() is None


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a recording has at least one byte, not 0$"):
        Bench(max_size=0)
