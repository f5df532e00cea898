"""HTTP: the head of a request with ten fields in, a response of 13 octets out (RFC 9112)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import h11
import httptools

from benchmarks.exchanges import CONTENT
from benchmarks.inside.timing import Case
from spry_core.protocol import Connection, EngineName, RequestHead, ResponseHead
from spry_core.protocol.engines.choice import ENGINES

REQUEST: Final = (
    b"GET /hello HTTP/1.1\r\n"
    b"Host: www.example.org\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\n"
    b"Referer: https://www.example.org/\r\n"
    b"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Pragma: no-cache\r\n"
    b"Connection: keep-alive\r\n"
    b"\r\n"
)

FIELDS: Final = ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(CONTENT)))

Answer = Callable[[bytes], bytes]
"""Takes a request and returns the response."""


def cases() -> Iterator[Case]:
    """Give every parser."""
    for name, answer in parsers():
        for _ in range(2):  # the second time it must still be there
            if not answer(REQUEST).endswith(b"\r\n\r\n" + CONTENT):
                raise RuntimeError(f"{name} answers something else")
        yield Case("HTTP: a head of 10 fields in, 13 B out", "GET", name, partial(answer, REQUEST))


def parsers() -> Iterator[tuple[str, Answer]]:
    """Give each parser by its name."""
    for name in ENGINES:
        yield f"spry {name}", spry(name)
    yield "h11", with_h11()
    yield "httptools, and no writer", with_httptools()


def spry(name: EngineName) -> Answer:
    """Return our protocol, every rule and limit included, on an engine."""
    connection = Connection("server", now=0.0, random=bytes, engine=name)

    def answer(data: bytes) -> bytes:
        connection.receive_data(data, 0.0)
        for event in connection:
            if isinstance(event, RequestHead):
                connection.send_response(ResponseHead(status_code=200, headers=FIELDS), CONTENT, 0.0)
        out = b"".join([each for each in connection.data_to_send() if isinstance(each, bytes)])
        connection.bytes_written(len(out), 0.0)
        return out

    return answer


def with_h11() -> Answer:
    """Return h11, which has fewer rules."""
    connection = h11.Connection(h11.SERVER)

    def answer(data: bytes) -> bytes:
        connection.receive_data(data)
        while not isinstance(connection.next_event(), h11.EndOfMessage):
            pass
        out = connection.send(h11.Response(status_code=200, headers=list(FIELDS)))
        content = connection.send(h11.Data(data=CONTENT))
        end = connection.send(h11.EndOfMessage())
        connection.start_next_cycle()
        return b"".join((out or b"", content or b"", end or b""))

    return answer


class Heard:
    """What httptools tells, kept as a server would."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        """Take the target."""
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self.fields.append((name.lower(), value))

    def on_message_complete(self) -> None:
        """Take note of the end."""
        self.is_complete = True


def with_httptools() -> Answer:
    """Return httptools, and the least that makes a response out of fields."""
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)

    def answer(data: bytes) -> bytes:
        heard.fields, heard.is_complete = [], False
        parser.feed_data(data)
        if not heard.is_complete:
            raise RuntimeError("not a whole request")
        lines = [b"HTTP/1.1 200 OK\r\n", *(b"%b: %b\r\n" % field for field in FIELDS), b"\r\n", CONTENT]
        return b"".join(lines)

    return answer
