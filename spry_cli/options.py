"""What the command can be told, in one table.

An option has one name, from which the others follow: `ws-max-size` is the flag `--ws-max-size`, the environment variable
`SPRY_WS_MAX_SIZE`, and the key `ws-max-size` in `[tool.spry]` of `pyproject.toml`. The command line (`arguments`), the other
two places (`sources`), the settings that come of it (`settings`) and the reference page all go by this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from spry_cli.readers import (
    NONE,
    Number,
    any_text,
    default_of,
    names,
    one_of,
    pairs,
    port,
    positive,
    setting,
    some_text,
    switch,
    whole,
)
from spry_core.protocol import DEFAULT_ENGINE, EngineName, Limits, Timeouts
from spry_core.recording import MAX_SIZE
from spry_system import MAX_FILES

T_co = TypeVar("T_co", covariant=True)

Backend: TypeAlias = Literal["asyncio", "trio"]
"""Who moves the bytes."""

Loop: TypeAlias = Literal["auto", "asyncio", "uvloop"]
"""The event loop below asyncio; `auto` is uvloop where it is installed."""

LogFormat: TypeAlias = Literal["text", "json"]
"""How a record is written."""

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
"""From which level on records are written."""

CertReqs: TypeAlias = Literal["none", "optional", "required"]
"""Whether clients are asked for a certificate."""

Shape: TypeAlias = Literal["target", "value", "switch", "pairs", "names"]
"""The place on the command line: the word without a flag, a flag with one value, a flag alone, and two that may come again."""

BACKENDS: Final[tuple[Backend, ...]] = ("asyncio", "trio")
LOOPS: Final[tuple[Loop, ...]] = ("auto", "asyncio", "uvloop")
ENGINES: Final[tuple[EngineName, ...]] = ("native", "pure", "reference")
LOG_FORMATS: Final[tuple[LogFormat, ...]] = ("text", "json")
LOG_LEVELS: Final[tuple[LogLevel, ...]] = ("debug", "info", "warning", "error", "critical")
CERT_REQS: Final[tuple[CertReqs, ...]] = ("none", "optional", "required")


@dataclass(frozen=True, kw_only=True)  # no slots: `Option[str](…)` would fail on them
class Option(Generic[T_co]):
    """One thing that the command can be told."""

    name: str
    """Words with hyphens between them."""

    read: Callable[[str], T_co]
    """Makes the value of the text; raises `ValueError`."""

    default: T_co
    """The value if nobody says anything."""

    help: str
    """What it means."""

    group: str
    """Under which heading it stands in the help."""

    metavar: str = ""
    """What stands for the value."""

    shape: Shape = "value"
    """How it stands on the command line."""

    of_routes: bool = False
    """True if `spry routes` has it as well."""

    limit: str | None = None
    """The name in `Limits` that it sets."""

    timeout: str | None = None
    """The name in `Timeouts` that it sets."""

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return f"SPRY_{self.name.upper().replace('-', '_')}"

    @property
    def label(self) -> str:
        """The name in messages about the command line."""
        return self.metavar if self.shape == "target" else self.flag

    @property
    def default_text(self) -> str:
        """The default, as it would be written; empty if there is none."""
        if self.limit is not None or self.timeout is not None:
            return NONE if self.default is None else f"{self.default}".removesuffix(".0")
        if self.shape == "switch":
            return "true" if self.default else "false"
        return "" if self.default is None else f"{self.default}"


_APPLICATION: Final = "application"
_LOOP: Final = "backend"
_LISTENING: Final = "listening"
_TLS: Final = "TLS"
_LOG: Final = "log"
_RECORDING: Final = "recordings"
_LIMITS: Final = "limits and timeouts"


def _limit(name: str, limit: str, group: str, words: str) -> Option[Number]:
    """Make an option of its own for one of `Limits`."""
    default = default_of(Limits, limit)
    read = setting(Limits, limit)
    return Option(
        name=name, metavar="NUMBER", read=read, default=default, group=group, help=words, limit=limit
    )


def _timeout(name: str, timeout: str, words: str) -> Option[Number]:
    """Make an option of its own for one of `Timeouts`."""
    default = default_of(Timeouts, timeout)
    read = setting(Timeouts, timeout)
    return Option(
        name=name, metavar="SECONDS", read=read, default=default, group=_LIMITS, help=words, timeout=timeout
    )


APP: Final = Option[str | None](
    name="app", shape="target", metavar="module:app", read=some_text, default=None, of_routes=True,
    group=_APPLICATION, help="where the application is, such as app:app",
)  # fmt: skip
APP_DIR: Final = Option[str](
    name="app-dir", metavar="FOLDER", read=some_text, default=".", of_routes=True,
    group=_APPLICATION, help="where to look for the module first",
)  # fmt: skip
FACTORY: Final = Option[bool](
    name="factory", shape="switch", read=switch, default=False, of_routes=True,
    group=_APPLICATION, help="module:app is a function that makes the application",
)  # fmt: skip

BACKEND: Final = Option[Backend](
    name="backend", metavar="{asyncio,trio}", read=one_of(BACKENDS), default="asyncio",
    group=_LOOP, help="who moves the bytes",
)  # fmt: skip
LOOP: Final = Option[Loop](
    name="loop", metavar="{auto,asyncio,uvloop}", read=one_of(LOOPS), default="auto",
    group=_LOOP, help="the event loop below asyncio; auto is uvloop where it is installed",
)  # fmt: skip
ENGINE: Final = Option[EngineName](
    name="engine", metavar="{native,pure,reference}", read=one_of(ENGINES), default=DEFAULT_ENGINE,
    group=_LOOP, help="who does the grammar work: our own, our own without C, or h11 and wsproto",
)  # fmt: skip

HOST: Final = Option[str](
    name="host", metavar="HOST", read=some_text, default="127.0.0.1",
    group=_LISTENING, help="the address or name to listen on",
)  # fmt: skip
PORT: Final = Option[int](
    name="port", metavar="PORT", read=port, default=8000,
    group=_LISTENING, help="the port to listen on; 0 is any free one",
)  # fmt: skip
UDS: Final = Option[str | None](
    name="uds", metavar="PATH", read=some_text, default=None,
    group=_LISTENING, help="listen on a unix socket instead",
)  # fmt: skip
FD: Final = Option[int | None](
    name="fd", metavar="NUMBER", read=whole, default=None,
    group=_LISTENING, help="take a listening socket that the process has inherited instead",
)  # fmt: skip

SSL_CERTFILE: Final = Option[str | None](
    name="ssl-certfile", metavar="FILE", read=some_text, default=None,
    group=_TLS, help="serve TLS with this certificate chain (PEM)",
)  # fmt: skip
SSL_KEYFILE: Final = Option[str | None](
    name="ssl-keyfile", metavar="FILE", read=some_text, default=None,
    group=_TLS, help="its private key, unless that is in the same file (PEM)",
)  # fmt: skip
SSL_KEYFILE_PASSWORD: Final = Option[str | None](
    name="ssl-keyfile-password", metavar="TEXT", read=any_text, default=None,
    group=_TLS, help="the password of the key; better in its variable, which others cannot see",
)  # fmt: skip
SSL_CA_CERTS: Final = Option[str | None](
    name="ssl-ca-certs", metavar="FILE", read=some_text, default=None,
    group=_TLS, help="the authorities that may have signed certificates of clients (PEM)",
)  # fmt: skip
SSL_CERT_REQS: Final = Option[CertReqs](
    name="ssl-cert-reqs", metavar="{none,optional,required}", read=one_of(CERT_REQS), default="none",
    group=_TLS, help="whether clients must show a certificate",
)  # fmt: skip

ACCESS_LOG: Final = Option[bool](
    name="access-log", shape="switch", read=switch, default=True,
    group=_LOG, help="log each request and each WebSocket",
)  # fmt: skip
LOG_LEVEL: Final = Option[LogLevel](
    name="log-level", metavar="LEVEL", read=one_of(LOG_LEVELS), default="info",
    group=_LOG, help="what is logged at all: debug, info, warning, error or critical",
)  # fmt: skip
LOG_FORMAT: Final = Option[LogFormat](
    name="log-format", metavar="{text,json}", read=one_of(LOG_FORMATS), default="text",
    group=_LOG, help="lines for people, or one JSON object for each",
)  # fmt: skip

RECORD: Final = Option[str | None](
    name="record", metavar="FOLDER", read=some_text, default=None,
    group=_RECORDING, help="record each connection in a file of its own there, with all that people say",
)  # fmt: skip
REDACT: Final = Option[tuple[str, ...] | None](
    name="redact", shape="names", metavar="NAME", read=names, default=None,
    group=_RECORDING, help="hide the value of this field in recordings too; may come again",
)  # fmt: skip
RECORD_SIZE: Final = Option[int](
    name="record-size", metavar="BYTES", read=positive, default=MAX_SIZE,
    group=_RECORDING, help="bytes of one recording, which ends there",
)  # fmt: skip
RECORD_FILES: Final = Option[int](
    name="record-files", metavar="NUMBER", read=positive, default=MAX_FILES,
    group=_RECORDING, help="recordings that are kept of one run",
)  # fmt: skip

LIMIT: Final = Option[Mapping[str, Number] | None](
    name="limit", shape="pairs", metavar="NAME=VALUE", read=pairs(Limits), default=None,
    group=_LIMITS, help="set any of spry_core.Limits, such as max_body=65536; may come again",
)  # fmt: skip
TIMEOUT: Final = Option[Mapping[str, Number] | None](
    name="timeout", shape="pairs", metavar="NAME=VALUE", read=pairs(Timeouts), default=None,
    group=_LIMITS, help="set any of spry_core.Timeouts, such as head=5; may come again",
)  # fmt: skip

OPTIONS: Final[tuple[Option[object], ...]] = (
    APP,
    APP_DIR,
    FACTORY,
    BACKEND,
    LOOP,
    ENGINE,
    HOST,
    PORT,
    UDS,
    FD,
    _limit("backlog", "backlog", _LISTENING, "connections that the kernel holds ready"),
    SSL_CERTFILE,
    SSL_KEYFILE,
    SSL_KEYFILE_PASSWORD,
    SSL_CA_CERTS,
    SSL_CERT_REQS,
    ACCESS_LOG,
    LOG_LEVEL,
    LOG_FORMAT,
    RECORD,
    REDACT,
    RECORD_SIZE,
    RECORD_FILES,
    _limit(
        "limit-concurrency",
        "max_connections",
        _LIMITS,
        "connections at a time; at that number it stops accepting",
    ),
    _timeout("timeout-keep-alive", "keep_alive", "how long a connection may idle between two requests"),
    _timeout(
        "timeout-graceful-shutdown", "grace", "how long requests and WebSockets may take to end at a shutdown"
    ),
    _limit("ws-max-size", "max_message_size", _LIMITS, "bytes of one WebSocket message"),
    _limit("ws-max-queue", "max_queue", _LIMITS, "WebSocket messages that wait before reading pauses"),
    _timeout("ws-ping-interval", "ping_interval", "between two keepalive Pings"),
    _timeout("ws-ping-timeout", "ping_timeout", "how long a peer may be silent after one"),
    LIMIT,
    TIMEOUT,
)
"""Every option, in the order of the help."""

OF_RUN: Final = OPTIONS
OF_ROUTES: Final = tuple(option for option in OPTIONS if option.of_routes)
