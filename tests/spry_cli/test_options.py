from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from spry_cli.options import (
    ACCESS_LOG,
    APP,
    BACKEND,
    ENGINE,
    ENGINES,
    FACTORY,
    LIMIT,
    OF_ROUTES,
    OF_RUN,
    OPTIONS,
    PORT,
    SSL_CERTFILE,
    Option,
)
from spry_core.protocol import EngineName, Limits, Timeouts

NAMES = [option.name for option in OPTIONS]


def named(name: str) -> Option[object]:
    [option] = [option for option in OPTIONS if option.name == name]
    return option


def test_every_name_is_there_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert len({option.variable for option in OPTIONS}) == len(NAMES)


def test_one_name_gives_all_the_others() -> None:
    option = named("ws-max-size")
    assert (option.flag, option.variable, option.label) == (
        "--ws-max-size",
        "SPRY_WS_MAX_SIZE",
        "--ws-max-size",
    )
    assert APP.label == "module:app"


@pytest.mark.parametrize("option", OPTIONS, ids=NAMES)
def test_a_default_can_be_written_in_all_places(option: Option[object]) -> None:
    assert bool(option.default_text) is (option.default is not None or option.limit is not None)
    if option.default_text:
        assert option.read(option.default_text) == option.default


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (PORT, "8000"),
        (BACKEND, "asyncio"),
        (ACCESS_LOG, "true"),
        (FACTORY, "false"),
        (SSL_CERTFILE, ""),
        (LIMIT, ""),
        (named("ws-max-size"), "1048576"),
        (named("ws-ping-interval"), "20"),
    ],
)
def test_a_default_is_written_as_a_person_would(option: Option[object], text: str) -> None:
    assert option.default_text == text


def test_a_setting_without_a_default_value_is_written_as_none() -> None:
    option = Option[int | None](name="a", read=int, default=None, help="", group="", limit="max_requests")
    assert option.default_text == "none"


def test_what_has_an_option_of_its_own_is_a_setting_and_has_its_default() -> None:
    limits = {option.limit: option.default for option in OPTIONS if option.limit is not None}
    timeouts = {option.timeout: option.default for option in OPTIONS if option.timeout is not None}
    assert limits == {each.name: each.default for each in fields(Limits) if each.name in limits}
    assert timeouts == {each.name: each.default for each in fields(Timeouts) if each.name in timeouts}
    assert set(limits) == {"backlog", "max_connections", "max_message_size", "max_queue"}
    assert set(timeouts) == {"keep_alive", "grace", "ping_interval", "ping_timeout"}


def test_every_engine_can_be_chosen() -> None:
    assert get_args(EngineName) == ENGINES
    assert [ENGINE.read(name) for name in ENGINES] == ["native", "pure", "reference"]


def test_routes_has_only_what_finds_the_application() -> None:
    assert [option.name for option in OF_ROUTES] == ["app", "app-dir", "factory"]
    assert OF_RUN == OPTIONS
