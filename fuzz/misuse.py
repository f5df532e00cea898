"""What an owner may try at any time: said or refused, and if refused, nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias

from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    Accept,
    BodyData,
    BodyEnd,
    Close,
    Connection,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    RequestHead,
    ResponseHead,
    SentEvent,
    Timeouts,
)
from traces import look

HOST: Final = (b"Host", b"a")
EVENTS: Final[Sequence[SentEvent]] = (
    RequestHead(method=b"GET", target=b"/", headers=(HOST,)),
    RequestHead(method=b"POST", target=b"/", headers=(HOST, (b"Content-Length", b"3"))),
    RequestHead(method=b"POST", target=b"/", headers=(HOST, (b"Transfer-Encoding", b"chunked"))),
    RequestHead(method=b"GET", target=b"/ /", headers=(HOST,)),
    RequestHead(method=b"GET", target=b"/", headers=()),
    RequestHead(method=b"GET\r\n", target=b"/", headers=(HOST,)),
    ResponseHead(status_code=100),
    ResponseHead(status_code=101),
    ResponseHead(status_code=200),
    ResponseHead(status_code=200, headers=((b"Content-Length", b"3"),)),
    ResponseHead(status_code=204, headers=((b"Connection", b"close"),)),
    ResponseHead(status_code=304, headers=((b"Content-Length", b"7"),)),
    ResponseHead(status_code=200, headers=((b"A", b"b\r\nC: d"),)),
    ResponseHead(status_code=200, reason_phrase=b"O\nK"),
    ResponseHead(status_code=700),
    BodyData(data=b""),
    BodyData(data=b"abc"),
    BodyEnd(),
    BodyEnd(trailers=((b"A", b"b"),)),
    BodyEnd(trailers=((b"Host", b"b"),)),
    Accept(),
    Accept(subprotocol="chat"),
    Accept(extensions=("permessage-deflate",)),
    Accept(extensions=("x",)),
    Message(data=""),
    Message(data="é" * 100),
    Message(data=b"\xff" * 70, compress=True),
    Message(data="\ud800"),
    MessageStart(kind="text"),
    MessageStart(kind="binary", compress=False),
    MessageData(data="é"),
    MessageData(data=b"\xff"),
    MessageData(data=""),
    MessageEnd(),
    Ping(),
    Ping(payload=b"x" * 126),
    Pong(payload=b"p"),
    Close(),
    Close(code=1000, reason="bye"),
    Close(code=1005),
    Close(code=1000, reason="é" * 62),
)
"""Every kind of event, right and wrong."""

CLOSE_CODES: Final = (1000, 1001, 1005, 3000, 4999, 5000)

Call: TypeAlias = Callable[[Connection, Random, float], None]


def _send(conn: Connection, random: Random, now: float) -> None:
    conn.send(random.choice(EVENTS), now)


def _send_message(conn: Connection, random: Random, now: float) -> None:
    data = random.choice(("", "é" * 100, "\ud800", b"", b"\xff" * 70))
    conn.send_message(data, random.choice((None, True, False)), now)


def _send_response(conn: Connection, random: Random, now: float) -> None:
    heads = [event for event in EVENTS if isinstance(event, ResponseHead)]
    conn.send_response(random.choice(heads), random.choice((b"", b"abc")), now)


def _release(conn: Connection, random: Random, now: float) -> None:
    conn.release(random.choice((-1, 0, 1, 10, 10_000)), now)


def _want_pieces(conn: Connection, random: Random, now: float) -> None:
    conn.receive_in_pieces(random.random() < 0.7, now)


def _set_interval(conn: Connection, random: Random, now: float) -> None:
    conn.set_ping_interval(random.choice((None, -1.0, 0.0, 1.0, 100.0)), now)


def _shut_down(conn: Connection, random: Random, now: float) -> None:
    conn.shutdown(now, random.choice(CLOSE_CODES), random.choice(("", "é" * 100)))


def _fail(conn: Connection, random: Random, now: float) -> None:
    code = random.choice((None, 1003, 1005, 1008))
    conn.fail(RemoteProtocolError("not wanted", close_code=code, section="RFC 6455 §7.4.1"), now)


def _abort(conn: Connection, random: Random, now: float) -> None:
    conn.abort(now)


def _ignore_offer(conn: Connection, random: Random, now: float) -> None:
    conn.ignore_offer()


def _configure(conn: Connection, random: Random, now: float) -> None:
    conn.configure(limits=Limits(max_message_size=100), timeouts=Timeouts())


def _hear_nothing(conn: Connection, random: Random, now: float) -> None:
    conn.receive_data(b"", now)


def _write_more(conn: Connection, random: Random, now: float) -> None:
    if conn.closed:
        return
    conn.bytes_written(conn.buffered_amount + 1, now)


CALLS: Final[Sequence[Call]] = (
    # These say something, so `talk`, which knows what was said, takes none of the first 20.
    *([_send] * 16),
    *(_send_message, _send_message, _send_response, _send_response),
    *(_release, _want_pieces, _want_pieces, _set_interval, _ignore_offer, _configure),
    *(_hear_nothing, _write_more, _shut_down, _fail, _abort),
)


def try_anything(conn: Connection, random: Random, now: float) -> None:
    """Make one call that the state may forbid."""
    attempt(conn, lambda: random.choice(CALLS)(conn, random, now))


def attempt(conn: Connection, call: Callable[[], None]) -> bool:
    """Make a call; tell whether it was allowed. If it was not, it has changed nothing that can be seen."""
    before, refused = look(conn), ""
    try:
        call()
    except (LocalProtocolError, ValueError, TypeError) as error:
        refused = repr(error)
    assert not refused or look(conn) == before, f"{refused} changed {before} into {look(conn)}"
    return not refused
