"""What `spry run` was asked for, complete and typed: made of what the three places say, with what cannot go together refused."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from spry_cli.errors import CommandError
from spry_cli.options import (
    ACCESS_LOG,
    BACKEND,
    ENGINE,
    FD,
    HOST,
    LIMIT,
    LOG_FORMAT,
    LOG_LEVEL,
    LOOP,
    OPTIONS,
    PORT,
    RECORD,
    RECORD_FILES,
    RECORD_SIZE,
    REDACT,
    TIMEOUT,
    UDS,
    Backend,
    LogFormat,
    LogLevel,
    Loop,
    Option,
)
from spry_cli.readers import Number
from spry_cli.sources import Found, Values
from spry_cli.tls import make_context
from spry_core.protocol import DEFAULT_ENGINE, EngineName, Limits, Timeouts
from spry_core.recording import MAX_SIZE
from spry_system import MAX_FILES

Settings = TypeVar("Settings", Limits, Timeouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What `spry run` was asked for."""

    backend: Backend = "asyncio"
    loop: Loop = "auto"
    engine: EngineName = DEFAULT_ENGINE
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port; the line at the start says which."""
    uds: str | None = None
    """The path of a unix socket, instead of host and port."""
    fd: int | None = None
    """A listening socket that the process has inherited, instead of host and port."""
    ssl_context: ssl.SSLContext | None = None
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    access_log: bool = True
    """Whether each request is logged, to `spry.access`."""
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    record: str | None = None
    """The folder for a recording of each connection."""
    redact: tuple[str, ...] = ()
    """Fields whose values recordings do not have, besides those that they never have."""
    record_size: int = MAX_SIZE
    """Bytes of one recording."""
    record_files: int = MAX_FILES
    """Recordings that are kept."""


PLACES: Final[tuple[tuple[Option[object], ...], ...]] = ((HOST, PORT), (UDS,), (FD,))
"""Ways to say where to listen, of which one holds."""


def make_settings(values: Values) -> RunSettings:
    """Put the settings together.

    Raises:
        CommandError: Two of them cannot go together, or a certificate cannot be used.
    """
    place = listening_place(values)
    redacted = values[REDACT]
    return RunSettings(
        backend=values[BACKEND],
        loop=loop_of(values),
        engine=values[ENGINE],
        host=values[HOST],
        port=values[PORT],
        uds=values[UDS] if UDS in place else None,
        fd=values[FD] if FD in place else None,
        ssl_context=make_context(values),
        limits=make_limits(values),
        timeouts=make_timeouts(values),
        access_log=values[ACCESS_LOG],
        log_level=values[LOG_LEVEL],
        log_format=values[LOG_FORMAT],
        record=values[RECORD],
        redact=redacted or (),
        record_size=values[RECORD_SIZE],
        record_files=values[RECORD_FILES],
    )


def listening_place(values: Values) -> tuple[Option[object], ...]:
    """Choose where to listen: what the highest source says, and one source may say it in one way only."""
    said = [[values.find(option) for option in place] for place in PLACES]
    ranks = [max(found.rank for found in place) for place in said]
    highest = max(ranks)
    chosen = [place for place, rank in zip(PLACES, ranks, strict=True) if rank == highest]
    if highest >= 0 and len(chosen) > 1:
        labels = [found.label for place in said for found in place if found.rank == highest]
        raise CommandError(f"{labels[-1]}: cannot stand beside {labels[0]}")
    return chosen[0]


def loop_of(values: Values) -> Loop:
    """Refuse a loop for trio, unless what chose trio overrides what chose the loop."""
    backend, loop = values.find(BACKEND), values.find(LOOP)
    if backend.value == "asyncio" or loop.value == "auto":
        return loop.value
    if loop.rank < backend.rank:
        return "auto"
    raise CommandError(f"{loop.label}: chooses a loop of asyncio; trio has its own")


def make_limits(values: Values) -> Limits:
    """Gather `Limits` from everything that sets one, by its own option or by `--limit`."""
    named = {option.limit: option for option in OPTIONS if option.limit is not None}
    return changed(Limits(), gathered(values, LIMIT, named))


def make_timeouts(values: Values) -> Timeouts:
    """Gather `Timeouts` in the same way."""
    named = {option.timeout: option for option in OPTIONS if option.timeout is not None}
    return changed(Timeouts(), gathered(values, TIMEOUT, named))


def changed(settings: Settings, found: Mapping[str, Found[object]]) -> Settings:
    """Return settings with what was found in their place; what they refuse is told with the place where it stands."""
    for name, each in found.items():
        change: dict[str, Any] = {name: each.value}  # read as the field is annotated
        try:
            settings = replace(settings, **change)
        except ValueError as error:
            raise CommandError(f"{each.label}: {error}") from None
    return settings


def gathered(
    values: Values, general: Option[Mapping[str, Number] | None], named: Mapping[str, Option[object]]
) -> Mapping[str, Found[object]]:
    """Return the settings that somebody gives, by name: the highest source wins, and in one source the option of its own."""
    found: list[tuple[int, bool, str, Found[object]]] = []
    for several in values.everywhere(general):
        for name, value in (several.value or {}).items():
            found.append((several.rank, False, name, Found(value, several.label, several.rank)))
    for name, option in named.items():
        found.extend((each.rank, True, name, each) for each in values.everywhere(option))
    return {name: each for _, _, name, each in sorted(found, key=lambda entry: entry[:2])}
