"""Three ways to read the same bytes as the responses to two requests: ours, llhttp's through httptools, and the one of aiohttp
in pure Python, which is lenient wherever it reads responses.

Of each only what an application would be given counts: the responses that are complete, in order, interim ones as well. `PROBE`
is what comes when the second request has gone out; whoever takes something else for the answer to it has gone astray. Behind
it the stream ends.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final, cast

import httptools
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpResponseParserPy, RawResponseMessage
from aiohttp.streams import StreamReader

from differential.llhttp import Callbacks
from differential.reading import Comparison, Reading, Response, Seen, until_last
from differential.request_readers import Protocol
from differential.response_differences import RESPONSE_DIFFERENCES
from spry_core.protocol import BodyData, BodyEnd, Connection, Event, Failure, RequestHead, ResponseHead
from spry_core.protocol.head import tokens, values
from traces import connection

PROBE: Final = b"HTTP/1.1 299 Probe\r\nContent-Length: 0\r\n\r\n"


def ask(conn: Connection, method: bytes) -> None:
    """Send a request."""
    conn.send(RequestHead(method=method, target=b"/", headers=((b"Host", b"a"),)), 0.0)
    conn.send(BodyEnd(), 0.0)


def by_spry(data: bytes, method: bytes) -> Reading:
    """Read as `Connection` does."""
    conn = connection("client")
    ask(conn, method)
    heard = fed(conn, data)
    if is_over(heard):
        ask(conn, method)
    heard += fed(conn, PROBE)
    if not conn.closed:
        conn.receive_eof(0.0)
    heard += conn
    return of_events(heard)


def is_over(heard: list[Event]) -> bool:
    """Tell whether the response is complete, and another request may follow it."""
    final = [event for event in heard if isinstance(event, ResponseHead) and event.status_code >= 200]
    if any(isinstance(event, Failure) for event in heard):
        return False
    return any(isinstance(event, BodyEnd) for event in heard) and not _seen(final[0]).is_last()


def fed(conn: Connection, data: bytes) -> list[Event]:
    """Let the connection read, in as many turns as it takes."""
    if conn.closed or not data:
        return list(conn)
    conn.receive_data(data, 0.0)
    heard = list(conn)
    while conn.next_deadline() == 0.0:
        conn.handle_deadline(0.0)
        heard += conn
    return heard


def of_events(heard: list[Event]) -> Reading:
    """Put responses together."""
    complete, fault = list[Seen](), ""
    response = Response(0, b"", b"", ())
    for event in heard:
        match event:
            case ResponseHead():
                response = _seen(event)
                if event.status_code < 200:
                    complete.append(response)
            case BodyData():
                response = response._replace(content=response.content + event.data)
            case BodyEnd():
                complete.append(response._replace(trailers=event.trailers))
            case Failure():
                fault = str(event.error)
            case _:
                pass
    return until_last(complete, fault)


def _seen(head: ResponseHead) -> Response:
    return Response(head.status_code, head.http_version, head.reason_phrase, head.headers)


class _Responses(Callbacks[httptools.HttpResponseParser]):
    def __init__(self) -> None:
        super().__init__(httptools.HttpResponseParser(self))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_message_complete(self) -> None:
        start = (self.parser.get_status_code(), self.version, self._reason)
        self.complete.append(Response(*start, self.fields, self.content, self.trailers))
        self.version = b""

    def end(self) -> None:
        """Take the end of the stream for the end of a content, as llhttp does; httptools does not pass that on."""
        is_chunked = tokens(self.fields, b"transfer-encoding")[-1:] == [b"chunked"]
        if self.version and not is_chunked and not values(self.fields, b"content-length"):
            self.on_message_complete()


def by_httptools(data: bytes) -> Reading:
    """Read as llhttp does, with all of its leniencies off. It cannot be told that a response is one to HEAD."""
    responses = _Responses()
    fault = responses.read(data, PROBE)
    if not fault:
        responses.end()
    return until_last(responses.complete, fault)


class _Lenient(HttpResponseParserPy):
    """As it is where Python does not run in its development mode."""

    lax = True


def by_aiohttp(data: bytes, method: bytes) -> Reading:
    """Read as aiohttp does without its C extension: byte by byte, since of one piece it gives out nothing before a fault."""
    loop = asyncio.new_event_loop()
    parser = _Lenient(
        cast(BaseProtocol, Protocol()),
        loop,
        limit=2**30,
        method=method.decode(),
        response_with_body=method != b"HEAD",
        read_until_eof=True,
        auto_decompress=False,
    )
    messages, fault = list[tuple[RawResponseMessage, StreamReader]](), ""
    try:
        for byte in data + PROBE:
            found, is_upgraded, _ = parser.feed_data(bytes((byte,)), b"\n")
            messages += found
            if is_upgraded:
                break
        else:
            parser.feed_eof()
    except (HttpProcessingError, ValueError) as error:
        fault = type(error).__name__
    finally:
        loop.close()
    complete = list[Seen]()
    for message, payload in messages:
        broken = payload.exception()
        if broken is not None or not payload.is_eof():
            fault = fault if broken is None else type(broken).__name__
            break
        complete.append(_of_aiohttp(message, payload.read_nowait()))
    return until_last(complete, fault)


def _of_aiohttp(message: RawResponseMessage, content: bytes) -> Response:
    fields = tuple((bytes(name).lower(), bytes(value)) for name, value in message.raw_headers)
    version = f"{message.version.major}.{message.version.minor}".encode()
    reason = message.reason.encode("utf-8", "surrogateescape")
    return Response(message.code, version, reason, fields, content, None)


TO_GET: Final = Comparison(
    partial(by_spry, method=b"GET"),
    {"httptools": by_httptools, "aiohttp": partial(by_aiohttp, method=b"GET")},
    RESPONSE_DIFFERENCES,
)
TO_HEAD: Final = Comparison(
    partial(by_spry, method=b"HEAD"), {"aiohttp": partial(by_aiohttp, method=b"HEAD")}, RESPONSE_DIFFERENCES
)
