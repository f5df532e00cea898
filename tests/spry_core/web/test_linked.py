"""Tests of `spry_core.web.linked`: nothing works before there is a link."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sockets import Opened
from spry_core import WebSocketStateError
from spry_core.web.receiving import Receiving
from spry_core.web.sending import Sending


class Both(Receiving, Sending):
    """What a `WebSocket` is made of."""


def add(ws: Both) -> object:
    return ws.send_nowait("x")


def listen(ws: Both) -> object:
    return ws.listen(print)


def drain(ws: Both) -> object:
    return ws.drained().send(None)


def receive(ws: Both) -> object:
    return ws.receive().send(None)


def iterate(ws: Both) -> object:
    return ws.incoming()


@pytest.mark.parametrize("operation", [add, listen, drain, receive, iterate])
def test_without_a_link_an_operation_is_refused_and_says_what_is_missing(
    operation: Callable[[Both], object],
) -> None:
    with pytest.raises(
        WebSocketStateError, match=r"^the WebSocket is not accepted yet: `await ws\.accept\(\)`"
    ):
        operation(Both())


def test_with_a_link_an_operation_reaches_the_connection() -> None:
    opened = Opened()
    opened.start(opened.ws.send, "x")
    assert opened.peer.texts() == ["x"]
    assert opened.start(opened.ws.drained).is_waiting is False
