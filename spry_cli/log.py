"""How the log looks: lines for people, or one JSON object for each record, on standard error.

This is the one place that sets up `logging`: the core hands over finished records, the adapters pass them on, and neither
decides where they go.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from spry_cli.options import LogFormat, LogLevel

LOGGER: Final = "spry"
"""The parent of all loggers of ours."""

TEXT_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


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
    handler = logging.StreamHandler(sys.stderr)
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
