"""Three ways to read the same bytes as requests: ours, llhttp's through httptools, and the one of aiohttp in pure Python.

Of each only what an application would be given counts: the requests that are complete, in order. `PROBE` stands behind every
input, so a reader that has gone astray shows it: it does not find the probe, or finds it where it is none.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

import httptools
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParserPy, RawRequestMessage
from aiohttp.streams import StreamReader

from differential.llhttp import Callbacks
from differential.reading import Comparison, Reading, Request, Seen, until_last
from differential.request_differences import REQUEST_DIFFERENCES
from spry_core.protocol import BodyData, BodyEnd, Failure, RequestHead
from traces import Owner, connection

PROBE: Final = b"GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n"


def by_spry(data: bytes) -> Reading:
    """Read as `Connection` does."""
    conn = connection()
    conn.receive_data(data, 0.0)
    owner = Owner(conn)
    owner.look()
    while conn.next_deadline() == 0.0:  # much is read in turns, of which the next is due at once
        conn.handle_deadline(0.0)
        owner.look()
    complete, fault = list[Seen](), ""
    head, content = RequestHead(method=b"", target=b""), b""
    for event in owner.heard:
        match event:
            case RequestHead():
                head, content = event, b""
            case BodyData():
                content += event.data
            case BodyEnd():
                start = (head.method, head.target, head.http_version)
                complete.append(Request(*start, head.headers, content, event.trailers))
            case Failure():
                fault = str(event.error)
            case _:
                pass
    return until_last(complete, fault)


class _Requests(Callbacks[httptools.HttpRequestParser]):
    def __init__(self) -> None:
        super().__init__(httptools.HttpRequestParser(self))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._target = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_message_complete(self) -> None:
        start = (self.parser.get_method(), self._target, self.version)
        self.complete.append(Request(*start, self.fields, self.content, self.trailers))


def by_httptools(data: bytes) -> Reading:
    """Read as llhttp does, with all of its leniencies off."""
    requests = _Requests()
    fault = requests.read(data)
    return until_last(requests.complete, fault)


class Protocol:
    """As much of a protocol as a payload asks for."""

    _reading_paused = False

    def pause_reading(self) -> None:
        """Do nothing: the payload is read behind the end."""

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Do nothing."""


def by_aiohttp(data: bytes) -> Reading:
    """Read as aiohttp does without its C extension: byte by byte, since of one piece it gives out nothing before a fault."""
    loop = asyncio.new_event_loop()
    parser = HttpRequestParserPy(cast(BaseProtocol, Protocol()), loop, limit=2**30, auto_decompress=False)
    messages, fault = list[tuple[RawRequestMessage, StreamReader]](), ""
    try:
        for i in range(len(data)):
            found, is_upgraded, _ = parser.feed_data(data[i : i + 1])
            messages += found
            if is_upgraded:
                break
    except (HttpProcessingError, ValueError) as error:
        fault = type(error).__name__
    finally:
        loop.close()
    complete = list[Seen]()
    for message, payload in messages:
        broken, is_tunnel = payload.exception(), message.method == "CONNECT"
        if broken is not None or not (payload.is_eof() or is_tunnel):
            fault = fault if broken is None else type(broken).__name__
            break  # an application that gets this far asks for no more
        complete.append(_of_aiohttp(message, b"" if is_tunnel else payload.read_nowait()))
    return until_last(complete, fault)


def _of_aiohttp(message: RawRequestMessage, content: bytes) -> Request:
    fields = tuple((bytes(name).lower(), bytes(value)) for name, value in message.raw_headers)
    version = f"{message.version.major}.{message.version.minor}".encode()
    target = message.path.encode("utf-8", "surrogateescape")
    return Request(message.method.encode(), target, version, fields, content, None)


REQUESTS: Final = Comparison(by_spry, {"httptools": by_httptools, "aiohttp": by_aiohttp}, REQUEST_DIFFERENCES)
