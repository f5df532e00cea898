"""How the log looks: lines for people, or one JSON object for each record, on standard error.

This is the one place that sets up `logging`: the core hands over finished records, the adapters pass them on, and neither
decides where they go.
"""

from __future__ import annotations

import json
import logging
import select
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

from spry_cli.options import LogFormat, LogLevel

LOGGER: Final = "spry"
"""The parent of all loggers of ours."""

TEXT_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


PATIENCE: Final = 0.05
"""Seconds that a server is held up, once, by a log that nobody reads."""

_PIECE: Final = 1024
"""Characters that surely fit into a pipe which has room at all: PIPE_BUF is 4,096 bytes on Linux, and each may take four.
POSIX promises 512; where it is as little, longer lines may wait for their reader."""


class PatientHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, and waits for its reader no longer than `PATIENCE`.

    A pipe whose reader stands still fills up, and the next write would hold up the whole server, signals included, until
    somebody reads again. So lines are left out then, and counted where there is room again.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        super().__init__(stream)
        self._lost = 0
        self._is_torn = False  # the last line that was written has no end

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, or leave it out."""
        try:
            self._write(self.format(record))
        except Exception:
            self.handleError(record)

    def _write(self, line: str) -> None:
        if not self._has_room():
            self._lost += 1
            return
        if self._lost:
            line = f"{self.format(_record_of_loss(self._lost))}\n{line}"
        text = f"\n{line}\n" if self._is_torn else f"{line}\n"
        self._lost, self._is_torn = 0, False
        for start in range(0, len(text), _PIECE):
            if start and not self._has_room():
                self._lost, self._is_torn = 1, True
                return
            self.stream.write(text[start : start + _PIECE])
            self.stream.flush()

    def _has_room(self) -> bool:
        """Tell whether the stream takes something now, or soon if it did the last time. What is no pipe always does."""
        try:
            descriptor = self.stream.fileno()
        except (OSError, ValueError):
            return True  # no file at all
        if not hasattr(select, "poll"):  # pragma: no cover - where there are no such pipes either
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(0 if self._lost else PATIENCE * 1000))


def _record_of_loss(lines: int) -> logging.LogRecord:
    some = "1 line" if lines == 1 else f"{lines} lines"
    text = f"{some} left out: nobody read the log"
    record = logging.LogRecord(f"{LOGGER}.server", logging.WARNING, "", 0, text, None, None)
    record.__dict__["spry"] = {"kind": "left out", "lines": lines}
    return record


class JsonFormatter(logging.Formatter):
    """Writes one JSON object, in one line of ASCII: time, level, logger, message, the record's fields, its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields: object = getattr(record, "spry", None)
        if isinstance(fields, dict):
            entry |= fields
        if record.exc_info is not None and record.exc_info[0] is not None:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def make_formatter(log_format: LogFormat) -> logging.Formatter:
    """Make the formatter of that name."""
    return JsonFormatter() if log_format == "json" else logging.Formatter(TEXT_FORMAT)


def configure_logging(level: LogLevel, log_format: LogFormat) -> None:
    """Send our loggers to standard error, unless the application has said already where they go."""
    logger = logging.getLogger(LOGGER)
    if logger.handlers:
        return
    handler = PatientHandler(sys.stderr)
    handler.setFormatter(make_formatter(log_format))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    # Or every line stands there twice where the application has a handler at the root.
    logger.propagate = False


def announce(text: str, log_format: LogFormat) -> None:
    """Print the first line on standard error, whatever the log's level is: bare, or as a JSON object like the rest.

    Where standard error is closed, full or a pipe without a reader, the server is not worse for it.
    """
    if sys.stderr is None:  # `print` would take standard output instead
        return
    record = logging.LogRecord(LOGGER, logging.INFO, "", 0, text, None, None)
    with suppress(OSError):
        print(JsonFormatter().format(record) if log_format == "json" else text, file=sys.stderr, flush=True)


def log_end() -> None:
    """Log that everything has ended in good order."""
    logging.getLogger(f"{LOGGER}.server").info("stopped", extra={"spry": {"kind": "stopped"}})
