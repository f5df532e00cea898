"""Responses, and what a client makes of them (RFC 9112 §4, §6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ambiguous.case import BAD_FIELD, BARE_LF, FOLDED, Refused

LINE: Final = Refused(400, "malformed status line", "RFC 9112 §4")
VERSION: Final = Refused(505, "neither HTTP/1.1 nor HTTP/1.0", "RFC 9110 §15.6.6")
LENGTH: Final = Refused(400, "malformed Content-Length", "RFC 9112 §6.3")
BOTH: Final = Refused(400, "both Content-Length and Transfer-Encoding", "RFC 9112 §6.1")
CODING: Final = Refused(501, "a transfer coding other than chunked", "RFC 9112 §6.1")
IN_1_0: Final = Refused(400, "Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")
SIZE: Final = Refused(400, "malformed chunk-size line", "RFC 9112 §7.1")
NO_CRLF: Final = Refused(400, "chunk data not followed by CRLF", "RFC 9112 §7.1")
FRAMING: Final = Refused(400, "a framing field in the trailer section", "RFC 9110 §6.5.1")
SHORT: Final = Refused(400, "the stream ended inside the content", "RFC 9112 §8")
NONE: Final = Refused(400, "the stream ended before the response", "RFC 9112 §8")
MORE: Final = Refused(400, "a response that nobody asked for", "RFC 9112 §9.2")
SWITCH: Final = Refused(400, "a 101 that nobody asked for", "RFC 9110 §15.2.2")
CHUNKS: Final = b"3\r\nabc\r\n0\r\n\r\n"


class Answer(NamedTuple):
    """Bytes from a server up to the end of its stream, and what a client makes of them."""

    data: bytes
    status_codes: tuple[int, ...] = ()
    """Of each head."""
    content: bytes = b""
    """All content that was given out, whether complete or not."""
    is_whole: bool = False
    """True if the response is complete."""
    refused: Refused | None = None
    method: bytes = b"GET"
    """Of the request that is answered."""


def good(data: bytes, *status_codes: int, content: bytes = b"", method: bytes = b"GET") -> Answer:
    """Make a row of a response that is right."""
    return Answer(data, status_codes, content, True, None, method)


def bad(refused: Refused, data: bytes, method: bytes = b"GET") -> Answer:
    """Make a row of a response whose head is refused."""
    return Answer(data, refused=refused, method=method)


def cut(refused: Refused, data: bytes, content: bytes = b"") -> Answer:
    """Make a row of a response whose content is refused."""
    return Answer(data, (200,), content, False, refused)


def head(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """Make the head of a response with these field lines."""
    return b"\r\n".join((start, *lines)) + b"\r\n\r\n"


def start(line: bytes) -> bytes:
    """Make a response with this status line."""
    return head(b"Content-Length: 0", start=line)


CHUNKED: Final = head(b"Transfer-Encoding: chunked")

RESPONSES: Final[Mapping[str, Answer]] = {
    "a length": good(head(b"Content-Length: 3") + b"abc", 200, content=b"abc"),
    "chunks": good(CHUNKED + CHUNKS, 200, content=b"abc"),
    "content up to the end": good(head() + b"abc", 200, content=b"abc"),
    "content up to the end in HTTP/1.0": good(
        head(start=b"HTTP/1.0 200 OK") + b"HTTP/1.1 200 OK\r\n\r\n", 200, content=b"HTTP/1.1 200 OK\r\n\r\n"
    ),
    "no reason phrase": good(start(b"HTTP/1.1 200 "), 200),
    "no space behind the code": good(start(b"HTTP/1.1 200"), 200),
    "a reason phrase of 8-bit characters": good(start(b"HTTP/1.1 200 \xe9"), 200),
    "an unknown code": good(start(b"HTTP/1.1 999 ?"), 999),
    "an interim response": good(head(start=b"HTTP/1.1 100 Continue") + start(b"HTTP/1.1 200 OK"), 100, 200),
    "interim responses": good(
        head(start=b"HTTP/1.1 103 Early Hints") * 3 + start(b"HTTP/1.1 200 OK"), 103, 103, 103, 200
    ),
    "204": good(head(start=b"HTTP/1.1 204 No Content"), 204),
    "204 with a length": good(head(b"Content-Length: 3", start=b"HTTP/1.1 204 No Content"), 204),
    "304 with a length": good(head(b"Content-Length: 3", start=b"HTTP/1.1 304 Not Modified"), 304),
    "304 with a coding": good(head(b"Transfer-Encoding: chunked", start=b"HTTP/1.1 304 Not Modified"), 304),
    "a length, to HEAD": good(head(b"Content-Length: 3"), 200, method=b"HEAD"),
    "a coding, to HEAD": good(CHUNKED, 200, method=b"HEAD"),
    "neither, to HEAD": good(head(), 200, method=b"HEAD"),
    "content behind 204": Answer(
        head(b"Content-Length: 3", start=b"HTTP/1.1 204 No Content") + b"abc", (204,), b"", True, MORE
    ),
    "content behind 304": Answer(head(start=b"HTTP/1.1 304 Not Modified") + b"abc", (304,), b"", True, MORE),
    "content to HEAD": Answer(head(b"Content-Length: 3") + b"abc", (200,), b"", True, MORE, b"HEAD"),
    "content behind the content": Answer(head(b"Content-Length: 3") + b"abcd", (200,), b"abc", True, MORE),
    "a second response": Answer(start(b"HTTP/1.1 200 OK") * 2, (200,), b"", True, MORE),
    "nothing": bad(NONE, b""),
    "half a head": bad(NONE, b"HTTP/1.1 200 OK\r\n"),
    "an interim response and no other": Answer(head(start=b"HTTP/1.1 100 Continue"), (100,), refused=NONE),
    "101 to who did not ask": bad(SWITCH, head(b"Upgrade: websocket", start=b"HTTP/1.1 101 Switching")),
    "less than the length": cut(SHORT, head(b"Content-Length: 3") + b"ab", b"ab"),
    "chunks without a last one": cut(SHORT, CHUNKED + b"3\r\nabc\r\n", b"abc"),
    "half a chunk": cut(SHORT, CHUNKED + b"3\r\nab", b"ab"),
    "chunks without the last empty line": cut(SHORT, CHUNKED + b"0\r\n"),
    "a chunk size with a sign": cut(SIZE, CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with 0x": cut(SIZE, CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with a space behind": cut(SIZE, CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    "chunk data with two other bytes behind": cut(NO_CRLF, CHUNKED + b"3\r\nabcXX0\r\n\r\n", b"abc"),
    "a length in the trailers": cut(FRAMING, CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n"),
    "length and chunked": bad(BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + CHUNKS),
    "length and chunked, to HEAD": bad(
        BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: chunked"), b"HEAD"
    ),
    "two lengths": bad(LENGTH, head(b"Content-Length: 3", b"Content-Length: 3") + b"abc"),
    "two lengths of a 304": bad(
        LENGTH, head(b"Content-Length: 3", b"Content-Length: 4", start=b"HTTP/1.1 304 Not Modified")
    ),
    "a list of lengths": bad(LENGTH, head(b"Content-Length: 3, 3") + b"abc"),
    "a signed length": bad(LENGTH, head(b"Content-Length: +3") + b"abc"),
    "a length with an underscore": bad(LENGTH, head(b"Content-Length: 1_0") + b"0123456789"),
    "a negative length": bad(LENGTH, head(b"Content-Length: -1")),
    "a length of 400 digits": bad(LENGTH, head(b"Content-Length: " + b"9" * 400)),
    "another coding": bad(CODING, head(b"Transfer-Encoding: gzip") + b"abc"),
    "chunked twice": bad(CODING, head(b"Transfer-Encoding: chunked, chunked") + CHUNKS),
    "chunked is not final": bad(CODING, head(b"Transfer-Encoding: chunked, identity") + CHUNKS),
    "chunked in HTTP/1.0": bad(
        IN_1_0, head(b"Transfer-Encoding: chunked", start=b"HTTP/1.0 200 OK") + CHUNKS
    ),
    "space before a colon": bad(BAD_FIELD, head(b"Content-Length : 3") + b"abc"),
    "a NUL in a value": bad(BAD_FIELD, head(b"X: \x00")),
    "a bare CR in a value": bad(BAD_FIELD, head(b"X: y\rContent-Length: 3")),
    "a bare LF in a value": bad(BARE_LF, head(b"X: y\nContent-Length: 3")),
    "a fold": bad(FOLDED, head(b"X: y", b" z")),
    "a first field that begins with a space": bad(FOLDED, head(b" Content-Length: 3") + b"abc"),
    "HTTP/2.0": bad(VERSION, start(b"HTTP/2.0 200 OK")),
    "HTTP/1.2": bad(VERSION, start(b"HTTP/1.2 200 OK")),
    "HTTP/0.9": bad(LINE, b"<html>\r\n\r\n"),
    "http/1.1": bad(LINE, start(b"http/1.1 200 OK")),
    "a code of two digits": bad(LINE, start(b"HTTP/1.1 20 OK")),
    "a code of four digits": bad(LINE, start(b"HTTP/1.1 2000 OK")),
    "a code with a sign": bad(LINE, start(b"HTTP/1.1 +20 OK")),
    "a code below 100": bad(LINE, start(b"HTTP/1.1 099 OK")),
    "a code in fullwidth digits": bad(LINE, start("HTTP/1.1 ２００ OK".encode())),
    "two spaces before the code": bad(LINE, start(b"HTTP/1.1  200 OK")),
    "a tab before the code": bad(LINE, start(b"HTTP/1.1\t200 OK")),
    "a space before the version": bad(LINE, start(b" HTTP/1.1 200 OK")),
    "an empty line before the status line": bad(LINE, b"\r\n" + start(b"HTTP/1.1 200 OK")),
    "a NUL in the reason phrase": bad(LINE, start(b"HTTP/1.1 200 O\x00K")),
    "a bare CR in the reason phrase": bad(LINE, start(b"HTTP/1.1 200 OK\rX: y")),
    "a bare LF behind the status line": bad(BARE_LF, b"HTTP/1.1 200 OK\n\n"),
    "a request": bad(LINE, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
}
