"""Tests of `spry_core.protocol.limits`: names, defaults, and that a negative one is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, fields
from typing import Any

import pytest

from spry_core.protocol.limits import Limits, Timeouts

KIB = 1024

LIMITS = {
    "max_request_line": 8 * KIB,
    "max_field_line": 8 * KIB,
    "max_header_section": 32 * KIB,
    "max_fields": 100,
    "max_trailer_section": 8 * KIB,
    "max_trailer_fields": 32,
    "max_chunk_line": 256,
    "max_chunk_extensions": 4 * KIB,
    "max_empty_lines": 4,
    "max_body": KIB * KIB,
    "min_body_rate": 500,
    "min_write_rate": 500,
    "max_requests": None,
    "max_read_ahead": 64 * KIB,
    "max_linger": 64 * KIB,
    "max_connections": 10_000,
    "backlog": 2048,
    "max_message_size": KIB * KIB,
    "max_fragments": 1024,
    "max_queue": 16,
    "max_queue_size": 64 * KIB,
    "high_water": 64 * KIB,
    "max_unsent": KIB * KIB,
}
TIMEOUTS = {
    "head": 10.0,
    "body": 20.0,
    "keep_alive": 15.0,
    "write": 30.0,
    "linger": 2.0,
    "opening": 10.0,
    "ping_interval": 20.0,
    "ping_timeout": 20.0,
    "close_timeout": 5.0,
    "tls_handshake": 10.0,
    "grace": 10.0,
    "accept_pause": 0.5,
}


def test_the_defaults_are_those_of_the_table() -> None:
    assert asdict(Limits()) == LIMITS
    assert asdict(Timeouts()) == TIMEOUTS


BOUNDLESS = {"max_requests", "max_message_size", "max_fragments"}


@pytest.mark.parametrize("name", LIMITS)
def test_none_turns_off_what_may_be_none_and_is_refused_elsewhere(name: str) -> None:
    """A content or a queue without a limit would fail much later, where the two are compared."""
    settings: dict[str, Any] = {name: None}  # Any: checkers refuse it too
    if name in BOUNDLESS:
        assert asdict(Limits(**settings))[name] is None
        return
    with pytest.raises(
        TypeError, match=rf"^Limits\.{name} is None: it cannot be turned off, but it may be any number$"
    ):
        Limits(**settings)


@pytest.mark.parametrize("name", TIMEOUTS)
def test_every_timeout_can_be_turned_off(name: str) -> None:
    assert asdict(Timeouts(**{name: None}))[name] is None


PAUSES = ["max_read_ahead", "max_queue", "max_queue_size"]


@pytest.mark.parametrize("name", PAUSES)
def test_a_limit_that_pauses_reading_is_not_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=f"Limits.{name} is 0"):
        Limits(**{name: 0})
    assert asdict(Limits(**{name: 1}))[name] == 1


def test_a_server_without_connections_and_pings_without_an_interval_are_refused() -> None:
    """Who writes 0 means to turn something off, which None does."""
    with pytest.raises(ValueError, match=r"^Limits\.max_connections is 0: nothing would ever be accepted$"):
        Limits(max_connections=0)
    with pytest.raises(
        ValueError, match=r"^Timeouts\.ping_interval is 0: Pings would never end, and None means none$"
    ):
        Timeouts(ping_interval=0)
    assert (Limits(max_connections=1).max_connections, Timeouts(ping_interval=0.001).ping_interval) == (
        1,
        0.001,
    )


@pytest.mark.parametrize("name", [name for name in LIMITS if name not in (*PAUSES, "max_connections")])
def test_a_limit_may_be_nothing_but_not_less(name: str) -> None:
    assert asdict(Limits(**{name: 0}))[name] == 0
    with pytest.raises(ValueError, match=rf"^Limits\.{name} is negative: -1$"):
        Limits(**{name: -1})


@pytest.mark.parametrize("name", [name for name in TIMEOUTS if name != "ping_interval"])
def test_a_duration_may_be_nothing_or_endless_but_not_negative(name: str) -> None:
    assert asdict(Timeouts(**{name: 0.0}))[name] == 0.0
    assert asdict(Timeouts(**{name: None}))[name] is None
    with pytest.raises(ValueError, match=rf"^Timeouts\.{name} is negative: -0\.5$"):
        Timeouts(**{name: -0.5})


@pytest.mark.parametrize("settings", [Limits(), Timeouts()])
def test_settings_never_change(settings: Limits | Timeouts) -> None:
    for field in fields(settings):
        with pytest.raises(FrozenInstanceError):
            setattr(settings, field.name, 1)
