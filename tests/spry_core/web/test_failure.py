"""What an error of an application's code means for a WebSocket."""

from __future__ import annotations

import pytest

from frames import CLOSE_FRAME, TEXT, Frame, close_payload
from sockets import Opened, Peer, client_of
from spry_core import Abort, Close, ConnectionClosed, ConnectionLost, Request, WebSocket, WebSocketClose
from spry_core.testing import Cancelled
from spry_core.web.failure import close_for, without_ends

ERROR = LookupError("an error")
OTHER = KeyError("another")
CANCELLED = Cancelled()


def test_who_only_notices_the_end_of_a_connection_is_left_out() -> None:
    end = ConnectionLost(None)
    assert without_ends(end) is None
    assert without_ends(ExceptionGroup("both", [end, ConnectionClosed(None)])) is None
    assert without_ends(ExceptionGroup("both", [end, ERROR])) is ERROR
    assert without_ends(ERROR) is ERROR
    assert without_ends(CANCELLED) is CANCELLED


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (WebSocketClose(4000, "enough"), Close(code=4000, reason="enough")),
        (WebSocketClose(), Close(code=1000)),
        (Abort(400, "not on the wire"), Close(code=1008)),
        (Abort(499), Close(code=1008)),
        (Abort(500, "not on the wire"), Close(code=1011)),
        (Abort.redirect("/elsewhere"), Close(code=1011)),  # too late: the 101 was the response
        (LookupError("not on the wire"), Close(code=1011)),
        (ConnectionLost(None), Close(code=1011)),
        (CANCELLED, Close(code=1011)),
        (ExceptionGroup("not on the wire", [ERROR, OTHER]), Close(code=1011)),
    ],
    ids=repr,
)
def test_each_exception_has_its_close_frame(error: BaseException, close: Close) -> None:
    """RFC 6455 §7.4.1; the text of an exception is none of the peer's business."""
    assert close_for(error) == close


@pytest.mark.parametrize(
    ("error", "code", "reason", "logged"),
    [
        (WebSocketClose(4000, "enough"), 4000, "enough", []),
        (WebSocketClose(1008), 1008, "", []),
        (Abort(403, "secret"), 1008, "", []),
        (LookupError("secret"), 1011, "", ["LookupError"]),
        (ExceptionGroup("a task group's", [LookupError("secret")]), 1011, "", ["LookupError"]),
        (ConnectionLost(None), 1011, "", ["ConnectionLost"]),  # of some other connection: this one is open
        (Cancelled(), 1011, "", ["Cancelled"]),
    ],
    ids=lambda value: repr(value) if isinstance(value, BaseException) else None,
)
def test_a_handler_that_raises_closes_its_connection_and_errors_are_logged_once(
    error: BaseException, code: int, reason: str, logged: list[str]
) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        raise error

    client = client_of(handler)
    peer = Peer(client)
    assert peer.first == b"\x88" + bytes([2 + len(reason)]) + close_payload(code, reason)
    records = [each for each in client.reports if each.logger == "spry.error"]
    assert [type(each.exception).__name__ for each in records] == logged
    assert [each.text for each in records] == [
        f'127.0.0.1:50000 "GET /": {name} in the application' for name in logged
    ]


def test_an_abort_of_5xx_is_an_internal_error_and_logged() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        raise Abort(503)

    client = client_of(handler)
    assert Peer(client).first == b"\x88\x02\x03\xf3"
    assert [type(each.exception) for each in client.reports if each.logger == "spry.error"] == [Abort]


def test_two_tasks_of_a_handler_that_notice_the_end_are_no_error() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        info = await ws.close()
        raise ExceptionGroup("tasks", [ConnectionClosed(info), ConnectionClosed(info)])

    client = client_of(handler)
    peer = Peer(client)
    peer.stream.send(b"\x88\x80\0\0\0\0")
    peer.stream.close()
    assert [each.logger for each in client.reports] == ["spry.access"]


def test_an_error_after_the_end_is_logged_and_is_not_the_cause_of_it() -> None:
    opened = Opened()

    async def fail() -> None:
        await opened.ws.closed
        raise LookupError("late")

    callback = opened.ws.listen(print, on_done=lambda info: fail())
    opened.stream.send(b"\x88\x82\0\0\0\0\x03\xe8")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1000))]
    opened.stream.close()
    (info,) = opened.ends
    assert (info.cause, info.close_code, info.clean) == (None, 1000, True)
    assert [repr(error) for error in opened.errors] == ["LookupError('late')"]
    assert opened.ws.close_info == info
    assert opened.driver.run(callback.done) == info


def test_messages_before_the_failure_of_a_handler_go_out_first() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        ws.add("last words")
        raise LookupError

    peer = Peer(client_of(handler))
    assert peer.first == bytes([0x80 | TEXT, 10]) + b"last words" + b"\x88\x02\x03\xf3"
