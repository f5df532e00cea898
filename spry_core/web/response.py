"""What a handler answers with: `Response`, and everything that can be made one.

Fields that follow from the content are filled in when it is set, so middleware sees the response as it will be sent; only Date
and what belongs to the connection come later. Whatever could not be sent raises where it is set.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, Self, TypeAlias, cast

from spry_core.headers import MutableHeaders, Pairs, check_field_value
from spry_core.protocol.events import ResponseHead
from spry_core.web.cookies import SameSite, format_set_cookie
from spry_core.web.json_text import to_json

BytesLike: TypeAlias = bytes | bytearray | memoryview

Stream: TypeAlias = AsyncIterable[str | bytes] | Iterable[str | bytes]
"""Content in pieces; a `str` is sent as UTF-8."""

Content: TypeAlias = str | BytesLike | Stream
"""What the content of a response can be made of."""

_PHRASE: Final = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_WITHOUT_LENGTH: Final = (204, 304)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Response:
    """One answer: status, header section, content (RFC 9110 §3.4). It is no interim (1xx) one.

    Args:
        content: `str` is sent as UTF-8 with the type ``text/plain; charset=utf-8``, bytes with ``application/octet-stream``,
            both with a Content-Length. An iterable of either, async or not, is streamed, as ``application/octet-stream`` too:
            chunked, or to the end of the connection for HTTP/1.0; it is closed after use, whatever ended it. Empty
            content has no type.
        status_code: 200 to 599 (RFC 9110 §15). Responses with 204, 205 and 304 have no content.
        headers: A mapping, or pairs of name and value; they win over what the content says.
        reason_phrase: Empty for the usual one (RFC 9112 §4).

    Raises:
        ValueError: The status code is out of range or forbids the content, the reason phrase has a control character or
            whitespace at its ends, or a field cannot be sent.
        TypeError: The content is none of the above.
    """

    __slots__ = ("_content", "_headers", "_kind", "_reason_phrase", "_status_code")

    def __init__(
        self,
        content: Content = b"",
        status_code: int = 200,
        headers: Pairs | None = None,
        *,
        reason_phrase: str = "",
    ) -> None:
        self._status_code = status_code
        kind = "" if headers is None else _only_kind(headers)
        if status_code != 200:
            _check_status(status_code)
        elif (kind or headers is None) and not reason_phrase:
            # What most handlers answer with, in half the time: there is nothing more to be checked.
            if type(content) is bytes:
                self._headers, self._reason_phrase = None, ""
                self._content: bytes | Stream = content
                self._kind = kind or (_BYTES if content else "")
                return
            if type(content) is str:
                self._headers, self._reason_phrase = None, ""
                self._content = content.encode()
                self._kind = kind or (_TEXT if content else "")
                return
        self._kind = kind
        # The header section is made for whoever looks at it: until then it is what type, content and status say.
        self._headers = None if headers is None or kind else MutableHeaders(headers)
        self._reason_phrase = reason_phrase and _checked_phrase(reason_phrase)
        self._take(content)
        # A length of one's own is right for an answer to HEAD, and for a stream; with 204 there is none (RFC 9110 §8.6).
        if self._headers is not None and (status_code == 204 or "content-length" not in self._headers):
            self._announce()

    @classmethod
    def json(cls, value: object, status_code: int = 200, headers: Pairs | None = None) -> Self:
        """Make a response of a value as JSON in UTF-8, of the type ``application/json`` (RFC 8259).

        Raises `TypeError` or `ValueError` for what JSON cannot express, such as sets and NaN.
        """
        if headers is None:
            made = cls(to_json(value), status_code)
            made._kind = "application/json"
            return made
        fields = MutableHeaders(headers)
        fields.setdefault("content-type", "application/json")
        return cls(to_json(value), status_code, fields)

    @property
    def headers(self) -> MutableHeaders:
        """The header section, to be read and changed."""
        if self._headers is None:
            self._headers = MutableHeaders()
            if self._kind:
                self._headers["content-type"] = self._kind
            self._announce()
        return self._headers

    @headers.setter
    def headers(self, headers: MutableHeaders) -> None:
        self._headers = headers

    def usual_fields(self) -> tuple[str, int | None] | None:
        """Return the type of the content, empty if there is none, and the Content-Length, None if there is none, if these are
        all the fields; None if somebody has looked at `headers` and may have set others.
        """
        if self._headers is not None:
            return None
        return self._kind, self._length()

    def as_head(self) -> ResponseHead:
        """Return the head as the protocol has it. For who sends it."""
        if self._headers is None and not self._reason_phrase:  # nearly always: `usual_fields`
            content = self._content
            return _usual_head(
                self._status_code, self._kind, len(content) if isinstance(content, bytes) else None
            )
        return ResponseHead(
            status_code=self._status_code,
            headers=self.headers.raw(),
            reason_phrase=self._reason_phrase.encode("latin-1"),
        )

    @property
    def status_code(self) -> int:
        """Three digits, 200 to 599 (RFC 9110 §15). Setting one that forbids the content raises `ValueError`."""
        return self._status_code

    @status_code.setter
    def status_code(self, status_code: int) -> None:
        _check_status(status_code)
        _check_fits(self._content, status_code)
        self._status_code = status_code
        self._announce()

    @property
    def reason_phrase(self) -> str:
        """The reason phrase, empty for the usual one (RFC 9112 §4)."""
        return self._reason_phrase

    @reason_phrase.setter
    def reason_phrase(self, reason_phrase: str) -> None:
        self._reason_phrase = _checked_phrase(reason_phrase)

    @property
    def content(self) -> bytes | Stream:
        """The content: bytes, or a stream of pieces. Setting it sets Content-Length anew, and Content-Type if there is none."""
        return self._content

    @content.setter
    def content(self, content: Content) -> None:
        self._take(content)
        self._announce()

    @property
    def is_streamed(self) -> bool:
        """True if the content is a stream of pieces."""
        return not isinstance(self._content, bytes)

    def _take(self, content: Content) -> None:
        encoded, kind = _encode(content)
        _check_fits(encoded, self._status_code)
        self._content = encoded
        if self._headers is None:
            self._kind = self._kind or kind
        elif kind:
            self._headers.setdefault("content-type", kind)

    def _announce(self) -> None:
        """Set Content-Length as content and status have it (RFC 9110 §8.6)."""
        if self._headers is None:
            return  # it will be, when there are fields
        length = self._length()
        if length is None:
            self._headers.discard("content-length")
        else:
            self._headers["content-length"] = str(length)

    def _length(self) -> int | None:
        content = self._content
        return (
            len(content) if isinstance(content, bytes) and self._status_code not in _WITHOUT_LENGTH else None
        )

    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "lax",
    ) -> None:
        """Add a Set-Cookie field; `format_set_cookie` says what each of these may be, and raises `ValueError` (RFC 6265 §4.1)."""
        field = format_set_cookie(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
        )
        self.headers.add("set-cookie", field)

    def delete_cookie(
        self, name: str, *, path: str | None = "/", domain: str | None = None, secure: bool = False
    ) -> None:
        """Tell the browser to forget a cookie; path and domain must be those it was set with (RFC 6265 §3.1)."""
        self.set_cookie(name, max_age=0, expires=_EPOCH, path=path, domain=domain, secure=secure)

    def __repr__(self) -> str:
        size = f"{len(self._content)} bytes" if isinstance(self._content, bytes) else "streamed"
        return f"<Response {self._status_code}, {size}>"


@lru_cache(maxsize=1024)
def _usual_head(status_code: int, kind: str, size: int | None) -> ResponseHead:
    """Make a head of nothing but the type of a content and its length, once for all answers that have it."""
    fields: list[tuple[bytes, bytes]] = []
    if kind:
        fields.append((b"Content-Type", kind.encode("latin-1")))
    if size is not None and status_code not in _WITHOUT_LENGTH:
        fields.append((b"Content-Length", b"%d" % size))
    return ResponseHead(status_code=status_code, headers=tuple(fields))


def encode_piece(piece: object) -> bytes:
    """Return one piece of a stream as the bytes to send; `TypeError` if it is neither `str` nor bytes-like."""
    if isinstance(piece, str):
        return piece.encode()
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(cast("BytesLike", piece))
    raise TypeError(f"a stream of content gave {type(piece).__name__}, which is neither str nor bytes")


def to_response(value: object, request: object, returned_by: str = "the handler") -> Response:
    """Make a response of what a handler, a middleware or a filter returned.

    A `Response` is itself; None is 204; `str`, bytes and (async) iterables are the content; `dict` and `list` are JSON. Anything
    else may have a method ``__response__(request)`` that returns one of these; `request` is only handed to it.

    Raises `TypeError` for any other type, with `returned_by` in its text, and what `Response` and `Response.json` raise.
    """
    # The usual ones first: none of them has a hook.
    if type(value) is str or type(value) is bytes:
        return Response(value)
    kind = value.__class__
    if kind is Response:
        return cast("Response", value)
    if kind is dict or kind is list:
        return Response.json(value)
    if isinstance(value, Response):
        return value
    hook: object = getattr(value, "__response__", None)
    if callable(hook):
        value = cast("Callable[[object], object]", hook)(request)
        returned_by = f"__response__ of what {returned_by} returned"
    if isinstance(value, Response):
        return value
    if value is None:
        return Response(status_code=204)
    if isinstance(value, (dict, list)):
        return Response.json(cast("object", value))
    if isinstance(value, (str, bytes, bytearray, memoryview, AsyncIterable, Iterable)):
        return Response(cast("Content", value))
    raise TypeError(f"{returned_by} returned {type(value).__name__}, of which no response can be made")


def _checked_phrase(reason_phrase: str) -> str:
    if _PHRASE.fullmatch(reason_phrase) is None:
        raise ValueError("the reason phrase has a character that none may have (RFC 9112 §4)")
    return reason_phrase


def _only_kind(headers: Pairs) -> str:
    """Return the Content-Type if these are no other fields, checked as `MutableHeaders` would; else the empty one."""
    fields = cast("dict[str, str]", headers)
    if type(headers) is dict and len(fields) == 1:
        [(name, value)] = fields.items()
        if name.lower() == "content-type":
            return _checked_kind(value)
    return ""


@lru_cache(maxsize=256)
def _checked_kind(value: str) -> str:
    """Do as `check_field_value`, for types, which come again and again. They are few, and whoever sends them is on our side."""
    check_field_value("content-type", value)
    return value


def _encode(content: object) -> tuple[bytes | Stream, str]:
    """Return the content as it is kept, and the type that it has by itself, if any."""
    if isinstance(content, str):
        return content.encode(), _TEXT if content else ""
    if isinstance(content, (bytes, bytearray, memoryview)):
        encoded = bytes(cast("BytesLike", content))
        return encoded, _BYTES if encoded else ""
    if not _is_stream(content):
        raise TypeError(f"content is str, bytes or an iterable of them, not {type(content).__name__}")
    # Without a type browsers guess, and may find a page with scripts.
    return cast("Stream", content), _BYTES


def _is_stream(content: object) -> bool:
    # A dict would stream its keys, which nobody means.
    return isinstance(content, (AsyncIterable, Iterable)) and not isinstance(content, dict)


def _check_status(status_code: int) -> None:
    if not 200 <= status_code <= 599:
        raise ValueError(f"a response has a status code from 200 to 599, not {status_code} (RFC 9110 §15)")


def _check_fits(content: bytes | Stream, status_code: int) -> None:
    if status_code in (204, 205, 304) and content != b"":
        raise ValueError(f"a response with {status_code} has no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5)")
