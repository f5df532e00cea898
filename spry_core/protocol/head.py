"""The head of an HTTP message: where it ends, how long it may be, and the rules of its grammar that no engine
is trusted with.

`HeadScanner` walks over the bytes line by line, wherever they were cut, and judges each line when it is
complete: length first, then syntax. Only a whole, valid head goes to an engine, in one piece. `check_request`
and `check_response` then judge what the fields say together, and find the framing of the content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Literal, TypeAlias

from spry_core.errors import RemoteProtocolError
from spry_core.headers import FIELD_TEXT, TOKEN
from spry_core.protocol.events import RawFields, RequestHead, ResponseHead, request_head
from spry_core.protocol.limits import Limits

_REQUEST_LINE: Final = re.compile(TOKEN + rb" [!-~]+ HTTP/[0-9]\.[0-9]")
_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9]\.[0-9] [1-9][0-9][0-9](?: " + FIELD_TEXT + rb")?")
_FIELD_LINE: Final = re.compile(TOKEN + rb":" + FIELD_TEXT)
_MOST_DIGITS: Final = 18
_REG_NAME: Final = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
_HOST: Final = re.compile(
    rb"(?:"
    + _REG_NAME
    + rb"|\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|\[v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\])(?::[0-9]{0,5})?"
)
_TUNNEL_END: Final = re.compile(rb"[^:].*:[0-9]+")
# The schemes of what a server of HTTP and WebSocket has; of an authority they need the host (RFC 9110 §4.2.1).
_ABSOLUTE: Final = re.compile(rb"(?i:https?|wss?)://([^/?:][^/?]*)(?:[/?].*)?")

FRAMING_FIELDS: Final = frozenset((b"content-length", b"transfer-encoding"))
"""The fields that say how long a content is; they come before it, never behind it (RFC 9110 §6.5.1)."""


def refuse(status_code: int, message: str, section: str) -> RemoteProtocolError:
    """Make the error that answers a broken HTTP message with `status_code`."""
    return RemoteProtocolError(message, status_code=status_code, section=section)


class HeadScanner:
    """Finds one head in a stream of bytes and checks its lines (RFC 9112 §2 to §5)."""

    __slots__ = ("_empty_lines", "_fields", "_is_request", "_scanned", "_section", "has_begun", "limits")

    def __init__(self, kind: Literal["request", "response"], limits: Limits) -> None:
        self.limits: Limits = limits
        """Those that it keeps to."""
        self.has_begun: bool = False
        """True while it looks at a head that is not complete."""
        self._is_request = kind == "request"
        self._scanned = 0  # bytes of complete lines behind us
        self._fields = -1  # complete field lines; -1 before the start line
        self._section = 0  # bytes of complete field lines with their CRLFs
        self._empty_lines = 0

    def feed(self, held: bytearray) -> bytes | None:
        """Look on in `held`; take the head out of it and return it when it is complete, else None.

        Raises `RemoteProtocolError` as soon as the bytes that are there can be no head.
        """
        self.has_begun = True
        while True:
            end = held.find(b"\n", self._scanned)
            if end < 0:
                self._check_length(_without_cr(held[self._scanned :]))
                return None
            line = bytes(held[self._scanned : end])
            self._check_length(_without_cr(line))
            if not line.endswith(b"\r"):
                raise refuse(400, "a line ends with a bare LF", "RFC 9112 §2.2")
            line = line[:-1]
            if line or self._fields >= 0:
                self._scanned = end + 1
                if not line:
                    return self._take(held)
                self._check_line(line)
            else:
                del held[: end + 1]
                self._count_empty_line()

    def _take(self, held: bytearray) -> bytes:
        head = bytes(held[: self._scanned])
        del held[: self._scanned]
        self._scanned, self._fields, self._section, self._empty_lines = 0, -1, 0, 0
        self.has_begun = False
        return head

    def _count_empty_line(self) -> None:
        if not self._is_request:
            raise refuse(400, "malformed status line", "RFC 9112 §4")
        self._empty_lines += 1
        if self._empty_lines > self.limits.max_empty_lines:
            raise refuse(400, "too many empty lines before a start line", "RFC 9112 §2.2")

    def _check_length(self, line: bytes | bytearray) -> None:
        limits = self.limits
        if self._fields < 0:
            if len(line) > limits.max_request_line:
                raise refuse(414, "the start line is too long", "RFC 9112 §3")
            return
        room = limits.max_header_section - self._section - 2  # less the CRLF of this line
        if line and len(line) > min(limits.max_field_line, room):
            what = "a field line" if limits.max_field_line <= room else "the header section"
            raise refuse(431, f"{what} is too long", "RFC 6585 §5")

    def _check_line(self, line: bytes) -> None:
        if self._fields < 0:
            self._check_start_line(line)
        else:
            check_field_line(line)
            self._section += len(line) + 2
        self._fields += 1
        if self._fields > self.limits.max_fields:
            raise refuse(431, "too many fields", "RFC 6585 §5")

    def _check_start_line(self, line: bytes) -> None:
        if self._is_request:
            if not _REQUEST_LINE.fullmatch(line):
                raise refuse(400, "malformed request line", "RFC 9112 §3")
            if b"#" in line.split(b" ")[1]:
                raise refuse(400, "fragment in the request target", "RFC 9112 §3.2")
            version = line[-3:]
        else:
            if not _STATUS_LINE.fullmatch(line):
                raise refuse(400, "malformed status line", "RFC 9112 §4")
            version = line[5:8]
        if version not in (b"1.0", b"1.1"):
            raise refuse(505, "neither HTTP/1.1 nor HTTP/1.0", "RFC 9110 §15.6.6")


def _without_cr(line: bytes | bytearray) -> bytes | bytearray:
    """Drop the CR that may belong to the line's end."""
    return line[:-1] if line.endswith(b"\r") else line


