"""The bytes of the scenarios: requests and answers, frames of a client and of a server."""

from __future__ import annotations

from typing import Final

from spry_core.testing import requests
from spry_core.testing.conformance.steps import WILD
from spry_core.testing.frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, close_payload, frame

SWITCHED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
) % requests.ACCEPT.encode()
"""The answer to `shake`."""

DATE: Final = b"Date: " + WILD * len("Sat, 01 Jan 2000 00:00:00 GMT") + b"\r\n"
"""A Date field line, whatever the time."""

TEXT_PLAIN: Final = "text/plain; charset=utf-8"
OCTETS: Final = "application/octet-stream"

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"""RFC 9110 §15.2.1."""

CHUNKED: Final = "Transfer-Encoding: chunked"
CLOSE_FIELD: Final = "Connection: close"


def request(
    target: str = "/", *fields: str, method: str = "GET", version: str = "1.1", content: bytes = b""
) -> bytes:
    """Make a request with these field lines beside Host."""
    return requests.head(method, target, "test", *fields, version=version) + content


def post(content: bytes, *fields: str, target: str = "/") -> bytes:
    """Make a POST whose Content-Length is right."""
    return request(target, f"Content-Length: {len(content)}", *fields, method="POST", content=content)


def head(status: str, *fields: str) -> bytes:
    """Make the head of an answer; the line ``Date`` stands for a Date field."""
    lines = [f"HTTP/1.1 {status}\r\n".encode()]
    lines += [DATE if field == "Date" else f"{field}\r\n".encode() for field in fields]
    return b"".join(lines) + b"\r\n"


def answer(
    content: bytes = b"",
    *,
    status: str = "200 OK",
    kind: str = TEXT_PLAIN,
    last: bool = False,
    before: tuple[str, ...] = (),
) -> bytes:
    """Make the answer of a route, the last of its connection or not; `before` are field lines in front of the others."""
    fields = (*before, f"Content-Type: {kind}", f"Content-Length: {len(content)}", "Date")
    return head(status, *fields, *((CLOSE_FIELD,) if last else ())) + content


def last_word(status: str, content: bytes | None = None) -> bytes:
    """Make an answer after which the server ends the connection of its own accord, such as that to what is no HTTP."""
    content = status.split(" ", 1)[1].encode() + b"\n" if content is None else content
    length = f"Content-Length: {len(content)}"
    return head(status, f"Content-Type: {TEXT_PLAIN}", length, CLOSE_FIELD, "Date") + content


def streamed(*, kind: str = OCTETS) -> bytes:
    """Make the head of an answer that comes in chunks."""
    return head("200 OK", f"Content-Type: {kind}", "Date", CHUNKED)


def chunk(data: bytes) -> bytes:
    """Make one chunk (RFC 9112 §7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK: Final = b"0\r\n\r\n"


def shake(
    target: str = "/", *fields: str, without: str = "", method: str = "GET", version: str = "1.1"
) -> bytes:
    """Make the opening handshake of RFC 6455 §1.3 with more field lines, or without one of its own."""
    own = requests.handshake_lines({without: None} if without else None)
    return request(target, *own, *fields, method=method, version=version)


def say(*texts: str) -> bytes:
    """Make text messages of a client."""
    return b"".join(frame(TEXT, text.encode()) for text in texts)


def server_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Make a frame as a server sends it, unmasked (RFC 6455 §5.1)."""
    return frame(opcode, payload, fin=fin, mask=None)


def said(*texts: str) -> bytes:
    """Make text messages of a server."""
    return b"".join(server_frame(TEXT, text.encode()) for text in texts)


def given(data: bytes) -> bytes:
    """Make a binary message of a server."""
    return server_frame(BINARY, data)


def ping(payload: bytes = b"") -> bytes:
    """Make a client's Ping."""
    return frame(PING, payload)


def pong(payload: bytes = b"") -> bytes:
    """Make a client's Pong."""
    return frame(PONG, payload)


def pinged(payload: bytes = b"") -> bytes:
    """Make a server's Ping."""
    return server_frame(PING, payload)


def ponged(payload: bytes = b"") -> bytes:
    """Make a server's Pong."""
    return server_frame(PONG, payload)


def close(code: int | None = 1000, reason: str = "") -> bytes:
    """Make a client's Close frame; empty without a code."""
    return frame(CLOSE_FRAME, b"" if code is None else close_payload(code, reason))


def closing(code: int | None = 1000, reason: str = "") -> bytes:
    """Make a server's Close frame; empty without a code."""
    return server_frame(CLOSE_FRAME, b"" if code is None else close_payload(code, reason))
