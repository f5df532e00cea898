"""Tests of `spry_core.web.registration`: each method of HTTP, and that a handler comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_type

import pytest

from fakes import FakeExchange, head
from spry_core.web.application import Application
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket


def page(request: Request) -> str:
    return "a page"


METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


@pytest.mark.parametrize("name", METHODS)
def test_each_method_takes_a_handler_or_decorates_it(name: str) -> None:
    """RFC 9110 §9.3, RFC 5789 §2."""
    app = Application()
    register: Callable[..., object] = getattr(app, name)
    assert register("/called", page) is page
    decorate = register("/decorated")
    assert callable(decorate)
    assert decorate(page) is page
    assert [(entry.method, str(entry.pattern), entry.handler) for entry in app.routes] == [
        (name.upper(), "/called", page),
        (name.upper(), "/decorated", page),
    ]


def test_one_registration_may_be_for_several_methods() -> None:
    app = Application()
    assert app.on(("GET", "POST"), "/called", page) is page
    assert app.on("PURGE", "/decorated")(page) is page
    assert [(entry.method, str(entry.pattern)) for entry in app.routes] == [
        ("GET", "/called"),
        ("POST", "/called"),
        ("PURGE", "/decorated"),
    ]


def register(handler: Callable[[Request], str]) -> None:
    """Register one of which a checker knows this and no more."""
    app = Application()
    assert assert_type(app.get("/a", handler), Callable[[Request], str]) is page
    assert assert_type(app.get("/b")(handler), Callable[[Request], str]) is page
    assert assert_type(app.on("GET", "/c", handler), Callable[[Request], str]) is page
    assert assert_type(app.on("GET", "/d")(handler), Callable[[Request], str]) is page


def test_a_checker_sees_a_handler_as_it_was_written() -> None:
    register(page)
    app = Application()

    @app.get("/e")
    def five(request: Request) -> int:
        return 5

    assert assert_type(five(Request(head("/e"), FakeExchange())), int) == 5


def test_a_checker_sees_a_handler_of_websockets_as_it_was_written() -> None:
    app = Application()

    @app.ws("/a", max_queue=1)
    def five(ws: WebSocket | None, request: Request) -> int:
        return 5

    assert assert_type(five(None, Request(head("/a"), FakeExchange())), int) == 5
    assert app.ws("/b", five)(None, Request(head("/b"), FakeExchange())) == 5