def check_field_line(line: bytes) -> None:
    """Raise unless `line` is one field line without obsolete folding (RFC 9112 §5)."""
    if line[:1] in (b" ", b"\t"):
        raise refuse(400, "obsolete line folding", "RFC 9112 §5.2")
    if not _FIELD_LINE.fullmatch(line):
        raise refuse(400, "malformed field line", "RFC 9112 §5")


def read_request(head: bytes) -> RequestHead:
    """Take the head of a request apart whose lines were judged. Nothing is tidied up: what an engine would
    make one out of two is still there.
    """
    line, headers = _split(head)
    method, target, version = line.split(b" ")
    return request_head(method, target, headers, version[5:])


def read_response(head: bytes) -> ResponseHead:
    """Take the head of a response apart whose lines were judged."""
    line, headers = _split(head)
    version, status_code, *phrase = line.split(b" ", maxsplit=2)
    return ResponseHead(
        status_code=int(status_code),
        headers=headers,
        reason_phrase=b"".join(phrase),
        http_version=version[5:],
    )


KNOWN: Final = {
    name: name
    for name in (
        *(b"host", b"connection", b"upgrade", b"origin", b"user-agent", b"cookie", b"authorization"),
        *(b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"pragma", b"referer"),
        *(b"content-length", b"content-type", b"transfer-encoding", b"expect", b"date", b"server"),
        *(b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol"),
        *(b"sec-websocket-extensions", b"sec-websocket-accept"),
    )
}
"""Usual names of fields: of each, all heads have the same object."""

NOTABLE: Final = frozenset(
    (
        *(b"host", b"connection", b"upgrade", b"content-length", b"transfer-encoding", b"expect"),
        *(b"sec-websocket-version", b"sec-websocket-extensions"),
    )
)
"""The names of the fields of a request that decide about something here, and may be remembered with what they decide.

Two more fields of an opening handshake are looked at, each time: its key is never the same, and its subprotocols are where
scripts in browsers, which can set no other field, put their tokens.
"""


def _split(head: bytes) -> tuple[bytes, RawFields]:
    line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return line, tuple([take_apart(each) for each in lines])


def take_apart(line: bytes) -> tuple[bytes, bytes]:
    """Return the name in lower case and the value of a field line that was judged (RFC 9112 §5)."""
    name, _, value = line.partition(b":")
    name = name.lower()
    return KNOWN.get(name, name), value.strip(b" \t")


@dataclass(frozen=True, slots=True)
class Length:
    """The content is so many bytes (RFC 9112 §6.2)."""

    size: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """The content comes in chunks (RFC 9112 §7.1)."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """The content goes to the end of the stream (RFC 9112 §6.3, last rule)."""


Framing: TypeAlias = Length | Chunked | UntilClose

EMPTY: Final = Length(0)
"""No content."""


def lowered(headers: RawFields) -> RawFields:
    """Return the section with its names in lower case, as received ones always are (RFC 9110 §5.1)."""
    return tuple((name.lower(), value) for name, value in headers)


def values(headers: RawFields, name: bytes) -> list[bytes]:
    """Return the values of every field line of that (lower-case) name, in order."""
    return [value for each, value in headers if each == name]


def tokens(headers: RawFields, name: bytes) -> list[bytes]:
    """Return the members of a comma-separated field, over all its lines, in lower case (RFC 9110 §5.6.1)."""
    members = b",".join(values(headers, name)).lower().split(b",")
    return [member for each in members if (member := each.strip(b" \t"))]


def may_persist(head: RequestHead | ResponseHead) -> bool:
    """Tell whether the sender of this head lets the connection go on after the exchange (RFC 9112 §9.3).

    One of HTTP/1.0 ends with its answer, whatever it asks for.
    """
    return head.http_version == b"1.1" and b"close" not in tokens(lowered(head.headers), b"connection")


def expects_continue(head: RequestHead) -> bool:
    """Tell whether the client waits for a 100 before it sends its content (RFC 9110 §10.1.1)."""
    return head.http_version == b"1.1" and b"100-continue" in tokens(head.headers, b"expect")


def check_request(head: RequestHead) -> Framing:
    """Judge the target of a request and the fields that decide about its framing and its host; return the
    framing (RFC 9112 §3.2, §6).
    """
    hosts = values(head.headers, b"host")
    if len(hosts) > 1:
        raise refuse(400, "more than one Host field", "RFC 9112 §3.2")
    if not hosts and head.http_version != b"1.0":
        raise refuse(400, "no Host field", "RFC 9112 §3.2")
    if hosts and not _is_host(hosts[0]):
        raise refuse(400, "malformed Host field", "RFC 9112 §3.2")
    _check_target(head)
    return _explicit_framing(head) or EMPTY


def _check_target(head: RequestHead) -> None:
    # Nearly every target has the origin form, so it is looked for first and here.
    if (head.target[:1] != b"/" or head.method == b"CONNECT") and not _is_other_form(head):
        raise refuse(400, "malformed request target", "RFC 9112 §3.2")


def _is_other_form(head: RequestHead) -> bool:
    """Tell whether the target has the authority form, which is CONNECT's alone, the asterisk form, which is that of
    OPTIONS, or the absolute form; its authority counts instead of the Host field, so it is held to the same rule.
    """
    target = head.target
    if head.method == b"CONNECT":
        return _TUNNEL_END.fullmatch(target) is not None and _is_host(target)
    if target == b"*":
        return head.method == b"OPTIONS"
    match = _ABSOLUTE.fullmatch(target)
    return match is not None and _is_host(match[1])


def _is_host(value: bytes) -> bool:
    """Tell whether `value` is ``uri-host [":" port]`` (RFC 9110 §7.2, RFC 3986 §3.2.2)."""
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    try:
        return match["ipv6"] is None or IPv6Address(match["ipv6"].decode("ascii")).version == 6
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Terms:
    """What the fields of a request settle together."""

    framing: Framing
    """How long its content is."""

    persists: bool
    """True if the client lets the connection go on behind it (`may_persist`)."""

    expects_continue: bool
    """True if the client waits for a 100 (`expects_continue`)."""

    is_old: bool
    """True if the client speaks HTTP/1.0, and knows no chunks."""

    upgrades: bool
    """True if it may be an opening handshake: it asks for WebSocket in its Upgrade field."""


def is_short(noted: RawFields) -> bool:
    """Tell whether so much may be remembered of a request, with what follows from it."""
    return sum([len(value) for _, value in noted]) <= _LONGEST_SETTLED


# The terms of requests that were found to be in order, by the fields that settled them: a client sends the same ones with
# nearly every request, and most clients send the same.
_SETTLED: Final[dict[RawFields, Terms]] = {}
_LONGEST_SETTLED: Final = 128
MOST_SETTLED: Final = 256
"""Of so many requests what follows from their fields is remembered."""


def settle(head: RequestHead, noted: RawFields) -> Terms:
    """Judge a request as `check_request` does; `noted` are those of its fields that are `NOTABLE`, in order."""
    is_usual = head.http_version == b"1.1"
    if is_usual and (terms := _SETTLED.get(noted)) is not None:
        if head.target[:1] != b"/" or head.method == b"CONNECT":  # as `_check_target` asks first
            _check_target(head)
        return terms
    picked = RequestHead(
        method=head.method, target=head.target, headers=noted, http_version=head.http_version
    )
    terms = Terms(
        framing=check_request(picked),
        persists=may_persist(picked),
        expects_continue=expects_continue(picked),
        is_old=not is_usual,
        upgrades=b"websocket" in tokens(noted, b"upgrade"),
    )
    if is_usual and is_short(noted):
        if len(_SETTLED) >= MOST_SETTLED:
            _SETTLED.clear()
        _SETTLED[noted] = terms
    return terms


def check_response(head: ResponseHead, method: bytes) -> Framing:
    """Return the framing of a response to a request of that method (RFC 9112 §6.3)."""
    explicit = _explicit_framing(head)
    if not may_have_content(head.status_code, method):
        return EMPTY
    return explicit or UntilClose()


def may_have_content(status_code: int, method: bytes) -> bool:
    """Tell whether such a response has content at all (RFC 9112 §6.3, first rule)."""
    return status_code >= 200 and status_code not in (204, 304) and method != b"HEAD"


def _explicit_framing(head: RequestHead | ResponseHead) -> Framing | None:
    lengths = values(head.headers, b"content-length")
    codings = values(head.headers, b"transfer-encoding")
    if codings:
        if lengths:
            raise refuse(400, "both Content-Length and Transfer-Encoding", "RFC 9112 §6.1")
        if head.http_version == b"1.0":
            raise refuse(400, "Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise refuse(501, "a transfer coding other than chunked", "RFC 9112 §6.1")
        return Chunked()
    if not lengths:
        return None
    length = parse_length(lengths)
    if length is None:
        raise refuse(400, "malformed Content-Length", "RFC 9112 §6.3")
    return length if length.size else EMPTY


def parse_length(lengths: list[bytes]) -> Length | None:
    """Return what the values of Content-Length say; None unless it is one plain number (RFC 9110 §8.6)."""
    size = parse_size(lengths[0]) if len(lengths) == 1 else None
    return None if size is None else Length(size)


def parse_size(value: bytes) -> int | None:
    """Return the number that a value of Content-Length is; None unless it is a plain one (RFC 9110 §8.6)."""
    return int(value) if value.isdigit() and len(value) <= _MOST_DIGITS else None
