from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from fcntl import F_GETPIPE_SZ, fcntl
from io import StringIO
from typing import TextIO

import pytest

from spry_cli.log import JsonFormatter, PatientHandler, announce, configure_logging, log_end, make_formatter
from spry_cli.options import LogFormat


def record(**attributes: object) -> logging.LogRecord:
    """Return a record of one exact moment."""
    return logging.makeLogRecord(
        {"name": "spry.access", "levelno": 20, "levelname": "INFO", "msg": "%s", "args": ("one\nline",)}
        | {"created": 1_000_000_000.0625}
        | attributes
    )


def test_a_record_is_one_json_object_in_one_line_of_ascii() -> None:
    fields = {
        "kind": "http",
        "peer": None,
        "duration": 0.5,
        "complete": True,
        "close_reason": "caf\u00e9\u2028",
    }
    line = make_formatter("json").format(record(spry=fields))
    assert line == (
        '{"time": "2001-09-09T01:46:40.062Z", "level": "INFO", "logger": "spry.access", "message": "one\\nline", '
        '"kind": "http", "peer": null, "duration": 0.5, "complete": true, "close_reason": "caf\\u00e9\\u2028"}'
    )


def test_a_record_without_fields_is_as_good() -> None:
    assert json.loads(JsonFormatter().format(record())) == {
        "time": "2001-09-09T01:46:40.062Z",
        "level": "INFO",
        "logger": "spry.access",
        "message": "one\nline",
    }


def test_a_moment_without_a_fraction_is_written_alike() -> None:
    """RFC 3339 §5.6."""
    written = json.loads(JsonFormatter().format(record(created=0.0)))
    assert written["time"] == "1970-01-01T00:00:00.000Z"


def test_a_traceback_is_one_string() -> None:
    try:
        raise LookupError("in a handler")
    except LookupError as error:
        line = JsonFormatter().format(record(exc_info=(type(error), error, error.__traceback__)))
    exception = json.loads(line)["exception"]
    assert exception.startswith("Traceback (most recent call last):\n  File ")
    assert exception.endswith("\nLookupError: in a handler")
    assert "\n" not in line


def test_no_exception_is_none() -> None:
    assert "exception" not in json.loads(JsonFormatter().format(record(exc_info=(None, None, None))))


def test_text_is_the_time_the_level_and_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    line = make_formatter("text").format(record(args=("a line",), msecs=62.0))
    assert line.split()[1].endswith(",062")
    assert line.split(maxsplit=2)[2] == "INFO a line"


@contextmanager
def piped() -> Generator[tuple[int, TextIO]]:
    """Give both ends of a pipe, the second as standard error is one."""
    reader, writer = os.pipe()
    try:
        with open(writer, "w", encoding="utf-8") as stream:
            yield reader, stream
    finally:
        os.close(reader)


def handler_of(stream: TextIO, log_format: LogFormat = "text") -> PatientHandler:
    handler = PatientHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s") if log_format == "text" else JsonFormatter())
    return handler


def test_a_log_that_nobody_reads_costs_lines_and_holds_up_nothing() -> None:
    """Their number stands in front of the next one that there is room for."""
    with piped() as (reader, stream):
        size, handler = fcntl(reader, F_GETPIPE_SZ), handler_of(stream)
        lines = [f"{number:01023}" for number in range(size // 1024 + 3)]
        for line in lines:
            handler.emit(record(args=(line,)))
        written = os.read(reader, 2 * size).decode().splitlines()
        assert written == lines[: len(written)]
        lost = len(lines) - len(written)
        assert lost >= 3
        handler.emit(record(args=("again",)))
        assert os.read(reader, size).decode() == f"{lost} lines left out: nobody read the log\nagain\n"


def test_a_line_that_found_no_room_for_its_end_is_ended_later() -> None:
    with piped() as (reader, stream):
        size, handler = fcntl(reader, F_GETPIPE_SZ), handler_of(stream, "json")
        handler.emit(record(args=("y" * 2 * size,)))
        torn = os.read(reader, 2 * size)
        assert torn.endswith(b"y")
        handler.emit(record(args=("again",)))
        end, loss, again, rest = os.read(reader, size).split(b"\n")
        assert (end, rest) == (b"", b"")
        assert json.loads(loss) | {"time": ""} == {
            "time": "",
            "level": "WARNING",
            "logger": "spry.server",
            "message": "1 line left out: nobody read the log",
            "kind": "left out",
            "lines": 1,
        }
        assert json.loads(again)["message"] == "again"


def test_what_is_no_pipe_always_has_room() -> None:
    stream = StringIO()
    handler_of(stream).emit(record(args=("é" * 5000,)))
    assert stream.getvalue() == "é" * 5000 + "\n"


def test_a_log_without_a_reader_is_dealt_with_as_logging_does(capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w", encoding="utf-8")  # noqa: SIM115 - its `close` fails, as its `flush` does
    handler_of(stream).emit(record())
    assert "BrokenPipeError" in capsys.readouterr().err
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_all_loggers_go_to_standard_error(
    own_logging: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", "text")
    logging.getLogger("spry.access").info("a request")
    logging.getLogger("spry.error").error("a fault")
    logging.getLogger("spry.error").debug("a detail")
    log_end()
    out, err = capsys.readouterr()
    assert [line.split(maxsplit=2)[2] for line in err.splitlines()] == [
        "INFO a request",
        "ERROR a fault",
        "INFO stopped",
    ]
    assert out == ""
    assert own_logging.propagate is False


def test_the_level_and_the_format_are_those_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", "json")
    logging.getLogger("spry.error").debug("a detail")
    log_end()
    detail, end = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (detail["level"], detail["message"]) == ("DEBUG", "a detail")
    assert (end["logger"], end["message"], end["kind"]) == ("spry.server", "stopped", "stopped")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "text")
    logging.getLogger("spry.access").info("a request")
    assert capsys.readouterr() == ("", "")


def test_a_log_that_the_application_has_set_up_is_left_alone(own_logging: logging.Logger) -> None:
    own = logging.NullHandler()
    own_logging.handlers = [own]
    own_logging.setLevel(logging.ERROR)
    own_logging.propagate = True
    configure_logging("debug", "json")
    assert own_logging.handlers == [own]
    assert (own_logging.level, own_logging.propagate) == (logging.ERROR, True)


def test_the_first_line_is_bare_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    announce("spry on http://127.0.0.1:8000", "text")
    assert capsys.readouterr() == ("", "spry on http://127.0.0.1:8000\n")


def test_the_first_line_is_an_object_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    announce("spry on http://127.0.0.1:8000", "json")
    out, err = capsys.readouterr()
    assert out == ""
    first = json.loads(err)
    assert (first["level"], first["logger"]) == ("INFO", "spry")
    assert first["message"] == "spry on http://127.0.0.1:8000"


def test_where_standard_error_is_closed_standard_output_stays_empty(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    announce("nobody reads this", "text")
    assert capsys.readouterr() == ("", "")


def test_a_first_line_that_nobody_can_read_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as unread:
        monkeypatch.setattr(sys, "stderr", unread)
        announce("nobody reads this", "text")
        with pytest.raises(BrokenPipeError):
            unread.close()
